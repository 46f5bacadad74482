//! Nothing leaves before it is sealed.

use crate::kit::{ASK, Api, Run, SESSION, post, sha256, streamed};
use sealtrail_config::{FailMode, GatewayContent};

/// Protects "log before forward": while the ledger has not answered, the API has seen nothing; afterwards both are there, joined.
#[test]
fn a_request_leaves_after_its_event_is_sealed() {
    let api = Api::answering(streamed(100));
    let run = Run::start(api.address, |_| {});
    run.trail.inner.lock().unwrap().held = true;
    let mut stream = run.open(&post("/v1/messages", &[SESSION], ASK));
    run.trail.is_waiting();
    assert_eq!(api.got().len(), 0);
    run.trail.release();
    crate::kit::read_message(&mut stream, true).unwrap();
    assert_eq!(api.wait_for(1).len(), 1);
    let request = &run.trail.wait_for("model.request", 1)[0];
    let response = &run.trail.wait_for("model.response", 1)[0];
    assert_eq!(
        (&request["phase"], &request["witness"], &request["prompt_hash"]),
        (&"intent".into(), &"gateway".into(), &sha256(ASK).as_str().into())
    );
    assert_eq!((&response["phase"], &response["parent_audit_id"]), (&"outcome".into(), &request["audit_id"]));
    assert_eq!(response["response_hash"], sha256(&crate::kit::events()).as_str());
}

/// Protects fail-closed: with a full ledger the client gets an error of the API's shape, the API gets nothing, and the next try tells everything.
#[test]
fn closed_nothing_leaves_unrecorded() {
    let api = Api::answering(streamed(100));
    let run = Run::start(api.address, |config| config.content = GatewayContent::Redacted);
    run.trail.inner.lock().unwrap().full = true;
    let (head, body) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 5\r\n"), "{head}");
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&error["type"], &error["error"]["type"]), (&"error".into(), &"api_error".into()));
    assert_eq!(api.got().len(), 0);
    run.trail.inner.lock().unwrap().full = false;
    run.send(&post("/v1/messages", &[SESSION], ASK));
    let request = &run.trail.wait_for("model.request", 1)[0];
    assert_eq!((&request["messages"]["kept"], &request["prompt"][0]["message"]["content"]), (&0.into(), &"hello".into()));
    assert_eq!(run.trail.inner.lock().unwrap().lost, 0);
}

/// Protects fail-open: with a full ledger the call passes, the loss is counted, and what can be sealed later is.
#[test]
fn open_the_loss_is_counted() {
    let api = Api::answering(streamed(100));
    let mut run = Run::start(api.address, |config| config.fail_mode = FailMode::Continue);
    run.trail.inner.lock().unwrap().full = true;
    let (head, body) = run.send(&post("/v1/messages", &[SESSION], ASK));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!((body, api.got().len()), (crate::kit::events(), 1));
    run.trail.wait_until("a counted loss", |inner| inner.lost == 1);
    run.trail.inner.lock().unwrap().full = false;
    assert_eq!(run.trail.wait_for("model.response", 1)[0]["outcome"], "success");
    run.stop();
    assert_eq!(run.trail.inner.lock().unwrap().lost, 1);
}

/// Protects the count at the end: what waits when the gateway stops and still cannot be sealed is lost, and said to be.
#[test]
fn what_waits_at_the_end_is_counted() {
    let api = Api::answering(streamed(100));
    let mut run = Run::start(api.address, |config| config.fail_mode = FailMode::Continue);
    run.trail.inner.lock().unwrap().full = true;
    run.send(&post("/v1/messages", &[SESSION], ASK));
    run.stop();
    // The request, its answer, and the call of a tool in it.
    assert_eq!(run.trail.inner.lock().unwrap().lost, 3);
}
