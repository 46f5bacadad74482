//! PostToolBatch: every call of a turn with what the model was told; catches the calls that no other hook shows.

use sealtrail_event::{Outcome, PolicyResult, Severity, SlotName, Token};
use serde_json::Value;

use crate::draft::{Draft, token, word};
use crate::hash;
use crate::hook::{Work, set_type};
use crate::outcome::{self, Rewrite};
use crate::sessions::Call;
use crate::{calls, tools, views};

/// 1,024: the client runs at most about ten calls at a time; further ones are kept in the batch event only.
const CALLS_MAX: usize = 1024;

/// Takes each call of the batch; returns an outcome for every call that had none, and a notice for each rewritten view.
pub(crate) fn batch(draft: &mut Draft, work: &mut Work<'_>) -> Vec<Draft> {
    let Some(Value::Array(list)) = draft.member(SlotName::Input, "tool_calls").cloned() else { return Vec::new() };
    let results = draft.member(SlotName::Output, "tool_results").cloned().unwrap_or_default();
    let mut more = Vec::new();
    let mut done = std::collections::BTreeSet::new();
    for call in list.iter().take(CALLS_MAX) {
        let Some(id) = call.get("tool_use_id").and_then(Value::as_str).and_then(token) else { continue };
        if !done.insert(id.clone()) {
            continue;
        }
        let shown = results.get(id.as_str()).and_then(|result| result.get("tool_response"));
        let known = work.sessions.call(draft.envelope.session_id.as_ref(), Some(&id)).cloned().unwrap_or_default();
        if known.ended.is_none() {
            more.extend(concluded(draft, &id, call, shown, &known, work));
        } else {
            more.extend(compared(draft, &id, call, shown, &known, work));
        }
    }
    draft.operation().record_count = Some(list.len() as u64);
    more
}

/// Concludes the end of a call from what the model was told.
fn concluded(first: &Draft, id: &Token, call: &Value, shown: Option<&Value>, known: &Call, work: &mut Work<'_>) -> Vec<Draft> {
    let input = call.get("tool_input");
    let tool = call.get("tool_name").and_then(Value::as_str).unwrap_or_default();
    let doing = tools::understand(tool, input, known.cwd.as_deref().or_else(|| calls::cwd(first)));
    let mut draft = work.derived(doing.event_type, first);
    draft.envelope.tool_use_id = Some(id.clone());
    draft.envelope.tool_name = token(tool);
    if let Some(input) = input {
        draft.put(SlotName::Input, "tool_input", input.clone());
    }
    if let Some(shown) = shown {
        draft.put(SlotName::Output, "tool_response", shown.clone());
        let bytes = shown.as_str().map_or_else(|| shown.to_string().len(), str::len);
        draft.result().size_bytes = Some(bytes as u64);
    }
    doing.describe(&mut draft);
    calls::name_server(&mut draft);
    draft.envelope.category = Some(tools::category_of(doing.event_type));
    let verdict = judge(shown, known);
    draft.envelope.outcome = Some(verdict.outcome);
    draft.envelope.reason = Some(word(verdict.reason));
    if verdict.outcome == Outcome::Denied {
        draft.envelope.policy_result = PolicyResult::Denied;
    }
    draft.envelope.severity = Severity::Warning;
    if verdict.reason == "unknown_tool" {
        set_type(&mut draft, "tool.call");
    }
    let batch = draft.envelope.parent_audit_id.take();
    calls::first_outcome(&mut draft, work);
    draft.envelope.parent_audit_id = draft.envelope.parent_audit_id.take().or(batch);
    let mut drafts = outcome::parts(&draft, &doing, work);
    drafts.insert(0, draft);
    drafts
}

/// Compares what the model asked and was told with what the other hooks showed.
fn compared(first: &Draft, id: &Token, call: &Value, shown: Option<&Value>, known: &Call, work: &mut Work<'_>) -> Vec<Draft> {
    let mut found = Vec::new();
    let asked = call.get("tool_input").map(|input| hash::of_input(input, calls::cwd(first)));
    let other = known.input.or(known.ended_input);
    if let (Some(asked), Some(other)) = (asked, other)
        && asked != other
    {
        let (by, before) = if known.input.is_some() { ("client", &known.requested) } else { ("hook", &known.ended) };
        found.push(Rewrite { what: "input", by, original: asked, other, before: before.clone() });
    }
    if let Some(shown) = shown
        && !views::agrees(known.expect, shown)
    {
        let original = match known.expect {
            views::Expect::Text { hash, .. } | views::Expect::Json(hash) => hash,
            views::Expect::Anything => hash::Hash::default(),
        };
        found.push(Rewrite { what: "output", by: "hook", original, other: hash::of_value(shown), before: known.ended.clone() });
    }
    found
        .into_iter()
        .map(|rewrite| {
            let mut draft = outcome::rewritten(first, rewrite, work);
            draft.envelope.tool_use_id = Some(id.clone());
            draft.envelope.tool_name = known.tool.clone();
            draft
        })
        .collect()
}

struct Verdict {
    outcome: Outcome,
    reason: &'static str,
}

/// What the client tells the model of a call that did not run or did not end: how the text begins, and a word further on.
const REFUSALS: &[(&str, &str, Outcome, &str)] = &[
    ("<tool_use_error>", "No such tool available", Outcome::Error, "unknown_tool"),
    ("<tool_use_error>", "", Outcome::Error, "rejected_input"),
    ("InputValidationError", "", Outcome::Error, "rejected_input"),
    ("Claude requested permissions to ", "", Outcome::Denied, "not_granted"),
    ("Permission to use ", "denied", Outcome::Denied, "deny_rule"),
    ("Permission for this ", "denied", Outcome::Denied, "classifier"),
    ("The user doesn't want to ", "", Outcome::Denied, "user_rejected"),
    ("This command requires approval", "", Outcome::Denied, "not_granted"),
    ("This Bash command contains multiple operations. ", "approval", Outcome::Denied, "not_granted"),
    ("Output redirection to ", "needs approval", Outcome::Denied, "not_granted"),
    ("", "was blocked. For security, Claude Code may only", Outcome::Denied, "not_granted"),
    ("", "can't be checked before it runs", Outcome::Denied, "not_granted"),
    ("PreToolUse:", "", Outcome::Denied, "hook"),
    ("Hook PreToolUse:", "", Outcome::Denied, "hook"),
    ("", "blocking because onFailure is", Outcome::Denied, "hook"),
    ("[Tool call skipped", "", Outcome::Error, "skipped"),
    ("[Tool call ", "", Outcome::Unknown, "interrupted"),
    ("[Agent call interrupted", "", Outcome::Unknown, "interrupted"),
    ("[Request interrupted", "", Outcome::Unknown, "interrupted"),
];

/// 400: the client's refusals are one or two lines; a longer text is a tool's own output that may hold any words.
const REFUSAL_CHARS_MAX: usize = 400;

/// Tells whether the text of a failure says that the user refused the call.
pub(crate) fn is_rejection(error: &str) -> bool {
    refusal(error).is_some_and(|(_, reason)| reason == "user_rejected")
}

/// Tells which refusal of the client a text is, if it is one.
pub(crate) fn refusal(text: &str) -> Option<(Outcome, &'static str)> {
    let head: String = text.chars().take(REFUSAL_CHARS_MAX).collect();
    let found = REFUSALS.iter().find(|(begin, holds, ..)| head.starts_with(begin) && head.contains(holds));
    found.map(|(_, _, outcome, reason)| (*outcome, *reason))
}

fn judge(shown: Option<&Value>, known: &Call) -> Verdict {
    if known.denied {
        return Verdict { outcome: Outcome::Denied, reason: "classifier" };
    }
    let Some(shown) = shown else { return Verdict { outcome: Outcome::Unknown, reason: "no_response" } };
    let text = match shown {
        Value::String(text) => refusal(text),
        other => views::shown_text(other).and_then(refusal),
    };
    match text {
        Some((outcome, reason)) => Verdict { outcome, reason },
        // Either the hook of the end is missing (not installed, killed, late), or somebody's hook refused the call in its own
        // words: the text cannot tell the one from the other.
        None => Verdict { outcome: Outcome::Unknown, reason: "no_outcome_hook" },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Protects the outcome of calls that only the batch shows: the client's refusals are told apart, and a tool's own words are none.
    #[test]
    fn refusals_are_told_apart() {
        let cases = [
            (json!("<tool_use_error>Error: No such tool available: Glob.</tool_use_error>"), Outcome::Error, "unknown_tool"),
            (json!("<tool_use_error>File has not been read yet.</tool_use_error>"), Outcome::Error, "rejected_input"),
            (json!("Permission to use Bash with command rm x has been denied."), Outcome::Denied, "deny_rule"),
            (json!("Claude requested permissions to use Bash, but you haven't granted it yet."), Outcome::Denied, "not_granted"),
            (json!("This command requires approval"), Outcome::Denied, "not_granted"),
            (
                json!("This Bash command contains multiple operations. The following part requires approval: rm x"),
                Outcome::Denied,
                "not_granted",
            ),
            (json!("Output redirection to '/x' needs approval"), Outcome::Denied, "not_granted"),
            (
                json!("cd in '/etc' was blocked. For security, Claude Code may only change directories to the project."),
                Outcome::Denied,
                "not_granted",
            ),
            (json!("The user doesn't want to proceed with this tool use."), Outcome::Denied, "user_rejected"),
            (json!("PreToolUse:Bash hook error: [guard]: no"), Outcome::Denied, "hook"),
            (
                json!([{"type": "text", "text": "Permission for this action was denied by the Claude Code auto mode classifier."}]),
                Outcome::Denied,
                "classifier",
            ),
            (json!("[Tool call skipped: the turn ended]"), Outcome::Error, "skipped"),
            (json!("the log says: Permission to use Bash has been denied"), Outcome::Unknown, "no_outcome_hook"),
        ];
        for (shown, outcome, reason) in cases {
            let verdict = judge(Some(&shown), &Call::default());
            assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{shown}");
        }
        assert_eq!(judge(None, &Call::default()).reason, "no_response");
        assert_eq!(judge(None, &Call { denied: true, ..Call::default() }).outcome, Outcome::Denied);
    }
}
