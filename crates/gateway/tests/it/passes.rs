//! What comes in goes out.

use std::io::Write;

use sealtrail_config::GatewayContent;

use crate::kit::{ASK, Api, Run, SESSION, Step, chunk, document, events, post, read_until, sha256, signal, streamed};

/// Protects the promise of the gateway: whatever the chunks, body and headers of request and answer are the same bytes on the other side.
#[test]
fn bytes_are_the_same_on_both_sides() {
    for size in [1, 2, 3, 7, 64, 10_000] {
        let api = Api::answering(streamed(size));
        let run = Run::start(api.address, |_| {});
        let headers =
            [SESSION, ("x-api-key", "sk-ant-test"), ("anthropic-beta", "a,b"), ("X-Odd-Name", "  v  "), ("Accept-Encoding", "gzip, br")];
        let (head, body) = run.send(&post("/v1/messages?beta=true", &headers, ASK));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("request-id: req_011A\r\n") && head.contains("Content-Type: text/event-stream; charset=utf-8\r\n"), "{head}");
        assert_eq!(body, events(), "chunks of {size}");
        let got = &api.got()[0];
        assert_eq!(got.body, ASK);
        assert!(got.head.starts_with("POST /v1/messages?beta=true HTTP/1.1\r\n"), "{}", got.head);
        for line in [
            "X-Claude-Code-Session-Id: 5e551011-0000-4000-8000-000000000001",
            "x-api-key: sk-ant-test",
            "anthropic-beta: a,b",
            "X-Odd-Name: v",
        ] {
            assert!(got.head.contains(&format!("{line}\r\n")), "{line} in {}", got.head);
        }
        assert!(got.head.contains(&format!("{}\r\n", api.address)) && !got.head.to_lowercase().contains("connection:"), "{}", got.head);
    }
}

/// Protects the feel of a stream: its first bytes are at the client while the API still thinks about the next ones.
#[test]
fn the_first_byte_is_passed_on_at_once() {
    let (go, wait) = signal();
    let wait = std::sync::Mutex::new(Some(wait));
    let api = Api::start(move |_, _| {
        let all = streamed(10_000);
        let first = crate::kit::STREAM_HEAD.to_vec();
        let wait = wait.lock().unwrap().take().unwrap();
        vec![
            Step::Write([first, chunk(b"event: ping\ndata: {}\n\n")].concat()),
            wait,
            Step::Write(all[crate::kit::STREAM_HEAD.len()..].to_vec()),
        ]
    });
    let run = Run::start(api.address, |_| {});
    let mut stream = run.open(&post("/v1/messages", &[SESSION], ASK));
    read_until(&mut stream, |bytes| bytes.windows(11).any(|part| part == b"event: ping"));
    go.send(()).unwrap();
    read_until(&mut stream, |bytes| bytes.ends_with(b"0\r\n\r\n"));
    assert_eq!(run.trail.wait_for("model.response", 1)[0]["outcome"], "success");
}

/// Protects clients that ask for encodings: the encoded bytes pass as they are, and the record knows what they say.
#[test]
fn encoded_answers_pass_and_are_read() {
    let plain = events();
    let gzip = || {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        to.write_all(&plain).unwrap();
        to.finish().unwrap()
    };
    let zlib = || {
        let mut to = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        to.write_all(&plain).unwrap();
        to.finish().unwrap()
    };
    for (name, encoded) in
        [("gzip", gzip()), ("deflate", zlib()), ("zstd", zstd::encode_all(&plain[..], 3).unwrap()), ("br", stored_brotli(&plain))]
    {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: {name}\r\nContent-Length: {}\r\n\r\n",
            encoded.len()
        )
        .into_bytes();
        answer.extend_from_slice(&encoded);
        let run = Run::start(Api::answering(answer).address, |_| {});
        let (_, body) = run.send(&post("/v1/messages", &[SESSION], ASK));
        assert_eq!(body, encoded, "{name}");
        let response = &run.trail.wait_for("model.response", 1)[0];
        assert_eq!((&response["output_tokens"], &response["outcome"]), (&42.into(), &"success".into()), "{name}: {response}");
        assert_eq!(response["response_hash"], sha256(&encoded).as_str());
        assert_eq!(run.trail.of("tool.requested")[0]["tool_use_id"], "toolu_1");
    }
}

/// Brotli without compression: a head of a window of 16 bits, stored pieces, an empty last one (RFC 7932 section 9.2).
fn stored_brotli(bytes: &[u8]) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![false];
    let put = |bits: &mut Vec<bool>, value: usize, count: usize| (0..count).for_each(|n| bits.push(value >> n & 1 == 1));
    for piece in bytes.chunks(60_000) {
        put(&mut bits, 0, 1);
        put(&mut bits, 0, 2);
        put(&mut bits, piece.len() - 1, 16);
        put(&mut bits, 1, 1);
        while !bits.len().is_multiple_of(8) {
            bits.push(false);
        }
        piece.iter().for_each(|byte| put(&mut bits, usize::from(*byte), 8));
    }
    put(&mut bits, 3, 2);
    while !bits.len().is_multiple_of(8) {
        bits.push(false);
    }
    bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(n, bit)| u8::from(*bit) << n).sum()).collect()
}

/// Protects every other path: whatever is asked for, it passes, and has a record that is not a call of the model.
#[test]
fn other_paths_pass_and_have_a_record() {
    let cases: [(&str, &str, &str); 5] = [
        ("GET", "/v1/models?limit=2", "models"),
        ("HEAD", "/api/hello", "other"),
        ("GET", "/v1/messages/batches/b/results", "batch"),
        ("DELETE", "/v1/files/f", "files"),
        ("GET", "/", "other"),
    ];
    for (method, path, action) in cases {
        let api = Api::start(|_, got| {
            let answer = document("200 OK", "request-id: req_9\r\n", b"{\"data\":[]}");
            let end = if got.head.starts_with("HEAD") { answer.len() - 11 } else { answer.len() };
            vec![Step::Write(answer[..end].to_vec())]
        });
        let run = Run::start(api.address, |_| {});
        let request = format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
        let mut stream = run.open(request.as_bytes());
        let bytes = read_until(&mut stream, |bytes| bytes.windows(4).any(|four| four == b"\r\n\r\n"));
        assert!(bytes.starts_with(b"HTTP/1.1 200 OK"), "{method} {path}");
        assert!(api.got()[0].head.starts_with(&format!("{method} {path} HTTP/1.1\r\n")));
        let request = &run.trail.wait_for("gateway.request", 1)[0];
        assert_eq!(request["request"]["action"], action);
        let response = &run.trail.wait_for("gateway.response", 1)[0];
        assert_eq!((&response["outcome"], &response["request_id"]), (&"success".into(), &"req_9".into()));
        assert_eq!(response["parent_audit_id"], request["audit_id"]);
        assert!(run.trail.of("model.request").is_empty());
    }
}

/// Protects uploads: a large body passes without being held, and its hash is in the record of the end.
#[test]
fn a_large_body_passes_unread_and_is_hashed() {
    let api = Api::answering(document("200 OK", "", b"{}"));
    let run = Run::start(api.address, |config| config.content = GatewayContent::Redacted);
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let (head, _) = run.send(&post("/v1/files", &[("x-api-key", "k")], &body));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(api.got()[0].body, body);
    let request = &run.trail.wait_for("gateway.request", 1)[0];
    assert_eq!((&request["prompt_hash"], &request["request"]["unread"]), (&serde_json::Value::Null, &"large".into()));
    let response = &run.trail.wait_for("gateway.response", 1)[0];
    assert_eq!((response["prompt_hash"].as_str(), &response["passed"]["request_bytes"]), (Some(sha256(&body).as_str()), &3_000_000.into()));
}

/// Protects bodies that come in chunks: they leave as the same bytes, hashed before.
#[test]
fn a_body_in_chunks_leaves_as_the_same_bytes() {
    let api = Api::answering(streamed(50));
    let run = Run::start(api.address, |_| {});
    let mut request = b"POST /v1/messages HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".to_vec();
    ASK.chunks(9).for_each(|piece| request.extend(chunk(piece)));
    request.extend_from_slice(b"0\r\n\r\n");
    let (_, body) = run.send(&request);
    assert_eq!((body, api.got()[0].body.as_slice()), (events(), ASK));
    assert_eq!(run.trail.wait_for("model.request", 1)[0]["prompt_hash"], sha256(ASK).as_str());
}
