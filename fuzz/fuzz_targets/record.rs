//! Records that are handed in, one a line: each is an event within the limits under its sender's own name, or is kept as bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::Sender;
use sealtrail_capture::api::{Delivered, record, unparsed};
use sealtrail_capture::redact::Redactor;
use sealtrail_event::{AuditId, ENVELOPE_BYTES_MAX, Event, SLOT_BYTES_MAX};

thread_local! {
    static REDACTOR: Redactor = Redactor::new();
}

fuzz_target!(|data: &[u8]| {
    let sender = Sender { key: "k".to_owned(), source_ip: Some("192.0.2.1".to_owned()), ..Sender::default() };
    let tags = ["SOC2".to_owned()];
    REDACTOR.with(|redactor| {
        let delivered = Delivered { received_unix_ns: 1, sender: &sender, tags: &tags, redactor };
        for line in data.split(|byte| *byte == b'\n').take(64) {
            let Ok(id) = AuditId::parse("e1") else { return };
            let event = record(line, id.clone(), &delivered).unwrap_or_else(|error| unparsed(line, &error, 0, id, &delivered));
            check(&event);
        }
    });
});

fn check(event: &Event) {
    let envelope = serde_json::to_vec(&event.envelope).unwrap_or_default();
    assert!(!envelope.is_empty() && envelope.len() < ENVELOPE_BYTES_MAX);
    assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
    let view = event.to_json();
    assert_eq!(view["witness"], "api");
    assert_eq!((&view["collector"]["key"], &view["collector"]["certificate"]), (&"k".into(), &serde_json::Value::Null));
}
