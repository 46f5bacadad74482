//! The client's content addresses: SHA-256 over JSON with sorted members, no spaces, and text as it is.

use serde_json::{Map, Value};

use crate::hash;

/// Returns the hashes that the client may have given a value: as it stands, and without the marks for its prompt cache.
pub(crate) fn hashes(value: &Value) -> Vec<String> {
    let whole = hash::hex(&hash::sha256(sorted(value).to_string().as_bytes()));
    let bare = hash::hex(&hash::sha256(sorted(&without_marks(value)).to_string().as_bytes()));
    if whole == bare { vec![whole] } else { vec![whole, bare] }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            // As JavaScript compares texts: by UTF-16 units.
            names.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            Value::Object(names.into_iter().map(|name| (name.clone(), sorted(&members[name]))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        small => small.clone(),
    }
}

fn without_marks(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| name.as_str() != "cache_control")
                .map(|(name, value)| (name.clone(), without_marks(value)))
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(without_marks).collect()),
        small => small.clone(),
    }
}
