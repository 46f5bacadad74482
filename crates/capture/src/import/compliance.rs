//! One activity of Anthropic's Compliance API: what an organisation's administrators see of chats, files, projects and keys.
//!
//! The feed tells that something was done, not what: no content, no tool calls, and nothing of the client on a developer's machine. Every event of
//! it says so (`granularity: activity`).

use serde_json::{Map, Value, json};

use crate::import::row::{Row, RowError, add, head, rfc3339};

/// Beginnings of an activity's type, and what such activities are in our vocabulary.
const TYPES: &[(&str, &str)] = &[
    ("user_signed_in", "auth.user_login"),
    ("user_signed_out", "auth.user_logout"),
    ("sso_", "auth.sso"),
    ("login", "auth.user_login"),
    ("api_key", "auth.key_changed"),
    ("platform_api_key", "auth.key_changed"),
    ("admin_api_key", "auth.key_changed"),
    ("compliance_api", "system.audit_log_accessed"),
    ("claude_chat", "prompt.chat"),
    ("claude_file", "data.file_changed"),
    ("claude_project", "agent.project"),
    ("claude_artifact", "data.artifact"),
    ("org_user", "auth.membership_changed"),
    ("role_", "auth.permission_changed"),
    ("group_", "auth.permission_changed"),
    ("org_", "agent.config_update"),
];

/// Reads one member of `data`. The whole activity is kept under `activity`.
pub fn compliance(record: &Value) -> Result<Row, RowError> {
    let Value::Object(members) = record else { return Err(RowError::Shape { found: format!("is no object but {}", head(record)) }) };
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let (Some(key), Some(kind)) = (text("id"), text("type")) else {
        return Err(RowError::Shape { found: "has no `id` or no `type`".to_owned() });
    };
    let unix_ns = rfc3339(members, "created_at")?;
    let actor = |name: &str| members.get("actor").and_then(|actor| actor.get(name)).and_then(Value::as_str);
    let event_type = TYPES.iter().find(|(begin, _)| kind.starts_with(begin)).map_or("system.activity", |(_, event_type)| event_type);
    let user = ["email_address", "unauthenticated_email_address", "user_id", "api_key_id", "admin_api_key_id", "type"];
    let parts = [
        ("user_id", json!(user.iter().find_map(|name| actor(name)))),
        ("email", json!(actor("email_address"))),
        ("source_ip", json!(actor("ip_address"))),
        ("user_agent", json!(actor("user_agent"))),
        ("operation", json!({"action": kind})),
        ("outcome", json!(if kind.contains("failed") || kind.contains("denied") { "failure" } else { "success" })),
        ("granularity", json!("activity")),
        ("activity", record.clone()),
    ];
    let mut out = Map::from_iter([("event_type".to_owned(), event_type.into())]);
    out.extend(parts.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)));
    let mut candidates = Vec::new();
    if let Some(session) = text("session_id") {
        add(&mut candidates, "session_id", session);
    }
    Ok(Row { source: "compliance", key: key.to_owned(), unix_ns, record: out, candidates })
}
