//! The tool calls of an answer and the results in the next request, as events.

use sealtrail_event::{AuditId, Event, Outcome, Phase, PolicyResult, Severity, SlotName};
use serde_json::Value;

use crate::batch;
use crate::calls;
use crate::draft::{Draft, token, word};
use crate::gateway::answer::{Block, is_call};
use crate::gateway::exchange::{Exchange, State};
use crate::gateway::request::ToolResult;
use crate::gateway::scribe::Scribe;
use crate::hash;
use crate::hook::{disclose, set_type};
use crate::step::REPEATED;
use crate::tools;

/// 256 calls of one answer get events of their own; the answer itself counts them all.
const CALLS_MAX: usize = 256;

/// Returns an event for every call of an answer.
pub(crate) fn asked(
    scribe: &Scribe,
    exchange: &Exchange,
    blocks: &mut dyn Iterator<Item = &Block>,
    outcome: &AuditId,
    unix_ns: u64,
    state: &mut State,
    ids: &mut dyn FnMut() -> AuditId,
) -> Vec<Event> {
    let calls = blocks.filter(|block| is_call(&block.kind)).take(CALLS_MAX);
    calls
        .map(|block| ask(scribe, exchange, block, outcome, scribe.draft(exchange, unix_ns, ids(), "tool.requested"), state).finish())
        .collect()
}

fn ask(scribe: &Scribe, exchange: &Exchange, block: &Block, outcome: &AuditId, mut draft: Draft, state: &mut State) -> Draft {
    draft.envelope.parent_audit_id = Some(outcome.clone());
    draft.envelope.tool_use_id = block.id.as_deref().and_then(token);
    name_tool(&mut draft, block.name.as_deref());
    // An input that no piece filled is an empty one.
    let text = if block.text.is_empty() { "{}" } else { block.text.as_str() };
    let input = block.whole.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let mut rules = Vec::new();
    let doing = tell_input(scribe, &mut draft, block.name.as_deref(), input, &mut rules);
    disclose(&mut draft, &rules);
    draft.envelope.action_type = Some(word(doing));
    draft.put(SlotName::Content, "input_bytes", block.size_bytes.into());
    if block.kind != "tool_use" {
        // The API runs these itself; the client never sees them as calls of its own.
        draft.put(SlotName::Content, "block_type", block.kind.as_str().into());
    }
    let known = block.id.as_deref().is_some_and(|id| !state.told.first("intent", exchange.session(), id));
    match (known, block.ended) {
        (true, _) => draft.envelope.reason = Some(word(REPEATED)),
        (false, false) => draft.envelope.reason = Some(word("incomplete")),
        (false, true) => draft.envelope.phase = Some(Phase::Intent),
    }
    draft
}

/// Returns an event for every result of a request that was not told before.
pub(crate) fn ended(scribe: &Scribe, exchange: &Exchange, unix_ns: u64, state: &mut State, ids: &mut dyn FnMut() -> AuditId) -> Vec<Event> {
    let mut events = Vec::new();
    for result in &exchange.request.results {
        if state.told.first("outcome", exchange.session(), &result.id) {
            let draft = scribe.draft(exchange, unix_ns, ids(), "tool.call");
            events.push(end(scribe, exchange, result, draft).finish());
        }
    }
    events
}

fn end(scribe: &Scribe, exchange: &Exchange, result: &ToolResult, mut draft: Draft) -> Draft {
    draft.envelope.parent_audit_id = Some(exchange.id.clone());
    draft.envelope.phase = Some(Phase::Outcome);
    draft.envelope.tool_use_id = token(&result.id);
    name_tool(&mut draft, result.tool.as_deref());
    let mut rules = Vec::new();
    let doing = tell_input(scribe, &mut draft, result.tool.as_deref(), result.input.clone(), &mut rules);
    set_type(&mut draft, doing);
    draft.envelope.category = Some(tools::category_of(doing));
    let size = result.content.as_str().map_or_else(|| result.content.to_string().len(), str::len);
    draft.result().size_bytes = Some(size as u64);
    let refusal = if result.is_error { words(&result.content).and_then(batch::refusal) } else { None };
    let (outcome, reason) = match refusal {
        Some((outcome, reason)) => (outcome, Some(word(reason))),
        None if result.is_error => (Outcome::Failure, None),
        None => (Outcome::Success, None),
    };
    if outcome == Outcome::Denied {
        draft.envelope.policy_result = PolicyResult::Denied;
    }
    (draft.envelope.outcome, draft.envelope.reason) = (Some(outcome), reason);
    draft.envelope.severity = if outcome == Outcome::Success { Severity::Info } else { Severity::Warning };
    tell(scribe, &mut draft, "tool_response", SlotName::Output, result.content.clone(), &mut rules);
    disclose(&mut draft, &rules);
    draft
}

fn name_tool(draft: &mut Draft, tool: Option<&str>) {
    draft.envelope.tool_name = tool.and_then(token);
    calls::name_server(draft);
    draft.envelope.category = Some(sealtrail_event::Category::ToolInvocation);
}

/// Says what a tool was given, as far as content is told; returns what the call is in our vocabulary.
fn tell_input(scribe: &Scribe, draft: &mut Draft, tool: Option<&str>, input: Option<Value>, rules: &mut Vec<String>) -> &'static str {
    let redacted = input.map(|input| tell(scribe, draft, "tool_input", SlotName::Input, input, rules));
    let doing = tools::understand(tool.unwrap_or_default(), redacted.as_ref(), None);
    if scribe.content() {
        doing.describe(draft);
    } else {
        draft.resource().kind = token(doing.kind);
    }
    doing.event_type
}

/// Puts a value into its slot after redaction, or only its hash where content is not told; returns the redacted value.
///
/// A hash is told only where nothing was replaced, because a short secret could be guessed from it.
fn tell(scribe: &Scribe, draft: &mut Draft, name: &str, slot: SlotName, value: Value, rules: &mut Vec<String>) -> Value {
    let (redacted, found) = scribe.redacted(name, value);
    if scribe.content() {
        draft.put(slot, name, redacted.clone());
    } else if found.is_empty() {
        let text = redacted.as_str().map_or_else(|| redacted.to_string(), str::to_owned);
        draft.put(slot, &format!("{name}_sha256"), hash::hex(&hash::sha256(text.as_bytes())).into());
    }
    rules.extend(found);
    redacted
}

/// Returns the words of a result: a text, or the first block of text.
fn words(content: &Value) -> Option<&str> {
    match content {
        Value::String(text) => Some(text),
        Value::Array(blocks) => blocks.iter().find_map(|block| block.get("text").and_then(Value::as_str)),
        _ => None,
    }
}
