//! Where each member of a hook's JSON goes: no member is lost, and none can pose as a member of the event.

use sealtrail_event::{SlotName, Token};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, Members, token};
use crate::hash;
use crate::path;
use crate::redacted::Redacted;
use crate::table;

/// Member of the content slot that holds, under their own names, the hook's members whose names mean something else in an
/// event, or whose values do not fit the event's member of that name.
pub(crate) const ASIDE: &str = "hook";

/// Names that an event gives a meaning of its own, beside those of the envelope and those of the schema's fields.
const OURS: &[&str] = &[
    "actions",
    "agents",
    "approver",
    "client_change",
    "client_pid",
    "delegation",
    "delegation_chain",
    "erased",
    "hook",
    "host",
    "i",
    "instructions_delta",
    "numbers_as_text",
    "parts",
    "raw",
    "redacted",
    "rewritten",
    "s",
    "seq",
    "side_file",
    "source_ip",
    "subagent_meta",
    "tool_output",
    "tool_permissions",
    "tool_results",
    "uid",
    "user",
    "user_context",
    "user_id",
    "v",
];

/// Every member of an envelope.
pub(crate) const ENVELOPE: &[&str] = &[
    "audit_id",
    "event_type",
    "timestamp",
    "recorded_at",
    "schema_version",
    "domain",
    "category",
    "severity",
    "phase",
    "outcome",
    "status",
    "witness",
    "grade",
    "policy_result",
    "shape",
    "session_id",
    "prompt_id",
    "tool_use_id",
    "request_id",
    "agent_id",
    "parent_agent_id",
    "agent_type",
    "subagent_id",
    "parent_audit_id",
    "workflow_id",
    "execution_id",
    "parent_execution",
    "application_id",
    "project_id",
    "hook_event_name",
    "tool_name",
    "action_type",
    "mcp_server",
    "permission_mode",
    "model",
    "client_version",
    "source",
    "reason",
    "end_reason",
    "data_classification",
    "resource",
    "operation",
    "result",
    "duration_ms",
    "input_tokens",
    "output_tokens",
    "tokens_used",
    "cost_usd",
    "prompt_hash",
    "response_hash",
    "late_ms",
    "redactions",
    "ledger",
];

/// Puts every member of a hook's JSON into `draft`; `replaced` tells whether redaction replaced something in it.
pub(crate) fn place(hook: Redacted<Map<String, Value>>, replaced: bool, draft: &mut Draft) {
    let hook = hook.into_inner();
    let failure = hook.get("hook_event_name").and_then(Value::as_str) == Some("PostToolUseFailure");
    for (name, value) in hook {
        if let Some(place) = envelope_word(draft, &name) {
            match value.as_str().and_then(token) {
                Some(word) => *place = Some(word),
                None => draft.put_in(SlotName::Content, ASIDE, &name, value),
            }
            continue;
        }
        match (name.as_str(), &value) {
            ("duration_ms", Value::Number(number)) if number.is_u64() => draft.envelope.duration_ms = number.as_u64(),
            ("mcp_server", _) => {
                draft.envelope.mcp_server = value.get("name").and_then(Value::as_str).and_then(token);
                draft.put_in(SlotName::Content, ASIDE, &name, value);
            }
            ("tool_calls", Value::Array(_)) => place_batch(value, replaced, draft),
            _ if is_ours(&name) => {
                draft.put_in(SlotName::Content, ASIDE, &name, value);
            }
            _ => draft.put(slot_of(&name, failure), &name, value),
        }
    }
}

/// Tells whether an event gives `name` a meaning that a hook's member of that name does not have.
fn is_ours(name: &str) -> bool {
    ENVELOPE.contains(&name) || OURS.contains(&name) || (!table::is_hook_field(name) && sealtrail_event::known(name).is_some())
}

/// Returns the envelope's place for a hook's member that is a word there under the same name.
fn envelope_word<'a>(draft: &'a mut Draft, name: &str) -> Option<&'a mut Option<Token>> {
    let envelope = &mut draft.envelope;
    match name {
        "session_id" => Some(&mut envelope.session_id),
        "prompt_id" => Some(&mut envelope.prompt_id),
        "tool_use_id" => Some(&mut envelope.tool_use_id),
        "agent_id" => Some(&mut envelope.agent_id),
        "agent_type" => Some(&mut envelope.agent_type),
        "hook_event_name" => Some(&mut envelope.hook_event_name),
        "tool_name" => Some(&mut envelope.tool_name),
        "permission_mode" => Some(&mut envelope.permission_mode),
        "model" => Some(&mut envelope.model),
        "source" => Some(&mut envelope.source),
        "reason" => Some(&mut envelope.reason),
        _ => None,
    }
}

/// Returns the slot of a member that is not in the envelope.
pub(crate) fn slot_of(name: &str, failure: bool) -> SlotName {
    match name {
        "transcript_path"
        | "agent_transcript_path"
        | "cwd"
        | "file_path"
        | "trigger_file_path"
        | "parent_file_path"
        | "old_cwd"
        | "new_cwd"
        | "directory"
        | "worktree_path"
        | "globs"
        | "url" => SlotName::Resource,
        "prompt" | "custom_instructions" | "command_args" => SlotName::Prompt,
        "tool_input" => SlotName::Input,
        "tool_response" => SlotName::Output,
        "error" if failure => SlotName::Output,
        _ => SlotName::Content,
    }
}

/// Gives the file, folder or address of a hook that is no tool call the name that searches use: `resource.path`, `resource.url`.
pub(crate) fn name_resource(draft: &mut Draft) {
    for (member, kind) in
        [("file_path", "file"), ("directory", "directory"), ("worktree_path", "worktree"), ("new_cwd", "directory"), ("url", "url")]
    {
        let Some(target) = draft.member(SlotName::Resource, member).and_then(Value::as_str).map(str::to_owned) else { continue };
        let (name, target) = match kind {
            "url" => ("url", target),
            _ => ("path", path::absolute(&target, draft.member(SlotName::Resource, "cwd").and_then(Value::as_str))),
        };
        draft.resource().kind = token(kind);
        draft.put_in(SlotName::Resource, "resource", name, target.into());
        return;
    }
}

/// Puts a batch in two slots, so that what was asked and what came back can be erased apart: `tool_calls` without the
/// responses, and `tool_results` by tool_use_id.
fn place_batch(calls: Value, replaced: bool, draft: &mut Draft) {
    let Value::Array(mut calls) = calls else { return };
    let mut results = Members::new();
    for (at, call) in calls.iter_mut().enumerate() {
        let Value::Object(call) = call else { continue };
        let Some(response) = call.shift_remove("tool_response") else { continue };
        let id = call.get("tool_use_id").and_then(Value::as_str).unwrap_or_default();
        let name = if id.is_empty() || results.contains_key(id) { format!("#{at}") } else { id.to_owned() };
        results.insert(name, response_view(response, replaced));
    }
    draft.put(SlotName::Input, "tool_calls", Value::Array(calls));
    if !results.is_empty() {
        draft.put(SlotName::Output, "tool_results", Value::Object(results));
    }
}

/// Returns what the model was told of one call, with its size, and its hash where that gives nothing away.
fn response_view(response: Value, replaced: bool) -> Value {
    let (size, sha256) = match &response {
        Value::String(text) => (text.len(), hash::sha256(text.as_bytes())),
        other => {
            let text = other.to_string();
            (text.len(), hash::sha256(text.as_bytes()))
        }
    };
    let mut view = json!({"tool_response": response, "size_bytes": size});
    if !replaced {
        view["sha256"] = hash::hex(&sha256).into();
    }
    view
}
