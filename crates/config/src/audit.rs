//! The whole of `audit.yaml`, and the parts of it that this release acts on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Api;
use crate::collector::Collector;
use crate::compliance::Compliance;
use crate::destination::Destination;
use crate::fleet::Fleet;
use crate::gateway::Gateway;
use crate::mcp::Mcp;
use crate::retention::{Retention, Rotation};
use crate::transcripts::Transcripts;

/// Configuration of an audit trail (`audit.yaml`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "audit.yaml")]
pub struct Config {
    /// The trail.
    pub audit: Audit,
    /// What regulations ask of it.
    pub compliance: Compliance,
}

/// The trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Whether anything is captured. Switching it off is itself recorded.
    pub enabled: bool,
    /// Where events are sent besides the ledger.
    pub destinations: Vec<Destination>,
    /// How long events are kept, and where.
    pub retention: Retention,
    /// How files of local destinations are rotated.
    pub rotation: Rotation,
    /// Who may read the trail. Any non-empty mapping, list or word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-not-acted-on" = "access rules come with the server"))]
    pub access_control: Option<Value>,
    /// The sealed ledger.
    pub ledger: Ledger,
    /// Protection against changes, for trails without a compliance framework.
    pub integrity: Integrity,
    /// What happens to the client when an event can be recorded nowhere.
    pub fail_mode: FailModes,
    /// How events are taken in.
    pub capture: Capture,
    /// The query API of the daemon.
    pub api: Api,
    /// The collector: events from other programs and machines.
    pub collector: Collector,
    /// The proxy for MCP servers.
    pub mcp: Mcp,
    /// The gateway between clients and the model's API.
    pub gateway: Gateway,
    /// Handing this trail to a collector.
    pub fleet: Fleet,
    /// Following the client's transcript files.
    pub transcripts: Transcripts,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            enabled: true,
            destinations: Vec::new(),
            retention: Retention::default(),
            rotation: Rotation::default(),
            access_control: None,
            ledger: Ledger::default(),
            integrity: Integrity::default(),
            fail_mode: FailModes::default(),
            capture: Capture::default(),
            api: Api::default(),
            collector: Collector::default(),
            mcp: Mcp::default(),
            gateway: Gateway::default(),
            fleet: Fleet::default(),
            transcripts: Transcripts::default(),
        }
    }
}

/// The sealed ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// Compression of sealed segments.
    pub compression: Compression,
    /// Events of one segment.
    #[schemars(range(min = 256, max = 65_536))]
    pub segment_events: u32,
    /// A second place for the high-water mark, best on another disk or owned by another user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highwater_mirror: Option<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { compression: Compression::Gzip, segment_events: 65_536, highwater_mirror: None }
    }
}

/// Compression of the ledger's segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Gzip members of bounded size; `zcat` reads them.
    Gzip,
    /// Plain text.
    None,
}

/// Protection of the trail against changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Integrity {
    /// Records cannot be changed after creation; `false` is not possible.
    pub immutable: bool,
    /// A message authentication code for every event, beside tree, chain and signatures. Chosen when the ledger is created.
    pub integrity_check: IntegrityCheck,
    /// A second copy elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-not-acted-on" = "the second copy comes with destinations"))]
    pub audit_log_backup: Option<Backup>,
}

impl Default for Integrity {
    fn default() -> Self {
        Self { immutable: true, integrity_check: IntegrityCheck::None, audit_log_backup: None }
    }
}

/// A code for every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IntegrityCheck {
    /// HMAC-SHA256 with a key that is replaced at every change of epoch.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// None beside tree, chain and signatures.
    #[serde(rename = "none")]
    None,
}

/// Where the second copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backup {
    /// Another store, encrypted.
    SeparateEncryptedStorage,
}

/// What happens when an event can be neither sealed nor spooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailMode {
    /// The client goes on; the loss is counted and sealed later.
    Continue,
    /// A tool call about to run is denied; the loss is counted and sealed later.
    Block,
}

/// Fail mode, for all classes and for single ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FailModes {
    /// For every class that is not named.
    #[serde(rename = "default")]
    pub otherwise: FailMode,
    /// Start, end and other life signs of sessions and agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_lifecycle: Option<FailMode>,
    /// Tool calls. The only class in which something can be denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_invocation: Option<FailMode>,
    /// Permission requests and denials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_decision: Option<FailMode>,
    /// Everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<FailMode>,
}

impl Default for FailModes {
    fn default() -> Self {
        Self { otherwise: FailMode::Continue, session_lifecycle: None, tool_invocation: None, policy_decision: None, other: None }
    }
}

/// How events are taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// Milliseconds that a hook waits for the daemon before it spools.
    #[schemars(range(min = 10, max = 60_000))]
    pub hook_deadline_ms: u32,
    /// Whether files that an event names (full tool output, an agent's parent) are read at once.
    pub side_files: bool,
    /// Who may connect to the daemon's socket.
    pub socket: SocketAccess,
}

impl Default for Capture {
    fn default() -> Self {
        Self { hook_deadline_ms: 2_000, side_files: true, socket: SocketAccess::Everyone }
    }
}

/// Who may connect to the daemon's socket. The peer's user is recorded in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SocketAccess {
    /// Whoever may enter the trail's folder.
    Everyone,
    /// The trail's owner, and the group of the `run` folder.
    Group,
    /// The trail's owner.
    Owner,
}

impl Config {
    /// Tells whether events get a message authentication code.
    pub fn hmac(&self) -> bool {
        let asked = [Some(&self.audit.integrity), self.compliance.frameworks.hipaa.as_ref().and_then(|hipaa| hipaa.integrity.as_ref())];
        asked.into_iter().flatten().any(|integrity| integrity.integrity_check == IntegrityCheck::HmacSha256)
    }
}
