//! The event of what never came.

use aws_lc_rs::hmac;
use sealtrail_event::{AuditId, Event, Grade, Severity, SlotName, Witness};
use serde_json::json;

use super::event::Arrival;
use super::sequence::Missing;
use crate::draft::{Draft, time_token, word};

/// The event type of something that a witness should have told and did not.
const WITNESS_GAP: &str = "system.witness_gap";

/// Makes the event that says which numbers of a process are missing; the same hole makes the same event.
pub fn gap(missing: &Missing, arrival: &Arrival) -> Event {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &arrival.id_key));
    context.update(b"sealtrail/otel gap\0");
    context.update(&missing.process);
    for number in [missing.numbers.start, missing.numbers.end, missing.since_unix_ns, missing.until_unix_ns] {
        context.update(&number.to_be_bytes());
    }
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&context.sign().as_ref()[..10]);
    let id = AuditId::new(missing.until_unix_ns / 1_000_000, entropy);
    let mut draft = Draft::at(missing.until_unix_ns, id, WITNESS_GAP, Witness::Otel);
    draft.envelope.recorded_at = Some(time_token(arrival.recorded_unix_ns));
    draft.envelope.grade = Grade::Derived;
    draft.envelope.severity = Severity::High;
    draft.envelope.session_id = Some(missing.session.clone());
    draft.envelope.reason = Some(word("sequence_jump"));
    let gap = json!({
        "witness": Witness::Otel.as_str(),
        "missing": missing.numbers.end - missing.numbers.start,
        "from": missing.numbers.start,
        "to": missing.numbers.end - 1,
        "since": time_token(missing.since_unix_ns).as_str(),
        "until": time_token(missing.until_unix_ns).as_str(),
    });
    draft.put(SlotName::Content, "gap", gap);
    draft.finish()
}
