//! Transcripts, one line after the other: whatever comes, every line gives sound events, no call ends twice, and reading again gives the same.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::transcript::{Origin, Reading, hook_transcript, role_of};
use sealtrail_event::{Event, Phase, SLOT_BYTES_MAX};

fuzz_target!(|data: &[u8]| {
    hook_transcript(data);
    if let Ok(path) = std::str::from_utf8(data) {
        role_of(path);
    }
    let events = read(data);
    let mut ended = BTreeSet::new();
    for event in &events {
        assert!(event.envelope.check().is_ok());
        assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
        if let (Some(Phase::Outcome), Some(call)) = (event.envelope.phase, &event.envelope.tool_use_id) {
            assert!(ended.insert(call.clone()), "two outcomes of {call}");
        }
    }
    assert!(events == read(data), "reading again gives other events");
});

fn read(data: &[u8]) -> Vec<Event> {
    let mut reading = Reading::new(Origin { session_id: Some("s".to_owned()), ..Origin::default() });
    let lines = data.split(|byte| *byte == b'\n').take(64);
    let mut events: Vec<Event> = lines.flat_map(|line| reading.read(line, 1_795_000_000_000_000_000)).collect();
    events.extend(reading.rest(1_795_000_000_000_000_000));
    events
}
