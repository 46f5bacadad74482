//! Proof by type that a value went through redaction.

use serde_json::{Map, Value};

use crate::redact::Redactor;

/// A value whose secrets were replaced; made only in this module, so nothing else can claim it.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Returns the value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Gives the value away; what is made of it is redacted too.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Redacts the members of an object; returns them with the rules that matched, in order of the members.
pub(crate) fn members(redactor: &Redactor, members: Map<String, Value>) -> (Redacted<Map<String, Value>>, Vec<String>) {
    let mut value = Value::Object(members);
    let found = redactor.value(&mut value).into_iter().map(|found| found.rule).collect();
    let members = if let Value::Object(members) = value { members } else { Map::new() };
    (Redacted(members), found)
}

/// Redacts a text; returns it with the rules that matched.
pub(crate) fn text(redactor: &Redactor, text: &str) -> (Redacted<String>, Vec<String>) {
    head(redactor, text, text.len())
}

/// Redacts a text and keeps its first `bytes_max` bytes; returns them with the rules that matched.
pub(crate) fn head(redactor: &Redactor, text: &str, bytes_max: usize) -> (Redacted<String>, Vec<String>) {
    let redacted = redactor.head(text, bytes_max);
    (Redacted(redacted.text), redacted.found.into_iter().map(|found| found.rule).collect())
}
