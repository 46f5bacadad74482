//! An event being made: the envelope, and the members of its slots before they become text.

use std::collections::BTreeMap;

use sealtrail_event::{AuditId, Envelope, Event, Operation, OperationResult, Resource, Slot, SlotName, Token, Witness};
use serde_json::{Map, Value};

use crate::cut;
use crate::intake::Intake;

/// The members of one slot.
pub(crate) type Members = Map<String, Value>;

/// An event that is still being put together; everything in it is redacted.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) envelope: Envelope,
    pub(crate) slots: BTreeMap<SlotName, Members>,
}

impl Draft {
    /// Starts an event of the hook delivery `intake`.
    pub(crate) fn of_intake(intake: &Intake, id: AuditId, event_type: &str) -> Self {
        let mut draft = Self::at(intake.received_unix_ns, id, event_type, Witness::Hook);
        let late_ns = intake.late_ms.unwrap_or(0).saturating_mul(1_000_000);
        draft.envelope.recorded_at = Some(time_token(intake.received_unix_ns.saturating_add(late_ns)));
        draft.envelope.late_ms = intake.late_ms;
        draft.envelope.client_version = intake.client_version.as_deref().and_then(token);
        let unnamed = match &intake.sender {
            None => format!("uid:{}", intake.uid),
            Some(sender) => format!("key:{}", sender.key),
        };
        draft.put(SlotName::Identity, "user_id", intake.user.clone().unwrap_or(unnamed).into());
        match &intake.sender {
            None => draft.put(SlotName::Identity, "uid", intake.uid.into()),
            Some(sender) => {
                draft.envelope.application_id = sender.application_id.clone();
                draft.slots.entry(SlotName::Identity).or_default().extend(sender.members());
            }
        }
        if let Some(host) = &intake.host {
            draft.put(SlotName::Identity, "host", host.as_str().into());
        }
        if let Some(pid) = intake.client_pid {
            draft.put(SlotName::Identity, "client_pid", pid.into());
        }
        draft
    }

    /// Starts an event that happened at a time, seen by `witness`.
    pub(crate) fn at(unix_ns: u64, id: AuditId, event_type: &str, witness: Witness) -> Self {
        let kind = token(event_type).unwrap_or_else(|| word(crate::table::UNKNOWN_HOOK));
        Self { envelope: Envelope::new(id, kind, time_token(unix_ns), witness), slots: BTreeMap::new() }
    }

    /// Sets one member of a slot.
    pub(crate) fn put(&mut self, slot: SlotName, name: &str, value: Value) {
        self.slots.entry(slot).or_default().insert(name.to_owned(), value);
    }

    /// Sets one member of an object that is a member of a slot.
    pub(crate) fn put_in(&mut self, slot: SlotName, object: &str, name: &str, value: Value) {
        let members = self.slots.entry(slot).or_default();
        let inner = members.entry(object).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(inner) = inner {
            inner.insert(name.to_owned(), value);
        }
    }

    /// Returns a member of a slot.
    pub(crate) fn member(&self, slot: SlotName, name: &str) -> Option<&Value> {
        self.slots.get(&slot)?.get(name)
    }

    pub(crate) fn resource(&mut self) -> &mut Resource {
        self.envelope.resource.get_or_insert_default()
    }

    pub(crate) fn operation(&mut self) -> &mut Operation {
        self.envelope.operation.get_or_insert_default()
    }

    pub(crate) fn result(&mut self) -> &mut OperationResult {
        self.envelope.result.get_or_insert_default()
    }

    /// Ends the making: every slot becomes text within its limit.
    pub(crate) fn finish(self) -> Event {
        let slots = self
            .slots
            .into_iter()
            .filter(|(_, members)| !members.is_empty())
            .map(|(name, members)| Slot { name, json: cut::fit(members) })
            .collect();
        Event { envelope: self.envelope, slots }
    }
}

/// Returns `text` as a token, if it is one.
pub(crate) fn token(text: &str) -> Option<Token> {
    Token::parse(text).ok()
}

/// Returns a token of a word that stands in this crate's source.
pub(crate) fn word(text: &'static str) -> Token {
    Token::parse(text).expect("words in the source are printable and without spaces")
}

/// Returns a time as RFC 3339 in UTC with nanoseconds.
pub(crate) fn time_token(unix_ns: u64) -> Token {
    // jiff takes times up to the year 9999; u64 nanoseconds end in 2554, so the default is never taken.
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or_default();
    token(&format!("{time:.9}")).unwrap_or_else(|| word("1970-01-01T00:00:00Z"))
}
