//! Every known field of an event: its path, where it is kept, what it may hold, what it means, and its other names.
//!
//! [`FIELDS`] is the one source: ingest, queries, the documentation page and the checks of the JSON Schema read it.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use crate::slot::SlotName;

#[path = "fields_table.rs"]
mod table;

pub use table::FIELDS;

/// One known field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Dotted path in the view of an event.
    pub path: &'static str,
    /// Where its value is kept.
    pub place: Place,
    /// What its value may be.
    pub kind: Kind,
    /// One sentence for the documentation.
    pub doc: &'static str,
    /// Other names that records and queries may use.
    pub aliases: &'static [&'static str],
}

/// Where the value of a field is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the envelope; a record may say it.
    Envelope,
    /// In the envelope; only the recorder says it, what a record says is kept under `as_sent`.
    Recorder,
    /// In a slot.
    Slot(SlotName),
}

/// What the value of a field may be. A value that does not fit is kept, but not in the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`crate::Token`].
    Token,
    /// An RFC 3339 time.
    Time,
    /// A type of event, in domain form.
    EventType,
    /// A severity word.
    Severity,
    /// An outcome word.
    Outcome,
    /// A phase word.
    Phase,
    /// A policy result word.
    PolicyResult,
    /// A class of data on the ladder public, internal, confidential, restricted, or another label.
    Class,
    /// A whole number from 0.
    Count,
    /// An amount of money.
    Money,
    /// True or false.
    Flag,
    /// An IPv4 or IPv6 address.
    Address,
    /// Any text.
    Text,
    /// A list.
    List,
    /// Anything.
    Any,
}

impl Kind {
    /// Returns the word of the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Time => "time",
            Self::EventType => "event type",
            Self::Severity => "severity",
            Self::Outcome => "outcome",
            Self::Phase => "phase",
            Self::PolicyResult => "policy result",
            Self::Class => "class",
            Self::Count => "count",
            Self::Money => "money",
            Self::Flag => "flag",
            Self::Address => "address",
            Self::Text => "text",
            Self::List => "list",
            Self::Any => "any",
        }
    }
}

impl Place {
    /// Returns the word of the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Recorder => "envelope (recorder)",
            Self::Slot(slot) => slot.as_str(),
        }
    }
}

/// Members of a view that are not fields: what a record called its members, and what readers add.
pub(crate) const RESERVED: &[&str] = &[AS_SENT, NOT_SENT, "erased", "seq", "v", "i", "s"];

/// Member of the view that holds values of the record which the canonical members do not give back.
pub(crate) const AS_SENT: &str = "as_sent";

/// Member of the view that lists (as JSON pointers) what the record did not have although the export would.
pub(crate) const NOT_SENT: &str = "not_sent";

/// Finds a field by its path.
pub fn field(path: &str) -> Option<&'static Field> {
    known(path).filter(|field| field.path == path)
}

/// Returns the canonical path of a field name or alias; an unknown name is returned as it is.
///
/// `[]` after a list is dropped: `workflow_steps[].status` is `workflow_steps.status`.
pub fn canonical(name: &str) -> &str {
    known(name).map_or(name, |field| field.path)
}

/// Finds a field by its path or one of its aliases.
pub fn known(name: &str) -> Option<&'static Field> {
    static NAMES: LazyLock<FxHashMap<&str, &Field>> = LazyLock::new(|| {
        let aliases = FIELDS.iter().flat_map(|field| field.aliases.iter().map(move |alias| (*alias, field)));
        aliases.chain(FIELDS.iter().map(|field| (field.path, field))).collect()
    });
    NAMES.get(name).copied()
}

/// Whether fields or aliases lie inside the object `name` (`resource` holds `resource.path`); there are two levels at most.
pub(crate) fn holds_fields(name: &str) -> bool {
    static OBJECTS: LazyLock<FxHashSet<&str>> = LazyLock::new(|| {
        let names = FIELDS.iter().flat_map(|field| field.aliases.iter().chain([&field.path]));
        names.filter_map(|name| name.split_once('.').map(|(outer, _)| outer)).collect()
    });
    OBJECTS.contains(name)
}

/// Returns the value at a dotted path, going through objects only.
pub(crate) fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |at, name| at.as_object()?.get(name))
}

/// Takes the value at a dotted path out; an object that becomes empty by it goes too.
pub(crate) fn take(value: &mut Value, path: &str) -> Option<Value> {
    let object = value.as_object_mut()?;
    let Some((head, rest)) = path.split_once('.') else { return object.shift_remove(path) };
    let inner = object.get_mut(head)?;
    let found = take(inner, rest)?;
    if inner.as_object().is_some_and(serde_json::Map::is_empty) {
        object.shift_remove(head);
    }
    Some(found)
}

/// Sets the value at a dotted path where nothing is yet; gives the value back when something is in the way.
pub(crate) fn set(into: &mut Value, path: &str, value: Value) -> Result<(), Value> {
    let Some(object) = into.as_object_mut() else { return Err(value) };
    match path.split_once('.') {
        None if object.contains_key(path) => Err(value),
        None => {
            object.insert(path.to_owned(), value);
            Ok(())
        }
        Some((head, rest)) => match object.get_mut(head) {
            Some(inner) => set(inner, rest, value),
            None => {
                let nested = rest.rsplit('.').fold(value, |value, name| Value::Object([(name.to_owned(), value)].into_iter().collect()));
                object.insert(head.to_owned(), nested);
                Ok(())
            }
        },
    }
}
