//! The HTTP hooks of the client.

use serde_json::{Value, json};

use crate::kit::{Response, Test, start};

fn post(test: &Test, key: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
    let headers = [&[("Content-Type", "application/json"), ("User-Agent", "axios/1.15.2")], headers].concat();
    test.ask("POST", key, "/v1/hooks/claude-code", &body.to_string(), &headers)
}

fn hook(name: &str, call: &str) -> Value {
    json!({"session_id": "s1", "transcript_path": "/home/ann/.claude/projects/p/s1.jsonl", "cwd": "/home/ann/p", "hook_event_name": name,
        "tool_name": "Bash", "tool_use_id": call, "tool_input": {"command": "ls"}})
}

/// Protects the one way of hooks: what comes over HTTP is paired, typed and sealed as what comes through the socket, answered with an empty object when it
/// is sealed, and names the key and the person that the client's settings say, but no user of this machine.
#[test]
fn http_hooks_take_the_same_way() {
    let test = start(&[]);
    let key = test.key("laptops", Some("claude-code"));
    let said = [("Sealtrail-User", "ann"), ("Sealtrail-Host", "laptop-7"), ("Sealtrail-Client", "claude-code_2-1-329_harness")];
    let asked = post(&test, &key, &hook("PreToolUse", "toolu_1"), &said);
    assert_eq!((asked.status, asked.json()), (200, json!({})));
    let mut ended = hook("PostToolUse", "toolu_1");
    ended["tool_response"] = json!({"stdout": "a", "stderr": "", "interrupted": false, "isImage": false});
    assert_eq!(post(&test, &key, &ended, &said).json(), json!({}));
    let events: Vec<Value> = test.events().into_iter().filter(|event| event["session_id"] == "s1").collect();
    let told: Vec<_> = events.iter().map(|event| (&event["phase"], &event["tool_use_id"], &event["witness"])).collect();
    let (call, hook) = (json!("toolu_1"), json!("hook"));
    assert_eq!(told, [(&json!("intent"), &call, &hook), (&json!("outcome"), &call, &hook)]);
    for event in &events {
        assert_eq!((&event["user_id"], &event["host"], &event["client_version"]), (&json!("ann"), &json!("laptop-7"), &json!("2.1.329")));
        assert_eq!((&event["collector"]["key"], &event["application_id"]), (&json!("laptops"), &json!("claude-code")));
        assert!(event.get("uid").is_none() && event.get("client_pid").is_none(), "{event}");
    }
}

/// Protects the unknown sender: without a name in its settings, an event names the key; bytes that are no hook are kept.
#[test]
fn a_key_stands_in_for_a_name() {
    let test = start(&[]);
    let key = test.key("laptops", None);
    assert_eq!(post(&test, &key, &hook("PreToolUse", "toolu_1"), &[("Sealtrail-User", "")]).status, 200);
    assert_eq!(test.of_type("tool.requested")[0]["user_id"], "key:laptops");
    assert_eq!(test.ask("POST", &key, "/v1/hooks/claude-code", "no json", &[("Content-Type", "application/json")]).status, 200);
    assert_eq!(test.ask("POST", &key, "/v1/hooks/claude-code", "", &[("Content-Type", "application/json")]).status, 400);
    assert_eq!(test.of_type("system.unparsed").len(), 1);
}

/// Protects the operator's choice when nothing can be sealed: with `block` a call that is about to run is denied in the client's own form, anything else
/// is an error that the client passes over; each is counted.
#[test]
fn what_cannot_be_sealed_follows_the_fail_mode() {
    for (mode, denied) in [("block", true), ("continue", false)] {
        let mut test = start(&[]);
        let conf = format!("enabled=true\ndeadline_ms=2000\nfail.tool_invocation={mode}\n");
        std::fs::write(test.home.run().join("hook.conf"), conf).unwrap();
        let key = test.key("w", None);
        test.daemon.take().unwrap().stop().unwrap();
        let answer = post(&test, &key, &hook("PreToolUse", "toolu_1"), &[]);
        if denied {
            let told = &answer.json()["hookSpecificOutput"];
            assert_eq!((answer.status, &told["permissionDecision"]), (200, &json!("deny")), "{}", answer.body);
        } else {
            assert_eq!(answer.status, 503, "{}", answer.body);
        }
        assert_eq!(post(&test, &key, &hook("PostToolUse", "toolu_1"), &[]).status, 503);
        let lost: u64 = sealtrail_engine::gaps(&test.home).unwrap().iter().map(|gap| gap.count).sum();
        assert_eq!(lost, 2, "{mode}");
    }
}
