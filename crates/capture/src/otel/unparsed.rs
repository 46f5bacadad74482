//! Telemetry that was not understood, kept as bytes.

use aws_lc_rs::hmac;
use sealtrail_event::{AuditId, Event, Grade, Severity, SlotName, Witness};
use serde_json::json;

use super::error::OtelError;
use super::event::Arrival;
use crate::draft::{Draft, time_token, word};
use crate::{raw, redacted};

/// Makes the event of a request that was not understood: its first bytes, redacted as text, and its size.
pub fn unparsed(bytes: &[u8], error: &OtelError, arrival: &Arrival) -> Event {
    make(bytes, error.reason(), &error.to_string(), arrival.recorded_unix_ns, arrival)
}

/// Makes the event of one record that was not taken.
pub(super) fn record(bytes: &[u8], why: &str, unix_ns: u64, arrival: &Arrival) -> Event {
    make(bytes, "too_many", why, unix_ns, arrival)
}

fn make(bytes: &[u8], reason: &'static str, why: &str, unix_ns: u64, arrival: &Arrival) -> Event {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &arrival.id_key);
    let mut context = hmac::Context::with_key(&key);
    context.update(b"sealtrail/otel raw\0");
    context.update(bytes);
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&context.sign().as_ref()[..10]);
    let mut draft = Draft::at(unix_ns, AuditId::new(unix_ns / 1_000_000, entropy), "system.unparsed", Witness::Otel);
    draft.envelope.recorded_at = Some(time_token(arrival.recorded_unix_ns));
    draft.envelope.grade = Grade::Asserted;
    draft.envelope.severity = Severity::Warning;
    draft.envelope.reason = Some(word(reason));
    let (why, _) = redacted::text(&arrival.redactor, why);
    draft.put(SlotName::Content, "unparsed", json!({"error": why.into_inner()}));
    raw::keep_bytes(&mut draft, bytes, None, &arrival.redactor);
    draft.finish()
}
