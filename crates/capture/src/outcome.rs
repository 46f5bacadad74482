//! The end of a tool call as a hook saw it, and the events of its parts.

use sealtrail_event::{Outcome, PolicyResult, Severity, SlotName};
use serde_json::{Value, json};

use crate::draft::{Draft, token, word};
use crate::hash::{self, Hash};
use crate::hook::{Work, set_type};
use crate::measure::Measures;
use crate::raw;
use crate::tools::{self, Doing};
use crate::{batch, calls, command};

/// Words with which tools say how they are doing. A tool may say anything there, a mail address among it: other words stay in the output.
const STATUS_WORDS: &[&str] = &[
    "success",
    "succeeded",
    "successful",
    "ok",
    "completed",
    "complete",
    "passed",
    "allowed",
    "approved",
    "granted",
    "fail",
    "failed",
    "failure",
    "unsuccessful",
    "deny",
    "denied",
    "blocked",
    "refused",
    "rejected",
    "forbidden",
    "error",
    "errored",
    "exception",
    "timeout",
    "timed_out",
    "cancelled",
    "canceled",
    "aborted",
    "pending",
    "initiated",
    "started",
    "running",
    "in_progress",
    "unknown",
    "lost",
    "queued",
    "stopped",
    "killed",
    "async_launched",
    "remote_launched",
    "teammate_spawned",
];

/// PostToolUse and PostToolUseFailure: the event of what was done.
pub(crate) fn ended(draft: &mut Draft, measures: Measures, work: &mut Work<'_>) -> Vec<Draft> {
    let known = work.sessions.call(draft.envelope.session_id.as_ref(), draft.envelope.tool_use_id.as_ref()).cloned();
    // The hook of the end names the folder in which the command left the shell.
    let doing = calls::doing_in(draft, known.as_ref().and_then(|call| call.cwd.as_deref()));
    set_type(draft, doing.event_type);
    doing.describe(draft);
    calls::name_server(draft);
    draft.envelope.category = Some(tools::category_of(doing.event_type));
    draft.result().size_bytes = measures.result_bytes;
    draft.resource().size_bytes = measures.resource_bytes;
    draft.operation().partial = measures.partial;
    judge(draft);
    tell_versions(draft, work.replaced);
    tell_agent(draft);
    raw::side_output(draft, work);

    let ran = draft.envelope.outcome != Some(Outcome::Denied);
    if ran && known.as_ref().is_some_and(|call| call.asked) {
        draft.envelope.policy_result = PolicyResult::Allowed;
    }
    if !calls::first_outcome(draft, work) {
        return Vec::new();
    }
    let mut more = parts(draft, &doing, work);
    let mine = draft.member(SlotName::Input, "tool_input").map(|input| hash::of_input(input, calls::cwd(draft)));
    if let (Some(original), Some(mine)) = (known.as_ref().and_then(|call| call.input), mine)
        && original != mine
    {
        let before = known.and_then(|call| call.requested);
        more.push(rewritten(draft, Rewrite { what: "input", by: "hook", original, other: mine, before }, work));
    }
    more
}

/// Says how the call ended.
fn judge(draft: &mut Draft) {
    let failed = draft.envelope.hook_event_name.as_ref().is_some_and(|name| name.as_str() == "PostToolUseFailure");
    let said = |name: &str| draft.member(SlotName::Output, "tool_response").and_then(|response| response.get(name));
    let interrupted =
        said("interrupted") == Some(&Value::Bool(true)) || draft.member(SlotName::Content, "is_interrupt") == Some(&Value::Bool(true));
    let denied_itself = said("success") == Some(&Value::Bool(false));
    let status = said("status").and_then(Value::as_str).filter(|said| STATUS_WORDS.contains(said)).and_then(token);
    if interrupted {
        draft.envelope.reason = Some(word("interrupted"));
    }
    draft.envelope.status = status;
    let rejected = draft.member(SlotName::Output, "error").and_then(Value::as_str).is_some_and(batch::is_rejection);
    if rejected {
        (draft.envelope.outcome, draft.envelope.policy_result) = (Some(Outcome::Denied), PolicyResult::Denied);
        (draft.envelope.reason, draft.envelope.severity) = (Some(word("user_rejected")), Severity::Warning);
        return;
    }
    let bad = failed || interrupted || denied_itself;
    draft.envelope.outcome = Some(if bad { Outcome::Failure } else { Outcome::Success });
    draft.envelope.severity = if bad { Severity::Warning } else { Severity::Info };
}

/// Tells size and hash of a file before and after a write, where the hook shows both.
fn tell_versions(draft: &mut Draft, replaced: bool) {
    if replaced || draft.envelope.event_type.as_str() != "data.file_write" {
        return;
    }
    let input = |name: &str| draft.member(SlotName::Input, "tool_input").and_then(|input| input.get(name)).and_then(Value::as_str);
    let before = draft.member(SlotName::Output, "tool_response").and_then(|response| response.get("originalFile")).and_then(Value::as_str);
    let after = match (input("content"), before, input("old_string"), input("new_string")) {
        (Some(content), ..) => Some(content.to_owned()),
        (None, Some(text), Some(old), Some(new)) if !old.is_empty() => {
            let all = draft.member(SlotName::Input, "tool_input").and_then(|input| input.get("replace_all")) == Some(&Value::Bool(true));
            Some(if all { text.replace(old, new) } else { text.replacen(old, new, 1) })
        }
        _ => None,
    };
    let version = |text: &str| json!({"size_bytes": text.len(), "sha256": hash::hex(&hash::sha256(text.as_bytes()))});
    let (before, after_version) = (before.map(version), after.as_deref().map(version));
    if let Some(text) = after {
        draft.resource().size_bytes = Some(text.len() as u64);
    }
    for (name, version) in [("before", before), ("after", after_version)] {
        if let Some(version) = version {
            draft.put_in(SlotName::Resource, "resource", name, version);
        }
    }
}

/// Tells of a call of the Agent tool which agent it was, and what it used.
fn tell_agent(draft: &mut Draft) {
    if draft.envelope.event_type.as_str() != "agent.subagent_spawned" {
        return;
    }
    let Some(response) = draft.member(SlotName::Output, "tool_response").cloned() else { return };
    let word_of = |name: &str| response.get(name).and_then(Value::as_str).and_then(token);
    let number = |value: Option<&Value>| value.and_then(Value::as_u64);
    draft.envelope.subagent_id = word_of("agentId");
    draft.envelope.model = word_of("resolvedModel");
    draft.envelope.tokens_used = number(response.get("totalTokens"));
    let usage = response.get("usage");
    draft.envelope.input_tokens = number(usage.and_then(|usage| usage.get("input_tokens")));
    draft.envelope.output_tokens = number(usage.and_then(|usage| usage.get("output_tokens")));
    if response.get("status").and_then(Value::as_str) == Some("completed") {
        set_type(draft, "agent.subagent_finished");
    }
}

/// Makes one event for each part of a command line that does several things.
///
/// The shell tells one exit status for all of them: after a failure nobody knows which part failed, and a success says nothing of
/// the parts for which it does not vouch (`rm x; true`).
pub(crate) fn parts(first: &Draft, doing: &Doing, work: &mut Work<'_>) -> Vec<Draft> {
    if !doing.has_parts() {
        return Vec::new();
    }
    doing.actions.iter().map(|action| part(first, action, work)).collect()
}

fn part(first: &Draft, action: &command::Action, work: &mut Work<'_>) -> Draft {
    let mut draft = work.derived(action.event_type, first);
    let (new, old) = (&mut draft.envelope, &first.envelope);
    new.tool_use_id = old.tool_use_id.clone();
    new.tool_name = old.tool_name.clone();
    new.category = Some(tools::category_of(action.event_type));
    new.severity = old.severity;
    new.policy_result = old.policy_result;
    new.outcome = match old.outcome {
        Some(Outcome::Success) if !action.confirmed => Some(Outcome::Unknown),
        Some(Outcome::Failure) => Some(Outcome::Unknown),
        other => other,
    };
    tools::describe(&mut draft, &action.action, action.resource, action.target.as_deref());
    tools::detail(&mut draft, action);
    draft
}

/// One input or output that two hooks show differently.
pub(crate) struct Rewrite {
    /// `input` or `output`.
    pub(crate) what: &'static str,
    /// Who can have done it: `hook`, or `client` where the client itself rewrites.
    pub(crate) by: &'static str,
    pub(crate) original: Hash,
    pub(crate) other: Hash,
    /// The event that shows the other view.
    pub(crate) before: Option<sealtrail_event::AuditId>,
}

/// Makes the event that says so; both views are in the trail, in the two events that it names.
pub(crate) fn rewritten(first: &Draft, rewrite: Rewrite, work: &mut Work<'_>) -> Draft {
    let mut draft = work.derived("policy.rewritten", first);
    draft.envelope.category = Some(sealtrail_event::Category::PolicyDecision);
    draft.envelope.severity = Severity::Warning;
    draft.envelope.tool_use_id = first.envelope.tool_use_id.clone();
    draft.envelope.tool_name = first.envelope.tool_name.clone();
    draft.envelope.source = Some(word(rewrite.by));
    draft.envelope.reason = Some(word(rewrite.what));
    let mut views = json!({"what": rewrite.what, "shown_by": first.envelope.audit_id.as_str()});
    if let Some(before) = rewrite.before {
        views["other_shown_by"] = before.as_str().into();
    }
    if !work.replaced {
        views["fingerprint"] = hash::hex(&rewrite.other).into();
        views["other_fingerprint"] = hash::hex(&rewrite.original).into();
    }
    draft.put(SlotName::Content, "rewritten", views);
    draft
}
