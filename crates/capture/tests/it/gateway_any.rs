//! Answers and requests that nobody wrote: cut anywhere, they say the same, and every event of them is within the limits of the format.

use std::sync::Arc;

use proptest::prelude::*;
use sealtrail_capture::gateway::{Answer, Call, Caller, Ending, Exchange, How, Kind, Reader, Request, Scribe, State};
use sealtrail_capture::redact::Redactor;
use sealtrail_event::{AuditId, ENVELOPE_BYTES_MAX, Event};
use serde_json::{Value, json};

fn read(kind: Kind, pieces: &[&[u8]]) -> Answer {
    let mut reader = Reader::new(kind, true);
    pieces.iter().for_each(|piece| reader.feed(piece));
    // Counted in the answer.
    reader.results(true);
    reader.finish()
}

/// Returns the events of a call with this body and this answer.
fn record(body: &[u8], answer: &Answer, content: bool, redactor: &Arc<Redactor>) -> Vec<Event> {
    let (mut state, mut number) = (State::default(), 0);
    let (call, caller) = (Call::of("POST", "/v1/messages"), Caller::default());
    let request = Request::read(body, &call, &caller, content, &mut state);
    let id = AuditId::parse("e0").unwrap();
    let exchange = Exchange { id, call, caller, request, prompt_hash: Some([7; 32]), body_bytes: Some(body.len() as u64) };
    let ending = Ending {
        how: How::Complete,
        status: Some(200),
        request_id: None,
        retry_after: None,
        duration_ms: 1,
        first_byte_ms: None,
        response_hash: Some([8; 32]),
        response_bytes: 0,
        late_prompt: None,
        cost_usd: None,
        is_stream: true,
        unread: None,
    };
    let scribe = Scribe::new(Arc::clone(redactor), content);
    let mut ids = || {
        number += 1;
        AuditId::new(number, [0; 10])
    };
    let mut events = scribe.requested(&exchange, 1, &mut state, &mut ids);
    events.extend(scribe.answered(&exchange, &ending, answer, 1, &mut state, &mut ids));
    events
}

/// Lines that are almost events of the Messages API.
fn event() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec![
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
        "ping",
        "odd",
    ]);
    let block = prop::sample::select(vec!["text", "tool_use", "thinking", "server_tool_use", "image", ""]);
    let delta = prop::sample::select(vec!["text_delta", "input_json_delta", "thinking_delta", ""]);
    (kind, block, delta, 0..3u64, "[ -~é\\n]{0,12}").prop_map(|(kind, block, delta, index, text)| {
        json!({"type": kind, "index": index, "message": {"id": text, "model": text, "usage": {"input_tokens": index}},
            "content_block": {"type": block, "id": text, "name": text, "input": {}, "text": text},
            "delta": {"type": delta, "text": text, "partial_json": text, "thinking": text, "stop_reason": text},
            "usage": {"output_tokens": index}, "error": {"type": text, "message": text}})
        .to_string()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Protects the record against the network: an answer that is cut into any pieces is the same answer, in every form; and what becomes of it
    /// fits the format, with content and without.
    #[test]
    fn pieces_of_any_size_say_the_same(events in prop::collection::vec(event(), 0..12), junk in prop::collection::vec(any::<u8>(), 0..80), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let redactor = Arc::new(Redactor::new());
        let mut stream: Vec<u8> = events.iter().flat_map(|data| format!("data: {data}\r\n\r\n").into_bytes()).collect();
        stream.extend(&junk);
        for kind in [Kind::Events, Kind::Frames, Kind::Document, Kind::Results, Kind::Opaque] {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for to in at {
                pieces.push(&stream[from..to]);
                from = to;
            }
            pieces.push(&stream[from..]);
            let whole = read(kind, &[&stream]);
            prop_assert_eq!(&whole, &read(kind, &pieces));
            for content in [false, true] {
                for event in record(&junk, &whole, content, &redactor) {
                    prop_assert!(serde_json::to_vec(&event.envelope).unwrap().len() < ENVELOPE_BYTES_MAX);
                    prop_assert!(event.slots.iter().all(|slot| serde_json::from_str::<Value>(&slot.json).is_ok() && !slot.json.contains('\n')));
                }
            }
        }
    }

    /// Protects content: whatever a request and an answer say, without configured content none of their words is in an event.
    #[test]
    fn without_content_no_word_is_told(word in "[a-z]{12}") {
        let text = format!("zq{word}");
        let body = json!({"model": "m", "system": text, "messages": [{"role": "user", "content": text},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": text}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text, "is_error": true}]}]});
        let answer = json!({"id": "i", "type": "message", "content": [{"type": "text", "text": text}, {"type": "thinking", "thinking": text},
            {"type": "tool_use", "id": "u", "name": "Write", "input": {"file_path": text, "content": text}}], "usage": {"input_tokens": 1}});
        let whole = read(Kind::Document, &[answer.to_string().as_bytes()]);
        let redactor = Arc::new(Redactor::new());
        let told = format!("{:?}", record(body.to_string().as_bytes(), &whole, false, &redactor));
        prop_assert!(!told.contains(&text), "{}", told);
        let told = format!("{:?}", record(body.to_string().as_bytes(), &whole, true, &redactor));
        prop_assert_eq!(told.matches(&text).count() > 6, true);
    }
}
