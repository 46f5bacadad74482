//! Random records: nothing is lost, and every invariant of an event holds.

use proptest::prelude::*;
use sealtrail_event::{Event, EventError, SLOT_BYTES_MAX, Shape, export_as};
use serde_json::{Value, json};

use crate::any_json::any_record;
use crate::seeds::{context, stored_view};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_record_comes_out_as_it_went_in(record in any_record()) {
        // Protects "nothing is lost" for records that nobody thought of.
        let event = Event::from_json(&record, &context()).unwrap();
        event.envelope.check().unwrap();
        let view = stored_view(&event);
        let shape = Shape::of(record.as_object().unwrap());
        prop_assert_eq!(export_as(&view, shape), record, "{:#}", view);
        for other in Shape::ALL {
            prop_assert!(export_as(&view, *other).is_object());
        }
        let mut line = Vec::new();
        event.envelope.write_to(&mut line);
        prop_assert_eq!(String::from_utf8(line).unwrap(), serde_json::to_string(&event.envelope).unwrap());
        prop_assert!(event.slots.is_sorted_by_key(|slot| slot.name));
        for slot in &event.slots {
            prop_assert!(!slot.json.contains('\n') && slot.json.len() <= SLOT_BYTES_MAX);
        }
        let again = Event::from_json(&view, &context()).unwrap();
        prop_assert_eq!(export_as(&stored_view(&again), Shape::of(view.as_object().unwrap())), view);
    }
}

#[test]
fn the_recorder_cannot_be_imitated() {
    // Protects what only the recorder says: a record that claims to be of another witness is kept as a claim.
    let record = json!({ "event_type": "auth.user_login", "witness": "hook", "domain": "data", "ledger": { "origin": "x" }, "recorded_at": "1999-01-01T00:00:00Z", "seq": 7 });
    let event = Event::from_json(&record, &context()).unwrap();
    let view = stored_view(&event);
    assert_eq!((&view["witness"], &view["domain"], view.get("ledger"), view.get("seq")), (&json!("api"), &json!("auth"), None, None));
    assert_eq!(view["as_sent"]["witness"], "hook");
    let forged = json!({ "event_type": "ledger.erase", "ledger": { "ranges": [[0, 9]] } });
    let forged = Event::from_json(&forged, &context()).unwrap();
    assert_eq!((forged.envelope.event_type.as_str(), forged.envelope.ledger), ("system.record", None));
    assert_eq!(export_as(&view, Shape::Trail), record);
}

#[test]
fn erasing_the_identity_slot_erases_every_name_of_the_person() {
    // Protects erasure: no copy of a person's name is left in another slot, whatever the record called it.
    let secret = "jordan.secret";
    for name in ["userId", "developerId", "user_id", "modified_by", "initiated_by", "email", "user", "notified_to"] {
        for shape in [
            json!({}),
            json!({ "eventType": "x" }),
            json!({ "complianceTags": [] }),
            json!({ "token_input": 1 }),
            json!({ "user_id": "other", "userId": "third" }),
        ] {
            let mut record = shape;
            record[name] = json!(secret);
            let event = Event::from_json(&record, &context()).unwrap();
            let rest: String = event.slots.iter().filter(|slot| slot.name.as_str() != "identity").map(|slot| slot.json.as_str()).collect();
            assert!(!rest.contains(secret), "{record}: {rest}");
            assert!(!serde_json::to_string(&event.envelope).unwrap().contains(secret));
        }
    }
}

#[test]
fn the_largest_envelope_fits() {
    // Protects the 8 KiB line: a record that fills every member of the envelope to its limit is still an event.
    let long = "x".repeat(128);
    let mut record = json!({});
    for field in sealtrail_event::FIELDS {
        let (outer, inner) = field.path.split_once('.').unwrap_or((field.path, ""));
        let value = if field.path == "timestamp" {
            json!("2026-03-16T14:32:47.123456789+00:00")
        } else if matches!(field.kind.as_str(), "count") {
            json!(u64::MAX)
        } else {
            json!(long)
        };
        if inner.is_empty() { record[outer] = value } else { record[outer][inner] = value }
    }
    let event = Event::from_json(&record, &context()).unwrap();
    let derived = serde_json::to_string(&event.envelope).unwrap();
    assert!(derived.len() > 4096);
    let (mut line, mut ledger) = (Vec::new(), event.envelope.clone());
    ledger.ledger = Some(serde_json::Map::from_iter([("vkey".to_owned(), json!("a+b/c="))]));
    (ledger.cost_usd, ledger.late_ms, ledger.redactions, ledger.phase) =
        (Some(0.1), Some(7), Some(0), Some(sealtrail_event::Phase::Intent));
    ledger.parent_audit_id = Some(ledger.audit_id.clone());
    ledger.write_to(&mut line);
    assert_eq!(String::from_utf8(line).unwrap(), serde_json::to_string(&ledger).unwrap());
}

#[test]
fn what_is_no_record_is_refused() {
    // Protects the caller: the three ways in which JSON is no event, each with its own error.
    assert_eq!(Event::from_json(&json!([1]), &context()), Err(EventError::NotAnObject { found: "a list" }));
    let deep = (0..64).fold(json!(1), |value, _| json!([value]));
    assert_eq!(Event::from_json(&json!({ "a": deep }), &context()), Err(EventError::TooDeep));
    let large = Value::from("x".repeat(SLOT_BYTES_MAX));
    assert!(matches!(Event::from_json(&json!({ "a": large }), &context()), Err(EventError::SlotTooLarge { slot: "content", .. })));
}
