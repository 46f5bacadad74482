//! Records that a program hands in over the network become events: asserted by it, redacted, and marked with who handed them in.

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_event::{
    AuditId, Event, EventError, FromContext, Grade, SLOT_BYTES_MAX, Severity, SlotName, StrictError, Witness, parse_strict,
};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, time_token, word};
use crate::hook::disclose;
use crate::raw::keep_bytes;
use crate::redact::Redactor;
use crate::redacted;
use crate::sender::Sender;

/// 32: a record counts for a handful of frameworks.
const TAGS_MAX: usize = 32;

/// Under these names a record says its own id.
const ID_NAMES: [&str; 4] = ["audit_id", "event_id", "eventId", "auditId"];

/// Under these names a record says which frameworks it counts for.
const TAG_NAMES: [&str; 4] = ["compliance_tags", "complianceTags", "tag", "tags"];

/// One delivery to the collector.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// When it came, nanoseconds since 1970.
    pub received_unix_ns: u64,
    /// Who handed it in.
    pub sender: &'a Sender,
    /// Frameworks that the delivery counts for, where a record names none.
    pub tags: &'a [String],
    /// Replaces secrets.
    pub redactor: &'a Redactor,
}

/// Why bytes are not taken as a record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not strict JSON.
    #[error("cannot read a record: {0}")]
    Strict(#[from] StrictError),
    /// JSON, but no event.
    #[error("cannot take a record: {0}")]
    Event(#[from] EventError),
    /// An event, but not the one that the trail has under its id.
    #[error("the trail has another event under this audit_id, number {seq}: give this one an id of its own")]
    IdTaken {
        /// The number of that event.
        seq: u64,
    },
}

impl RecordError {
    /// Returns the reason as it stands in the envelope.
    fn reason(&self) -> &'static str {
        match self {
            Self::Strict(StrictError::TooLarge { .. }) | Self::Event(EventError::SlotTooLarge { .. }) => "too_large",
            Self::Strict(StrictError::Utf8 { .. }) => "not_utf8",
            Self::Strict(StrictError::Twice { .. }) => "duplicate_key",
            Self::Strict(StrictError::TooDeep { .. }) | Self::Event(EventError::TooDeep) => "too_deep",
            Self::Strict(StrictError::Syntax { .. }) => "not_json",
            Self::Event(EventError::NotAnObject { .. }) => "not_object",
            Self::Event(EventError::Envelope(_)) => "no_envelope",
            Self::IdTaken { .. } => "id_taken",
        }
    }
}

/// Makes the event of one record in any shape; `id` is taken when it names none of its own.
pub fn record(bytes: &[u8], id: AuditId, delivered: &Delivered<'_>) -> Result<Event, RecordError> {
    let read = parse_strict(bytes)?;
    let members = match read.value {
        Value::Object(members) => members,
        // It says what else it is.
        other => return Event::from_json(&other, &context(id, delivered)).map_err(RecordError::from),
    };
    let own_ids: Vec<Value> = ID_NAMES.iter().filter_map(|name| members.get(*name)).cloned().collect();
    let tagged = TAG_NAMES.iter().any(|name| members.contains_key(*name));
    let (members, rules) = redacted::members(delivered.redactor, members);
    let mut event = Event::from_json(&Value::Object(members.into_inner()), &context(id.clone(), delivered))?;
    if event.envelope.audit_id.as_str().contains("[redacted:") {
        event.envelope.audit_id = hidden_id(delivered.sender, &own_ids, id);
    }
    tell(&mut event, &rules, read.numbers_as_text);
    if !tagged && !delivered.tags.is_empty() {
        let tags = delivered.tags.iter().take(TAGS_MAX).map(|tag| redacted::text(delivered.redactor, tag).0.into_inner());
        event.put(SlotName::Content, one("compliance_tags", tags.collect()));
    }
    delivered.sender.stamp(&mut event);
    within_limits(&event)?;
    Ok(event)
}

/// Whether `event` says what the view of a sealed one of the same id says. Times do not count, which many senders write anew when they send again, nor by
/// whom it was handed in. One that is partly erased is not compared.
pub fn is_same(sealed: &Value, event: &Event) -> bool {
    let fresh = event.to_json();
    let (Some(sealed), Some(fresh)) = (sealed.as_object(), fresh.as_object()) else { return false };
    let said = |of: &Map<String, Value>| {
        let mut said = of.clone();
        said.retain(|name, _| !["timestamp", "recorded_at", "collector"].contains(&name.as_str()));
        said
    };
    sealed.contains_key("erased") || said(sealed) == said(fresh)
}

/// Refuses an event that what was added to it made too large.
fn within_limits(event: &Event) -> Result<(), EventError> {
    event.envelope.check()?;
    match event.slots.iter().find(|slot| slot.json.len() > SLOT_BYTES_MAX) {
        Some(slot) => Err(EventError::SlotTooLarge { slot: slot.name.as_str(), bytes: slot.json.len() }),
        None => Ok(()),
    }
}

/// Makes the event of bytes that are no record; of `more` further ones in the same delivery nothing is kept but their number.
pub fn unparsed(bytes: &[u8], error: &RecordError, more: u64, id: AuditId, delivered: &Delivered<'_>) -> Event {
    let mut draft = Draft::at(delivered.received_unix_ns, id, "system.unparsed", Witness::Api);
    draft.envelope.recorded_at = Some(time_token(delivered.received_unix_ns));
    draft.envelope.grade = Grade::Observed;
    draft.envelope.severity = Severity::Warning;
    draft.envelope.reason = Some(word(error.reason()));
    let (text, _) = redacted::text(delivered.redactor, &error.to_string());
    draft.put(SlotName::Content, "unparsed", json!({"error": text.into_inner()}));
    if more > 0 {
        draft.put_in(SlotName::Content, "unparsed", "more_not_kept", more.into());
    }
    keep_bytes(&mut draft, bytes, None, delivered.redactor);
    let mut event = draft.finish();
    delivered.sender.stamp(&mut event);
    event
}

fn context(id: AuditId, delivered: &Delivered<'_>) -> FromContext {
    let recorded_at = time_token(delivered.received_unix_ns);
    FromContext { audit_id_if_missing: id, recorded_at, witness: Witness::Api, grade: Grade::Asserted }
}

/// Says what was replaced, and how many numbers became texts.
fn tell(event: &mut Event, rules: &[String], numbers_as_text: usize) {
    if numbers_as_text > 0 {
        event.put(SlotName::Content, one("numbers_as_text", numbers_as_text.into()));
    }
    if rules.is_empty() {
        return;
    }
    let mut draft = Draft { envelope: event.envelope.clone(), slots: std::collections::BTreeMap::new() };
    disclose(&mut draft, rules);
    event.envelope.redactions = draft.envelope.redactions;
    for (slot, members) in draft.slots {
        event.put(slot, members);
    }
}

/// Makes the id of a record whose own id looks like a secret: a placeholder would be the same for all of them, and only the first would be sealed.
fn hidden_id(sender: &Sender, own: &[Value], fallback: AuditId) -> AuditId {
    let mut text = format!("sealtrail/api\0{}\0", sender.key);
    own.iter().for_each(|id| text.push_str(&id.to_string()));
    let hash = digest(&SHA256, text.as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    AuditId::parse(&format!("api_{hex}")).unwrap_or(fallback)
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}
