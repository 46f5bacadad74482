//! What was permitted for the session only: no file holds it. The client's questions show what was offered; its telemetry, who decided.

use serde_json::Value;

use super::{Action, File, InForce, Ruling, judge};
use crate::field::{at, text};

/// Returns what the questions of the session offered to permit for the rest of it, of calls that then ran: a person may have taken the offer.
///
/// `before` are the events before the action, `session` all of them. A client that is started anew has forgotten.
pub(super) fn offers(before: &[Value], session: &[Value]) -> Vec<File> {
    let mut found = Vec::new();
    for event in before {
        if text(event, "event_type") == "session.started" && matches!(text(event, "source").as_str(), "startup" | "resume") {
            found.clear();
        }
        let is_question = text(event, "event_type") == "policy.approval_requested" && text(event, "witness") == "hook";
        found.extend(offer(event).filter(|_| is_question && ran(&text(event, "tool_use_id"), session)));
    }
    found
}

fn offer(question: &Value) -> Option<File> {
    let word = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut allow, mut additional) = (Vec::new(), Vec::new());
    for update in at(question, "permission_suggestions")?.as_array()? {
        let list = |name: &str| update.get(name).and_then(Value::as_array).into_iter().flatten();
        match (word(update, "destination").as_str(), word(update, "type").as_str()) {
            ("session", "addRules" | "replaceRules") if word(update, "behavior") == "allow" => allow.extend(list("rules").map(|rule| {
                let (tool, content) = (word(rule, "toolName"), word(rule, "ruleContent"));
                if content.is_empty() { tool } else { format!("{tool}({content})") }
            })),
            ("session", "addDirectories") => {
                additional.extend(list("directories").filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    let empty = allow.is_empty() && additional.is_empty();
    (!empty).then(|| File::of_session(&text(question, "audit_id"), &text(question, "timestamp"), allow, additional))
}

fn ran(call: &str, session: &[Value]) -> bool {
    let ended = |event: &&Value| text(event, "tool_use_id") == call && text(event, "phase") == "outcome";
    !call.is_empty() && session.iter().filter(ended).any(|event| matches!(text(event, "outcome").as_str(), "success" | "failure"))
}

/// Returns the first offer under which the action would have run without a question, and what is said of it then.
pub(super) fn that_permits<'a>(action: &Action<'_>, held: &InForce, offers: &'a [File]) -> Option<(&'a File, Ruling)> {
    offers.iter().find_map(|offer| {
        let mut with = held.clone();
        with.files.push(offer.clone());
        let ruling = judge(action, &with);
        matches!(ruling, Ruling::Granted(_)).then_some((offer, ruling))
    })
}

/// Who decided about a call, as the client's telemetry says: its own word for it.
pub(super) fn decided_by(call: &[&Value]) -> Option<String> {
    let of_telemetry = |event: &&&Value| text(event, "event_type") == "policy.decision" && text(event, "witness") == "otel";
    call.iter().find(of_telemetry).map(|event| text(event, "source")).filter(|source| !source.is_empty())
}

/// Returns the telemetry's word in a sentence.
pub(super) fn in_words(source: &str) -> String {
    let who = match source {
        "config" => "the client's configuration or habits",
        "hook" => "a hook",
        "classifier" => "the client's own classifier",
        "user_permanent" => "a person, or a rule that a person saved",
        "user_temporary" => "a person, for this once or for the session",
        "user_reject" => "a person, or a rule of a person, that refused",
        "user_abort" => "a person who broke off",
        _ => "somebody that it does not name",
    };
    format!("the client's telemetry says that {who} decided ({source})")
}
