//! Events of other witnesses, handed in by parts of the daemon's own process.

use sealtrail_engine::{INGEST_EVENTS_MAX, Ingested};
use sealtrail_event::{AuditId, Envelope, Event, Slot, SlotName, Token, Witness};
use sealtrail_intake::Answer;
use sealtrail_ledger::Receipt;
use serde_json::json;

use crate::kit::{frame, home, pre, send};

fn event(n: u64) -> Event {
    let mut entropy = [0u8; 10];
    entropy[2..].copy_from_slice(&n.to_be_bytes());
    let time = Token::parse("2026-11-21T10:00:00Z").unwrap();
    let id = AuditId::new(1_700_000_000_000 + n, entropy);
    Event { envelope: Envelope::new(id, Token::parse("data.file_read").unwrap(), time, Witness::Transcript), slots: Vec::new() }
}

fn receipts(answers: &[Ingested]) -> Vec<Receipt> {
    answers.iter().map(|answer| if let Ingested::Sealed(receipt) = answer { *receipt } else { panic!("{answer:?}") }).collect()
}

/// Protects the receipt: it names the position and the leaf of exactly that event, in order, within a tree that holds it.
#[test]
fn receipts_are_those_of_the_events() {
    let test = home();
    let daemon = test.daemon();
    let receipts = receipts(&daemon.handle().ingest((0..100).map(event).collect()));
    daemon.stop().unwrap();
    let events = test.events();
    for (n, receipt) in (0..).zip(&receipts) {
        assert_eq!(events[receipt.seq.0 as usize]["audit_id"], event(n).envelope.audit_id.to_string());
        assert!(receipt.seq.0 < receipt.tree_size.0);
    }
}

/// Protects against sealing twice: what comes again is known under its number, from the same daemon, and from one that has to look into the ledger.
#[test]
fn known_events_are_not_sealed_again() {
    let test = home();
    let daemon = test.daemon();
    let first = receipts(&daemon.handle().ingest(vec![event(1), event(2)]));
    let known: Vec<Ingested> = first.iter().map(|receipt| Ingested::Known { seq: receipt.seq.0 }).collect();
    assert_eq!(daemon.handle().ingest(vec![event(1), event(2)]), known);
    // More than the newest that a start remembers.
    for from in [1_000, 5_000, 9_000] {
        daemon.handle().ingest((from..from + 4_000).map(event).collect());
    }
    daemon.stop().unwrap();
    let daemon = test.daemon();
    let again = daemon.handle().ingest(vec![event(1), event(3), event(2)]);
    daemon.stop().unwrap();
    assert_eq!([again[0], again[2]], [known[0], known[1]]);
    assert!(matches!(again[1], Ingested::Sealed(_)));
    assert_eq!(test.of_type("data.file_read").len(), 12_003);
}

/// Protects pairing across a restart where other witnesses tell much more than hooks: an open call is still known behind their events.
#[test]
fn open_calls_are_known_behind_many_other_events() {
    let test = home();
    let daemon = test.daemon();
    let body = pre("s", "toolu_open");
    assert!(matches!(send(&test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))));
    for from in [1_000, 5_000, 9_000] {
        daemon.handle().ingest((from..from + 4_000).map(event).collect());
    }
    daemon.stop().unwrap();
    let daemon = test.daemon();
    let end = json!({ "session_id": "s", "hook_event_name": "SessionEnd", "cwd": "/p", "reason": "other" }).to_string().into_bytes();
    assert!(matches!(send(&test.home, &frame(2, &end), &end), Some(Answer::Sealed(_))));
    daemon.stop().unwrap();
    let ended: Vec<_> =
        test.events().into_iter().filter(|event| event["tool_use_id"] == "toolu_open" && event["phase"] == "outcome").collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
}

/// Protects senders whose ids tell no time: those are found in the whole ledger, too, also where no index is.
#[test]
fn ids_of_other_forms_are_known() {
    let test = home();
    let named = |n: u64| {
        let mut event = event(n);
        event.envelope.audit_id = AuditId::parse(&format!("evt_{n}*")).unwrap();
        event
    };
    let daemon = test.daemon();
    let first = receipts(&daemon.handle().ingest(vec![named(1), named(2)]));
    for from in [1_000, 5_000, 9_000] {
        daemon.handle().ingest((from..from + 4_000).map(event).collect());
    }
    daemon.stop().unwrap();
    let daemon = test.daemon();
    let again = daemon.handle().ingest(vec![named(2), named(22), named(1)]);
    daemon.stop().unwrap();
    assert_eq!([again[0], again[2]], [first[1], first[0]].map(|receipt| Ingested::Known { seq: receipt.seq.0 }));
    assert!(matches!(again[1], Ingested::Sealed(_)));
}

/// Protects the neighbours of an event that the ledger cannot take: they are sealed, it is rejected, and an id twice in one call is sealed once.
#[test]
fn each_event_has_its_own_fate() {
    let test = home();
    let daemon = test.daemon();
    let mut bad = event(2);
    bad.slots = vec![Slot { name: SlotName::Content, json: "x".repeat(9 << 20) }];
    let answers = daemon.handle().ingest(vec![event(1), bad, event(3), event(1)]);
    assert!(matches!(answers[..], [Ingested::Sealed(_), Ingested::Rejected, Ingested::Sealed(_), Ingested::Later]), "{answers:?}");
    assert_eq!(daemon.handle().ingest(vec![event(0); INGEST_EVENTS_MAX + 1]), vec![Ingested::Later; INGEST_EVENTS_MAX + 1]);
    let handle = daemon.handle();
    daemon.stop().unwrap();
    assert_eq!(handle.ingest(vec![event(4)]), [Ingested::Later]);
    assert_eq!(test.of_type("data.file_read").len(), 2);
}

/// Protects against sealing twice what is of another time: events of old sessions, handed in out of their order, are known after a restart too.
#[test]
fn old_events_out_of_order_are_known() {
    let test = home();
    let daemon = test.daemon();
    let old: Vec<Event> = (0..3_000).rev().map(event).collect();
    receipts(&daemon.handle().ingest(old.clone()));
    for from in [10_000, 14_000, 18_000] {
        daemon.handle().ingest((from..from + 4_000).map(event).collect());
    }
    daemon.handle().ingest(vec![event(3_001)]);
    daemon.stop().unwrap();
    let daemon = test.daemon();
    let again = daemon.handle().ingest(old);
    daemon.stop().unwrap();
    assert!(again.iter().all(|fate| matches!(fate, Ingested::Known { .. })), "sealed twice");
}
