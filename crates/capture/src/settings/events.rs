//! The events: one for each settings file that is not as it was, and one each for what was granted and revoked by that.

use std::collections::BTreeSet;

use sealtrail_event::{Category, Grade, SettingsScope, Severity, SlotName, Witness};
use serde_json::{Map, Value, json};

use super::{COMMAND_LINE, Found, Look, SNAPSHOT, SettingsFile, Why, view};
use crate::draft::{Draft, time_token, token, word};
use crate::hash::{self, Hash};
use crate::hook::{Work, disclose};

/// 32 KiB: of a file with more rules the change is not told, only the new state.
const RULES_BYTES_MAX: usize = 32 * 1024;

/// The rules of a file, to tell what changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// What runs without a question.
    allow: BTreeSet<String>,
    /// What is asked about or forbidden.
    against: BTreeSet<String>,
}

impl Rules {
    /// Returns about how much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.allow.iter().chain(&self.against).map(|rule| rule.len() + 48).sum()
    }
}

/// Tells of the settings files that the engine found beside the hook `first`.
pub(crate) fn tell(first: &mut Draft, work: &mut Work<'_>) -> Vec<Draft> {
    let intake = work.intake;
    let Some(look) = &intake.settings else { return Vec::new() };
    if first.envelope.session_id.is_none() {
        return Vec::new();
    }
    let mut missing = Vec::new();
    let mut drafts = Vec::new();
    for file in &look.files {
        let known = work.sessions.session(first.envelope.session_id.as_ref()).and_then(|session| session.settings.get(&file.path));
        if file.found == Found::Missing && known.is_none() {
            missing.push(Value::from(file.path.as_str()));
            continue;
        }
        let (members, rules, hash) = members_of(file, look, work);
        // A hash of the whole file tells of a change even where nothing that is kept of it changed.
        let fingerprint = hash::of_value(&members);
        if known.is_some_and(|known| known.fingerprint == fingerprint) {
            continue;
        }
        let (changed, old) = (known.is_some(), known.and_then(|known| known.rules.clone()));
        let mut draft = snapshot(first, file, look, changed, work);
        draft.envelope.status = members.get("status").and_then(Value::as_str).and_then(token);
        if let Some(hash) = hash {
            draft.result().audit_hash = token(&hash);
        }
        let new = rules_in(&members);
        draft.put(SlotName::Content, "permission_snapshot", members);
        let (granted, revoked) = old.map(|old| differences(&old, &new)).unwrap_or_default();
        if !granted.is_empty() || !revoked.is_empty() {
            draft.put(SlotName::Content, "tool_permissions", json!({"granted": granted, "revoked": revoked}));
        }
        disclose(&mut draft, &rules);
        let changes = [("auth.permission_granted", "granted", granted), ("auth.permission_revoked", "revoked", revoked)];
        let changes = changes.into_iter().filter(|(_, _, list)| !list.is_empty());
        let changes: Vec<Draft> = changes.map(|(kind, name, list)| change(&draft, kind, name, list, work)).collect();
        drafts.push(draft);
        drafts.extend(changes);
    }
    if !missing.is_empty() && matches!(look.why, Why::SessionStart | Why::FirstSeen) {
        first.put_in(SlotName::Resource, "resource", "settings_missing", Value::Array(missing));
    }
    if let (Some(folder), Why::SessionStart | Why::FirstSeen) = (&look.folder, look.why) {
        first.put_in(SlotName::Resource, "resource", "settings_folder", folder.as_str().into());
    }
    drafts
}

/// Returns what is told of a file, with the rules of redaction that matched, and the hash of its bytes where that gives nothing away.
fn members_of(file: &SettingsFile, look: &Look, work: &Work<'_>) -> (Value, Vec<String>, Option<String>) {
    let status = |status: &str| Map::from_iter([("status".to_owned(), status.into()), ("scope".to_owned(), file.scope.as_str().into())]);
    let bytes = match &file.found {
        Found::Present(bytes) => bytes,
        Found::Missing => return (Value::Object(status("gone")), Vec::new(), None),
        Found::Unreadable(why) => {
            let mut members = status("unreadable");
            members.insert("why".to_owned(), why.as_str().into());
            return (Value::Object(members), Vec::new(), None);
        }
    };
    let Some(mut seen) = view::read(file.scope, bytes, look.folder.as_deref()) else {
        return (Value::Object(status("invalid")), Vec::new(), None);
    };
    let redactor = &work.sessions.redactor;
    let elsewhere = !redactor.value(&mut seen.whole).is_empty();
    let mut told = Value::Object(seen.members);
    let rules: Vec<String> = redactor.value(&mut told).into_iter().map(|found| found.rule).collect();
    let mut members = status("present");
    if let Value::Object(told) = told {
        members.extend(told);
    }
    // The command line is no file: what is kept of it has no bytes of its own.
    let hashed = file.scope != SettingsScope::Trust && file.path != COMMAND_LINE;
    let hash = (hashed && !seen.guessable && !elsewhere).then(|| hash::hex(&hash::sha256(bytes)));
    match &hash {
        Some(hash) => members.insert("sha256".to_owned(), hash.as_str().into()),
        None if !hashed => None,
        None => members.insert("sha256_withheld".to_owned(), true.into()),
    };
    (Value::Object(members), rules, hash.map(|hash| format!("sha256:{hash}")))
}

fn snapshot(first: &Draft, file: &SettingsFile, look: &Look, changed: bool, work: &mut Work<'_>) -> Draft {
    let mut draft = work.derived(SNAPSHOT, first);
    let envelope = &mut draft.envelope;
    (envelope.witness, envelope.grade) = (Witness::Fs, Grade::Observed);
    // When the file was read: a delivery that waited in a spool is older.
    envelope.timestamp = time_token(look.read_unix_ns);
    (envelope.recorded_at, envelope.late_ms) = (Some(envelope.timestamp.clone()), None);
    envelope.category = Some(Category::PolicyDecision);
    let quiet = matches!(file.found, Found::Present(_)) && !changed;
    envelope.severity = if quiet { Severity::Info } else { Severity::Warning };
    envelope.source = Some(word(file.scope.as_str()));
    envelope.reason = Some(word(look.why.as_str()));
    draft.resource().kind = Some(word("settings"));
    if let (Found::Present(bytes), false) = (&file.found, file.scope == SettingsScope::Trust || file.path == COMMAND_LINE) {
        draft.resource().size_bytes = Some(bytes.len() as u64);
    }
    draft.put_in(SlotName::Resource, "resource", "path", file.path.as_str().into());
    if let Some(folder) = &look.folder {
        draft.put_in(SlotName::Resource, "resource", "folder", folder.as_str().into());
    }
    draft
}

/// Makes the event of what one file newly grants, or no longer does.
fn change(snapshot: &Draft, kind: &'static str, name: &str, list: Vec<String>, work: &mut Work<'_>) -> Draft {
    let mut draft = work.derived(kind, snapshot);
    let (new, old) = (&mut draft.envelope, &snapshot.envelope);
    new.witness = Witness::Fs;
    (new.timestamp, new.recorded_at, new.late_ms) = (old.timestamp.clone(), old.recorded_at.clone(), None);
    (new.category, new.severity) = (old.category, Severity::Warning);
    (new.source, new.reason) = (old.source.clone(), old.reason.clone());
    draft.resource().kind = Some(word("settings"));
    if let Some(resource) = snapshot.member(SlotName::Resource, "resource") {
        draft.put(SlotName::Resource, "resource", resource.clone());
    }
    draft.put(SlotName::Content, "tool_permissions", json!({name: list}));
    draft
}

/// Returns the rules of a snapshot, unless they are too many to remember.
pub(crate) fn rules_of(event: &dyn crate::step::Look) -> Option<Rules> {
    let rules = rules_in(event.member("permission_snapshot")?);
    (rules.bytes() <= RULES_BYTES_MAX).then_some(rules)
}

/// Returns the fingerprint of a snapshot, by which an unchanged file is known.
pub(crate) fn fingerprint_of(event: &dyn crate::step::Look) -> Option<Hash> {
    event.member("permission_snapshot").map(hash::of_value)
}

fn rules_in(members: &Value) -> Rules {
    let list = |name: &str| {
        let found = members.get("permissions").and_then(|permissions| permissions.get(name)).and_then(Value::as_array);
        found.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
    };
    Rules { allow: list("allow").collect(), against: list("ask").chain(list("deny")).collect() }
}

/// Returns what the new rules grant beyond the old ones, and what they no longer do.
fn differences(old: &Rules, new: &Rules) -> (Vec<String>, Vec<String>) {
    let less = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    let mut granted = less(&new.allow, &old.allow);
    granted.extend(less(&old.against, &new.against));
    let mut revoked = less(&old.allow, &new.allow);
    revoked.extend(less(&new.against, &old.against));
    (granted, revoked)
}
