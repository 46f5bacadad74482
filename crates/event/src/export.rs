//! An event goes out again in the shape it came in, or in another one.

use serde_json::{Map, Value};

use crate::fields::{AS_SENT, NOT_SENT, Place, RESERVED, field, get, set, take};
use crate::shape::Shape;
use crate::words::{action_of, event_type_as_sent};

/// Fields that are derived when a record does not say them; what it says itself stands under `as_sent`.
const DERIVED: &[&str] = &["severity", "outcome", "policy_result"];

/// Returns the event of a view in the names of `shape`.
///
/// In the shape it came in, that is the record again, with nothing lost and nothing added (minus what was erased). In another shape it is
/// the members of that shape as far as the event has them.
pub fn export_as(view: &Value, shape: Shape) -> Value {
    let came_as = view.get("shape").and_then(Value::as_str).and_then(Shape::parse).unwrap_or(Shape::Ours);
    if came_as == shape {
        let mut record = plain(view.clone(), shape);
        if let Some(Value::Array(extra)) = view.get(NOT_SENT) {
            extra.iter().filter_map(Value::as_str).for_each(|pointer| remove(&mut record, pointer));
        }
        if let Some(values) = view.get(AS_SENT) {
            overlay(&mut record, values);
        }
        return record;
    }
    let mut record = Value::Object(Map::new());
    if shape == Shape::Ours {
        record = view.clone();
        strip(&mut record, |name| RESERVED.contains(&name));
        return record;
    }
    for (own, ours) in shape.members() {
        if let Some(value) = get(view, ours) {
            let _said_by_an_earlier_member = set(&mut record, own, said_as(own, value, view, shape));
        }
    }
    record
}

/// Exports without `as_sent` and `not_sent`, in the shape the event came in: what the canonical members alone give back.
pub(crate) fn plain(mut rest: Value, shape: Shape) -> Value {
    let listed = |name: &str| shape.members().iter().any(|(_, ours)| *ours == name);
    strip(&mut rest, |name| {
        let recorder = || field(name).is_some_and(|field| field.place == Place::Recorder);
        let derived = || DERIVED.contains(&name) && (shape == Shape::Trail || !listed(name));
        RESERVED.contains(&name) || shape != Shape::Ours && (recorder() || derived())
    });
    if matches!(shape, Shape::Ours | Shape::Trail) {
        return rest;
    }
    let mut record = Value::Object(Map::new());
    for (own, ours) in shape.members() {
        if let Some(value) = take(&mut rest, ours) {
            let _never_taken = set(&mut record, own, as_came(own, value, shape));
        }
    }
    crate::place::merge_missing(&mut record, rest);
    record
}

/// Returns the value of a member as a record of this shape said it.
fn as_came(own: &str, value: Value, shape: Shape) -> Value {
    match (shape, own) {
        (Shape::Gateway | Shape::Governance, "eventType" | "event_type") => {
            value.as_str().and_then(event_type_as_sent).map(Value::from).unwrap_or(value)
        }
        _ => value,
    }
}

/// Returns the value of a member in the words of another shape than it came in.
fn said_as(own: &str, value: &Value, view: &Value, shape: Shape) -> Value {
    let Some(text) = value.as_str() else { return value.clone() };
    match (shape, own) {
        (Shape::Gateway | Shape::Governance, "eventType" | "event_type") => {
            let category = view.get("category").and_then(Value::as_str).filter(|_| shape == Shape::Gateway);
            Value::from(event_type_as_sent(text).or(category).unwrap_or(text))
        }
        (Shape::AuditEvent, "action") => {
            let event_type = view.get("event_type").and_then(Value::as_str);
            Value::from(event_type.and_then(action_of).unwrap_or(text))
        }
        _ => value.clone(),
    }
}

/// Removes the members of an object that `unwanted` names.
fn strip(object: &mut Value, unwanted: impl Fn(&str) -> bool) {
    if let Value::Object(members) = object {
        members.retain(|name, _| !unwanted(name));
    }
}

/// Returns what has to be laid over `exported` to make it `record`, and (as JSON pointers) what has to be removed before.
pub(crate) fn difference(exported: &Value, record: &Value) -> (Map<String, Value>, Vec<String>) {
    let mut extra = Vec::new();
    let over = match (exported, record) {
        (Value::Object(exported), Value::Object(record)) => compare(exported, record, "", &mut extra),
        _ => Map::new(),
    };
    (over, extra)
}

fn compare(exported: &Map<String, Value>, record: &Map<String, Value>, above: &str, extra: &mut Vec<String>) -> Map<String, Value> {
    let pointer = |name: &str| format!("{above}/{}", name.replace('~', "~0").replace('/', "~1"));
    extra.extend(exported.keys().filter(|name| !record.contains_key(*name)).map(|name| pointer(name)));
    let mut over = Map::new();
    for (name, wanted) in record {
        match (exported.get(name), wanted) {
            (Some(found), wanted) if found == wanted => {}
            (Some(Value::Object(found)), Value::Object(wanted)) => {
                let inner = compare(found, wanted, &pointer(name), extra);
                if !inner.is_empty() {
                    over.insert(name.clone(), Value::Object(inner));
                }
            }
            (Some(_), Value::Object(_)) => {
                extra.push(pointer(name));
                over.insert(name.clone(), wanted.clone());
            }
            _ => {
                over.insert(name.clone(), wanted.clone());
            }
        }
    }
    over
}

/// Lays `values` over `record`: objects member by member, anything else replaces.
fn overlay(record: &mut Value, values: &Value) {
    match (record, values) {
        (Value::Object(record), Value::Object(values)) => {
            for (name, value) in values {
                match record.get_mut(name) {
                    Some(old) => overlay(old, value),
                    None => {
                        record.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (record, values) => *record = values.clone(),
    }
}

/// Removes the value at a JSON pointer.
fn remove(record: &mut Value, pointer: &str) {
    let Some((above, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(members)) = record.pointer_mut(above) {
        members.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
    }
}
