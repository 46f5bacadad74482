//! Answers as they pass the gateway: cut anywhere, the same answer; whatever comes, events within the limits of the format.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::gateway::{Answer, BatchResult, Call, Caller, Ending, Exchange, How, Kind, Reader, Request, Scribe, State};
use sealtrail_capture::redact::Redactor;
use sealtrail_event::{AuditId, ENVELOPE_BYTES_MAX, SLOT_BYTES_MAX};

// The first byte says the form and where to cut; the rest is the answer, and the body of a request.
fuzz_target!(|data: &[u8]| {
    let Some((&first, bytes)) = data.split_first() else { return };
    let kind = [Kind::Events, Kind::Frames, Kind::Document, Kind::Results][usize::from(first & 3)];
    let at = bytes.len() * usize::from(first >> 2) / 64;
    let whole = read(kind, &[bytes]);
    assert_eq!(whole, read(kind, &[&bytes[..at], &bytes[at..]]), "cut at {at}");
    record(bytes, &whole.0, &whole.1);
});

fn read(kind: Kind, pieces: &[&[u8]]) -> (Answer, Vec<BatchResult>) {
    let mut reader = Reader::new(kind, true);
    pieces.iter().for_each(|piece| reader.feed(piece));
    let results = reader.results(true);
    (reader.finish(), results)
}

fn record(bytes: &[u8], answer: &Answer, results: &[BatchResult]) {
    thread_local!(static REDACTOR: Arc<Redactor> = Arc::new(Redactor::new()));
    let mut state = State::default();
    let (call, caller) = (Call::of("POST", "/v1/messages"), Caller::default());
    let request = Request::read(bytes, &call, &caller, true, &mut state);
    let Ok(id) = AuditId::parse("e0") else { return };
    let exchange = Exchange { id, call, caller, request, prompt_hash: Some([0; 32]), body_bytes: Some(1) };
    let ending = Ending {
        how: How::Complete,
        status: Some(200),
        request_id: None,
        retry_after: None,
        duration_ms: 1,
        first_byte_ms: None,
        response_hash: None,
        response_bytes: 0,
        late_prompt: None,
        cost_usd: None,
        is_stream: true,
        unread: None,
    };
    let scribe = Scribe::new(REDACTOR.with(Arc::clone), true);
    let mut number = 0u32;
    let mut ids = || {
        number += 1;
        AuditId::new(u64::from(number), [0; 10])
    };
    let mut events = scribe.requested(&exchange, 1, &mut state, &mut ids);
    events.extend(scribe.answered(&exchange, &ending, answer, 1, &mut state, &mut ids));
    events.extend(results.iter().flat_map(|result| scribe.batched(&exchange, "msgbatch_1", result, Some(1.0), 1, &mut state)));
    for event in &events {
        let envelope = serde_json::to_vec(&event.envelope).unwrap_or_default();
        assert!(!envelope.is_empty() && envelope.len() < ENVELOPE_BYTES_MAX);
        assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
    }
}
