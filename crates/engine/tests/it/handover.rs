//! Events that another process hands over on the socket.

use std::time::Duration;

use sealtrail_engine::{ClientError, Drained, Home, Ingested, Kept, hand_over, keep_events, seal_events, spool_events};
use sealtrail_event::{AuditId, Envelope, Event, Slot, SlotName, Token, Witness};

use crate::kit::{frame, home, prompt};

/// 20 s: each exchange of these tests takes milliseconds on a machine that is not overloaded.
const PATIENCE: Duration = Duration::from_secs(20);

fn event(n: u64, kind: &str, witness: Witness) -> Event {
    let mut entropy = [0u8; 10];
    entropy[2..].copy_from_slice(&n.to_be_bytes());
    let time = Token::parse("2026-11-21T10:00:00Z").unwrap();
    let id = AuditId::new(1_700_000_000_000 + n, entropy);
    let slots = vec![Slot { name: SlotName::Output, json: format!(r#"{{"tool_response":{{"n":{n},"text":"a\nb"}}}}"#) }];
    Event { envelope: Envelope::new(id, Token::parse(kind).unwrap(), time, witness), slots }
}

/// Protects what another process hands over: it is sealed exactly as it was made, each with its receipt, once however often it comes, in as many
/// frames as it takes.
#[test]
fn events_of_another_process_are_sealed_as_made() {
    let test = home();
    let events: Vec<Event> = (0..600).map(|n| event(n, "mcp.tool_call", Witness::Mcp)).collect();
    assert!(matches!(hand_over(&test.home, &events), Err(ClientError::NoDaemon { .. })));
    let daemon = test.daemon();
    let first = hand_over(&test.home, &events).unwrap();
    let again = hand_over(&test.home, &events).unwrap();
    daemon.stop().unwrap();
    assert_eq!(first.len(), 600);
    for (first, again) in first.iter().zip(&again) {
        let Ingested::Sealed(receipt) = first else { panic!("{first:?}") };
        assert_eq!(*again, Ingested::Known { seq: receipt.seq.0 });
    }
    let sealed = test.of_type("mcp.tool_call");
    assert_eq!(sealed.len(), 600);
    for (sealed, event) in sealed.iter().zip(&events) {
        assert_eq!((&sealed["audit_id"], &sealed["tool_response"]), (&event.to_json()["audit_id"], &event.to_json()["tool_response"]));
    }
}

/// Protects the recorder's own voice: nobody hands over a hook, a word of the recorder, or a word of the ledger.
#[test]
fn nobody_speaks_for_the_recorder() {
    let test = home();
    let daemon = test.daemon();
    for bad in
        [event(1, "tool.requested", Witness::Hook), event(2, "system.note", Witness::Recorder), event(3, "ledger.erased", Witness::Mcp)]
    {
        let refused = hand_over(&test.home, &[event(4, "mcp.tool_call", Witness::Mcp), bad]);
        assert!(matches!(refused, Err(ClientError::Refused { .. })), "{refused:?}");
    }
    daemon.stop().unwrap();
    assert!(test.of_type("mcp.tool_call").is_empty());
}

/// Protects recording without a daemon: the trail is opened for the moment, and the ids are known later to the daemon, too.
#[test]
fn without_a_daemon_the_trail_is_opened() {
    let test = home();
    let events = [event(1, "mcp.tool_call", Witness::Mcp), event(2, "mcp.tool_call", Witness::Mcp)];
    let loaded = sealtrail_engine::load_config(&test.home, None, None).unwrap();
    let first = seal_events(&test.home, &loaded, &events).unwrap();
    assert!(first.iter().all(|fate| matches!(fate, Ingested::Sealed(_))), "{first:?}");
    let again = seal_events(&test.home, &loaded, &events[1..]).unwrap();
    assert!(matches!(again[..], [Ingested::Known { .. }]), "{again:?}");
    let daemon = test.daemon();
    assert!(matches!(hand_over(&test.home, &events[..1]).unwrap()[..], [Ingested::Known { .. }]));
    daemon.stop().unwrap();
    assert_eq!(test.of_type("mcp.tool_call").len(), 2);
}

/// Protects events that no daemon takes: they are durable at once, in the spool of the hooks, and the next daemon seals them as they were made, marked
/// late and once, also when the same events come to its socket as well.
#[test]
fn without_a_daemon_events_wait_in_the_spool() {
    let test = home();
    let events: Vec<Event> = (0..300).map(|n| event(n, "mcp.tool_call", Witness::Mcp)).collect();
    assert_eq!(keep_events(&test.home, &events, PATIENCE).unwrap(), vec![Kept::Spooled; 300]);
    assert_eq!((test.spool_files(), test.of_type("mcp.tool_call").len()), (1, 0));
    // Handed over twice, as by a sender that did not hear the first answer; and a hook's delivery between them.
    // Of another millisecond than any of the events, whose ids are made in the same way.
    let body = prompt("s", "between");
    let uid = rustix::process::getuid().as_raw();
    test.spool_bytes(&format!("{uid}.spool"), &test.record(&frame(9_000, &body), &body));
    spool_events(&test.home, &events[..2]).unwrap();
    let daemon = test.daemon();
    assert_eq!(daemon.opened().drained, Drained { sealed: 301, known: 2, ..Drained::default() });
    assert_eq!(keep_events(&test.home, &events[290..], PATIENCE).unwrap(), vec![Kept::Sealed; 10]);
    daemon.stop().unwrap();
    let sealed = test.of_type("mcp.tool_call");
    assert_eq!((sealed.len(), test.spool_files()), (300, 0));
    for (sealed, event) in sealed.iter().zip(&events) {
        assert_eq!((&sealed["audit_id"], &sealed["tool_response"]), (&event.to_json()["audit_id"], &event.to_json()["tool_response"]));
        assert!(sealed["late_ms"].is_u64(), "{sealed}");
    }
    assert_eq!(test.of_type("prompt.submitted").len(), 1);
}

/// Protects callers from a daemon that hangs: it gets its time, then the spool takes the events, and what it sealed after all is known by its id.
#[test]
fn a_daemon_that_hangs_is_not_waited_for() {
    let test = home();
    let silent = std::os::unix::net::UnixListener::bind(test.home.socket()).unwrap();
    let begun = std::time::Instant::now();
    let kept = keep_events(&test.home, &[event(1, "mcp.tool_call", Witness::Mcp)], Duration::from_millis(50)).unwrap();
    assert!(kept == [Kept::Spooled] && begun.elapsed() < PATIENCE, "{kept:?} after {:?}", begun.elapsed());
    drop(silent);
    let running = test.daemon();
    running.stop().unwrap();
    assert_eq!(test.of_type("mcp.tool_call").len(), 1);
}

/// Protects the account of losses: spooled events that the ledger does not take are told as a gap and do not stop the others; without a trail, or where
/// the spool cannot be written, the sender learns that nothing is kept.
#[test]
fn what_cannot_be_kept_is_said() {
    let test = home();
    let bad = event(1, "ledger.erased", Witness::Mcp);
    spool_events(&test.home, &[bad]).unwrap();
    spool_events(&test.home, &[event(2, "mcp.tool_call", Witness::Mcp)]).unwrap();
    let daemon = test.daemon();
    assert_eq!(daemon.opened().drained, Drained { sealed: 1, refused: 1, ..Drained::default() });
    daemon.stop().unwrap();
    let gaps = test.of_type("ledger.gap");
    assert_eq!((gaps.len(), gaps[0]["ledger"]["witness"].as_str(), test.of_type("mcp.tool_call").len()), (1, Some("mcp"), 1));

    let missing = keep_events(&Home::new("/nowhere"), &[event(3, "mcp.tool_call", Witness::Mcp)], PATIENCE).unwrap_err();
    assert!(missing.is_refused() && missing.to_string().contains("/nowhere"), "{missing}");
    std::fs::remove_dir_all(test.home.spool()).unwrap();
    let lost = keep_events(&test.home, &[event(4, "mcp.tool_call", Witness::Mcp)], PATIENCE).unwrap_err();
    assert!(!lost.is_refused(), "{lost}");
}
