//! What a server says of itself: hashed, kept, and compared with what it said before.

use std::collections::BTreeMap;

use sealtrail_event::{Severity, SlotName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use similar::TextDiff;

use super::Now;
use super::watch::{Kind, Open, Seen, Watch};
use crate::draft::{Draft, time_token, word};
use crate::hash;
use crate::hook::disclose;

/// 4,096 tools or prompts, 4 MiB together: more than a model can be told of.
const ITEMS_MAX: usize = 4_096;
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// 64 KiB of one description, and of all differences together, are compared line by line; beyond it only the hashes speak.
const DIFF_BYTES_MAX: usize = 64 * 1024;

/// What a server described when it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Its tools.
    pub tools: Option<Listing>,
    /// Its prompts.
    pub prompts: Option<Listing>,
    /// Its instructions to the model.
    pub instructions: Option<Listing>,
    /// SHA-256 of the command line or address that it was reached by.
    pub target_sha256: Option<String>,
}

/// One thing that a server described.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// SHA-256 of the canonical JSON of all items by their names.
    pub sha256: String,
    /// Canonical JSON of each item, redacted; empty when there was too much of it.
    pub items: BTreeMap<String, String>,
    /// When it was first seen so.
    pub since: String,
    /// The event that told of it.
    pub audit_id: String,
}

/// A list that comes in pages.
#[derive(Debug, Default)]
pub(super) struct Pages {
    items: Vec<Value>,
    bytes: usize,
    too_much: bool,
    rules: Vec<String>,
}

impl Watch {
    /// A page of tools or prompts came.
    pub(super) fn listed(&mut self, open: &Open, mut members: Map<String, Value>, rules: &[String], now: &mut Now<'_>, seen: &mut Seen) {
        let what = if open.kind == Kind::Tools { "tools" } else { "prompts" };
        if open.first_page {
            self.pages.remove(what);
        }
        let Some(Value::Array(items)) = members.shift_remove(what) else { return };
        let pages = self.pages.entry(what).or_default();
        pages.rules.extend_from_slice(rules);
        for item in items {
            pages.bytes += item.to_string().len();
            pages.too_much |= pages.items.len() >= ITEMS_MAX || pages.bytes > BYTES_MAX;
            if !pages.too_much {
                pages.items.push(item);
            }
        }
        let more = members.get("nextCursor").is_some_and(|cursor| !cursor.is_null());
        if !more && let Some(pages) = self.pages.remove(what) {
            let count = pages.items.len();
            self.described(what, by_name(pages.items), (count, pages.too_much), &pages.rules, now, seen);
        }
    }

    /// The server's instructions to the model; an empty text when it gave none.
    pub(super) fn instructed(&mut self, text: &str, now: &mut Now<'_>, seen: &mut Seen) {
        let never = self.known.instructions.is_none();
        if text.is_empty() && never {
            return;
        }
        let items = if text.is_empty() { BTreeMap::new() } else { BTreeMap::from([("instructions".to_owned(), canonical(&text.into()))]) };
        let too_much = text.len() > BYTES_MAX;
        self.described("instructions", items, (1, too_much), &[], now, seen);
    }

    /// Compares what is described now with what was, and tells of it.
    fn described(
        &mut self,
        what: &'static str,
        items: BTreeMap<String, String>,
        (count, too_much): (usize, bool),
        rules: &[String],
        now: &mut Now<'_>,
        seen: &mut Seen,
    ) {
        let sha256 = hash_of(&items);
        let target = hash::hex(&hash::sha256(self.link.target.as_bytes()));
        let old = self.known.slot(what).clone();
        let changed = old.as_ref().is_some_and(|old| old.sha256 != sha256);
        let mut draft = self.link.draft(if changed { "mcp.description_changed" } else { first_word(what) }, now);
        let mut listing = json!({"what": what, "sha256": sha256, "count": count});
        if too_much {
            listing["too_much"] = true.into();
        }
        match &old {
            Some(old) if !changed => {
                draft.envelope.severity = Severity::Debug;
                draft.envelope.reason = Some(word("unchanged"));
                listing["since"] = old.since.as_str().into();
            }
            _ => {
                draft.envelope.reason = Some(word(if changed { what } else { "first" }));
                listing["items"] = items.iter().map(|(name, text)| (name.clone(), value_of(text))).collect::<Map<_, _>>().into();
            }
        }
        if let Some(old) = old.as_ref().filter(|_| changed) {
            draft.envelope.severity = Severity::High;
            let moved = self.known.target_sha256.as_ref().is_some_and(|known| *known != target);
            tell_change(&mut draft, what, old, &items, &sha256, moved);
        }
        draft.put(SlotName::Content, "mcp_listing", listing);
        disclose(&mut draft, rules);
        let id = seen.tell(draft);
        if old.is_none() || changed {
            let since = time_token(now.unix_ns).as_str().to_owned();
            *self.known.slot(what) = Some(Listing { sha256, items, since, audit_id: id.as_str().to_owned() });
        }
        if self.known.target_sha256.as_ref() != Some(&target) || old.is_none() || changed {
            self.known.target_sha256 = Some(target);
            seen.known = Some(self.known.clone());
        }
    }
}

impl Known {
    fn slot(&mut self, what: &str) -> &mut Option<Listing> {
        match what {
            "tools" => &mut self.tools,
            "prompts" => &mut self.prompts,
            _ => &mut self.instructions,
        }
    }
}

fn first_word(what: &str) -> &'static str {
    match what {
        "tools" => "mcp.tools_listed",
        "prompts" => "mcp.prompts_listed",
        _ => "mcp.instructions_given",
    }
}

fn tell_change(draft: &mut Draft, what: &str, old: &Listing, new: &BTreeMap<String, String>, sha256: &str, moved: bool) {
    let names = |keep: &dyn Fn(&String) -> bool, of: &BTreeMap<String, String>| -> Vec<String> {
        of.keys().filter(|name| keep(name)).cloned().collect()
    };
    let added = names(&|name| !old.items.contains_key(name), new);
    let removed = names(&|name| !new.contains_key(name), &old.items);
    let changed = names(&|name| old.items.get(name).is_some_and(|before| *before != new[name]), new);
    let (diff, left_out) = diff(&old.items, new, added.iter().chain(&changed).chain(&removed));
    draft.operation().record_count = Some((added.len() + removed.len() + changed.len()) as u64);
    let mut change = json!({
        "what": what, "added": added, "removed": removed, "changed": changed,
        "old_sha256": old.sha256, "new_sha256": sha256, "old_since": old.since, "old_audit_id": old.audit_id, "diff": diff,
    });
    if left_out > 0 {
        change["diff_left_out"] = left_out.into();
    }
    if moved {
        change["command_changed"] = true.into();
    }
    draft.put(SlotName::Content, "mcp_change", change);
}

/// Returns the differences as a unified diff, and how many items are too long for it.
fn diff<'a>(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>, names: impl Iterator<Item = &'a String>) -> (String, usize) {
    let (mut text, mut left_out) = (String::new(), 0);
    for name in names {
        let (before, after) = (pretty(old.get(name)), pretty(new.get(name)));
        if before.len() + after.len() > DIFF_BYTES_MAX || text.len() > DIFF_BYTES_MAX {
            left_out += 1;
            continue;
        }
        let diff = TextDiff::from_lines(&before, &after);
        text.push_str(&diff.unified_diff().context_radius(2).header(name, name).to_string());
    }
    (text, left_out)
}

fn pretty(item: Option<&String>) -> String {
    let Some(item) = item else { return String::new() };
    let text = match value_of(item) {
        Value::String(text) => text,
        value => serde_json::to_string_pretty(&value).unwrap_or_default(),
    };
    // Lines of a description are compared as lines, not as one long text.
    format!("{}\n", text.replace("\\n", "\n"))
}

fn value_of(canonical: &str) -> Value {
    serde_json::from_str(canonical).unwrap_or_default()
}

/// Returns the items by their names; one that has the name of another, or none, gets a number.
fn by_name(items: Vec<Value>) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for item in items {
        let name = item.get("name").and_then(Value::as_str).unwrap_or("#").to_owned();
        let mut unique = name.clone();
        let mut n = 2;
        while named.contains_key(&unique) {
            unique = format!("{name}#{n}");
            n += 1;
        }
        named.insert(unique, canonical(&item));
    }
    named
}

fn hash_of(items: &BTreeMap<String, String>) -> String {
    let members: Vec<String> = items.iter().map(|(name, text)| format!("{}:{text}", Value::from(name.as_str()))).collect();
    hash::hex(&hash::sha256(format!("{{{}}}", members.join(",")).as_bytes()))
}

/// Returns a value as JSON with sorted members and without spaces.
fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let names: BTreeMap<&String, &Value> = members.iter().collect();
                Value::Object(names.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the comparison: the order of members and of items changes nothing, one letter of a description does.
    #[test]
    fn only_meaning_counts() {
        let hash = |items: Value| hash_of(&by_name(items.as_array().cloned().unwrap_or_default()));
        let first = hash(json!([{"name": "a", "description": "x"}, {"name": "b"}]));
        assert_eq!(first, hash(json!([{"name": "b"}, {"description": "x", "name": "a"}])));
        assert_ne!(first, hash(json!([{"name": "a", "description": "y"}, {"name": "b"}])));
        assert_ne!(first, hash(json!([{"name": "a", "description": "x"}, {"name": "b"}, {"name": "b"}])));
    }
}
