//! One event: envelope and slots; made from JSON and viewed as JSON.

use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::slot::{Slot, SlotName};

/// One thing that happened, after redaction, ready to be sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The part that is hashed into the ledger.
    pub envelope: Envelope,
    /// The erasable parts; at most one per name.
    pub slots: Vec<Slot>,
}

impl Event {
    /// Adds `members` to a slot; an empty object adds nothing.
    pub fn put(&mut self, name: SlotName, members: Map<String, Value>) {
        if members.is_empty() {
            return;
        }
        let merged = match self.slots.iter().position(|slot| slot.name == name) {
            Some(at) => {
                let mut old: Value = serde_json::from_str(&self.slots.remove(at).json).unwrap_or_default();
                merge(&mut old, Value::Object(members));
                old
            }
            None => Value::Object(members),
        };
        self.slots.push(Slot { name, json: merged.to_string() });
        self.slots.sort_by_key(|slot| slot.name);
    }

    /// Returns the event as one JSON object: the envelope's members with every slot merged in.
    pub fn to_json(&self) -> Value {
        let envelope = serde_json::to_value(&self.envelope).unwrap_or_default();
        view(envelope, self.slots.iter().map(|slot| slot.json.as_str()))
    }
}

/// Returns `envelope` with every slot (JSON object text) merged into it; text that is no object is left out.
pub fn view<'a>(mut envelope: Value, slots: impl Iterator<Item = &'a str>) -> Value {
    for slot in slots {
        if let Ok(value @ Value::Object(_)) = serde_json::from_str(slot) {
            merge(&mut envelope, value);
        }
    }
    envelope
}

/// Merges objects member by member; anything else is replaced.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(old) => merge(old, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (into, from) => *into = from,
    }
}
