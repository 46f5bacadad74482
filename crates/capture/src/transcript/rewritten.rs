//! A line that is sealed already and says something else now: the id is the same, the words are not.

use sealtrail_event::{Event, Grade, Severity, SlotName, Witness};
use serde_json::{Value, json};

use crate::draft::{Draft, token, word};
use crate::hash;
use crate::transcript::reading::natural_id;

/// What a line says, and the slot for it. Names of files, of persons and of this reading are left out: a copy has others.
const SAID: &[(&str, SlotName)] = &[
    ("prompt", SlotName::Prompt),
    ("tool_input", SlotName::Input),
    ("response", SlotName::Output),
    ("block", SlotName::Output),
    ("tool_response", SlotName::Output),
    ("tool_results", SlotName::Output),
    ("error", SlotName::Output),
];

/// Begins what redaction puts in the place of a secret.
const REDACTED: &str = "[redacted:";

/// Makes the event that a sealed line was rewritten; nothing when `again`, read under the id of `sealed`, says the same.
///
/// What was erased is not compared, nor a member in which redaction replaces more than it did then. The counts of an answer, which is told
/// by several lines, grow; only a smaller one was written by somebody else.
pub fn rewritten(sealed: &Value, again: &Event, noticed_unix_ns: u64) -> Option<Event> {
    if again.envelope.witness != Witness::Transcript || sealed.get("witness").and_then(Value::as_str) != Some("transcript") {
        return None;
    }
    let fresh = again.to_json();
    let member = |view: &Value, name: &str| view.get(name).filter(|value| !value.is_null()).cloned();
    let mut differ: Vec<(&str, SlotName, Value)> = Vec::new();
    for (name, slot) in SAID {
        let Some(was) = member(sealed, name) else { continue };
        let is = member(&fresh, name).unwrap_or(Value::Null);
        if was != is && !is_only_redacted(&was.to_string(), &is.to_string()) {
            differ.push((name, *slot, is));
        }
    }
    let fewer = |name: &&&str| match (sealed.get(**name).and_then(Value::as_u64), fresh.get(**name).and_then(Value::as_u64)) {
        (Some(was), is) => is.is_none_or(|is| is < was),
        _ => false,
    };
    let counts: Vec<&str> = ["input_tokens", "output_tokens"].iter().filter(fewer).copied().collect();
    if differ.is_empty() && counts.is_empty() {
        return None;
    }
    let names: Vec<&str> = differ.iter().map(|(name, ..)| *name).chain(counts).collect();
    let said = json!([differ.iter().map(|(_, _, value)| value).collect::<Vec<_>>(), fresh.get("input_tokens"), fresh.get("output_tokens")]);
    let key = format!("rewritten\0{}\0{}", again.envelope.audit_id, hash::hex(&hash::sha256(said.to_string().as_bytes())));
    let id = natural_id(&key, again.envelope.audit_id.unix_ms().unwrap_or(0).saturating_mul(1_000_000));
    let mut draft = Draft::at(noticed_unix_ns, id, "transcript.changed", Witness::Fs);
    let (envelope, own) = (&mut draft.envelope, &again.envelope);
    (envelope.grade, envelope.severity, envelope.reason) = (Grade::Observed, Severity::High, Some(word("rewritten")));
    envelope.parent_audit_id = Some(own.audit_id.clone());
    (envelope.session_id, envelope.agent_id) = (own.session_id.clone(), own.agent_id.clone());
    (envelope.tool_use_id, envelope.request_id) = (own.tool_use_id.clone(), own.request_id.clone());
    envelope.resource = Some(Default::default());
    draft.resource().kind = token("transcript");
    if let Some(path) = member(&fresh, "transcript_path") {
        draft.put(SlotName::Resource, "transcript_path", path.clone());
        draft.put_in(SlotName::Resource, "resource", "path", path);
    }
    draft.put_in(SlotName::Content, "file", "members", json!(names));
    // Redacted: it comes out of an event.
    for (name, slot, value) in differ {
        draft.put(slot, name, value);
    }
    Some(draft.finish())
}

/// Tells whether two texts are the same but for what stands in the place of secrets, of which the later one may have more.
fn is_only_redacted(was: &str, is: &str) -> bool {
    let marks = |text: &str| text.matches(REDACTED).count();
    match (marks(was), marks(is)) {
        (before, now) if now > before => true,
        (0, _) => false,
        // The tag in a mark is of a key that another reader may not have.
        _ => without_marks(was) == without_marks(is),
    }
}

fn without_marks(text: &str) -> String {
    let mut parts = text.split(REDACTED);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + REDACTED + part.split_once(']').map_or("", |(_, rest)| rest))
}
