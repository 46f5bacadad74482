//! The events, spans and metrics of Claude Code, in the words that its hooks have.

use sealtrail_event::{Category, Outcome, Phase, PolicyResult, Severity, SlotName, parse_strict};
use serde_json::{Map, Value, json};

use super::Signal;
use super::attributes::Attributes;
use super::event::Head;
use super::place::{ATTRIBUTES, OTEL};
use crate::draft::{Draft, token};
use crate::hook::set_type;
use crate::tools;

/// Attributes that hold JSON as text.
const TEXTS: &[&str] = &["tool_input", "tool_parameters"];

/// Tells whether the client is the sender; anybody can say so, which the grade of the events tells.
pub(super) fn is_client(head: &Head) -> bool {
    head.resource("service.name") == Some("claude-code") || head.scope().starts_with("com.anthropic.claude_code")
}

/// Opens JSON that stands in texts, before redaction, so that it is redacted as the hooks' input is. What is no object stays a text.
pub(super) fn open_texts(head: &Head, record: &mut Map<String, Value>) {
    if !is_client(head) {
        return;
    }
    show_commands(record);
    let Some(Value::Object(attributes)) = record.get_mut(ATTRIBUTES) else { return };
    for key in TEXTS {
        let Some(Value::String(text)) = attributes.get(*key) else { continue };
        if let Ok(read) = parse_strict(text.as_bytes())
            && read.value.is_object()
        {
            attributes.insert((*key).to_owned(), read.value);
        }
    }
}

/// Puts the command line of an output where redaction looks for it: it tells whether the output shows an environment.
fn show_commands(record: &mut Map<String, Value>) {
    for attributes in outputs(record) {
        if let (Some(line), false) = (attributes.get("bash_command").cloned(), attributes.contains_key("tool_input")) {
            attributes.insert("tool_input".to_owned(), json!({"command": line}));
        }
    }
}

/// Takes away what [`open_texts`] added.
pub(super) fn close_texts(record: &mut Map<String, Value>) {
    for attributes in outputs(record) {
        let added = |input: &Value| input.as_object().is_some_and(|input| input.len() == 1 && input.contains_key("command"));
        if attributes.contains_key("bash_command") && attributes.get("tool_input").is_some_and(added) {
            attributes.shift_remove("tool_input");
        }
    }
}

/// Returns the attributes of each output that a span tells.
fn outputs(record: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let events = record.get_mut("events").and_then(Value::as_array_mut).into_iter().flatten();
    events.filter(|event| is_output(event)).filter_map(|event| event.get_mut(ATTRIBUTES)?.as_object_mut())
}

fn is_output(event: &Value) -> bool {
    event.get("name").is_some_and(|name| name == "tool.output")
}

/// Gives the event of one record its type, its phase and its fields.
pub(super) fn describe(
    signal: Signal,
    name: &str,
    head: &Head,
    attributes: &mut Attributes,
    record: &mut Map<String, Value>,
    draft: &mut Draft,
) {
    draft.envelope.client_version = head.resource("service.version").and_then(token);
    name_tool(attributes, draft);
    match (signal, name) {
        (Signal::Logs, "user_prompt") => prompt(attributes, draft),
        (Signal::Logs, "assistant_response") => keep_as(attributes, "response", SlotName::Output, draft),
        (Signal::Logs, "api_request") => response(Outcome::Success, attributes, draft),
        (Signal::Logs, "api_error") => response(Outcome::Error, attributes, draft),
        (Signal::Logs, "api_request_body") => body(attributes, SlotName::Prompt, draft),
        (Signal::Logs, "api_response_body") => body(attributes, SlotName::Output, draft),
        (Signal::Logs, "tool_decision") => decision(attributes, draft),
        (Signal::Logs, "tool_result") => result(attributes, draft),
        (Signal::Logs, "api_retries_exhausted" | "api_refusal" | "internal_error") => draft.envelope.severity = Severity::Warning,
        (Signal::Traces, _) => span(attributes, record, draft),
        (Signal::Metrics, "claude_code.cost.usage") => cost(record, draft),
        _ => {}
    }
}

/// MCP tools of users are all called `mcp_tool`; the parameters tell which one it was.
fn name_tool(attributes: &mut Attributes, draft: &mut Draft) {
    let part = |name: &str| attributes.get("tool_parameters").and_then(|of| of.get(name)).and_then(Value::as_str);
    let (Some(server), Some(tool)) = (part("mcp_server_name"), part("mcp_tool_name")) else { return };
    let wire = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect::<String>();
    let (name, server) = (token(&format!("mcp__{}__{}", wire(server), wire(tool))), token(server));
    draft.envelope.mcp_server = server.or(draft.envelope.mcp_server.take());
    if let (Some(name), Some("mcp_tool")) = (name, draft.envelope.tool_name.as_ref().map(|name| name.as_str())) {
        draft.envelope.tool_name = Some(name);
        attributes.0.insert("tool_name".to_owned(), "mcp_tool".into());
    }
}

fn keep_as(attributes: &mut Attributes, key: &str, slot: SlotName, draft: &mut Draft) {
    if let Some(value) = attributes.take(key) {
        draft.put(slot, key, value);
    }
}

fn prompt(attributes: &mut Attributes, draft: &mut Draft) {
    set_type(draft, "prompt.submitted");
    if attributes.get("prompt_text") == attributes.get("prompt") {
        attributes.take("prompt_text");
    }
    keep_as(attributes, "prompt", SlotName::Prompt, draft);
}

/// The end of a call of the model.
fn response(outcome: Outcome, attributes: &mut Attributes, draft: &mut Draft) {
    set_type(draft, "model.response");
    draft.envelope.category = Some(Category::Cost);
    draft.envelope.phase = Some(Phase::Outcome);
    draft.envelope.outcome = Some(outcome);
    if outcome == Outcome::Error {
        draft.envelope.severity = Severity::Warning;
        draft.envelope.status = attributes.take_count("status_code").and_then(|code| token(&code.to_string()));
        keep_as(attributes, "error", SlotName::Output, draft);
    }
}

/// A request or response in full, as far as the client sends it.
fn body(attributes: &mut Attributes, slot: SlotName, draft: &mut Draft) {
    if let Some(body) = attributes.take("body") {
        draft.put_in(slot, ATTRIBUTES, "body", body);
    }
}

/// Somebody or some rule let a tool call pass, or not.
fn decision(attributes: &mut Attributes, draft: &mut Draft) {
    set_type(draft, "policy.decision");
    draft.envelope.category = Some(Category::PolicyDecision);
    draft.envelope.phase = Some(Phase::Verdict);
    draft.envelope.source = attributes.take_token("source");
    draft.envelope.policy_result = match attributes.text("decision") {
        Some("accept") => PolicyResult::Allowed,
        Some("reject") => PolicyResult::Denied,
        _ => PolicyResult::NotEvaluated,
    };
    if draft.envelope.policy_result == PolicyResult::Denied {
        draft.envelope.severity = Severity::Warning;
    }
    let _only_the_command_line = hints(attributes, draft);
}

/// The end of a tool call. The client tells no output here.
fn result(attributes: &mut Attributes, draft: &mut Draft) {
    keep_as(attributes, "tool_input", SlotName::Input, draft);
    let tool = draft.envelope.tool_name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
    let input = draft.member(SlotName::Input, "tool_input").filter(|input| input.is_object()).cloned();
    let input = input.or_else(|| hints(attributes, draft));
    let doing = tools::understand(&tool, input.as_ref(), None);
    let success = attributes.flag("success");
    let waited = input.as_ref().and_then(|input| input.get("run_in_background")) != Some(&Value::Bool(true));
    // Hooks give the call of an agent that has answered this type.
    let finished = doing.event_type == "agent.subagent_spawned" && success == Some(true) && waited;
    set_type(draft, if finished { "agent.subagent_finished" } else { doing.event_type });
    doing.describe(draft);
    draft.envelope.category = Some(tools::category_of(doing.event_type));
    draft.envelope.phase = Some(Phase::Outcome);
    draft.envelope.outcome = Some(match success {
        Some(true) => Outcome::Success,
        Some(false) => Outcome::Failure,
        None => Outcome::Unknown,
    });
    if success != Some(true) {
        draft.envelope.severity = Severity::Warning;
        draft.envelope.reason = attributes.take_token("error_type");
        keep_as(attributes, "error", SlotName::Output, draft);
    }
    draft.result().size_bytes = attributes.take_count("tool_result_size_bytes");
}

/// What the parameters tell of a call whose input the client was not asked to send.
fn hints(attributes: &Attributes, draft: &mut Draft) -> Option<Value> {
    let parameters = attributes.get("tool_parameters")?;
    if let Some(line) = parameters.get("full_command").filter(|line| line.is_string()) {
        draft.put(SlotName::Input, "command", line.clone());
        return Some(json!({"command": line}));
    }
    parameters.get("skill_name").map(|skill| json!({"skill": skill})).or_else(|| parameters.is_object().then(|| parameters.clone()))
}

/// A span: outputs that its events tell go to the slot of outputs; what it touched is named as in every event.
fn span(attributes: &mut Attributes, record: &mut Map<String, Value>, draft: &mut Draft) {
    for (key, name) in [("file_path", "path"), ("url", "url")] {
        if let Some(value @ Value::String(_)) = attributes.get(key).cloned() {
            draft.put_in(SlotName::Resource, "resource", name, value);
        }
    }
    if let Some(line @ Value::String(_)) = attributes.get("full_command") {
        let line = line.clone();
        attributes.take("full_command");
        draft.put(SlotName::Input, "command", line);
    }
    let Some(Value::Array(events)) = record.shift_remove("events") else { return };
    let (outputs, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_output);
    if let Some(output) = outputs.iter().find_map(|event| event.get(ATTRIBUTES)?.get("output").filter(|output| output.is_string())) {
        draft.put(SlotName::Output, "output", output.clone());
    }
    if !outputs.is_empty() {
        draft.put_in(SlotName::Output, OTEL, "outputs", Value::Array(outputs));
    }
    if !others.is_empty() {
        record.insert("events".to_owned(), Value::Array(others));
    }
}

/// What a session cost since the last report; calls of the model tell their own cost, so these two must not be added up.
fn cost(record: &Map<String, Value>, draft: &mut Draft) {
    set_type(draft, "cost.usage");
    draft.envelope.category = Some(Category::Cost);
    draft.envelope.cost_usd = record.get("asDouble").and_then(Value::as_f64).filter(|money| money.is_finite() && *money >= 0.0);
}
