//! Tells when the client sends something that this version does not know, once per client version and name.

use sealtrail_event::{Severity, SlotName};
use serde_json::{Value, json};

use crate::draft::{Draft, word};
use crate::hook::Work;
use crate::table::{self, HookRow};

/// 64 names a hook: more are a flood, and the event itself keeps them all anyway.
const NAMES_MAX: usize = 64;

/// 128 characters of a name; it is kept in memory.
const NAME_CHARS_MAX: usize = 128;

/// Returns the event that says what is new in this hook, if anything is.
pub(crate) fn change(first: &Draft, row: Option<&HookRow>, fields: &[String], work: &mut Work<'_>) -> Option<Draft> {
    let version = first.envelope.client_version.as_ref().map_or("", |version| version.as_str());
    let hook = first.envelope.hook_event_name.as_ref().map_or("", |name| name.as_str());
    let short = |name: &str| name.chars().take(NAME_CHARS_MAX).collect::<String>();
    let candidates: Vec<String> = match row {
        None if hook.is_empty() => vec!["(no hook_event_name)".to_owned()],
        None => vec![short(hook)],
        Some(row) => fields.iter().filter(|name| !table::knows_field(row, name)).map(|name| short(&format!("{hook}.{name}"))).collect(),
    };
    let news: Vec<Value> =
        candidates.iter().filter(|name| work.sessions.is_news(version, name)).take(NAMES_MAX).map(|name| name.as_str().into()).collect();
    if news.is_empty() {
        return None;
    }
    let mut draft = work.derived("system.client_changed", first);
    draft.envelope.severity = Severity::Warning;
    draft.envelope.reason = Some(word(if row.is_none() { "unknown_hook" } else { "unknown_member" }));
    draft.put(SlotName::Content, "client_change", json!({"seen": news}));
    Some(draft)
}
