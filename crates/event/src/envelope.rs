//! The envelope: the part of an event that is hashed into the ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{AuditId, Token};
use crate::kind::{Category, Domain, Grade, Outcome, Phase, PolicyResult, Severity, Witness};

/// Ids, times, types, classes, counts and costs of one event; no free text, no person, no secret.
///
/// Members are serialised in the order written here; absent members are left out. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Unique id of the event.
    pub audit_id: AuditId,
    /// `domain.what_happened`, for example `data.file_read`.
    pub event_type: Token,
    /// When it happened, as the witness says (a claim), in the witness's own notation.
    pub timestamp: Token,
    /// When the recorder took it in (RFC 3339, nanoseconds, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Token>,
    /// Version of the event schema.
    pub schema_version: u32,
    /// One of the five domains.
    pub domain: Domain,
    /// One of the five categories, where one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How much it matters.
    pub severity: Severity,
    /// Which part of an action this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// How the action ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The witness's own status word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Token>,
    /// Who saw it.
    pub witness: Witness,
    /// How the witness knows.
    pub grade: Grade,
    /// What policy said; `not_evaluated` where none looked.
    pub policy_result: PolicyResult,
    /// The shape the record came in, when it was not ours (see `docs/format/event.md`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Token>,

    /// Session of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Token>,
    /// Turn of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<Token>,
    /// One tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<Token>,
    /// One request to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Token>,
    /// The agent that acted; absent for the main agent of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Token>,
    /// The agent that started this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_agent_id: Option<Token>,
    /// The kind of agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<Token>,
    /// The agent that this event started or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subagent_id: Option<Token>,
    /// The event that led to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_audit_id: Option<AuditId>,
    /// Workflow definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<Token>,
    /// Workflow run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<Token>,
    /// Workflow run that started this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_execution: Option<Token>,
    /// Application that called the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<Token>,
    /// Project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Token>,

    /// Hook event of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_event_name: Option<Token>,
    /// Tool, as named on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<Token>,
    /// What the tool call is in our vocabulary, on intents (`data.file_read`, `infra.git`, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_type: Option<Token>,
    /// MCP server of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_server: Option<Token>,
    /// Permission mode of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<Token>,
    /// Model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Token>,
    /// Version of the client, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_version: Option<Token>,
    /// Where it came from: start reason, trigger, settings source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Token>,
    /// Why: end reason, denial reason code, error class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Token>,
    /// Why a session ended: `completed`, `timed_out`, `killed`, `budget_exhausted`, `crashed`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<Token>,

    /// Highest class of the data involved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_classification: Option<Token>,
    /// What was touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// What was done to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<OperationResult>,

    /// Duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Tokens sent to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens the model answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Tokens of both kinds, where only the sum is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_used: Option<u64>,
    /// Money in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// SHA-256 (hex) of the prompt or request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_hash: Option<Token>,
    /// SHA-256 (hex) of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_hash: Option<Token>,

    /// Milliseconds between the event and its sealing, when it waited in a spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<u64>,
    /// How many secrets or personal values were replaced by placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redactions: Option<u32>,
    /// What the ledger says of itself (`ledger.*` events only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Map<String, Value>>,
}

/// What was touched; its path or address is in the `resource` slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// `file`, `url`, `database`, `repository`, `mcp_tool`, `agent`, …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Token>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Sensitivity label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity_level: Option<Token>,
    /// Classification label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<Token>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// `read`, `write`, `delete`, `execute`, `send`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Token>,
    /// Whether only a part was touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<bool>,
    /// Records touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_count: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationResult {
    /// The witness's status word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Token>,
    /// Milliseconds the read took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_duration_ms: Option<u64>,
    /// Bytes that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// `sha256:` + hex of the result's bytes, salted by nothing: set only where the content is not personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_hash: Option<Token>,
}

impl Envelope {
    /// Makes the smallest valid envelope; domain follows from the type, everything else is a default.
    pub fn new(audit_id: AuditId, event_type: Token, timestamp: Token, witness: Witness) -> Self {
        Self {
            audit_id,
            domain: crate::kind::domain_of(event_type.as_str()),
            event_type,
            timestamp,
            recorded_at: None,
            schema_version: crate::SCHEMA_VERSION,
            category: None,
            severity: Severity::Info,
            phase: None,
            outcome: None,
            status: None,
            witness,
            grade: Grade::Observed,
            policy_result: PolicyResult::NotEvaluated,
            shape: None,
            session_id: None,
            prompt_id: None,
            tool_use_id: None,
            request_id: None,
            agent_id: None,
            parent_agent_id: None,
            agent_type: None,
            subagent_id: None,
            parent_audit_id: None,
            workflow_id: None,
            execution_id: None,
            parent_execution: None,
            application_id: None,
            project_id: None,
            hook_event_name: None,
            tool_name: None,
            action_type: None,
            mcp_server: None,
            permission_mode: None,
            model: None,
            client_version: None,
            source: None,
            reason: None,
            end_reason: None,
            data_classification: None,
            resource: None,
            operation: None,
            result: None,
            duration_ms: None,
            input_tokens: None,
            output_tokens: None,
            tokens_used: None,
            cost_usd: None,
            prompt_hash: None,
            response_hash: None,
            late_ms: None,
            redactions: None,
            ledger: None,
        }
    }
}
