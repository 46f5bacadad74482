//! Events that another process hands over on the socket.

use sealtrail_engine::{ClientError, Ingested, hand_over, seal_events};
use sealtrail_event::{AuditId, Envelope, Event, Slot, SlotName, Token, Witness};

use crate::kit::home;

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
