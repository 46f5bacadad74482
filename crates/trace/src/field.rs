//! Fields of an event by name, as text.

use serde_json::Value;

/// Columns that are computed from several members.
pub const DERIVED: &[(&str, &str)] =
    &[("agent", "the agent that acted, `main` for the main agent of a session"), ("summary", "what was done to what, in one line")];

/// Returns the member at a dotted path, for example `resource.path`.
pub fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(value) = event.get(path) {
        return Some(value);
    }
    path.split('.').try_fold(event, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// Returns a field as text: strings bare, nothing for what is absent, JSON for the rest.
pub fn text(event: &Value, name: &str) -> String {
    match at(event, name) {
        None | Some(Value::Null) => match name {
            "agent" => agent(event),
            "summary" => summary(event),
            _ => String::new(),
        },
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn agent(event: &Value) -> String {
    let id = text(event, "agent_id");
    if !id.is_empty() {
        let kind = text(event, "agent_type");
        return if kind.is_empty() { id } else { format!("{kind} {id}") };
    }
    if at(event, "session_id").is_some() { "main".to_owned() } else { String::new() }
}

/// Members that say best what an event was about, most telling first.
const TELLING: &[&str] = &[
    "tool_input.command",
    "resource.path",
    "resource.url",
    "resource.name",
    "resource.target",
    "access.query",
    "tool_input.file_path",
    "tool_input.url",
    "tool_input.description",
    "tool_input.prompt",
    "prompt",
    "instructions_delta.added",
    "tool_permissions.granted",
    "details",
    "message",
    "last_assistant_message",
    "error",
    "end_reason",
    "source",
    "workflow_id",
    "security_event_type",
    "subagent_id",
    "model",
];

/// Says in one line what was done to what.
pub fn summary(event: &Value) -> String {
    let erased = at(event, "erased").and_then(Value::as_array).filter(|names| !names.is_empty());
    for name in TELLING {
        let found = text(event, name);
        if !found.is_empty() {
            return found;
        }
    }
    if text(event, "event_type").starts_with("auth.") {
        return [text(event, "user_id"), text(event, "source_ip")].join(" ").trim().to_owned();
    }
    if erased.is_some() {
        return "(erased)".to_owned();
    }
    match at(event, "ledger").and_then(Value::as_object) {
        Some(members) => members.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(" "),
        None => String::new(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
