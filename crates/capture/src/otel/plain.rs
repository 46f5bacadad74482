//! Values of OTLP as plain JSON, the same from every encoding.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::error::OtelError;

/// 16: a value in JSON has room for 18 levels of lists under the 64 levels of a document; protobuf is held to the same.
pub(super) const LEVELS_MAX: usize = 16;

/// Members that hold 64-bit numbers, which JSON may write as text.
const LONG: &[&str] =
    &["timeUnixNano", "observedTimeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "asInt", "count", "zeroCount", "bucketCounts"];

/// Members that hold fractions, which JSON may write as whole numbers.
const FRACTIONS: &[&str] = &["asDouble", "sum", "min", "max", "explicitBounds", "quantile", "value", "zeroThreshold"];

/// Members in which nothing is not the same as zero.
const SAY_ZERO: &[&str] = &["asInt", "asDouble", "sum", "min", "max", "count"];

/// Returns the members of a record in one form: attributes as an object, numbers as numbers, what says nothing left out.
pub(super) fn tidy(members: Map<String, Value>) -> Result<Map<String, Value>, OtelError> {
    let mut tidied = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            ("attributes" | "filteredAttributes" | "metadata", list) => Value::Object(attributes(list)?),
            ("body", value) => plain(value, LEVELS_MAX)?,
            (long, value) if LONG.contains(&long) => number(value),
            (name, value @ (Value::Number(_) | Value::Array(_))) if FRACTIONS.contains(&name) => fraction(value),
            (_, Value::Object(inner)) => Value::Object(tidy(inner)?),
            (_, Value::Array(items)) => Value::Array(items.into_iter().map(item).collect::<Result<_, _>>()?),
            (_, value) => value,
        };
        if SAY_ZERO.contains(&name.as_str()) && !value.is_null() || !says_nothing(&value) {
            tidied.insert(name, value);
        }
    }
    Ok(tidied)
}

fn item(value: Value) -> Result<Value, OtelError> {
    match value {
        Value::Object(members) => tidy(members).map(Value::Object),
        other => Ok(other),
    }
}

/// Tells whether a member has the value that protobuf leaves out.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// Returns digits as the number they are; anything else as it is.
fn number(value: Value) -> Value {
    match value {
        Value::String(text) => whole(&text).map_or(Value::String(text), Value::Number),
        Value::Array(items) => Value::Array(items.into_iter().map(number).collect()),
        other => other,
    }
}

/// Returns numbers as fractions, however they were written.
fn fraction(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(number.as_f64().and_then(Number::from_f64).unwrap_or(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(fraction).collect()),
        other => other,
    }
}

/// Returns the number that `text` writes, if it is written as JSON would write it.
pub(super) fn whole(text: &str) -> Option<Number> {
    let number = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok()?;
    (number.to_string() == text).then_some(number)
}

/// Returns a list of keys and values as an object; a key that is there again keeps its value under `key#2`, `key#3`, ….
pub(super) fn attributes(list: Value) -> Result<Map<String, Value>, OtelError> {
    attributes_at(list, LEVELS_MAX)
}

fn attributes_at(list: Value, levels: usize) -> Result<Map<String, Value>, OtelError> {
    let items = match list {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => return Err(shape("a list of attributes", "a list", &other)),
    };
    let mut found = Map::with_capacity(items.len());
    for item in items {
        let Value::Object(mut pair) = item else { return Err(shape("an attribute", "an object", &item)) };
        let key = match pair.shift_remove("key") {
            Some(Value::String(key)) => key,
            None => String::new(),
            Some(other) => return Err(shape("the key of an attribute", "a text", &other)),
        };
        let value = plain(pair.shift_remove("value").unwrap_or_default(), levels)?;
        insert(&mut found, key, value);
    }
    Ok(found)
}

/// Adds a member under a name that is free.
fn insert(into: &mut Map<String, Value>, key: String, value: Value) {
    let mut name = key.clone();
    let mut times = 1;
    while into.contains_key(&name) {
        times += 1;
        name = format!("{key}#{times}");
    }
    into.insert(name, value);
}

/// Returns one value of OTLP as plain JSON. Bytes, and what this version does not know, keep the form they have in OTLP's JSON.
fn plain(any: Value, levels: usize) -> Result<Value, OtelError> {
    let Value::Object(mut members) = any else { return Ok(any) };
    if members.len() != 1 {
        return Ok(if members.is_empty() { Value::Null } else { Value::Object(members) });
    }
    let (name, value) = members.iter_mut().next().map(|(name, value)| (name.clone(), value.take())).unwrap_or_default();
    Ok(match (name.as_str(), value) {
        ("stringValue", value @ Value::String(_)) | ("boolValue", value @ Value::Bool(_)) => value,
        ("intValue", value) => number(value),
        ("doubleValue", value) => fraction(value),
        ("arrayValue", value) => Value::Array(list(value, levels)?),
        ("kvlistValue", Value::Object(mut inner)) => {
            let below = levels.checked_sub(1).ok_or(OtelError::TooDeep)?;
            Value::Object(attributes_at(inner.shift_remove("values").unwrap_or_default(), below)?)
        }
        ("bytesValue", Value::String(text)) => bytes(text),
        (_, value) => Value::Object(Map::from_iter([(name, value)])),
    })
}

fn list(value: Value, levels: usize) -> Result<Vec<Value>, OtelError> {
    let below = levels.checked_sub(1).ok_or(OtelError::TooDeep)?;
    let inner = match value {
        Value::Object(mut inner) => inner.shift_remove("values").unwrap_or_default(),
        other => other,
    };
    match inner {
        Value::Array(items) => items.into_iter().map(|item| plain(item, below)).collect(),
        Value::Null => Ok(Vec::new()),
        other => Err(shape("the values of a list", "a list", &other)),
    }
}

/// Returns bytes in standard base64, whichever of the forms that JSON may use they came in.
fn bytes(text: String) -> Value {
    let usual = text.replace('-', "+").replace('_', "/");
    let known = STANDARD.decode(&usual).map(|bytes| STANDARD.encode(bytes));
    Value::Object(Map::from_iter([("bytesValue".to_owned(), Value::String(known.unwrap_or(text)))]))
}

pub(super) fn shape(at: &'static str, wanted: &'static str, found: &Value) -> OtelError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    OtelError::Shape { at, wanted, found }
}
