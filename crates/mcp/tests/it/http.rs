//! The proxy for servers behind streamable HTTP, with a server of its own that says what it got.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sealtrail_capture::mcp::Transport;
use sealtrail_mcp::http::listen::Listener;
use sealtrail_mcp::http::{HttpOptions, Proxy};
use sealtrail_mcp::{LINE_BYTES_MAX, Recorder};
use serde_json::{Value, json};

use crate::kit::{PATIENCE, Trail, link, terms};

type Seen = Arc<Mutex<Vec<(Method, String, HeaderMap, Bytes)>>>;

struct Test {
    trail: Trail,
    seen: Seen,
    proxy: Arc<Proxy>,
    recorder: Arc<Recorder>,
    at: SocketAddr,
    listeners: Vec<Listener>,
    client: tokio::runtime::Runtime,
}

fn start(block: bool) -> Test {
    let (trail, seen) = (Trail::default(), Seen::default());
    let own = Arc::clone(&seen);
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let upstream = Listener::start(local, || Ok::<_, std::io::Error>(Router::new().fallback(server).with_state(own))).unwrap();
    let recorder = Arc::new(Recorder::start(Box::new(trail.clone()), None).unwrap());
    let options = HttpOptions {
        upstream: format!("http://{}/mcp", upstream.address()),
        link: link(Transport::Http),
        keeper: None,
        recorder: Arc::clone(&recorder),
        terms: terms(block),
        any_host: false,
    };
    let proxy = Proxy::new(options).unwrap();
    let router = proxy.router();
    let front = Listener::start(local, || Ok::<_, std::io::Error>(router)).unwrap();
    let at = front.address();
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Test { trail, seen, proxy, recorder, at, listeners: vec![front, upstream], client }
}

impl Test {
    fn stop(self) -> Trail {
        self.proxy.stop();
        self.recorder.settle(PATIENCE);
        self.listeners.into_iter().for_each(Listener::stop);
        self.trail
    }

    fn ask(&self, method: Method, path: &str, session: Option<&str>, body: impl Into<reqwest::Body>) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = reqwest::Client::new().request(method, format!("http://{}{path}", self.at)).header("x-own", "kept").body(body);
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        self.client.block_on(async {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            (status, headers, response.bytes().await.unwrap())
        })
    }
}

/// A server: what it answers depends on the tool that is called.
async fn server(State(seen): State<Seen>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    seen.lock().unwrap().push((parts.method.clone(), parts.uri.to_string(), parts.headers.clone(), body.clone()));
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = message["id"].clone();
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    let typed = |kind: &'static str, body: String| ([("content-type", kind)], body).into_response();
    match (parts.method, message["method"].as_str().unwrap_or_default(), message["params"]["name"].as_str().unwrap_or_default()) {
        (Method::GET, ..) => {
            typed("text/event-stream", "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n".into())
        }
        (Method::DELETE, ..) => StatusCode::NO_CONTENT.into_response(),
        (_, "initialize", _) => {
            let mut response = typed("application/json", result(json!({"protocolVersion": "2025-11-25", "serverInfo": {"name": "demo"}})));
            response.headers_mut().insert("mcp-session-id", "sess-1".parse().unwrap());
            response
        }
        (_, _, "stream") => typed(
            "text/event-stream; charset=utf-8",
            format!("data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}}\n\ndata: {}\n\n", result(json!({"content": []}))),
        ),
        (_, _, "secret") => (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")], "no").into_response(),
        (_, _, "cut") => typed("text/event-stream", ": nothing\n\n".into()),
        (_, method, _) if method.starts_with("notifications/") => StatusCode::ACCEPTED.into_response(),
        _ => typed("application/json", result(json!({"content": [{"type": "text", "text": "ok"}]}))),
    }
}

fn call(id: u64, tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"n": id}}}).to_string()
}

fn outcome(events: &[Value], tool: &str) -> Value {
    let name = format!("mcp__demo__{tool}");
    let found: Vec<&Value> = events.iter().filter(|event| event["phase"] == "outcome" && event["tool_name"] == name.as_str()).collect();
    assert_eq!(found.len(), 1, "{tool}: {events:#?}");
    found[0].clone()
}

/// Protects what passes: bodies byte for byte, the headers of both sides, sessions, streams and their end; and each call has its two events.
#[test]
fn exchanges_pass_and_are_told() {
    let test = start(false);
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}).to_string();
    let (status, headers, _) = test.ask(Method::POST, "/mcp", None, hello.clone());
    assert_eq!((status, headers["mcp-session-id"].to_str().unwrap()), (StatusCode::OK, "sess-1"));
    let (_, _, body) = test.ask(Method::POST, "/mcp?x=1", Some("sess-1"), call(1, "plain"));
    assert_eq!(body, json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "ok"}]}}).to_string());
    let (_, headers, body) = test.ask(Method::POST, "/mcp", Some("sess-1"), call(2, "stream"));
    assert!(headers["content-type"] == "text/event-stream; charset=utf-8" && body.starts_with(b"data: {") && body.ends_with(b"}\n\n"));
    test.ask(Method::GET, "/mcp", Some("sess-1"), "");
    let (status, headers, body) = test.ask(Method::POST, "/mcp", Some("sess-1"), call(3, "secret"));
    assert_eq!((status, &body[..], &headers["www-authenticate"]), (StatusCode::UNAUTHORIZED, b"no".as_slice(), &"Bearer".parse().unwrap()));
    test.ask(Method::POST, "/mcp", Some("sess-1"), call(4, "cut"));
    test.ask(Method::GET, "/.well-known/oauth-protected-resource", None, "");
    assert_eq!(test.ask(Method::DELETE, "/mcp", Some("sess-1"), "").0, StatusCode::NO_CONTENT);
    let seen = test.seen.lock().unwrap().clone();
    assert_eq!((&seen[0].3[..], seen[1].1.as_str(), &seen[1].2["x-own"]), (hello.as_bytes(), "/mcp?x=1", &"kept".parse().unwrap()));
    assert_eq!(seen[5].1, "/mcp");
    let told = |events: &[Value]| events.iter().any(|event| event["event_type"] == "mcp.disconnected");
    test.trail.wait(told);
    let events = test.stop().events();
    assert_eq!((&outcome(&events, "plain")["outcome"], &outcome(&events, "stream")["outcome"]), (&json!("success"), &json!("success")));
    let refused = outcome(&events, "secret");
    assert_eq!((&refused["outcome"], &refused["reason"]), (&json!("error"), &json!("http_401")));
    assert_eq!(events.iter().filter(|event| event["event_type"] == "auth.mcp_failed").count(), 1);
    assert_eq!((&outcome(&events, "cut")["outcome"], &outcome(&events, "cut")["reason"]), (&json!("unknown"), &json!("stream_ended")));
    assert!(events.iter().any(|event| event["event_type"] == "mcp.list_changed"));
    assert!(events.iter().any(|event| event["event_type"] == "mcp.connected" && event["outcome"] == "success"));
}

/// Protects fail-closed and the server's absence: a call that cannot be recorded is answered with an error and does not reach the server; a server that
/// cannot be reached is an outcome.
#[test]
fn refused_and_unreachable() {
    let mut test = start(true);
    test.trail.0.failing.store(true, Ordering::SeqCst);
    let (status, _, body) = test.ask(Method::POST, "/mcp", None, call(1, "plain"));
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &answer["id"], &answer["error"]["data"]["reason"]), (StatusCode::OK, &json!(1), &json!("not_recorded")));
    assert!(test.seen.lock().unwrap().is_empty());
    test.trail.0.failing.store(false, Ordering::SeqCst);
    test.trail.wait(|events| events.len() == 2);
    test.listeners.pop().unwrap().stop();
    let (status, ..) = test.ask(Method::POST, "/mcp", None, call(2, "gone"));
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let events = test.trail.wait(|events| events.len() == 4);
    assert_eq!((&outcome(&events, "gone")["outcome"], &outcome(&events, "gone")["reason"]), (&json!("error"), &json!("unreachable")));
    let elsewhere = reqwest::Client::new().post(format!("http://{}/mcp", test.at)).header("host", "evil.example").body(call(3, "plain"));
    let elsewhere = test.client.block_on(elsewhere.send()).unwrap();
    assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN);
    test.stop();
}

/// Protects memory and bytes with bodies that are too large to be held: they pass whole, and are told by size and hash.
#[test]
fn a_large_body_passes() {
    let test = start(false);
    let text = "x".repeat(LINE_BYTES_MAX + 100_000);
    let body =
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "put", "arguments": {"text": text}}}).to_string();
    let (status, _, answer) = test.ask(Method::POST, "/mcp", None, body.clone());
    assert!(status == StatusCode::OK && answer.ends_with(b"}"), "{status}");
    assert!(test.seen.lock().unwrap()[0].3 == body.as_bytes());
    let events = test.trail.wait(|events| events.iter().any(|event| event["event_type"] == "mcp.message_oversized"));
    let large = events.iter().find(|event| event["event_type"] == "mcp.message_oversized").unwrap();
    assert_eq!(large["mcp"]["message"]["size_bytes"], body.len());
    test.stop();
}
