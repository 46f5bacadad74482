//! Records of programs: redacted, marked with their sender, and nothing lost.

use sealtrail_capture::api::{Delivered, RecordError, is_same, record, unparsed};
use sealtrail_capture::redact::Redactor;
use sealtrail_capture::{RAW_BYTES_MAX, Sender};
use sealtrail_event::{AuditId, EventError, StrictError, Token};
use serde_json::{Value, json};

fn sender() -> Sender {
    Sender { key: "w".into(), application_id: Some(Token::parse("app-1").unwrap()), source_ip: Some("192.0.2.1".into()), certificate: None }
}

fn make(bytes: &[u8], tags: &[&str]) -> Result<Value, RecordError> {
    let (sender, tags) = (sender(), tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
    let delivered = Delivered { received_unix_ns: 1_795_229_029_000_000_000, sender: &sender, tags: &tags, redactor: &Redactor::new() };
    record(bytes, AuditId::parse("fallback").unwrap(), &delivered).map(|event| event.to_json())
}

/// Protects what a program says: its own names, times, ids and addresses are those of the event, and the collector's word stands beside them.
#[test]
fn a_record_keeps_what_it_says() {
    let said = json!({"event_type": "tool.invocation", "audit_id": "evt_1", "timestamp": "2026-03-16T10:00:00Z", "source_ip": "203.0.113.9",
        "application_id": "other", "number": 1, "witness": "hook", "grade": "observed"});
    let event = make(said.to_string().as_bytes(), &["SOC2"]).unwrap();
    for (name, value) in [
        ("audit_id", json!("evt_1")),
        ("timestamp", json!("2026-03-16T10:00:00Z")),
        ("source_ip", json!("203.0.113.9")),
        ("number", json!(1)),
        ("application_id", json!("app-1")),
        ("compliance_tags", json!(["SOC2"])),
        ("witness", json!("api")),
        ("grade", json!("asserted")),
        ("collector", json!({"key": "w", "source_ip": "192.0.2.1", "certificate": null, "application_id_sent": "other"})),
    ] {
        assert_eq!(event[name], value, "{name}");
    }
    assert_eq!(make(br#"{"tags": ["own"]}"#, &["SOC2"]).unwrap()["compliance_tags"], json!(["own"]));
    assert_eq!(make(br#"{"a": 12345678901234567890123}"#, &[]).unwrap()["numbers_as_text"], 1);
}

/// Protects events with secrets for ids: each has an id of its own that tells nothing, the same each time it comes.
#[test]
fn a_secret_is_no_id() {
    let id = |n: u32| {
        let secret = format!("ghp_{n}1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        make(json!({"event_id": secret}).to_string().as_bytes(), &[]).unwrap()["audit_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    assert!(id(1).starts_with("api_") && !id(1).contains("ghp"));
}

/// Protects a record that comes again: another time or sender does not make it another one, every other member does, and what is erased is not held against it.
#[test]
fn the_same_record_is_told_from_another() {
    let sender = sender();
    let delivered = Delivered { received_unix_ns: 1_795_229_029_000_000_000, sender: &sender, tags: &[], redactor: &Redactor::new() };
    let event = record(br#"{"audit_id":"e","user_id":"ann","n":1}"#, AuditId::parse("e").unwrap(), &delivered).unwrap();
    let sealed = |change: &dyn Fn(&mut Value)| {
        let mut view = event.to_json();
        change(&mut view);
        is_same(&view, &event)
    };
    assert!(sealed(&|_| {}));
    assert!(sealed(&|view| view["timestamp"] = json!("2026-01-01T00:00:00Z")));
    assert!(sealed(&|view| view["collector"]["key"] = json!("other")));
    assert!(!sealed(&|view| view["n"] = json!(2)));
    assert!(!sealed(&|view| view["more"] = json!(true)));
    assert!(!sealed(&|view| drop(view.as_object_mut().unwrap().shift_remove("user_id"))));
    assert!(sealed(&|view| {
        view.as_object_mut().unwrap().shift_remove("user_id");
        view["erased"] = json!(["identity"]);
    }));
}

/// Protects senders from guessing: what is no record is told by name and place.
#[test]
fn what_is_no_record_is_told() {
    assert!(matches!(make(b"{", &[]), Err(RecordError::Strict(StrictError::Syntax { .. }))));
    assert!(matches!(make(br#"{"a":1,"a":2}"#, &[]), Err(RecordError::Strict(StrictError::Twice { .. }))));
    assert!(matches!(make(b"\xff", &[]), Err(RecordError::Strict(StrictError::Utf8 { at: 0 }))));
    assert_eq!(make(b"[]", &[]).unwrap_err(), RecordError::Event(EventError::NotAnObject { found: "a list" }));
}

/// Protects the bytes of what is no record: they are kept to a limit, without their secrets, under the sender's name, with the reason as a word.
#[test]
fn bytes_are_kept() {
    let (sender, redactor) = (sender(), Redactor::new());
    let delivered = Delivered { received_unix_ns: 1_795_229_029_000_000_000, sender: &sender, tags: &[], redactor: &redactor };
    let kept = |bytes: &[u8]| {
        let error = record(bytes, AuditId::parse("a").unwrap(), &delivered).unwrap_err();
        unparsed(bytes, &error, 7, AuditId::parse("u").unwrap(), &delivered).to_json()
    };
    let event = kept(b"{\"a\":1,\"a\":2}");
    assert_eq!(
        (&event["event_type"], &event["reason"], &event["raw"]["text"]),
        (&json!("system.unparsed"), &json!("duplicate_key"), &json!("{\"a\":1,\"a\":2}"))
    );
    assert_eq!(
        (&event["unparsed"]["more_not_kept"], &event["collector"]["key"], &event["witness"]),
        (&json!(7), &json!("w"), &json!("api"))
    );
    let long = kept(&vec![b'x'; 2 * RAW_BYTES_MAX]);
    assert_eq!(long["raw"]["text"].as_str().unwrap().len(), RAW_BYTES_MAX);
    assert_eq!(long["raw"]["size_bytes"], 2 * RAW_BYTES_MAX);
}
