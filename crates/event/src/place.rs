//! Which slot a member belongs to, and the merging of JSON objects.

use serde_json::{Map, Value};

use crate::fields::{Field, Place, holds_fields, known};
use crate::slot::SlotName;

/// Sorts members by the slot of their class; members that are no field belong to `content`.
///
/// An object goes apart where fields lie inside it (`resource.path` to `resource`, the rest of `resource` to `content`).
pub(crate) fn by_slot(members: Map<String, Value>) -> Vec<(SlotName, Map<String, Value>)> {
    let mut sorted = SlotName::ALL.iter().map(|slot| (*slot, Map::new())).collect::<Vec<_>>();
    let mut put = |slot: SlotName, path: &[&str], value: Value| {
        if let Some((_, members)) = sorted.iter_mut().find(|(found, _)| *found == slot) {
            insert(members, path, value);
        }
    };
    for (name, value) in members {
        let outer = known(&name).map_or(SlotName::Content, slot_of);
        match value {
            Value::Object(inner) if !inner.is_empty() && holds_fields(&name) => {
                for (inner_name, value) in inner {
                    let slot = known(&format!("{name}.{inner_name}")).map_or(outer, slot_of);
                    put(slot, &[&name, &inner_name], value);
                }
            }
            value => put(outer, &[&name], value),
        }
    }
    sorted.retain(|(_, members)| !members.is_empty());
    sorted
}

/// Returns the slot of a field; a value that does not fit the envelope goes to `content`.
fn slot_of(field: &Field) -> SlotName {
    match field.place {
        Place::Slot(slot) => slot,
        Place::Envelope | Place::Recorder => SlotName::Content,
    }
}

/// Inserts at a path of one or two names.
fn insert(members: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [name] => {
            members.insert((*name).to_owned(), value);
        }
        [head, rest @ ..] => {
            let inner = members.entry(*head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
        [] => {}
    }
}

/// Returns what of `fields` would not lie under a member of `envelope` when both are merged.
pub(crate) fn unshadowed(envelope: &Value, fields: Value) -> Value {
    let (Value::Object(over), Value::Object(under)) = (envelope, fields) else { return Value::Null };
    let mut left = Map::new();
    for (name, value) in under {
        match (over.get(&name), value) {
            (None, value) => {
                left.insert(name, value);
            }
            (Some(over @ Value::Object(_)), value @ Value::Object(_)) => {
                let inner = unshadowed(over, value);
                if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                    left.insert(name, inner);
                }
            }
            _ => {}
        }
    }
    Value::Object(left)
}

/// Merges objects member by member; what `into` has stays.
pub(crate) fn merge_missing(into: &mut Value, from: Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else { return };
    for (name, value) in from {
        match into.get_mut(&name) {
            Some(old) => merge_missing(old, value),
            None => {
                into.insert(name, value);
            }
        }
    }
}

/// Whether `value` has more than `levels` levels of objects and lists.
pub(crate) fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(members) => levels == 0 || members.values().any(|inner| deeper_than(inner, levels - 1)),
        Value::Array(items) => levels == 0 || items.iter().any(|inner| deeper_than(inner, levels - 1)),
        _ => false,
    }
}

/// Returns the JSON name of a value's type.
pub(crate) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
