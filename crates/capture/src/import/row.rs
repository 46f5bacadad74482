//! One row on its way to an event: a record in our names, what tells it from others, and the sessions that it may belong to.

use sealtrail_event::{AuditId, Event, EventError, FromContext, Grade, SlotName, Witness};
use serde_json::{Map, Value, json};

use crate::draft::time_token;
use crate::hash;
use crate::redact::Redactor;

/// 16: a row names a session in a few places at most.
const CANDIDATES_MAX: usize = 16;

/// A session id that a row may carry, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The place: `session_tag`, `role_session_name`, `user_agent`, `session_id`, `request_id`.
    pub how: &'static str,
    /// The text.
    pub value: String,
}

/// Why a row is no event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RowError {
    /// It is not one of the rows that this importer takes.
    #[error("cannot take the row: it {found}")]
    Shape {
        /// What is wrong.
        found: String,
    },
    /// It has no time.
    #[error("cannot take the row: its time `{member}` is {found}")]
    Time {
        /// Where the time should stand.
        member: String,
        /// What stands there.
        found: String,
    },
    /// The event that it would become is over a limit.
    #[error("cannot take the row")]
    Event(#[from] EventError),
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which importer read it.
    pub(crate) source: &'static str,
    /// What tells it from every other row of that source.
    pub(crate) key: String,
    pub(crate) unix_ns: u64,
    /// Its members under our names, not yet redacted.
    pub(crate) record: Map<String, Value>,
    pub(crate) candidates: Vec<Candidate>,
}

impl Row {
    /// Returns the texts that may be the id of a session of the trail, the surest first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Makes the event, taken in at `unix_ns`; `joined` is the candidate that is a session of the trail.
    pub fn event(self, joined: Option<&Candidate>, unix_ns: u64, redactor: &Redactor) -> Result<Event, RowError> {
        let id = natural_id(self.source, &self.key, self.unix_ns);
        let mut record = self.record;
        record.insert("timestamp".to_owned(), time_token(self.unix_ns).as_str().into());
        if let Some(joined) = joined {
            record.insert("session_id".to_owned(), joined.value.as_str().into());
        }
        let mut record = Value::Object(record);
        let found = redactor.value(&mut record).len();
        let recorded_at = time_token(unix_ns);
        let context = FromContext { audit_id_if_missing: id.clone(), recorded_at, witness: Witness::Api, grade: Grade::Asserted };
        let mut event = Event::from_json(&record, &context)?;
        event.envelope.audit_id = id;
        if found > 0 {
            event.envelope.redactions = u32::try_from(found).ok();
        }
        let how = joined.map_or("none", |joined| joined.how);
        let import = json!({"source": self.source, "joined_by": how});
        event.put(SlotName::Content, Map::from_iter([("import".to_owned(), import)]));
        Ok(event)
    }
}

/// Adds a candidate, once.
pub(crate) fn add(candidates: &mut Vec<Candidate>, how: &'static str, value: &str) {
    let plain = !value.is_empty() && value.len() <= 128 && value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if plain && candidates.len() < CANDIDATES_MAX && !candidates.iter().any(|known| known.value == value) {
        candidates.push(Candidate { how, value: value.to_owned() });
    }
}

/// Adds every UUID that stands in a text.
pub(crate) fn add_uuids(candidates: &mut Vec<Candidate>, how: &'static str, text: &str) {
    const BYTES: usize = 36;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + BYTES <= bytes.len() {
        let window = &bytes[at..at + BYTES];
        let is_uuid = window.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        if is_uuid {
            add(candidates, how, &String::from_utf8_lossy(window).to_ascii_lowercase());
            at += BYTES;
        } else {
            at += 1;
        }
    }
}

/// Reads a time in RFC 3339 as nanoseconds since 1970.
pub(crate) fn rfc3339(record: &Map<String, Value>, member: &str) -> Result<u64, RowError> {
    let found = record.get(member);
    let wrong = || RowError::Time { member: member.to_owned(), found: found.map_or_else(|| "missing".to_owned(), head) };
    let time: jiff::Timestamp = found.and_then(Value::as_str).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    u64::try_from(time.as_nanosecond()).map_err(|_| wrong())
}

/// Returns the beginning of a value, for a message.
pub(crate) fn head(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(64).collect()
}

fn natural_id(source: &str, key: &str, unix_ns: u64) -> AuditId {
    let hash = hash::sha256(format!("sealtrail/import/{source}\0{key}").as_bytes());
    let mut tail = [0; 10];
    tail.copy_from_slice(&hash[..10]);
    AuditId::new(unix_ns / 1_000_000, tail)
}
