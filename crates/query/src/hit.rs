//! What a sequence needs to know of an event, and what it finds.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::key::KeyValue;
use crate::sequence::{Sequence, Step};

/// An event that some step of a sequence takes: its place, and its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Where it stands in the ledger.
    pub seq: u64,
    /// When it happened.
    pub time: Timestamp,
    /// Keys, each with the steps for which it is the key: bit `i` for step `i`, the bit after the last step for `until`.
    pub(crate) joins: Vec<(Box<[KeyValue]>, u64)>,
}

/// Events that follow each other as a sequence says.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The values of the keys.
    pub keys: Vec<KeyValue>,
    /// The places of the events in the ledger, in the order of the steps.
    pub events: Vec<u64>,
    /// When the first happened.
    pub first: Timestamp,
    /// When the last happened.
    pub last: Timestamp,
    /// Whether it is final: not when the events ended before the time in which a last `![…]` must not come.
    pub settled: bool,
}

impl Hit {
    /// Makes an event that no step takes yet.
    pub fn new(seq: u64, time: Timestamp) -> Self {
        Self { seq, time, joins: Vec::new() }
    }

    /// Adds: step number `step` takes it, with the values of the key fields of the step. The number after the last step is `until`.
    pub fn add(&mut self, key: Vec<KeyValue>, step: usize) {
        let bit = 1u64.checked_shl(u32::try_from(step).unwrap_or(u32::MAX)).unwrap_or(0);
        match self.joins.iter_mut().find(|(known, _)| **known == *key) {
            Some((_, steps)) => *steps |= bit,
            None => self.joins.push((key.into_boxed_slice(), bit)),
        }
    }

    /// Returns about how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        48 + self.joins.iter().map(|(key, _)| 32 + key_bytes(key)).sum::<usize>()
    }
}

/// Returns about how many bytes a key takes.
pub(crate) fn key_bytes(key: &[KeyValue]) -> usize {
    key.iter().map(|value| size_of::<KeyValue>() + value.heap_bytes()).sum()
}

impl Sequence {
    /// Returns what the sequence needs to know of an event; `None` when no step takes it.
    ///
    /// An event that lacks the value of a key takes no part in that step. Of a list, the first value is the key.
    pub fn hit(&self, seq: u64, time: Timestamp, event: &Value) -> Option<Hit> {
        let mut hit = Hit::new(seq, time);
        for (number, step) in self.steps().iter().chain(self.until()).enumerate() {
            if step.query.matches(event)
                && let Some(key) = self.key_of(step, event)
            {
                hit.add(key, number);
            }
        }
        (!hit.joins.is_empty()).then_some(hit)
    }

    fn key_of(&self, step: &Step, event: &Value) -> Option<Vec<KeyValue>> {
        self.keys_of(step).map(|field| field.values(event).into_iter().next()).collect()
    }
}

impl Match {
    /// Returns about how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        160 + key_bytes(&self.keys) + 8 * self.events.len()
    }

    /// Returns the match as an event for the stages of a pipe: `timestamp`, `ended_at`, `span_ms`, `events`, `settled`, and the keys by their fields.
    pub fn to_value(&self, sequence: &Sequence) -> Value {
        let mut object = Map::new();
        for (field, value) in sequence.keys_of(&sequence.steps()[0]).zip(&self.keys) {
            object.insert(field.column(), value.to_value());
        }
        object.insert("timestamp".to_owned(), self.first.to_string().into());
        object.insert("ended_at".to_owned(), self.last.to_string().into());
        let span_ms = (self.last.as_nanosecond() - self.first.as_nanosecond()).div_euclid(1_000_000);
        object.insert("span_ms".to_owned(), i64::try_from(span_ms).unwrap_or(i64::MAX).into());
        object.insert("events".to_owned(), self.events.iter().copied().map(Value::from).collect());
        object.insert("settled".to_owned(), self.settled.into());
        Value::Object(object)
    }
}
