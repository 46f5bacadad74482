//! Those who mean no good, or do not care: everything they can ask for is bounded.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sealtrail_server::{ServeError, Server, ServerOptions};
use serde_json::{Value, json};

use crate::kit::{start, start_with};

fn record(n: u32) -> Value {
    json!({"event_type": "tool.invocation", "timestamp": "2026-03-16T10:00:00Z", "user_id": format!("u{n}"), "audit_id": format!("evt_{n}"),
        "tool_input": {"command": format!("echo {}", "a".repeat(3_000))}})
}

/// Protects the server from questions made to hurt: each is refused or answered, soon, and the next one is answered as ever.
#[test]
fn hostile_questions_are_bounded() {
    let test = start(&(0..600).map(record).collect::<Vec<_>>());
    let token = test.reader();
    let deep = "(".repeat(5_000);
    let nots = "not ".repeat(5_000);
    let many = (0..5_000).map(|n| format!("user_id=u{n}")).collect::<Vec<_>>().join(" or ");
    let backtrack = "tool_input.command ~ \"(a+)+(a+)+(a+)+$x\"".to_owned();
    let huge = format!("tool_input.command ~ \"{}\"", "(a{1000}){1000}");
    let odd = "\u{0}\u{feff}\u{202e}' OR 1=1; --".to_owned();
    let groups = "| count by tool_input.command, user_id, audit_id, timestamp".to_owned();
    let pipes = "| head 5 ".repeat(2_000);
    for query in [deep, nots, many, backtrack, huge, odd, groups, pipes] {
        let begun = Instant::now();
        let answer = test.post(&token, &json!({"query": query}));
        assert!(matches!(answer.status, 200 | 400 | 413 | 422), "{} {}", answer.status, &query[..60.min(query.len())]);
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", &query[..60.min(query.len())]);
    }
    let values: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
    assert_eq!(test.post(&token, &json!({"where": {"user_id": values}})).status, 400);
    assert_eq!(test.post(&token, &json!({"fields": vec!["a"; 1_000]})).status, 400);
    let body = format!("{{\"query\":\"{}\"}}", "x".repeat(300 * 1024));
    assert_eq!(test.ask("POST", &token, "/v1/search", &body, &[("Content-Type", "application/json")]).status, 413);
    let bomb = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(test.ask("POST", &token, "/v1/search", &bomb, &[("Content-Type", "application/json")]).status, 400);
    assert_eq!(test.get(&token, &format!("/v1/events/{}", "x".repeat(2_000))).status, 404);
    assert_eq!(test.get(&token, "/v1/events/..%2F..%2Fkeys%2Fspool.key").status, 404);
    assert_eq!(test.get(&token, "/v1/events?limit=1").ok().len(), 1);
}

/// Protects memory: a page ends at its bytes as at its number, and goes on with its cursor.
#[test]
fn a_page_ends_at_its_bytes() {
    let big = |n: u32| {
        json!({"event_type": "tool.invocation", "audit_id": format!("evt_{n}"), "timestamp": "2026-03-16T10:00:00Z",
        "tool_response": "x".repeat(1 << 20)})
    };
    let test = start(&(0..12).map(big).collect::<Vec<_>>());
    let token = test.reader();
    let (mut seen, mut cursor, mut pages) = (0, String::new(), 0);
    loop {
        let page = test.get(&token, &format!("/v1/events?event_type=tool.*&limit=1000{cursor}"));
        assert!(page.body.len() < 6 << 20);
        (seen, pages) = (seen + page.ok().len(), pages + 1);
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((seen, pages), (12, 4));
}

/// Protects connections: who sends his head a byte at a time, or never, is closed; others are answered meanwhile.
#[test]
fn slow_heads_are_closed() {
    let test = start(&[record(1)]);
    let token = test.reader();
    let mut slow: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(test.address()).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n").unwrap();
    }
    let mut body = TcpStream::connect(test.address()).unwrap();
    let head = format!(
        "POST /v1/search HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    body.write_all(head.as_bytes()).unwrap();
    assert_eq!(test.get(&token, "/v1/events?limit=1").ok().len(), 1);
    let begun = Instant::now();
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = Vec::new();
        // Closed, with or without a word.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    body.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = [0; 12];
    body.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(25));
}

/// Protects connections of HTTP/2 as those of HTTP/1: one on which nothing is asked is closed, whether nothing was ever asked or everything is answered;
/// one whose request is still coming stays.
#[test]
fn idle_http2_connections_are_closed() {
    let test = start(&[record(1)]);
    let (address, key, begun) = (test.address(), test.key("w", None), Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = Duration::from_secs(25);
    runtime.block_on(async {
        let connect = || async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            (sender, tokio::spawn(connection))
        };
        let post = |body| {
            let request = hyper::Request::post(format!("http://{address}/v1/events"));
            request.header("authorization", format!("Bearer {key}")).header("content-type", "application/json").body(body).unwrap()
        };
        let event = Bytes::from_static(b"{\"event_type\":\"tool.invocation\"}");
        let (mut slow, _slow_connection) = connect().await;
        let (give, pieces) = tokio::sync::mpsc::channel(1);
        let waiting = tokio::spawn(slow.send_request(post(Pieces(pieces).boxed())));
        let (mut answered, answered_connection) = connect().await;
        let answer = answered.send_request(post(Full::new(event.clone()).boxed())).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        let (unasked, unasked_connection) = connect().await;
        for closed in [answered_connection, unasked_connection] {
            let _broken_off = tokio::time::timeout(deadline, closed).await.expect("it is still open");
        }
        drop(unasked);
        assert!(begun.elapsed() > Duration::from_secs(5), "{:?}", begun.elapsed());
        give.send(event).await.unwrap();
        drop(give);
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    });
}

/// A body that comes as it is given.
struct Pieces(tokio::sync::mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Protects the parser's limits: a head that is too large, has too many lines or is none is refused.
#[test]
fn wrong_heads_are_refused() {
    let test = start(&[record(1)]);
    let long = format!("GET /v1/events?q={} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    assert!(matches!(test.raw(long.as_bytes()).status, 414 | 431));
    let many = format!("GET /v1/health HTTP/1.1\r\n{}\r\n", (0..200).map(|n| format!("X-{n}: 1\r\n")).collect::<String>());
    assert_eq!(test.raw(many.as_bytes()).status, 431);
    assert_eq!(test.raw(b"nonsense\r\n\r\n").status, 400);
}

/// Protects others from one busy token: beyond its rate it is told to come again.
#[test]
fn a_token_has_a_rate() {
    let test = start_with(&[record(1)], ServerOptions { per_second: 1, ..ServerOptions::default() });
    let (token, other) = (test.reader(), test.token("other", sealtrail_server::Scope::Read, None, true));
    let answers: Vec<_> = (0..12).map(|_| test.get(&token, "/v1/checkpoint")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(test.get(&other, "/v1/checkpoint").status, 200);
}

/// Protects the operator: tokens do not cross a network by accident.
#[test]
fn other_machines_are_refused() {
    let test = start(&[]);
    let options = ServerOptions { listen: SocketAddr::from(([0, 0, 0, 0], 0)), ..ServerOptions::default() };
    let handle = test.daemon.as_ref().unwrap().handle();
    let refused = Server::start(handle.clone(), options.clone());
    assert!(matches!(refused, Err(ServeError::NotLoopback { .. })));
    Server::start(handle, ServerOptions { insecure: true, ..options }).unwrap().stop();
}

/// Protects the daemon from a reader that goes away in the middle of a stream: its place is free again, and the trail tells what he took.
#[test]
fn a_reader_may_go_away() {
    let test = start(&(0..3_000).map(record).collect::<Vec<_>>());
    let token = test.reader();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(test.address()).unwrap();
        let head = format!("GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: application/x-ndjson\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut some = [0; 1_000];
        stream.read_exact(&mut some).unwrap();
    }
    let begun = Instant::now();
    assert_eq!(test.get(&token, "/v1/events?limit=1").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
