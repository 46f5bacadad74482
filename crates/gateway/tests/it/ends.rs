//! However a call ends, it has a record.

use std::net::TcpListener;

use serde_json::Value;

use crate::kit::{ASK, Api, Run, SESSION, STREAM_HEAD, Step, chunk, document, events, post, read_until, signal, streamed};

fn end(run: &Run) -> Value {
    run.trail.wait_for("model.response", 1)[0].clone()
}

/// Protects the record of a client that leaves in the middle: what passed until then is told, and that nobody saw the end.
#[test]
fn a_client_that_leaves_is_told() {
    let (_go, wait) = signal();
    let wait = std::sync::Mutex::new(Some(wait));
    let part = events();
    let cut = part.windows(19).position(|part| part == b"event: message_delt").unwrap();
    let half = part[..cut].to_vec();
    let api =
        Api::start(move |_, _| vec![Step::Write([STREAM_HEAD.to_vec(), chunk(&half)].concat()), wait.lock().unwrap().take().unwrap()]);
    let run = Run::start(api.address, |_| {});
    let mut stream = run.open(&post("/v1/messages", &[SESSION], ASK));
    read_until(&mut stream, |bytes| bytes.windows(7).any(|part| part == b"toolu_1"));
    drop(stream);
    let end = end(&run);
    assert_eq!((&end["outcome"], &end["reason"], &end["operation"]["partial"]), (&"unknown".into(), &"client_gone".into(), &true.into()));
    assert_eq!((&end["passed"]["bytes"], &end["passed"]["events"], &end["input_tokens"]), (&cut.into(), &8.into(), &11.into()));
    assert_eq!(run.trail.of("tool.requested")[0]["phase"], "intent");
}

/// Protects the record of a gateway that stops in the middle of a stream.
#[test]
fn a_gateway_that_stops_says_so() {
    let (_go, wait) = signal();
    let wait = std::sync::Mutex::new(Some(wait));
    let api = Api::start(move |_, _| {
        vec![Step::Write([STREAM_HEAD.to_vec(), chunk(b"event: ping\ndata: {}\n\n")].concat()), wait.lock().unwrap().take().unwrap()]
    });
    let mut run = Run::start(api.address, |_| {});
    let mut stream = run.open(&post("/v1/messages", &[SESSION], ASK));
    read_until(&mut stream, |bytes| bytes.windows(11).any(|part| part == b"event: ping"));
    run.stop();
    let end = end(&run);
    assert_eq!((&end["outcome"], &end["reason"]), (&"unknown".into(), &"gateway_stopped".into()));
}

/// Protects the record of refusals of the API: status, class and the time to come again are told, and the client gets the same bytes.
#[test]
fn refusals_of_the_api_are_told() {
    for (status, kind, more) in [
        ("429 Too Many Requests", "rate_limit_error", "retry-after: 7\r\n"),
        ("529 Overloaded", "overloaded_error", ""),
        ("500 Internal Server Error", "api_error", ""),
        ("401 Unauthorized", "authentication_error", ""),
    ] {
        let error = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"no"}},"request_id":"req_5"}}"#);
        let run = Run::start(Api::answering(document(status, &format!("request-id: req_5\r\n{more}"), error.as_bytes())).address, |_| {});
        let (head, body) = run.send(&post("/v1/messages", &[SESSION], ASK));
        assert!(head.starts_with(&format!("HTTP/1.1 {}", &status[..3])) && head.contains(more), "{head}");
        assert_eq!(body, error.as_bytes());
        let end = end(&run);
        assert_eq!(
            (&end["outcome"], &end["status"], &end["reason"], &end["request_id"]),
            (&"error".into(), &status[..3].into(), &kind.into(), &"req_5".into())
        );
        assert_eq!(end["retry_after"].as_str(), if more.is_empty() { None } else { Some("7") });
        assert_eq!(end["error_type"], kind);
    }
}

/// Protects against an API that is not there: the client gets an error of the API's shape, and the record says that nobody answered.
#[test]
fn an_api_that_is_not_there_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = Run::start(free, |_| {});
    let (head, body) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["type"], "api_error");
    let end = end(&run);
    assert_eq!((&end["outcome"], &end["status"], &end["reason"]), (&"error".into(), &"502".into(), &"upstream_unreachable".into()));
    assert!(end["request_id"].as_str().unwrap().starts_with("gw_") && end["passed"]["request_id_minted"] == true, "{end}");
}

/// Protects against an API that takes the request and hangs up, or says nothing in time.
#[test]
fn an_api_that_says_nothing_is_told() {
    let run = Run::start(Api::start(|_, _| Vec::new()).address, |_| {});
    let (head, _) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert_eq!(end(&run)["reason"], "upstream_cut");

    let (_go, wait) = signal();
    let wait = std::sync::Mutex::new(Some(wait));
    let run = Run::start(Api::start(move |_, _| vec![wait.lock().unwrap().take().unwrap()]).address, |config| config.answer_seconds = 1);
    let (head, _) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert_eq!(end(&run)["reason"], "upstream_timeout");
}

/// Protects against streams that stop: cut in the middle of the body, ended without the end of the message, or by an error event.
#[test]
fn streams_that_stop_are_told() {
    let half = &events()[..200];
    let cut = [STREAM_HEAD, &chunk(half)].concat();
    let ended = [&cut[..], b"0\r\n\r\n"].concat();
    let error = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"later\"}}\n\n";
    let failed = [&cut[..], &chunk(b"\n\n"), &chunk(error), b"0\r\n\r\n"].concat();
    for (answer, reason) in [(cut.clone(), "upstream_cut"), (ended, "upstream_cut"), (failed, "overloaded_error")] {
        let run = Run::start(Api::answering(answer).address, |_| {});
        let mut stream = run.open(&post("/v1/messages", &[SESSION], ASK));
        crate::kit::read_message(&mut stream, true);
        let end = end(&run);
        assert_eq!((&end["outcome"], &end["reason"], &end["status"]), (&"error".into(), &reason.into(), &"200".into()), "{end}");
    }
}

/// Protects the limits: a body over the limit is refused and recorded, a head over the limit is refused, a tunnel is none of our business.
#[test]
fn requests_over_the_limits_are_refused() {
    let api = Api::answering(streamed(100));
    let run = Run::start(api.address, |config| config.body_mib = 1);
    let (head, body) = run.send(&post("/v1/messages", &[SESSION], &vec![b' '; (1 << 20) + 1]));
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["type"], "request_too_large");
    assert_eq!((&end(&run)["reason"], &end(&run)["status"]), (&"bad_request".into(), &"413".into()));
    let long = "x".repeat(1_000_000);
    let (head, _) = run.send(&post("/v1/messages", &[("x-long", &long)], ASK));
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
    let (head, _) = run.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    assert_eq!(api.got().len(), 0);
}

/// Protects the machine: more calls at once than are allowed get the API's own word for it.
#[test]
fn more_calls_than_allowed_are_refused() {
    let (go, wait) = signal();
    let wait = std::sync::Mutex::new(Some(wait));
    let api = Api::start(move |_, _| vec![wait.lock().unwrap().take().unwrap(), Step::Write(streamed(100))]);
    let run = Run::start(api.address, |config| config.streams = 1);
    let mut first = run.open(&post("/v1/messages", &[SESSION], ASK));
    api.wait_for(1);
    let (head, body) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 529"), "{head}");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["type"], "overloaded_error");
    go.send(()).unwrap();
    crate::kit::read_message(&mut first, true).unwrap();
    assert_eq!(end(&run)["outcome"], "success");
}

/// Protects a gateway that asks for a token: without one nothing leaves and the refusal is in the trail; the token itself never leaves.
#[test]
fn without_a_token_nothing_leaves() {
    let api = Api::answering(streamed(100));
    let gate: sealtrail_gateway::Gate = std::sync::Arc::new(|secret| secret == "stk_right");
    let run = Run::start_with(api.address, |config| config.require_token = true, sealtrail_gateway::Past::default(), Some(gate));
    let (head, _) = run.send(&post("/v1/messages", &[SESSION, ("X-Sealtrail-Token", "stk_wrong")], ASK));
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert_eq!((api.got().len(), &end(&run)["outcome"], &end(&run)["reason"]), (0, &"denied".into(), &"no_token".into()));
    run.send(&post("/v1/messages", &[SESSION, ("X-Sealtrail-Token", "stk_right")], ASK));
    assert!(!api.wait_for(1)[0].head.to_lowercase().contains("stk_"));
    assert!(!format!("{:?}", run.trail.events()).contains("stk_"));
    // A minute may end meanwhile, so there may be twice as many.
    for _ in 0..130 {
        run.send(&post("/v1/messages", &[SESSION], ASK));
    }
    let told = run.trail.of("model.response").iter().filter(|event| event["reason"] == "no_token").count();
    assert!((60..=120).contains(&told), "{told}");
}
