//! One event: envelope and slots; made from JSON and viewed as JSON.

use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::place::merge_missing;
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
    /// Adds `members` to a slot; an empty object adds nothing, a member that is there already is replaced.
    pub fn put(&mut self, name: SlotName, members: Map<String, Value>) {
        if members.is_empty() {
            return;
        }
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.name == name) {
            return slot.add(members);
        }
        self.slots.push(Slot { name, json: Value::Object(members).to_string() });
        self.slots.sort_by_key(|slot| slot.name);
    }

    /// Returns the event as one JSON object: the envelope's members with every slot merged in.
    pub fn to_json(&self) -> Value {
        let envelope = serde_json::to_value(&self.envelope).unwrap_or_default();
        view(envelope, self.slots.iter().map(|slot| slot.json.as_str()))
    }
}

/// Returns `envelope` with every slot (JSON object text) merged into it; text that is no object is left out.
///
/// What the envelope says stays: a slot can add members, never change one that is sealed.
pub fn view<'a>(mut envelope: Value, slots: impl Iterator<Item = &'a str>) -> Value {
    for slot in slots {
        if let Ok(value @ Value::Object(_)) = serde_json::from_str(slot) {
            merge_missing(&mut envelope, value);
        }
    }
    envelope
}

/// Merges objects member by member; anything else is replaced.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

impl Slot {
    /// Adds members to the object text: spliced in as text where no name can be there already, parsed and merged otherwise.
    fn add(&mut self, members: Map<String, Value>) {
        let named = |name: &String| self.json.contains(&format!("{}:", Value::from(name.as_str())));
        let text = match self.json.strip_suffix('}') {
            Some(open) if open.len() > 1 && !members.keys().any(named) => format!("{open},{}", &Value::Object(members).to_string()[1..]),
            _ => {
                let mut old: Map<String, Value> = serde_json::from_str(&self.json).unwrap_or_default();
                merge(&mut old, members);
                Value::Object(old).to_string()
            }
        };
        self.json = text;
    }
}
