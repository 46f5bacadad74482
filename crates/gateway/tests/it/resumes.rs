//! After the gateway was gone.

use sealtrail_gateway::Past;
use serde_json::json;

use crate::kit::{Api, Run, SESSION, post, streamed};

/// Protects calls whose gateway was killed: the next start says that nobody saw their end, once, and only of those without one.
#[test]
fn a_call_without_an_end_gets_one_at_the_next_start() {
    let mut past = Past::default();
    let request = |id: &str| json!({"event_type": "model.request", "audit_id": id, "witness": "gateway", "phase": "intent", "session_id": "s", "model": "m", "agent_id": "a"});
    past.see(&request("audit_evt_1"));
    past.see(&request("audit_evt_2"));
    past.see(&json!({"event_type": "model.response", "audit_id": "audit_evt_3", "witness": "gateway", "phase": "outcome", "parent_audit_id": "audit_evt_1"}));
    let run = Run::start_with("127.0.0.1:9".parse().unwrap(), |_| {}, past, None);
    let lost = run.trail.wait_for("model.response", 1);
    assert_eq!(
        (lost.len(), &lost[0]["parent_audit_id"], &lost[0]["session_id"], &lost[0]["agent_id"]),
        (1, &"audit_evt_2".into(), &"s".into(), &"a".into())
    );
    assert_eq!(
        (&lost[0]["outcome"], &lost[0]["reason"], &lost[0]["witness"]),
        (&"unknown".into(), &"gateway_lost".into(), &"recorder".into())
    );
    assert_eq!(lost[0]["grade"], "derived");
}

/// Protects "one outcome a call": a result that was told before the gateway was killed is not told again when the client tries again.
#[test]
fn a_retried_request_tells_no_result_twice() {
    let turn = br#"{"model":"m","messages":[{"role":"user","content":"go"},
        {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}},{"type":"tool_use","id":"t2","name":"Read","input":{"file_path":"/a"}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"x"},{"type":"tool_result","tool_use_id":"t2","content":"Permission to use Read has been denied.","is_error":true}]}]}"#;
    let mut past = Past::default();
    past.see(&json!({"event_type": "data.file_read", "audit_id": "audit_evt_9", "witness": "gateway", "phase": "outcome", "session_id": SESSION.1, "tool_use_id": "t1"}));
    let api = Api::answering(streamed(100));
    let run = Run::start_with(api.address, |_| {}, past, None);
    run.send(&post("/v1/messages", &[SESSION], turn));
    run.send(&post("/v1/messages", &[SESSION], turn));
    run.trail.wait_for("model.response", 2);
    let ended: Vec<_> =
        run.trail.events().into_iter().filter(|event| event["phase"] == "outcome" && event["tool_use_id"].is_string()).collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(
        (&ended[0]["tool_use_id"], &ended[0]["event_type"], &ended[0]["outcome"], &ended[0]["reason"]),
        (&"t2".into(), &"data.file_read".into(), &"denied".into(), &"deny_rule".into())
    );
    // The same answer twice: its call was asked for once.
    let asked = run.trail.wait_for("tool.requested", 2);
    assert_eq!(asked.iter().filter(|event| event["phase"] == "intent").count(), 1);
    assert_eq!(asked[1]["reason"], "repeated");
}
