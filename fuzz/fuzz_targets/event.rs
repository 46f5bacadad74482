//! Records from outside: what is read strictly is what the usual reader reads, and comes out as it went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_event::{AuditId, Event, FromContext, Grade, Shape, Token, Witness, export_as, parse_strict};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(read) = parse_strict(data) else { return };
    if read.numbers_as_text == 0 {
        assert_eq!(serde_json::from_slice::<Value>(data).ok().as_ref(), Some(&read.value));
    }
    let (Ok(audit_id_if_missing), Ok(recorded_at)) = (AuditId::parse("missing"), Token::parse("2026-04-01T00:00:00Z")) else { return };
    let context = FromContext { audit_id_if_missing, recorded_at, witness: Witness::Api, grade: Grade::Asserted };
    let Ok(event) = Event::from_json(&read.value, &context) else { return };
    let mut line = Vec::new();
    event.envelope.write_to(&mut line);
    assert_eq!(serde_json::to_vec(&event.envelope).ok(), Some(line));
    let shape = read.value.as_object().map_or(Shape::Ours, Shape::of);
    assert_eq!(export_as(&event.to_json(), shape), read.value);
});
