//! The time of an event, for reports and sequences.

use jiff::Timestamp;
use serde_json::Value;

/// Returns when an event happened: `timestamp`, else `recorded_at`; of an event that says neither, 1970-01-01.
pub(crate) fn time_of(view: &Value) -> Timestamp {
    let time = |name: &str| view.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
    time("timestamp").or_else(|| time("recorded_at")).unwrap_or(Timestamp::UNIX_EPOCH)
}
