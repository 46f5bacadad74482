//! Slots, views, checks and export to another shape.

use sealtrail_event::{
    AuditId, Envelope, EnvelopeError, Event, Outcome, Severity, Shape, SlotName, Token, Witness, export_as, outcome_of, severity_of,
};
use serde_json::{Map, Value, json};

use crate::seeds::context;

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn event() -> Event {
    let token = |text| Token::parse(text).unwrap();
    let envelope =
        Envelope::new(AuditId::parse("audit_evt_1").unwrap(), token("data.file_read"), token("2026-03-16T14:32:47Z"), Witness::Hook);
    Event { envelope, slots: Vec::new() }
}

#[test]
fn members_added_one_by_one_are_members_added_at_once() {
    // Protects `put`, which splices text where it can: names that are there, in other places or in values, and escapes.
    let parts = [
        json!({ "a": 1 }),
        json!({ "b": "\"a\":" }),
        json!({ "c": { "x": 1 } }),
        json!({ "c": { "y": 2 } }),
        json!({ "x": "é\"\n" }),
        json!({ "a": 2 }),
        json!({ "é\"": [] }),
        json!({}),
    ];
    let mut event = event();
    for part in &parts {
        event.put(SlotName::Content, members(part));
    }
    event.put(SlotName::Identity, members(&json!({ "user_id": "u" })));
    let content: Value = serde_json::from_str(&event.slots[1].json).unwrap();
    assert_eq!(content, json!({ "a": 2, "b": "\"a\":", "c": { "x": 1, "y": 2 }, "x": "é\"\n", "é\"": [] }));
    assert_eq!(event.slots.iter().map(|slot| slot.name).collect::<Vec<_>>(), [SlotName::Identity, SlotName::Content]);
}

#[test]
fn a_slot_cannot_change_what_is_sealed() {
    // Protects readers: the view tells what the envelope says, whatever a slot holds.
    let mut event = event();
    event.put(SlotName::Content, members(&json!({ "event_type": "auth.user_login", "witness": "api", "more": 1 })));
    let view = event.to_json();
    assert_eq!((&view["event_type"], &view["witness"], &view["more"]), (&json!("data.file_read"), &json!("hook"), &json!(1)));
}

#[test]
fn an_envelope_with_free_text_is_refused() {
    // Protects the envelope's rule where types cannot: the free-form member `ledger`, and numbers JSON has no word for.
    let mut envelope = event().envelope;
    assert_eq!(envelope.check(), Ok(()));
    envelope.ledger = Some(members(&json!({ "why": "start", "ranges": [[1, 2]], "key": "localhost/log/epoch/1+aabb+AQ==" })));
    assert_eq!(envelope.check(), Ok(()));
    for wrong in
        [json!({ "why": "two words" }), json!({ "a": [{ "b": "quote\"" }] }), json!({ "back\\slash": 1 }), json!({ "a": "x".repeat(1025) })]
    {
        envelope.ledger = Some(members(&wrong));
        assert!(matches!(envelope.check(), Err(EnvelopeError::Text { .. })), "{wrong}");
    }
    envelope.ledger = Some((0..8).map(|n| (n.to_string(), json!("x".repeat(1000)))).collect());
    assert!(matches!(envelope.check(), Err(EnvelopeError::TooLarge { bytes }) if bytes > 8000));
    envelope.ledger = None;
    envelope.cost_usd = Some(f64::NAN);
    assert!(matches!(envelope.check(), Err(EnvelopeError::Cost { .. })));
}

#[test]
fn an_event_can_be_told_in_another_shape() {
    // Protects `--as`: a file read, told in the members of each other shape.
    let record = json!({
        "event_type": "data.file_read", "timestamp": "2026-03-16T10:47:33.789Z", "user_context": { "initiated_by": "user_5432", "session_id": "sess_1" },
        "resource": { "type": "file", "path": "/data/a.csv" }, "result": { "status": "success", "read_duration_ms": 7 }, "audit_id": "audit_evt_5a2c8f9e1d3b",
    });
    let view = Event::from_json(&record, &context()).unwrap().to_json();
    let gateway = json!({ "timestamp": "2026-03-16T10:47:33.789Z", "sessionId": "sess_1", "developerId": "user_5432", "eventType": "tool_invocation", "policyResult": "not_evaluated" });
    assert_eq!(export_as(&view, Shape::Gateway), gateway);
    let audit_event = json!({ "timestamp": "2026-03-16T10:47:33.789Z", "userId": "user_5432", "sessionId": "sess_1", "resource": "/data/a.csv", "outcome": "success" });
    assert_eq!(export_as(&view, Shape::AuditEvent), audit_event);
    assert_eq!(export_as(&view, Shape::ApiCall)["latency_ms"], 7);
    assert_eq!(export_as(&view, Shape::Governance)["event_id"], "audit_evt_5a2c8f9e1d3b");
    assert_eq!(export_as(&view, Shape::Trail), record);
    assert_eq!(export_as(&view, Shape::Ours)["severity"], "info");
}

#[test]
fn severity_and_outcome_follow_the_table() {
    // Protects the derivations of the page: each row of the severity table, and a status word nobody knows.
    let cases = [
        ("ledger.fork", None, Severity::Critical),
        ("ledger.gap", None, Severity::High),
        ("security.alert", Some(Outcome::Success), Severity::High),
        ("agent.config_update", None, Severity::Warning),
        ("auth.user_login", Some(Outcome::Success), Severity::Info),
        ("auth.user_login", Some(Outcome::Failure), Severity::Warning),
        ("auth.user_login", Some(Outcome::Denied), Severity::High),
        ("data.file_read", Some(Outcome::Unknown), Severity::Warning),
        ("data.file_read", Some(Outcome::Pending), Severity::Info),
    ];
    for (event_type, outcome, severity) in cases {
        assert_eq!(severity_of(event_type, outcome), severity, "{event_type} {outcome:?}");
    }
    assert_eq!((outcome_of("Fail"), outcome_of("initiated"), outcome_of("odd")), (Outcome::Failure, Outcome::Pending, Outcome::Unknown));
}
