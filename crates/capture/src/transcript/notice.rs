//! What happened to a transcript file itself: somebody changed what was sealed already, or it is gone.

use sealtrail_event::{AuditId, Event, Grade, Severity, SlotName, Witness};
use serde_json::{Value, json};

use crate::draft::{Draft, time_token, token, word};
use crate::redacted;
use crate::sessions::Sessions;
use crate::transcript::reading::{Origin, natural_id};

/// What the reader knows of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileFacts<'a> {
    /// Whose transcript it is.
    pub origin: &'a Origin,
    /// Bytes of it that are sealed.
    pub sealed_bytes: u64,
    /// Lines of it that are sealed.
    pub sealed_lines: u64,
    /// SHA-256 (hex) of these bytes.
    pub sealed_sha256: &'a str,
    /// When it was last read, nanoseconds since 1970; the notice has an id of that time, so that it is sealed once.
    pub read_unix_ns: u64,
    /// When this was noticed.
    pub noticed_unix_ns: u64,
}

/// How a file is no longer what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// A word: `edited`, `truncated`, `replaced`, `moved`.
    pub how: &'static str,
    /// Its size now.
    pub size_bytes: u64,
    /// SHA-256 (hex) of as many bytes as were sealed, or of all that are left.
    pub sha256: String,
    /// The first changed byte lies in the 64 KiB from here on.
    pub from_byte: Option<u64>,
    /// Where the file was before, if it moved.
    pub was: Option<String>,
}

/// Makes the event of a file of which bytes changed that were sealed already.
pub fn changed(facts: &FileFacts<'_>, changed: &Changed) -> Event {
    let mut draft = start(facts, "transcript.changed", &[changed.how, &changed.sha256, &changed.size_bytes.to_string()]);
    draft.envelope.severity = if changed.how == "moved" { Severity::Info } else { Severity::High };
    draft.envelope.reason = Some(word(changed.how));
    put(&mut draft, "now_bytes", json!(changed.size_bytes));
    put(&mut draft, "now_sha256", json!(changed.sha256));
    put(&mut draft, "from_byte", json!(changed.from_byte));
    put(&mut draft, "was", json!(changed.was));
    draft.finish()
}

/// Makes the event of a file that is gone; `unsealed_bytes` tells how much of it was never sealed, if anybody knows.
pub fn deleted(facts: &FileFacts<'_>, unsealed_bytes: Option<u64>) -> Event {
    let mut draft = start(facts, "transcript.deleted", &[]);
    let (severity, reason) = match unsealed_bytes {
        Some(0) => (Severity::Warning, "all_sealed"),
        Some(_) => (Severity::High, "not_all_sealed"),
        None => (Severity::High, "rest_unknown"),
    };
    (draft.envelope.severity, draft.envelope.reason) = (severity, Some(word(reason)));
    put(&mut draft, "unsealed_bytes", json!(unsealed_bytes));
    draft.finish()
}

/// Makes the event that stands for one the ledger did not take.
pub fn refused(facts: &FileFacts<'_>, event: &Event) -> Event {
    let mut draft = start(facts, "transcript.refused", &[event.envelope.audit_id.as_str()]);
    draft.envelope.severity = Severity::High;
    put(&mut draft, "audit_id", json!(event.envelope.audit_id.as_str()));
    put(&mut draft, "event_type", json!(event.envelope.event_type.as_str()));
    draft.finish()
}

fn start(facts: &FileFacts<'_>, event_type: &str, key: &[&str]) -> Draft {
    let origin = facts.origin;
    let key = format!("{event_type}\0{}\0{}\0{}\0{}", origin.path, facts.sealed_bytes, facts.sealed_sha256, key.join("\0"));
    let id: AuditId = natural_id(&key, facts.read_unix_ns);
    let mut draft = Draft::at(facts.noticed_unix_ns, id, event_type, Witness::Fs);
    let envelope = &mut draft.envelope;
    envelope.recorded_at = Some(time_token(facts.noticed_unix_ns));
    envelope.grade = Grade::Observed;
    envelope.session_id = origin.session_id.as_deref().and_then(token);
    envelope.agent_id = origin.agent_id.as_deref().and_then(token);
    envelope.resource = Some(Default::default());
    draft.resource().kind = token("transcript");
    let (path, _) = redacted::text(&Sessions::new().redactor, &origin.path);
    draft.put(SlotName::Resource, "transcript_path", path.get().as_str().into());
    draft.put_in(SlotName::Resource, "resource", "path", path.into_inner().into());
    if let Some(user) = &origin.user {
        draft.put(SlotName::Identity, "user_id", user.as_str().into());
    }
    if let Some(uid) = origin.uid {
        draft.put(SlotName::Identity, "uid", uid.into());
    }
    if let Some(host) = &origin.host {
        draft.put(SlotName::Identity, "host", host.as_str().into());
    }
    put(&mut draft, "sealed_bytes", json!(facts.sealed_bytes));
    put(&mut draft, "sealed_lines", json!(facts.sealed_lines));
    put(&mut draft, "sealed_sha256", json!(facts.sealed_sha256));
    draft
}

fn put(draft: &mut Draft, name: &str, value: Value) {
    if !value.is_null() {
        draft.put_in(SlotName::Content, "file", name, value);
    }
}
