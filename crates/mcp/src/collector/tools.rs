//! The tools, as the protocol names and describes them.

use std::borrow::Cow;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

/// Returns all tools.
pub(super) fn all() -> Vec<Tool> {
    let text = |about: &str| json!({"type": "string", "description": about});
    let texts = |about: &str| json!({"type": "array", "items": {"type": "string"}, "description": about});
    vec![
        tool(
            "log_event",
            "Record one event in the audit trail: who did what to which resource, and how it ended. Answers with the audit id and a receipt.",
            json!({"type": "object", "additionalProperties": true, "properties": {
                "event_type": text("What happened, as domain.what_happened: data.file_read, auth.user_login. Either this or action."),
                "action": text("What was done: file_read, file_write, tool_execution, api_call."),
                "resource": {"description": "What was touched: a path or an identifier."},
                "outcome": {"type": "string", "enum": ["success", "failure", "denied", "error", "pending", "unknown"]},
                "timestamp": text("When, as in RFC 3339; now when left out."),
                "userId": text("Who, in the enterprise's own words."),
                "sessionId": text("Session of the client; known when left out."),
                "severity": {"type": "string", "enum": ["debug", "info", "warning", "high", "critical"]},
                "metadata": {"type": "object", "description": "Whatever else belongs to it."},
                "complianceTags": texts("Frameworks that it counts for: SOC2, ISO27001, GDPR, HIPAA."),
            }}),
            false,
        ),
        tool(
            "log_decision",
            "Record a decision and the reasons for it. Answers with the audit id and a receipt.",
            json!({"type": "object", "additionalProperties": true, "required": ["decision"], "properties": {
                "decision": {"description": "What was decided."},
                "factors_considered": {"type": "array", "description": "On what."},
                "confidence": {"description": "How sure: a number from 0 to 1, or a word."},
                "alternative_options": {"type": "array", "description": "What else could have been decided."},
                "timestamp": text("When, as in RFC 3339; now when left out."),
                "context": {"type": "object", "description": "Whatever else belongs to it."},
            }}),
            false,
        ),
        tool(
            "search",
            "Find events of the trail, within what the read token shows. Every search is recorded.",
            json!({"type": "object", "additionalProperties": false, "properties": {
                "query": text("A query of the audit query language: `tool_name=Bash and outcome!=success`, `* | count by mcp_server`."),
                "where": {"type": "object", "description": "Conditions on fields: {\"event_type\": \"data.*\"}."},
                "since": text("From this time on: 2026-03-01, `2 weeks ago`, 24h."),
                "until": text("Until this time."),
                "limit": {"type": "integer", "minimum": 1, "maximum": 10_000, "description": "At most this many events; 20 when left out."},
                "cursor": text("next_cursor of the last answer, to go on."),
            }}),
            true,
        ),
    ]
}

fn tool(name: &'static str, about: &'static str, schema: Value, read_only: bool) -> Tool {
    let schema = match schema {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let hints = ToolAnnotations::new().read_only(read_only).destructive(false).open_world(false);
    Tool::new(name, Cow::Borrowed(about), schema).with_annotations(hints)
}
