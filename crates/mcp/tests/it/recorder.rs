//! The queue before the trail.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sealtrail_event::{AuditId, Envelope, Event, Slot, SlotName, Token, Witness};
use sealtrail_mcp::Recorder;

use crate::kit::{PATIENCE, Trail};

fn event(n: u8, bytes: usize) -> Event {
    let time = Token::parse("2026-11-21T10:00:00Z").unwrap();
    let envelope = Envelope::new(AuditId::new(1, [n; 10]), Token::parse("mcp.tool_call").unwrap(), time, Witness::Mcp);
    Event { envelope, slots: vec![Slot { name: SlotName::Output, json: format!("{{\"x\":\"{}\"}}", "y".repeat(bytes)) }] }
}

/// Protects the order and the waiting: what is sealed with waiting comes after what was told before, and an outage loses nothing that fits.
#[test]
fn an_outage_is_waited_out_in_order() {
    let trail = Trail::default();
    let recorder = Recorder::start(Box::new(trail.clone()), None).unwrap();
    trail.0.failing.store(true, Ordering::SeqCst);
    recorder.tell(vec![event(1, 10)], None);
    assert!(!recorder.keep(vec![event(2, 10)], None, Duration::from_millis(50)));
    let begun = Instant::now();
    assert!(!recorder.keep(vec![event(3, 10)], None, Duration::from_millis(60)), "an outage that lasts is not waited for again and again");
    assert!(begun.elapsed() < PATIENCE);
    trail.0.failing.store(false, Ordering::SeqCst);
    assert!(recorder.keep(vec![event(4, 10)], None, PATIENCE));
    assert_eq!((recorder.settle(PATIENCE), recorder.lost()), (0, 0));
    let ids: Vec<String> = trail.events().iter().map(|view| view["audit_id"].to_string()).collect();
    assert_eq!(ids, (1..=4).map(|n| format!("\"{}\"", AuditId::new(1, [n; 10]))).collect::<Vec<_>>());
}

/// Protects memory: during an outage the queue takes what it has room for, and counts the rest as lost.
#[test]
fn the_queue_is_bounded() {
    let trail = Trail::default();
    trail.0.failing.store(true, Ordering::SeqCst);
    let recorder = Recorder::start(Box::new(trail.clone()), None).unwrap();
    for n in 0..20 {
        recorder.tell(vec![event(n, 4 << 20)], None);
    }
    let lost = recorder.lost();
    assert!((4..=5).contains(&lost), "{lost} of 20 events of 4 MiB do not fit into 64 MiB");
    assert_eq!(recorder.settle(Duration::from_millis(10)), 20);
}

/// Protects the promise of a sealed intent: what the trail will never take counts as lost and never as sealed.
#[test]
fn what_is_refused_is_not_sealed() {
    let trail = Trail::default();
    trail.0.refusing.store(true, Ordering::SeqCst);
    let recorder = Recorder::start(Box::new(trail.clone()), None).unwrap();
    assert!(!recorder.keep(vec![event(1, 10)], None, PATIENCE));
    trail.0.refusing.store(false, Ordering::SeqCst);
    assert!(recorder.keep(vec![event(2, 10)], None, PATIENCE));
    assert_eq!((recorder.lost(), trail.events().len()), (1, 1));
}
