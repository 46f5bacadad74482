//! The table itself.

use super::{Field, Kind, Place};
use crate::slot::SlotName;

/// A field of the envelope.
const fn env(path: &'static str, kind: Kind, doc: &'static str, aliases: &'static [&'static str]) -> Field {
    Field { path, place: Place::Envelope, kind, doc, aliases }
}

/// A field that only the recorder fills.
const fn own(path: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { path, place: Place::Recorder, kind, doc, aliases: &[] }
}

/// A field of the identity slot.
const fn who(path: &'static str, kind: Kind, doc: &'static str, aliases: &'static [&'static str]) -> Field {
    Field { path, place: Place::Slot(SlotName::Identity), kind, doc, aliases }
}

/// A field of the resource slot.
const fn what(path: &'static str, kind: Kind, doc: &'static str, aliases: &'static [&'static str]) -> Field {
    Field { path, place: Place::Slot(SlotName::Resource), kind, doc, aliases }
}

/// A field of the slot `slot`.
const fn kept(slot: SlotName, path: &'static str, kind: Kind, doc: &'static str, aliases: &'static [&'static str]) -> Field {
    Field { path, place: Place::Slot(slot), kind, doc, aliases }
}

/// A field of the content slot.
const fn more(path: &'static str, kind: Kind, doc: &'static str, aliases: &'static [&'static str]) -> Field {
    kept(SlotName::Content, path, kind, doc, aliases)
}

/// Every known field: the envelope's in the order in which they are serialised, then the slots'.
pub const FIELDS: &[Field] = &[
    env("audit_id", Kind::Token, "unique id of the event", &["event_id", "eventId", "auditId"]),
    env("event_type", Kind::EventType, "what happened, in domain form", &["eventType", "type"]),
    env("timestamp", Kind::Time, "when it happened, as the witness says", &["time", "@timestamp"]),
    own("recorded_at", Kind::Time, "when the recorder took it in"),
    own("schema_version", Kind::Count, "version of the event schema"),
    own("domain", Kind::Token, "one of the five domains, derived from the type"),
    own("category", Kind::Token, "one of the five categories, derived from the type"),
    env("severity", Kind::Severity, "how much it matters; derived when the record does not say", &[]),
    env("phase", Kind::Phase, "which part of an action this is", &[]),
    env("outcome", Kind::Outcome, "how the action ended; derived from the status words", &[]),
    env("status", Kind::Token, "the witness's own status word", &[]),
    own("witness", Kind::Token, "who saw it"),
    own("grade", Kind::Token, "how the witness knows"),
    env("policy_result", Kind::PolicyResult, "what policy said; `not_evaluated` where none looked", &["policyResult"]),
    own("shape", Kind::Token, "the shape the record came in"),
    env("session_id", Kind::Token, "session of the client", &["sessionId", "session"]),
    env("prompt_id", Kind::Token, "turn of the session", &["promptId"]),
    env("tool_use_id", Kind::Token, "one tool call", &["toolUseId"]),
    env("request_id", Kind::Token, "one request to the model", &["requestId"]),
    env("agent_id", Kind::Token, "the agent that acted", &["agentId", "agent"]),
    env("parent_agent_id", Kind::Token, "the agent that started this agent", &["parentAgentId"]),
    env("agent_type", Kind::Token, "the kind of agent", &["agentType"]),
    env("subagent_id", Kind::Token, "the agent that this event started or ended", &["subagentId"]),
    env("parent_audit_id", Kind::Token, "the event that led to this one", &["parentAuditId"]),
    env("workflow_id", Kind::Token, "workflow definition", &["workflowId"]),
    env("execution_id", Kind::Token, "workflow run", &["executionId"]),
    env("parent_execution", Kind::Token, "workflow run that started this one", &["parentExecution"]),
    env("application_id", Kind::Token, "application that called the model", &["applicationId", "app_id"]),
    env("project_id", Kind::Token, "project", &["projectId", "project"]),
    env("hook_event_name", Kind::Token, "hook event of the client", &["hookEventName"]),
    env("tool_name", Kind::Token, "tool, as named on the wire", &["tool", "toolName"]),
    env("action_type", Kind::Token, "what a tool call is in our vocabulary", &["actionType"]),
    env("mcp_server", Kind::Token, "MCP server of the tool", &["mcpServer"]),
    env("permission_mode", Kind::Token, "permission mode of the session", &["permissionMode"]),
    env("model", Kind::Token, "model", &["model_version", "modelVersion", "claudeModel", "metadata.claudeModel"]),
    env("client_version", Kind::Token, "version of the client", &["clientVersion"]),
    env("source", Kind::Token, "start reason, trigger or settings source", &[]),
    env("reason", Kind::Token, "reason code", &[]),
    env("end_reason", Kind::Token, "why a session ended", &["endReason"]),
    env("data_classification", Kind::Class, "highest class of the data involved", &["dataClassification"]),
    env("resource.type", Kind::Token, "what kind of thing was touched", &["resource_type", "resourceType"]),
    env("resource.size_bytes", Kind::Count, "size of what was touched", &[]),
    env("resource.sensitivity_level", Kind::Class, "sensitivity label", &["sensitivity_level", "sensitivity", "sensitivityLevel"]),
    env("resource.classification", Kind::Class, "classification label", &["classification"]),
    env("operation.action", Kind::Token, "what was done", &["action"]),
    env("operation.partial", Kind::Flag, "whether only a part was touched", &[]),
    env("operation.record_count", Kind::Count, "records touched", &["record_count", "recordCount"]),
    env("result.status", Kind::Token, "the witness's status word of the operation", &[]),
    env("result.read_duration_ms", Kind::Count, "milliseconds the read took", &[]),
    env("result.size_bytes", Kind::Count, "bytes that came back", &[]),
    env("result.audit_hash", Kind::Token, "hash of the result", &["audit_hash"]),
    env("duration_ms", Kind::Count, "duration in milliseconds", &["latency_ms", "durationMs", "latencyMs"]),
    env("input_tokens", Kind::Count, "tokens sent to the model", &["prompt_tokens", "token_input", "inputTokens", "promptTokens"]),
    env(
        "output_tokens",
        Kind::Count,
        "tokens the model answered",
        &["completion_tokens", "token_output", "outputTokens", "completionTokens"],
    ),
    env("tokens_used", Kind::Count, "tokens of both kinds", &["tokensUsed", "total_tokens"]),
    env("cost_usd", Kind::Money, "money in US dollars", &["costUsd", "cost"]),
    env("prompt_hash", Kind::Token, "SHA-256 of the prompt or request", &["promptHash"]),
    env("response_hash", Kind::Token, "SHA-256 of the response", &["responseHash"]),
    own("late_ms", Kind::Count, "milliseconds the event waited in a spool"),
    own("redactions", Kind::Count, "how many values were replaced by placeholders"),
    own("ledger", Kind::Any, "what the ledger says of itself"),
    who("user_id", Kind::Text, "the person or service account", &["userId", "developerId", "developer_id", "developer", "user"]),
    who("user_id_hash", Kind::Text, "pseudonym of the person", &["userIdHash"]),
    who("email", Kind::Text, "e-mail address of the person", &[]),
    who("source_ip", Kind::Address, "network address of the person", &["ip_address", "sourceIp", "ipAddress", "client_ip"]),
    who("user_agent", Kind::Text, "client software of the person", &["userAgent"]),
    who("mfa_verified", Kind::Flag, "whether a second factor was checked", &["mfaVerified"]),
    who("department", Kind::Text, "department of the person", &["team"]),
    who("manager", Kind::Text, "manager of the person", &[]),
    who("roles", Kind::List, "roles of the person", &[]),
    who("groups", Kind::List, "groups of the person", &[]),
    who("cost_center", Kind::Text, "cost centre of the person", &["costCenter"]),
    who("clearance_level", Kind::Class, "clearance of the person", &["clearanceLevel"]),
    who("last_authentication", Kind::Time, "when the person last authenticated", &["lastAuthentication"]),
    who("initiated_by", Kind::Text, "who started it; also given as `user_id`", &["initiatedBy"]),
    who("modified_by", Kind::Text, "who changed it; also given as `user_id`", &["modifiedBy"]),
    who("user_context.initiated_by", Kind::Text, "for whom an agent acted; also given as `user_id`", &[]),
    who("approval_chain", Kind::List, "who approved, and when", &["approvalChain"]),
    who("notified_to", Kind::List, "who was told", &["notifiedTo"]),
    who("host", Kind::Text, "machine", &["hostname"]),
    who("os_user", Kind::Text, "account of the operating system", &[]),
    who("uid", Kind::Count, "number of that account", &[]),
    who("client_pid", Kind::Count, "process of the client", &[]),
    what("resource.path", Kind::Text, "path or identifier of what was touched", &["resource", "path", "file_path"]),
    what("resource.url", Kind::Text, "address of what was touched", &["url"]),
    what("operation.columns_accessed", Kind::List, "columns that were read", &["columns_accessed"]),
    what("operation.columns_redacted", Kind::List, "columns that were withheld", &["columns_redacted"]),
    what("cwd", Kind::Text, "working folder", &["workingDirectory", "metadata.workingDirectory"]),
    what("transcript_path", Kind::Text, "transcript file of the client", &[]),
    kept(SlotName::Prompt, "prompt", Kind::Any, "what was asked", &["prompt_raw", "promptRaw"]),
    kept(SlotName::Input, "input", Kind::Any, "what a tool was given", &[]),
    kept(SlotName::Input, "tool_input", Kind::Any, "what a tool was given, as on the wire", &["toolInput"]),
    kept(SlotName::Input, "command", Kind::Text, "command line", &[]),
    kept(SlotName::Output, "output", Kind::Any, "what a tool gave back", &[]),
    kept(SlotName::Output, "tool_response", Kind::Any, "what a tool gave back, as on the wire", &["toolResponse"]),
    kept(SlotName::Output, "response", Kind::Any, "what the model answered", &["response_raw", "responseRaw"]),
    kept(SlotName::Output, "tool_results", Kind::Any, "what the model was told, by tool call", &[]),
    kept(SlotName::Output, "error", Kind::Any, "error in words", &[]),
    more("user_context.session_id", Kind::Text, "session of the person; also given as `session_id`", &[]),
    more("policy_rule", Kind::Text, "the rule that applied", &["policyRule"]),
    more("policy_flags", Kind::List, "policy findings", &["policyFlags"]),
    more("security_flags", Kind::List, "security findings", &["securityFlags"]),
    more("security_event_type", Kind::Text, "kind of a security event", &["securityEventType"]),
    more("details", Kind::Any, "description in words", &[]),
    more("auto_blocked", Kind::Flag, "whether it was stopped without a person", &["autoBlocked"]),
    more("mcp_integrations", Kind::List, "MCP servers used in the session", &["mcpIntegrations"]),
    more("compliance_tags", Kind::List, "frameworks the event counts for", &["complianceTags", "tag", "tags"]),
    more("session_duration_seconds", Kind::Count, "length of the session", &[]),
    more("result_code", Kind::Text, "result code of the source", &["resultCode"]),
    more("change_type", Kind::Text, "kind of a configuration change", &["changeType"]),
    more("instructions_delta.added", Kind::Any, "instructions that were added", &[]),
    more("instructions_delta.removed", Kind::Any, "instructions that were removed", &[]),
    more("tool_permissions.granted", Kind::List, "tools that were granted", &[]),
    more("tool_permissions.revoked", Kind::List, "tools that were revoked", &[]),
    more("workflow_steps", Kind::List, "steps of a workflow run, with their decisions", &["workflowSteps"]),
    more("total_duration_ms", Kind::Count, "duration of a workflow run; also given as `duration_ms`", &["totalDurationMs"]),
    more("stop_reason", Kind::Text, "why the model stopped", &["stopReason"]),
    more("error_type", Kind::Text, "class of an error", &["errorType"]),
    more("delegation_chain", Kind::List, "person, session and agents down to the agent that acted", &[]),
    more("purpose", Kind::Text, "why personal data was processed", &[]),
    more("legal_basis", Kind::Text, "on what legal basis", &["legalBasis"]),
    more("consent_ref", Kind::Text, "consent that was checked", &["consentRef"]),
    more("skill", Kind::Text, "skill that was invoked", &["skillName"]),
    more("started", Kind::Any, "when a skill was invoked", &[]),
    more("decision", Kind::Any, "what an agent decided", &[]),
    more("factors_considered", Kind::Any, "on what an agent decided", &["factorsConsidered"]),
    more("confidence", Kind::Any, "how sure the agent was", &[]),
    more("alternative_options", Kind::Any, "what else the agent could have decided", &["alternativeOptions"]),
    more("metadata", Kind::Any, "what the sender added", &[]),
    more("as_sent", Kind::Any, "values of the record that the canonical members do not give back, under the record's names", &[]),
    more("not_sent", Kind::List, "JSON pointers of members that an export would add", &[]),
];
