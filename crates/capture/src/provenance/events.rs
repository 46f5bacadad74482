//! The events: one for each file of instructions that a session was not told of yet, or that is not as it was.

use std::collections::BTreeSet;

use sealtrail_event::{Grade, Severity, SlotName, Witness};
use serde_json::{Map, Value, json};

use super::known::{PathKey, Seen, path_key};
use super::{InstructionFile, change};
use crate::draft::{Draft, time_token, token, word};
use crate::hash::{self, Hash};
use crate::hook::{Work, disclose};
use crate::redacted;
use crate::settings::{Found, Look};
use crate::step;

/// Event of a file of instructions that a session has for the first time.
const LOADED: &str = "instructions.loaded";

/// Event of a file of instructions that is not as it was last seen, by this session or another.
const CHANGED: &str = "instructions.changed";

/// Tells whether an event is one of ours.
pub(crate) fn is_told(event_type: &str) -> bool {
    matches!(event_type, LOADED | CHANGED)
}

/// A file, read and redacted.
struct Reading {
    status: &'static str,
    /// Why it was not read.
    why: Option<&'static str>,
    /// The hash of its bytes, or of the redacted text when something was replaced: a hash would let a short secret be guessed.
    content: Option<Hash>,
    withheld: bool,
    text: Option<String>,
    rules: Vec<String>,
}

/// Tells of the files of instructions that the engine found beside the hook `first`.
pub(crate) fn tell(first: &mut Draft, work: &mut Work<'_>) -> Vec<Draft> {
    let intake = work.intake;
    let Some(look) = &intake.settings else { return Vec::new() };
    if first.envelope.session_id.is_none() {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    let mut told = BTreeSet::new();
    for file in &look.instructions {
        let path = path_key(&file.path);
        let reading = read(&file.found, work);
        let own = work.sessions.session(first.envelope.session_id.as_ref()).and_then(|session| session.instructions.get(&path)).copied();
        let same = own.is_some_and(|seen| seen.content == reading.content && (seen.loaded || !file.loaded));
        let before = own.map(|seen: Seen| seen.content).or_else(|| work.sessions.provenance.newest(&path));
        if same || (file.found == Found::Missing && before.flatten().is_none()) {
            continue;
        }
        let fresh = reading.content.is_some_and(|content| !work.sessions.provenance.knows(&content) && told.insert(content));
        drafts.push(event(first, file, look, reading, before, fresh, work));
    }
    if look.instructions_left_out > 0 {
        first.put(SlotName::Content, "instructions_left_out", look.instructions_left_out.into());
    }
    drafts
}

fn read(found: &Found, work: &Work<'_>) -> Reading {
    let absent = |status, why| Reading { status, why, content: None, withheld: false, text: None, rules: Vec::new() };
    let bytes = match found {
        Found::Present(bytes) => bytes,
        Found::Missing => return absent("gone", None),
        Found::Unreadable(why) => return absent("unreadable", Some(why.as_str())),
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Reading { content: Some(hash::sha256(bytes)), ..absent("not_text", None) };
    };
    let (text, rules) = redacted::text(&work.sessions.redactor, text);
    let text = text.into_inner();
    let withheld = !rules.is_empty();
    let content = Some(hash::sha256(if withheld { text.as_bytes() } else { bytes }));
    Reading { status: "present", why: None, content, withheld, text: Some(text), rules }
}

fn event(
    first: &Draft,
    file: &InstructionFile,
    look: &Look,
    reading: Reading,
    before: Option<Option<Hash>>,
    fresh: bool,
    work: &mut Work<'_>,
) -> Draft {
    let changed = before.is_some_and(|before| before != reading.content);
    let mut draft = work.derived(if changed { CHANGED } else { LOADED }, first);
    let envelope = &mut draft.envelope;
    (envelope.witness, envelope.grade) = (Witness::Fs, Grade::Observed);
    // When the file was read: a delivery that waited in a spool is older.
    envelope.timestamp = time_token(look.read_unix_ns);
    (envelope.recorded_at, envelope.late_ms) = (Some(envelope.timestamp.clone()), None);
    envelope.severity = if changed { Severity::Warning } else { Severity::Info };
    envelope.source = Some(word(file.scope.as_str()));
    let said = first.member(SlotName::Content, "load_reason").and_then(Value::as_str).and_then(token).filter(|_| file.loaded);
    envelope.reason = Some(said.unwrap_or_else(|| word(look.why.as_str())));
    envelope.status = Some(word(reading.status));
    draft.resource().kind = Some(word(file.kind.as_str()));
    if let Found::Present(bytes) = &file.found {
        draft.resource().size_bytes = Some(bytes.len() as u64);
    }
    if let (Some(content), false) = (&reading.content, reading.withheld) {
        draft.result().audit_hash = token(&format!("sha256:{}", hash::hex(content)));
    }
    draft.put_in(SlotName::Resource, "resource", "path", file.path.as_str().into());
    if let Some(folder) = &look.folder {
        draft.put_in(SlotName::Resource, "resource", "folder", folder.as_str().into());
    }
    let mut members = Map::from_iter([("loaded".to_owned(), file.loaded.into()), ("first_seen".to_owned(), fresh.into())]);
    if let Some(why) = reading.why {
        members.insert("why".to_owned(), why.into());
    }
    if let Some(content) = &reading.content {
        members.insert(if reading.withheld { "redacted_sha256" } else { "sha256" }.to_owned(), hash::hex(content).into());
    }
    if let (true, Some(Some(old))) = (changed, before) {
        members.insert("previous_sha256".to_owned(), hash::hex(&old).into());
        difference(&mut draft, &mut members, work.sessions.provenance.text(&old), reading.text.as_deref());
    }
    if let (true, Some(text)) = (fresh, reading.text) {
        members.insert("text".to_owned(), text.into());
    }
    draft.put(SlotName::Content, "instructions", Value::Object(members));
    disclose(&mut draft, &reading.rules);
    draft
}

/// Tells what changed, where both texts are known.
fn difference(draft: &mut Draft, members: &mut Map<String, Value>, old: Option<&str>, new: Option<&str>) {
    let Some(new) = new else { return };
    draft.put(SlotName::Content, "change_type", "instruction_update".into());
    match old.map(|old| change::between(old, new)) {
        Some(Some(change)) => {
            members.insert("diff".to_owned(), change.diff.into());
            draft.put(SlotName::Content, "instructions_delta", json!({"added": change.added, "removed": change.removed}));
        }
        Some(None) => drop(members.insert("diff_left_out".to_owned(), "too_long".into())),
        None => drop(members.insert("diff_left_out".to_owned(), "not_remembered".into())),
    }
}

/// What an event of ours told: the path, its content, whether the client had loaded it, and the text when the event has it.
pub(crate) type Told = (PathKey, Seen, Option<String>);

/// Reads what an event told.
pub(crate) fn found_in(event: &dyn step::Look) -> Option<Told> {
    let path = event.member("resource")?.get("path").and_then(Value::as_str)?;
    let members = event.member("instructions")?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let content = text("sha256").or_else(|| text("redacted_sha256")).and_then(hash::unhex);
    let loaded = members.get("loaded") == Some(&Value::Bool(true));
    Some((path_key(path), Seen { content, loaded }, text("text").map(str::to_owned)))
}
