//! Hooks, one a line: whatever comes, every line gives an event, no call has two outcomes, and replaying the events gives the state.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::{Intake, Sessions, hook, needs};
use sealtrail_event::{AuditId, ENVELOPE_BYTES_MAX, Event, Phase, SLOT_BYTES_MAX};

fuzz_target!(|data: &[u8]| {
    let (mut sessions, mut replayed) = (Sessions::default(), Sessions::default());
    let mut ended = BTreeSet::new();
    let mut number = 0u32;
    let mut id = || {
        number += 1;
        AuditId::parse(&format!("e{number}")).ok()
    };
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let Some(delivery) = id() else { return };
        needs(line);
        let events = hook(line, &Intake::new(delivery.clone(), 1, 1000), &mut sessions, &mut || id().unwrap_or(delivery.clone())).events;
        assert_eq!(events.first().map(|event| event.envelope.audit_id.clone()), Some(delivery.clone()));
        for event in &events {
            check(event);
            replayed.replay(&event.to_json());
            if let (Some(Phase::Outcome), Some(call)) = (event.envelope.phase, &event.envelope.tool_use_id) {
                assert!(ended.insert((event.envelope.session_id.clone(), call.clone())), "two outcomes of {call}");
            }
        }
        assert!(replayed == sessions, "the replayed state differs");
    }
});

fn check(event: &Event) {
    let envelope = serde_json::to_vec(&event.envelope).unwrap_or_default();
    assert!(!envelope.is_empty() && envelope.len() < ENVELOPE_BYTES_MAX);
    assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
}
