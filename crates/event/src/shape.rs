//! The shapes a record may come in, how they are recognised, and what they call our fields.

use serde_json::{Map, Value};

/// A way of writing an event as one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Ours: what a view is.
    Ours,
    /// Snake case with the five domains: `event_type`, `audit_id`, `user_context`, …; also anything else.
    Trail,
    /// Camel case of an agent gateway: `eventType`, `developerId`, `policyResult`, …
    Gateway,
    /// Base schema of a governance log and its security extension: `event_id`, `user_id_hash`, `token_input`, …
    Governance,
    /// Record of one model call: `event_id`, `prompt_hash`, `completion_tokens`, …
    ApiCall,
    /// The `AuditEvent` interface: `userId`, `action`, `outcome`, `complianceTags`, …
    AuditEvent,
}

impl Shape {
    /// Every shape.
    pub const ALL: &[Self] = &[Self::Ours, Self::Trail, Self::Gateway, Self::Governance, Self::ApiCall, Self::AuditEvent];

    /// Returns the name as it stands in `shape` and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "sealtrail",
            Self::Trail => "trail",
            Self::Gateway => "gateway",
            Self::Governance => "governance",
            Self::ApiCall => "api_call",
            Self::AuditEvent => "audit_event",
        }
    }

    /// Finds a shape by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|shape| shape.as_str() == name)
    }

    /// Recognises the shape of a record by the names of its members.
    pub fn of(record: &Map<String, Value>) -> Self {
        let has = |name: &str| record.contains_key(name);
        let any = |names: &[&str]| names.iter().any(|name| has(name));
        if has("schema_version") && has("witness") {
            Self::Ours
        } else if any(&["eventType", "developerId", "policyResult", "policyRule"]) {
            Self::Gateway
        } else if has("complianceTags") || has("userId") && any(&["action", "outcome"]) {
            Self::AuditEvent
        } else if any(&["user_id_hash", "security_event_type", "token_input", "token_output", "security_flags", "mcp_integrations"]) {
            Self::Governance
        } else if any(&["prompt_tokens", "completion_tokens", "prompt_raw", "response_raw"]) || has("event_id") && has("prompt_hash") {
            Self::ApiCall
        } else {
            Self::Trail
        }
    }

    /// Returns the members of the shape as pairs of its own path and ours.
    pub(crate) fn members(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ours => &[],
            Self::Trail => TRAIL,
            Self::Gateway => GATEWAY,
            Self::Governance => GOVERNANCE,
            Self::ApiCall => API_CALL,
            Self::AuditEvent => AUDIT_EVENT,
        }
    }
}

/// The plain shape calls everything as we do; only what an export to it shows of a foreign event is listed.
const TRAIL: &[(&str, &str)] = &[
    ("event_type", "event_type"),
    ("timestamp", "timestamp"),
    ("severity", "severity"),
    ("user_id", "user_id"),
    ("email", "email"),
    ("source_ip", "source_ip"),
    ("user_agent", "user_agent"),
    ("mfa_verified", "mfa_verified"),
    ("session_duration_seconds", "session_duration_seconds"),
    ("status", "status"),
    ("result_code", "result_code"),
    ("agent_id", "agent_id"),
    ("modified_by", "modified_by"),
    ("change_type", "change_type"),
    ("instructions_delta", "instructions_delta"),
    ("tool_permissions", "tool_permissions"),
    ("approval_chain", "approval_chain"),
    ("user_context.initiated_by", "user_id"),
    ("user_context.session_id", "session_id"),
    ("resource", "resource"),
    ("operation", "operation"),
    ("result", "result"),
    ("workflow_id", "workflow_id"),
    ("execution_id", "execution_id"),
    ("initiated_by", "initiated_by"),
    ("parent_execution", "parent_execution"),
    ("workflow_steps", "workflow_steps"),
    ("total_duration_ms", "total_duration_ms"),
    ("cost_usd", "cost_usd"),
    ("tokens_used", "tokens_used"),
    ("audit_id", "audit_id"),
];

const GATEWAY: &[(&str, &str)] = &[
    ("timestamp", "timestamp"),
    ("sessionId", "session_id"),
    ("developerId", "user_id"),
    ("projectId", "project_id"),
    ("eventType", "event_type"),
    ("tool", "tool_name"),
    ("input", "input"),
    ("output", "output"),
    ("policyResult", "policy_result"),
    ("policyRule", "policy_rule"),
];

const GOVERNANCE: &[(&str, &str)] = &[
    ("event_id", "audit_id"),
    ("event_type", "event_type"),
    ("timestamp", "timestamp"),
    ("session_id", "session_id"),
    ("user_id_hash", "user_id_hash"),
    ("department", "department"),
    ("model_version", "model"),
    ("data_classification", "data_classification"),
    ("mcp_integrations", "mcp_integrations"),
    ("token_input", "input_tokens"),
    ("token_output", "output_tokens"),
    ("duration_ms", "duration_ms"),
    ("policy_flags", "policy_flags"),
    ("security_flags", "security_flags"),
    ("security_event_type", "security_event_type"),
    ("severity", "severity"),
    ("details", "details"),
    ("auto_blocked", "auto_blocked"),
    ("notified_to", "notified_to"),
];

const API_CALL: &[(&str, &str)] = &[
    ("event_id", "audit_id"),
    ("timestamp", "timestamp"),
    ("user_id", "user_id"),
    ("session_id", "session_id"),
    ("application_id", "application_id"),
    ("model", "model"),
    ("prompt_hash", "prompt_hash"),
    ("prompt_tokens", "input_tokens"),
    ("completion_tokens", "output_tokens"),
    ("response_hash", "response_hash"),
    ("latency_ms", "duration_ms"),
    ("data_classification", "data_classification"),
    ("prompt_raw", "prompt"),
    ("response_raw", "response"),
    ("policy_flags", "policy_flags"),
    ("ip_address", "source_ip"),
    ("status", "status"),
    ("stop_reason", "stop_reason"),
    ("error_type", "error_type"),
];

const AUDIT_EVENT: &[(&str, &str)] = &[
    ("timestamp", "timestamp"),
    ("userId", "user_id"),
    ("sessionId", "session_id"),
    ("action", "operation.action"),
    ("resource", "resource.path"),
    ("outcome", "outcome"),
    ("metadata.workingDirectory", "cwd"),
    ("metadata.claudeModel", "model"),
    ("complianceTags", "compliance_tags"),
];
