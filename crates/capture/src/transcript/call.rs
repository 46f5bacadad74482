//! The end of a tool call, as the transcript tells it.

use sealtrail_event::{Outcome, Phase, PolicyResult, Severity, SlotName};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, token, word};
use crate::hook::set_type;
use crate::measure::measure;
use crate::step::REPEATED;
use crate::transcript::line::Line;
use crate::transcript::reading::{Open, Reading};
use crate::{batch, calls, tools, views};

/// Reason of a result whose call stands in no line before it.
const UNPAIRED: &str = "unpaired";

/// One `tool_result`; `alone` tells that what the tool itself gave (`toolUseResult` of the line) belongs to it.
pub(crate) fn result(reading: &mut Reading, line: &Line, number: usize, block: &Value, alone: bool) -> Draft {
    let call = block.get("tool_use_id").and_then(Value::as_str).and_then(token);
    let known = call.as_ref().and_then(|call| reading.open.remove(call));
    let event_type = known.as_ref().map_or("tool.call", |known| known.doing.event_type);
    let mut draft = reading.start(line, event_type, number);
    draft.envelope.category = Some(tools::category_of(event_type));
    draft.envelope.tool_use_id = call.clone();
    let first = call.as_ref().is_some_and(|call| reading.end(call));
    if first {
        draft.envelope.phase = Some(Phase::Outcome);
    } else {
        draft.envelope.reason = Some(word(if call.is_some() { REPEATED } else { UNPAIRED }));
    }
    if let Some(Open { tool, doing }) = &known {
        draft.envelope.tool_name = tool.clone();
        doing.describe(&mut draft);
        calls::name_server(&mut draft);
    } else if first {
        draft.envelope.reason = Some(word(UNPAIRED));
    }
    let response = line.members.get("toolUseResult").filter(|_| alone);
    let took = |name: &str| response.and_then(|response| response.get(name)).and_then(Value::as_u64);
    draft.envelope.duration_ms = took("totalDurationMs").or_else(|| took("durationMs"));
    tell_output(&mut draft, block, response);
    judge(&mut draft, line, block, response);
    tell_agent(&mut draft, response);
    draft
}

/// Puts what the tool gave and what the model was told of it into the output slot.
fn tell_output(draft: &mut Draft, block: &Value, response: Option<&Value>) {
    let told = block.get("content").cloned().unwrap_or_default();
    let size = told.as_str().map_or_else(|| told.to_string().len(), str::len);
    let failed = is_error(block);
    let hook_like: Map<String, Value> = [
        ("tool_name", draft.envelope.tool_name.as_ref().map_or(Value::Null, |tool| tool.as_str().into())),
        (if failed { "error" } else { "tool_response" }, response.unwrap_or(&told).clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let measures = measure(&hook_like);
    draft.result().size_bytes = measures.result_bytes.or(Some(size as u64));
    draft.resource().size_bytes = measures.resource_bytes;
    draft.operation().partial = measures.partial;
    match (failed, response) {
        (true, _) => draft.put(SlotName::Output, "error", told),
        (false, None) => draft.put(SlotName::Output, "tool_response", told),
        (false, Some(response)) => {
            draft.put(SlotName::Output, "tool_response", response.clone());
            let name = draft.envelope.tool_use_id.as_ref().map_or_else(|| "#0".to_owned(), ToString::to_string);
            let results = Map::from_iter([(name, json!({"tool_response": told, "size_bytes": size}))]);
            draft.put(SlotName::Output, "tool_results", Value::Object(results));
        }
    }
}

fn is_error(block: &Value) -> bool {
    block.get("is_error") == Some(&Value::Bool(true))
}

/// Says how the call ended, and what the client says of the permission for it.
fn judge(draft: &mut Draft, line: &Line, block: &Value, response: Option<&Value>) {
    let interrupted = response.and_then(|response| response.get("interrupted")) == Some(&Value::Bool(true));
    let decision = line.members.get("permissionDecision").and_then(|decision| decision.get("decision")).and_then(Value::as_str);
    let denial = line.word("toolDenialKind");
    let refusal = block.get("content").filter(|_| is_error(block)).and_then(views::shown_text).and_then(batch::refusal);
    let (outcome, reason) = match refusal {
        Some((outcome, reason)) => (outcome, Some(reason)),
        None if denial.is_some() || decision == Some("reject") => (Outcome::Denied, Some("denied")),
        None if is_error(block) => (Outcome::Failure, None),
        None if interrupted => (Outcome::Failure, Some("interrupted")),
        None => (Outcome::Success, None),
    };
    if let (Some(reason), None) = (reason, &draft.envelope.reason) {
        draft.envelope.reason = Some(word(reason));
    }
    if reason == Some("unknown_tool") {
        set_type(draft, "tool.call");
    }
    draft.envelope.outcome = Some(outcome);
    draft.envelope.severity = if outcome == Outcome::Success { Severity::Info } else { Severity::Warning };
    draft.envelope.policy_result = match (outcome, decision) {
        (Outcome::Denied, _) => PolicyResult::Denied,
        (_, Some("accept")) => PolicyResult::Allowed,
        _ => PolicyResult::NotEvaluated,
    };
}

/// Says which agent a call started. Its tokens are those of its own answers, so they are not told a second time here.
fn tell_agent(draft: &mut Draft, response: Option<&Value>) {
    if draft.envelope.event_type.as_str() != "agent.subagent_spawned" {
        return;
    }
    let word_of = |name: &str| response.and_then(|response| response.get(name)).and_then(Value::as_str);
    draft.envelope.subagent_id = word_of("agentId").and_then(token);
    draft.envelope.model = word_of("resolvedModel").and_then(token);
    if word_of("status") == Some("completed") {
        set_type(draft, "agent.subagent_finished");
    }
}
