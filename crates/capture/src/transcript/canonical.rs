//! The client's content addresses: SHA-256 over JSON with sorted members, no spaces, and text as it is.

use serde_json::{Map, Value, json};

use crate::hash;

/// Returns the hashes that the client may have given a value: as it stands, without the marks for its prompt cache, and with a content that is a
/// mere text as a list of one block, which is how the client sends it.
pub(crate) fn hashes(value: &Value) -> Vec<String> {
    let bare = without_marks(value);
    let mut found = Vec::new();
    for form in [value, &bare, &in_blocks(&bare)] {
        let hash = hash::hex(&hash::sha256(sorted(form).to_string().as_bytes()));
        if !found.contains(&hash) {
            found.push(hash);
        }
    }
    found
}

fn in_blocks(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(text @ Value::String(_)) = message.get("content").cloned() {
        message["content"] = json!([{"type": "text", "text": text}]);
    }
    message
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
