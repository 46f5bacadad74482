//! The reader, on the golden ledger that an independent script wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::RealDisk;
use sealtrail_event::AuditId;
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_tlog::Seq;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ledger/v1/ledger")
}

fn reader() -> Reader {
    Reader::open(Arc::new(RealDisk), &golden()).unwrap()
}

fn all(reader: &Reader) -> Vec<Stored> {
    reader.iter(Seq(0)).map(Result::unwrap).collect()
}

/// Protects the complete walk: every event once, in order, from the sealed and the active segment.
#[test]
fn reads_everything_in_order() {
    let reader = reader();
    let events = all(&reader);
    assert_eq!((reader.size().0, events.len()), (608, 608));
    assert!(events.iter().zip(0..).all(|(event, seq)| event.seq == Seq(seq)));
    assert!(events.iter().any(|event| !event.slots.is_empty()));
}

/// Protects every other way in: from the middle, backwards and by position give the same events as the walk.
#[test]
fn every_way_gives_the_same_events() {
    let reader = reader();
    let events = all(&reader);
    let mut back: Vec<Stored> = reader.iter_back().map(Result::unwrap).collect();
    back.reverse();
    assert_eq!(back, events);
    for from in [1, 100, 255, 256, 257, 300, 327, 328, 329, 500, 607] {
        let rest: Vec<Stored> = reader.iter(Seq(from)).map(Result::unwrap).collect();
        assert_eq!(rest, events[from as usize..], "from {from}");
        let mut back: Vec<Stored> = reader.iter_before(Seq(from)).map(Result::unwrap).collect();
        back.reverse();
        assert_eq!(back, events[..from as usize], "before {from}");
    }
    for event in &events {
        assert_eq!(reader.get(event.seq).unwrap().as_ref(), Some(event));
    }
    assert!(reader.get(Seq(608)).unwrap().is_none());
}

/// Protects the way from an id to its event, for ids that tell their time and for foreign ones.
#[test]
fn finds_by_id() {
    let reader = reader();
    for event in all(&reader) {
        let id = event.view()["audit_id"].as_str().unwrap().to_owned();
        assert_eq!(reader.find(&AuditId::parse(&id).unwrap()).unwrap().unwrap(), event);
    }
    assert!(reader.find(&AuditId::parse("audit_evt_nobody_has_this").unwrap()).unwrap().is_none());
    assert!(reader.find(&AuditId::new(1_768_434_540_000, [7; 10])).unwrap().is_none());
}

/// Protects the view: envelope and slots in one object, the ledger's own members gone, erased slots named.
#[test]
fn views_name_what_was_erased() {
    let reader = reader();
    let whole = reader.get(Seq(328)).unwrap().unwrap().view();
    assert!(whole.get("v").is_none() && whole.get("i").is_none() && whole.get("s").is_none() && whole.get("erased").is_none());
    assert_eq!(whole["event_type"], "data.file_read");
    let erased = reader.get(Seq(20)).unwrap().unwrap();
    assert_eq!(erased.view()["erased"], serde_json::json!(["identity", "input", "output"]));
}
