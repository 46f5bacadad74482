//! The beginning of a tool call: it was asked for, a person was asked, it was refused.

use sealtrail_event::{Phase, PolicyResult, SlotName};
use serde_json::Value;

use crate::draft::{Draft, word};
use crate::hash;
use crate::hook::Work;
use crate::step::REPEATED;
use crate::tools::{self, Doing};

/// Reason of the end of a call that cannot be joined to anything, because the hook names no session or no call.
const UNPAIRED: &str = "unpaired";

/// PreToolUse: says what the call is in our vocabulary, before it runs.
pub(crate) fn requested(draft: &mut Draft, work: &Work<'_>) -> Vec<Draft> {
    let doing = doing_of(draft);
    draft.envelope.action_type = Some(word(doing.event_type));
    doing.describe(draft);
    name_server(draft);
    let known = work.sessions.call(draft.envelope.session_id.as_ref(), draft.envelope.tool_use_id.as_ref());
    if let Some(first) = known.and_then(|call| call.requested.clone()).filter(|first| *first != draft.envelope.audit_id) {
        repeat(draft, first);
    }
    Vec::new()
}

/// PermissionRequest: has no id of the call, so it is joined to the newest open call that looks the same.
pub(crate) fn asked(draft: &mut Draft, work: &Work<'_>) -> Vec<Draft> {
    let doing = doing_of(draft);
    draft.envelope.action_type = Some(word(doing.event_type));
    draft.envelope.policy_result = PolicyResult::Asked;
    doing.describe(draft);
    name_server(draft);
    let input = draft.member(SlotName::Input, "tool_input").map(|input| hash::of_input(input, cwd(draft)));
    let Some(session) = work.sessions.session(draft.envelope.session_id.as_ref()) else { return Vec::new() };
    let (tool, agent) = (&draft.envelope.tool_name, &draft.envelope.agent_id);
    let found = session.open().rev().find(|call| call.tool == *tool && call.agent == *agent && call.input == input && !call.asked);
    if let Some(call) = found {
        (draft.envelope.tool_use_id, draft.envelope.parent_audit_id) = (call.id.clone(), call.requested.clone());
    }
    Vec::new()
}

/// PermissionDenied: the client's own classifier refused the call.
pub(crate) fn denied(draft: &mut Draft, work: &Work<'_>) -> Vec<Draft> {
    let doing = doing_of(draft);
    draft.envelope.action_type = Some(word(doing.event_type));
    draft.envelope.policy_result = PolicyResult::Denied;
    doing.describe(draft);
    name_server(draft);
    let known = work.sessions.call(draft.envelope.session_id.as_ref(), draft.envelope.tool_use_id.as_ref());
    draft.envelope.parent_audit_id = known.and_then(|call| call.requested.clone());
    Vec::new()
}

/// Marks an event as the second telling of what `first` told: it is kept, and counts for nothing.
pub(crate) fn repeat(draft: &mut Draft, first: sealtrail_event::AuditId) {
    draft.envelope.phase = None;
    draft.envelope.reason = Some(word(REPEATED));
    draft.envelope.parent_audit_id = Some(first);
}

/// Understands the call of an event.
pub(crate) fn doing_of(draft: &Draft) -> Doing {
    doing_in(draft, None)
}

/// Understands the call of an event that began in the folder `began`, where that is known.
pub(crate) fn doing_in(draft: &Draft, began: Option<&str>) -> Doing {
    let tool = draft.envelope.tool_name.as_ref().map_or("", |tool| tool.as_str());
    tools::understand(tool, draft.member(SlotName::Input, "tool_input"), began.or_else(|| cwd(draft)))
}

/// Returns the working folder that the event names.
pub(crate) fn cwd(draft: &Draft) -> Option<&str> {
    draft.member(SlotName::Resource, "cwd").and_then(Value::as_str)
}

/// Takes the MCP server from the tool's name where the hook does not name it.
pub(crate) fn name_server(draft: &mut Draft) {
    if draft.envelope.mcp_server.is_none()
        && let Some(rest) = draft.envelope.tool_name.as_ref().and_then(|tool| tool.as_str().strip_prefix("mcp__"))
    {
        draft.envelope.mcp_server = rest.split("__").next().and_then(crate::draft::token);
    }
}

/// Gives the phase of an outcome only to the first event that tells it; a delivery that comes again is still the first.
///
/// Without a session or an id of the call there is no telling whether it is the first: then the event has no phase.
pub(crate) fn first_outcome(draft: &mut Draft, work: &Work<'_>) -> bool {
    if draft.envelope.session_id.is_none() || draft.envelope.tool_use_id.is_none() {
        draft.envelope.phase = None;
        draft.envelope.reason = Some(word(UNPAIRED));
        return true;
    }
    let known = work.sessions.call(draft.envelope.session_id.as_ref(), draft.envelope.tool_use_id.as_ref());
    match known.and_then(|call| call.ended.clone()).filter(|first| *first != draft.envelope.audit_id) {
        Some(first) => {
            repeat(draft, first);
            false
        }
        None => {
            draft.envelope.phase = Some(Phase::Outcome);
            draft.envelope.parent_audit_id = known.and_then(|call| call.requested.clone());
            true
        }
    }
}
