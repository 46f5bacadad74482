//! Where events are sent besides the ledger.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use sealtrail_event::{Domain, Severity};
use serde::{Deserialize, Serialize};

/// One destination. Which keys it may have depends on its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-not-acted-on" = "events are sealed in the ledger only; sending comes in a later release"))]
pub struct Destination {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: DestinationKind,
    /// Its name, unlike any other's.
    pub name: String,
    /// Whether it is used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Folder of the files; relative to the trail's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Name of each file; `{YYYY}`, `{MM}`, `{DD}` and `{HH}` stand for the time in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename_pattern: Option<String>,
    /// When a new file begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_policy: Option<RotationPolicy>,
    /// Compression of old files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<FileCompression>,
    /// Age at which a file is compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress_after_days: Option<u32>,
    /// Which events are sent.
    #[serde(default)]
    pub event_filter: EventFilter,
    /// Events that are not sent: a type, or a type with conditions (`workflow.step_completed[status=success]`).
    #[serde(default)]
    pub exclude_events: Vec<String>,
    /// Form of the records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Whether slots of sensitive content are sent too.
    #[serde(default)]
    pub include_sensitive_data: bool,
    /// Whether files are encrypted.
    #[serde(default)]
    pub encrypt_at_rest: bool,
    /// AWS region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// CloudWatch log group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// First part of the names of CloudWatch log streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_prefix: Option<String>,
    /// Key of the AWS key service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Log Analytics workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Log Analytics key; write `${NAME}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secret" = true))]
    pub shared_key: Option<String>,
    /// Log Analytics table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_type: Option<String>,
    /// Members added to every record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_fields: BTreeMap<String, String>,
    /// Address of the collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Token of the collector; write `${NAME}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secret" = true))]
    pub token: Option<String>,
    /// How records are changed on the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transformation: Option<Transformation>,
    /// Events of one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_size: Option<u32>,
    /// The longest a batch waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600))]
    pub batch_timeout_seconds: Option<u32>,
    /// Tries before a batch goes to the dead letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub max_retries: Option<u32>,
    /// How sure delivery is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_guarantee: Option<DeliveryGuarantee>,
    /// Where undeliverable batches wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_queue: Option<DeadLetterQueue>,
    /// Whether only a part of the events is sent. The ledger always has all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
}

fn yes() -> bool {
    true
}

/// Types of destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationKind {
    /// JSON Lines files.
    File,
    /// AWS CloudWatch Logs.
    Cloudwatch,
    /// Azure Monitor (Log Analytics).
    AzureMonitor,
    /// A SIEM with an HTTP collector.
    SiemWebhook,
}

impl DestinationKind {
    /// Returns the word as it stands in `audit.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Cloudwatch => "cloudwatch",
            Self::AzureMonitor => "azure_monitor",
            Self::SiemWebhook => "siem_webhook",
        }
    }

    /// Returns the keys that only some types have, and this one has.
    pub(crate) fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::File => &["path", "filename_pattern", "rotation_policy", "compression", "compress_after_days"],
            Self::Cloudwatch => &["region", "log_group", "log_stream_prefix", "kms_key_id"],
            Self::AzureMonitor => &["workspace_id", "shared_key", "log_type", "custom_fields"],
            Self::SiemWebhook => &["endpoint", "token", "transformation", "delivery_guarantee", "dead_letter_queue"],
        }
    }

    /// Returns the keys that this type cannot do without.
    pub(crate) fn required_keys(self) -> &'static [&'static str] {
        match self {
            Self::File => &["path"],
            Self::Cloudwatch => &["region", "log_group"],
            Self::AzureMonitor => &["workspace_id", "shared_key"],
            Self::SiemWebhook => &["endpoint"],
        }
    }

    pub(crate) const ALL: [Self; 4] = [Self::File, Self::Cloudwatch, Self::AzureMonitor, Self::SiemWebhook];
}

/// Which events are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// Domains.
    pub domains: Vec<Domain>,
    /// The least severity.
    pub severity_minimum: Severity,
}

impl Default for EventFilter {
    fn default() -> Self {
        Self { domains: Domain::ALL.to_vec(), severity_minimum: Severity::Info }
    }
}

/// When a new file begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationPolicy {
    /// By what.
    #[serde(rename = "type")]
    pub kind: RotationKind,
    /// Size limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_size_mb: Option<u32>,
}

/// By what a new file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationKind {
    /// Every day.
    Daily,
    /// At a size.
    Size,
    /// Whichever comes first.
    SizeAndTime,
}

/// Compression of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileCompression {
    /// Gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// None.
    None,
}

/// Form of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON Lines.
    Jsonl,
}

/// How records are changed on the way out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transformation {
    /// Members added to every record.
    pub add_fields: BTreeMap<String, String>,
    /// Members that get another name.
    pub field_mappings: BTreeMap<String, String>,
}

/// How sure delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryGuarantee {
    /// Tried again until it is taken; it may arrive twice.
    AtLeastOnce,
}

/// Where undeliverable batches wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterQueue {
    /// Folder; relative to the trail's home.
    pub path: String,
    /// How long they wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub retain_days: Option<u32>,
}

/// Sending only a part of the events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Whether it is on.
    #[serde(default)]
    pub enabled: bool,
    /// The part that is sent.
    #[schemars(range(min = 0, max = 1))]
    pub sample_rate: f64,
    /// Domains it is for; all when empty.
    #[serde(default)]
    pub domains_affected: Vec<Domain>,
}
