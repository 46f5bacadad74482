//! A record in any shape becomes an event, and nothing of it is lost.
//!
//! The members that the canonical form does not give back are found by exporting the event and comparing: they are kept
//! under `as_sent` (in the slot of their class, so that erasing that slot erases them too) and `not_sent`.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::event::Event;
use crate::export::{difference, plain};
use crate::fields::{AS_SENT, NOT_SENT, Place, RESERVED, field, get, holds_fields, known, set, take};
use crate::fit::{fit, suits};
use crate::id::{AuditId, Token};
use crate::kind::{Grade, Outcome, PolicyResult, Witness};
use crate::place::{by_slot, deeper_than, merge_missing, name_of, unshadowed};
use crate::shape::Shape;
use crate::slot::{Slot, SlotName};
use crate::words::{category_of, event_type_word, outcome_word, severity_of};
use crate::{DEPTH_MAX, EnvelopeError, SLOT_BYTES_MAX};

/// What the recorder adds to a record.
#[derive(Clone, Debug)]
pub struct FromContext {
    /// Id of the event, when the record has none.
    pub audit_id_if_missing: AuditId,
    /// When the recorder took the record in; also the time of the event when the record has none.
    pub recorded_at: Token,
    /// Who handed the record in.
    pub witness: Witness,
    /// How that witness knows.
    pub grade: Grade,
}

/// Why a record is no event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventError {
    /// The record was a list, a text, a number, ….
    #[error("a record must be a JSON object, this is {found}")]
    NotAnObject {
        /// What it was.
        found: &'static str,
    },
    /// Too many levels.
    #[error("a record has at most {DEPTH_MAX} levels of objects and lists, this one has more")]
    TooDeep,
    /// A slot would be too large.
    #[error("slot {slot} of the record has {bytes} bytes, at most {SLOT_BYTES_MAX} are kept")]
    SlotTooLarge {
        /// Which slot.
        slot: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// The envelope broke one of its rules.
    #[error("cannot make an envelope of the record")]
    Envelope(#[from] EnvelopeError),
}

impl Event {
    /// Makes an event of a record in any [`Shape`]; [`crate::export_as`] of its view gives the record back.
    pub fn from_json(record: &Value, context: &FromContext) -> Result<Self, EventError> {
        let Value::Object(members) = record else { return Err(EventError::NotAnObject { found: name_of(record) }) };
        if deeper_than(record, DEPTH_MAX) {
            return Err(EventError::TooDeep);
        }
        let shape = Shape::of(members);
        let mut fields = canonical_members(members, shape);
        let envelope = envelope_of(&mut fields, shape, context);
        let mut event = Event { envelope, slots: Vec::new() };
        let view = event.keep(fields);
        event.keep_difference(view, record, shape);
        event.envelope.check()?;
        match event.slots.iter().find(|slot| slot.json.len() > SLOT_BYTES_MAX) {
            Some(slot) => Err(EventError::SlotTooLarge { slot: slot.name.as_str(), bytes: slot.json.len() }),
            None => Ok(event),
        }
    }

    /// Puts every field that is not in the envelope into its slot; returns what the view of the event is then.
    fn keep(&mut self, fields: Value) -> Value {
        let mut view = serde_json::to_value(&self.envelope).unwrap_or_default();
        if let Value::Object(rest) = unshadowed(&view, fields) {
            for (name, members) in by_slot(rest) {
                let members = Value::Object(members);
                self.slots.push(Slot { name, json: members.to_string() });
                merge_missing(&mut view, members);
            }
        }
        view
    }

    /// Keeps what the canonical form does not give back.
    fn keep_difference(&mut self, view: Value, record: &Value, shape: Shape) {
        let (values, extra) = difference(&plain(view, shape), record);
        for (slot, members) in by_slot(values) {
            self.put(slot, Map::from_iter([(AS_SENT.to_owned(), Value::Object(members))]));
        }
        if !extra.is_empty() {
            self.put(SlotName::Content, Map::from_iter([(NOT_SENT.to_owned(), Value::from(extra))]));
        }
    }
}

/// Renames the members of a record to ours. What has no name of ours keeps its own; what is in the way is left out.
fn canonical_members(members: &Map<String, Value>, shape: Shape) -> Value {
    let mut rest = members.clone();
    rest.retain(|name, _| !RESERVED.contains(&name.as_str()) && known(name).is_none_or(|field| field.place != Place::Recorder));
    let mut rest = Value::Object(rest);
    let mut fields = Value::Object(Map::new());
    let renamed = shape.members().iter().filter(|(own, ours)| own != ours && shape != Shape::Trail);
    for (own, ours) in renamed {
        if let Some(value) = take(&mut rest, own)
            && let Err(value) = set(&mut fields, ours, value)
        {
            let _in_the_way = set(&mut rest, own, value);
        }
    }
    for name in members.keys() {
        let Some(field) = known(name).filter(|field| field.path != name && !members.contains_key(field.path)) else { continue };
        let path = field.path;
        if rest.get(name).is_some_and(|value| suits(field.kind, value)) && get(&rest, path).is_none() {
            let Some(value) = rest.as_object_mut().and_then(|object| object.shift_remove(name)) else { continue };
            if let Err(value) = set(&mut fields, path, value) {
                let _in_the_way = set(&mut rest, name, value);
            }
        }
    }
    if fields.as_object().is_some_and(Map::is_empty) {
        return rest;
    }
    merge_missing(&mut fields, rest);
    fields
}

/// Moves the values that fit from `fields` into an envelope and derives the rest of it.
fn envelope_of(fields: &mut Value, shape: Shape, context: &FromContext) -> Envelope {
    copy_up(fields);
    let mut members = take_fitting(fields);
    let mut text = |path: &str| members.remove(path).and_then(|value| value.as_str().and_then(|text| Token::parse(text).ok()));
    let audit_id = text("audit_id").and_then(|id| AuditId::parse(id.as_str()).ok());
    let timestamp = text("timestamp").unwrap_or_else(|| context.recorded_at.clone());
    let event_type = text("event_type").unwrap_or_else(|| event_type_of(&members, fields, shape));
    let audit_id = audit_id.unwrap_or_else(|| context.audit_id_if_missing.clone());
    let severity_said = members.contains_key("severity");
    let mut envelope = Envelope::new(audit_id, event_type, timestamp, context.witness);
    members.into_iter().for_each(|(path, value)| envelope.set(path, value));
    envelope.recorded_at = Some(context.recorded_at.clone());
    envelope.grade = context.grade;
    envelope.shape = (shape != Shape::Ours).then(|| Token::known(shape.as_str()));
    derive(&mut envelope, fields);
    if !severity_said {
        envelope.severity = severity_of(envelope.event_type.as_str(), envelope.outcome);
    }
    envelope
}

/// Takes what fits the envelope out of `fields`; an object that becomes empty by it goes too.
fn take_fitting(fields: &mut Value) -> FxHashMap<&'static str, Value> {
    let mut found = FxHashMap::default();
    let mut fits = |path: &str, value: &Value| {
        let field = field(path).filter(|field| field.place == Place::Envelope);
        let taken = field.and_then(|field| Some((field.path, fit(field.kind, value)?)));
        taken.map(|(path, value)| found.insert(path, value)).is_some()
    };
    let Value::Object(fields) = fields else { return found };
    fields.retain(|name, value| match value {
        Value::Object(inner) if !inner.is_empty() && holds_fields(name) => {
            inner.retain(|inner, value| !fits(&format!("{name}.{inner}"), value));
            !inner.is_empty()
        }
        value => !fits(name, value),
    });
    found
}

/// Copies what the plain shape nests or names otherwise to the fields that every event has.
fn copy_up(fields: &mut Value) {
    const COPIES: &[(&str, &str)] = &[
        ("user_context.initiated_by", "user_id"),
        ("initiated_by", "user_id"),
        ("modified_by", "user_id"),
        ("user_context.session_id", "session_id"),
        ("result.status", "status"),
        ("total_duration_ms", "duration_ms"),
        ("result.read_duration_ms", "duration_ms"),
    ];
    for (from, to) in COPIES {
        if let Some(value) = get(fields, from).filter(|value| value.is_string() || value.is_u64()).cloned() {
            let _already_said = set(fields, to, value);
        }
    }
}

/// Returns the event type of a record that does not say it: what follows from its other members.
fn event_type_of(members: &FxHashMap<&str, Value>, fields: &Value, shape: Shape) -> Token {
    let action = || members.get("operation.action").and_then(Value::as_str).and_then(event_type_word);
    let kind = || fields.get("type").and_then(Value::as_str).and_then(event_type_word);
    let by_shape = match shape {
        Shape::ApiCall => "model.call",
        Shape::Gateway if fields.get("input").is_some() => "tool.invocation",
        Shape::Governance if fields.get("security_event_type").is_some() => "security.event",
        _ => "system.record",
    };
    Token::known(action().or_else(kind).unwrap_or(by_shape))
}

/// Derives the category by type and the outcome by the words of the record.
fn derive(envelope: &mut Envelope, fields: &Value) {
    envelope.category = category_of(envelope.event_type.as_str());
    let status = || envelope.status.as_ref().and_then(|word| outcome_word(word.as_str()));
    let seen = || {
        let (failed, answered) = (fields.get("error").is_some_and(|error| !error.is_null()), fields.get("output").is_some());
        match envelope.policy_result {
            PolicyResult::Denied => Some(Outcome::Denied),
            _ if failed => Some(Outcome::Error),
            _ if answered => Some(Outcome::Success),
            _ => None,
        }
    };
    envelope.outcome = envelope.outcome.or_else(status).or_else(seen);
}
