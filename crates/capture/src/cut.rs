//! Keeps a slot within its limit: the longest texts are cut, and what was cut says how much it was.

use sealtrail_event::SLOT_BYTES_MAX;
use serde_json::{Map, Value, json};

use crate::hash;

/// 2 MiB: three texts of this size still fit a slot of 8 MiB.
const FIRST_CUT_BYTES: usize = 2 * 1024 * 1024;

/// 2 KiB: nothing shorter is cut; hashes of inputs rely on it (see `hash::LONG_BYTES`).
const LAST_CUT_BYTES: usize = 2 * 1024;

/// 1 MiB of the JSON text is kept of a member that is large without holding a long text.
const WHOLE_HEAD_BYTES: usize = 1024 * 1024;

/// Returns the members as JSON text of at most [`SLOT_BYTES_MAX`] bytes; a text that was cut becomes
/// `{"cut":{"size_bytes":…,"sha256":…,"head":…}}`.
pub(crate) fn fit(members: Map<String, Value>) -> String {
    fit_to(members, SLOT_BYTES_MAX)
}

fn fit_to(members: Map<String, Value>, bytes_max: usize) -> String {
    let text = serde_json::to_string(&members).unwrap_or_default();
    if text.len() <= bytes_max {
        return text;
    }
    let mut value = Value::Object(members);
    let mut keep = FIRST_CUT_BYTES.min(bytes_max / 4);
    while keep >= LAST_CUT_BYTES {
        cut_texts(&mut value, keep);
        let text = value.to_string();
        if text.len() <= bytes_max {
            return text;
        }
        keep /= 2;
    }
    cut_members(&mut value, bytes_max)
}

/// Cuts every text longer than `keep` bytes; a text that was cut before is only shortened.
fn cut_texts(value: &mut Value, keep: usize) {
    match value {
        Value::String(text) if text.len() > keep => *value = cut_text(text, keep),
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, keep)),
        Value::Object(members) => match cut_head(members) {
            Some(head) => head.truncate(floor(head, keep)),
            None => members.iter_mut().for_each(|(_, member)| cut_texts(member, keep)),
        },
        _ => {}
    }
}

/// Returns `text` cut to `keep` bytes, with its full size and hash.
pub(crate) fn cut_text(text: &str, keep: usize) -> Value {
    let head = &text[..floor(text, keep)];
    json!({"cut": {"size_bytes": text.len(), "sha256": hash::hex(&hash::sha256(text.as_bytes())), "head": head}})
}

/// Replaces the largest members by the beginning of their JSON text until the rest fits.
fn cut_members(value: &mut Value, bytes_max: usize) -> String {
    let Value::Object(members) = value else { return "{}".to_owned() };
    let mut sizes: Vec<(usize, String)> = members.iter().map(|(name, member)| (member.to_string().len(), name.clone())).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let mut keep = WHOLE_HEAD_BYTES.min(bytes_max / 8);
    for (_, name) in &sizes {
        if let Some(member) = members.get_mut(name) {
            *member = cut_text(&member.to_string(), keep);
        }
        keep = (keep / 2).max(LAST_CUT_BYTES);
        let text = serde_json::to_string(&members).unwrap_or_default();
        if text.len() <= bytes_max {
            return text;
        }
    }
    // Only an object with very many or very long names comes here: its names alone are over the limit.
    json!({"cut": {"members": sizes.len(), "size_bytes": sizes.iter().map(|(size, _)| size).sum::<usize>()}}).to_string()
}

/// Returns the head inside a value that [`cut_text`] made.
fn cut_head(members: &mut Map<String, Value>) -> Option<&mut String> {
    if members.len() != 1 {
        return None;
    }
    match members.get_mut("cut")?.get_mut("head")? {
        Value::String(head) => Some(head),
        _ => None,
    }
}

/// Returns the largest character boundary that is not after `at`.
fn floor(text: &str, at: usize) -> usize {
    if at >= text.len() { text.len() } else { text.floor_char_boundary(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the slot limit: whatever the shape, the text fits and the cut says the full size and hash.
    #[test]
    fn a_slot_fits_and_says_what_was_cut() {
        let long = "x".repeat(5000);
        let members = json!({"a": long, "b": {"c": [long, "short"]}});
        let Value::Object(members) = members else { unreachable!() };
        let text = fit_to(members, 9000);
        assert!(text.len() <= 9000, "{}", text.len());
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"]["cut"]["size_bytes"], 5000);
        assert_eq!(value["a"]["cut"]["sha256"], hash::hex(&hash::sha256(long.as_bytes())));
        assert_eq!(value["b"]["c"][1], "short");
    }

    /// Protects the limit against values without long texts: many small items are kept as the beginning of their JSON.
    #[test]
    fn many_small_items_are_cut_as_a_whole() {
        let members = json!({"many": vec![7; 20_000], "small": 1});
        let Value::Object(members) = members else { unreachable!() };
        let text = fit_to(members, 20_000);
        assert!(text.len() <= 20_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["small"], 1);
    }
}
