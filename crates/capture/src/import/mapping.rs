//! A mapping: how the members of somebody's JSON become the fields of an event.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::import::row::{Row, RowError, add, head};

/// 256 fields: more than the schema has.
const FIELDS_MAX: usize = 256;

/// 1,024 words of one field are translated.
const WORDS_MAX: usize = 1_024;

/// How rows of one kind become events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name of the source: a part of each event's id.
    pub source: String,
    /// The event's type.
    pub event_type: Field,
    /// When it happened.
    pub timestamp: Time,
    /// What tells a row from all others of the source. Left out: its place in the file, and the file's name.
    #[serde(default)]
    pub id: Option<String>,
    /// The event's other fields, by name (`sealtrail query fields` lists them).
    #[serde(default)]
    pub fields: BTreeMap<String, Field>,
    /// Whether the row is kept as a whole, under `record`.
    #[serde(default = "yes")]
    pub keep_record: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// A member of the row, by its dotted path.
    #[serde(default)]
    pub from: Option<String>,
    /// A value that is the same for all rows; also the one that is taken where `from` is missing.
    #[serde(default)]
    pub value: Option<Value>,
    /// What the words of the member mean; `*` is any other word. Without it the member is taken as it is.
    #[serde(default)]
    pub words: BTreeMap<String, Value>,
}

/// Where the time comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// A member of the row, by its dotted path.
    pub from: String,
    /// `rfc3339`, `unix_s`, `unix_ms`, `unix_us`, `unix_ns`, or a pattern such as `%d/%b/%Y:%H:%M:%S %z`.
    #[serde(default = "rfc3339")]
    pub format: String,
    /// The zone of times that name none, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
}

/// What is wrong with a mapping.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MappingError {
    /// A field that says nothing.
    #[error("`{field}` needs `from` or `value`")]
    Empty {
        /// The field.
        field: String,
    },
    /// A field that only the recorder may set, or that has a place of its own in the mapping.
    #[error("`fields.{field}` cannot be mapped: the recorder says it, or it stands outside `fields`")]
    Reserved {
        /// The field.
        field: String,
    },
    /// Too much.
    #[error("`{what}` has {found} members, the limit is {limit}")]
    TooMany {
        /// What.
        what: String,
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A zone that nobody knows.
    #[error("`timestamp.zone` is `{zone}`, which is no time zone")]
    Zone {
        /// The zone.
        zone: String,
    },
    /// A name that is no word.
    #[error("`source` is `{source_name}`: use letters, digits, `-` and `_`")]
    Source {
        /// The name.
        source_name: String,
    },
}

fn yes() -> bool {
    true
}

fn rfc3339() -> String {
    "rfc3339".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What no mapping says.
const RESERVED: &[&str] = &[
    "audit_id",
    "event_id",
    "witness",
    "grade",
    "recorded_at",
    "schema_version",
    "domain",
    "category",
    "shape",
    "late_ms",
    "redactions",
    "ledger",
    "timestamp",
    "event_type",
    "import",
];

impl Mapping {
    /// Tells the first thing that is wrong with the mapping.
    pub fn check(&self) -> Result<(), MappingError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if self.source.is_empty() || self.source.len() > 64 || !self.source.bytes().all(plain) {
            return Err(MappingError::Source { source_name: self.source.clone() });
        }
        if self.fields.len() > FIELDS_MAX {
            return Err(MappingError::TooMany { what: "fields".to_owned(), found: self.fields.len(), limit: FIELDS_MAX });
        }
        for (name, field) in self.fields.iter().chain([(&"event_type".to_owned(), &self.event_type)]) {
            if field.from.is_none() && field.value.is_none() {
                return Err(MappingError::Empty { field: name.clone() });
            }
            if field.words.len() > WORDS_MAX {
                return Err(MappingError::TooMany { what: format!("{name}.words"), found: field.words.len(), limit: WORDS_MAX });
            }
        }
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        if let Some(field) = self.fields.keys().find(|name| RESERVED.contains(&first(name).as_str())) {
            return Err(MappingError::Reserved { field: field.clone() });
        }
        jiff::tz::TimeZone::get(&self.timestamp.zone).map_err(|_| MappingError::Zone { zone: self.timestamp.zone.clone() })?;
        Ok(())
    }

    /// Reads one row; `place` tells it from the other rows of its file where the mapping names no `id`.
    pub fn row(&self, record: &Value, place: &str) -> Result<Row, RowError> {
        let Value::Object(_) = record else { return Err(RowError::Shape { found: format!("is no object but {}", head(record)) }) };
        let unix_ns = self.timestamp.read(record)?;
        let mut out = Map::new();
        out.insert("event_type".to_owned(), self.event_type.of(record).unwrap_or_else(|| "system.record".into()));
        for (name, field) in &self.fields {
            if let Some(value) = field.of(record) {
                set(&mut out, name, value);
            }
        }
        let mut candidates = Vec::new();
        if let Some(Value::String(session)) = out.shift_remove("session_id") {
            add(&mut candidates, "session_id", &session);
            // Whether it is one of the trail or not: the row says so.
            out.insert("session_id".to_owned(), session.into());
        }
        if self.keep_record {
            out.insert("record".to_owned(), record.clone());
        }
        let key = match &self.id {
            None => place.to_owned(),
            Some(id) => match at(record, id) {
                Some(Value::String(text)) => format!("id\0{text}"),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => format!("id\0{value}"),
                other => {
                    let found = format!("has no `{id}` that could be its id: {}", other.map_or_else(|| "missing".to_owned(), head));
                    return Err(RowError::Shape { found });
                }
            },
        };
        Ok(Row { source: "jsonl", key: format!("{}\0{key}", self.source), unix_ns, record: out, candidates })
    }
}

impl Field {
    fn of(&self, record: &Value) -> Option<Value> {
        let found = self.from.as_ref().and_then(|from| at(record, from)).filter(|value| !value.is_null());
        let Some(found) = found else { return self.value.clone() };
        if self.words.is_empty() {
            return Some(found.clone());
        }
        let word = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        self.words.get(&word).or_else(|| self.words.get("*")).or(self.value.as_ref()).cloned()
    }
}

impl Time {
    fn read(&self, record: &Value) -> Result<u64, RowError> {
        let found = at(record, &self.from);
        let wrong = || RowError::Time { member: self.from.clone(), found: found.map_or_else(|| "missing".to_owned(), head) };
        let value = found.ok_or_else(wrong)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let scaled = |unit: i128| -> Option<i128> {
            match text.parse::<i128>() {
                Ok(whole) => whole.checked_mul(unit),
                Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| (number * unit as f64) as i128),
            }
        };
        let ns = match self.format.as_str() {
            "unix_s" => scaled(1_000_000_000),
            "unix_ms" => scaled(1_000_000),
            "unix_us" => scaled(1_000),
            "unix_ns" => scaled(1),
            "rfc3339" => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_nanosecond).or_else(|| self.civil(&text)),
            pattern => self.pattern(pattern, &text),
        };
        ns.and_then(|ns| u64::try_from(ns).ok()).ok_or_else(wrong)
    }

    /// Reads a time without a zone.
    fn civil(&self, text: &str) -> Option<i128> {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.in_tz(&self.zone).ok()?.timestamp().as_nanosecond())
    }

    fn pattern(&self, pattern: &str, text: &str) -> Option<i128> {
        let parsed = jiff::fmt::strtime::parse(pattern, text).ok()?;
        match parsed.to_timestamp() {
            Ok(time) => Some(time.as_nanosecond()),
            Err(_) => Some(parsed.to_datetime().ok()?.in_tz(&self.zone).ok()?.timestamp().as_nanosecond()),
        }
    }
}

/// Returns the member at a dotted path; a name with dots in it is found first.
fn at<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(value) = record.get(path) {
        return Some(value);
    }
    path.split('.').try_fold(record, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// Sets the member at a dotted path.
fn set(out: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            out.insert(path.to_owned(), value);
        }
        Some((name, rest)) => {
            let inner = out.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}
