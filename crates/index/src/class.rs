//! What is indexed of a value, by its path.

use std::sync::LazyLock;

use sealtrail_event::{FIELDS, Kind, Place, SlotName, field};
use sealtrail_query::TEXT_FIELDS;

/// How the texts at a path are indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Few different values: in the dictionary and in a column.
    Key,
    /// In the dictionary while short, else by a hash.
    Word,
    /// Nearly unique values, asked for as a whole: by a hash.
    Id,
    /// A moment: in a column.
    Time,
}

/// Ids and hashes of which nearly every event has its own.
const IDS: &[&str] = &[
    "audit_id",
    "prompt_id",
    "tool_use_id",
    "request_id",
    "parent_audit_id",
    "prompt_hash",
    "response_hash",
    "result.audit_hash",
    "transcript_path",
];

/// Texts outside the envelope and the identity slot that have few different values.
const KEYS: &[&str] = &[
    "cwd",
    "policy_rule",
    "policy_flags",
    "security_flags",
    "security_event_type",
    "mcp_integrations",
    "compliance_tags",
    "result_code",
    "change_type",
    "tool_permissions.granted",
    "tool_permissions.revoked",
    "stop_reason",
    "error_type",
    "purpose",
    "legal_basis",
    "skill",
];

/// Paths of many different tokens.
const WORDS: &[&str] = &["execution_id", "parent_execution", "subagent_id"];

/// 96 bytes: longer texts are in the dictionary by a hash only.
pub(crate) const WORD_BYTES_MAX: usize = 96;
/// 128 bytes, as long as a token: longer texts of a key are indexed as words.
pub(crate) const KEY_BYTES_MAX: usize = 128;

/// Returns how texts at `path` are indexed.
pub(crate) fn class_of(path: &str) -> Class {
    let Some(field) = field(path) else { return Class::Word };
    if IDS.contains(&path) {
        return Class::Id;
    }
    if KEYS.contains(&path) {
        return Class::Key;
    }
    if WORDS.contains(&path) {
        return Class::Word;
    }
    match (field.place, field.kind) {
        (Place::Envelope | Place::Recorder, Kind::Time) => Class::Time,
        (_, Kind::Any) => Class::Word,
        (Place::Envelope | Place::Recorder | Place::Slot(SlotName::Identity), _) => Class::Key,
        _ => Class::Word,
    }
}

/// Whether free text is searched in the member `name` of a view.
pub(crate) fn is_text(name: &str) -> bool {
    TEXT_FIELDS.contains(&name)
}

/// Returns the first step of a path.
pub(crate) fn root_of(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// The keys in which free text is searched; their texts are not in the trigrams.
pub(crate) static TEXT_KEYS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| FIELDS.iter().map(|field| field.path).filter(|path| is_text(root_of(path)) && class_of(path) == Class::Key).collect());

/// Returns the name of the column of a path, if it can have one: letters, digits, `_`, `-` and `@` between dots.
pub(crate) fn column_name(path: &str, kind: char) -> Option<String> {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@' | b'.'));
    (plain && !path.is_empty()).then(|| format!("{kind}{}", path.replace('.', "/")))
}
