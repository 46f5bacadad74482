//! Hooks that this version does not know, bytes that are no hook, and members that pose as something else.

use sealtrail_capture::{HOOKS, RAW_BYTES_MAX, Side, SideKind, client_version, needs};
use sealtrail_event::RECORD_BYTES_MAX;
use serde_json::{Value, json};

use crate::kit::Bench;

/// Protects newer clients: an unknown hook is kept whole under its own name, and said once per client version.
#[test]
fn an_unknown_hook_is_kept_and_said_once() {
    let mut bench = Bench::new();
    let hook = json!({"session_id": "s1", "hook_event_name": "QuantumLeap", "from": {"year": 1999}, "severity": "critical"});
    let views = bench.feed(&hook);
    assert_eq!(views[0]["event_type"], "session.hook_event");
    assert_eq!((&views[0]["hook_event_name"], &views[0]["from"]["year"]), (&json!("QuantumLeap"), &json!(1999)));
    assert_eq!((&views[1]["event_type"], &views[1]["reason"]), (&json!("system.client_changed"), &json!("unknown_hook")));
    assert_eq!(bench.feed(&hook).len(), 1);
}

/// Protects newer clients: an unknown member is kept, and said once.
#[test]
fn an_unknown_member_is_kept_and_said_once() {
    let mut bench = Bench::new();
    let hook = json!({"session_id": "s1", "hook_event_name": "Stop", "mood": "fine"});
    let views = bench.feed(&hook);
    assert_eq!(views[0]["mood"], "fine");
    assert_eq!(views[1]["client_change"]["seen"], json!(["Stop.mood"]));
    assert_eq!(bench.feed(&hook).len(), 1);
}

/// Protects the meaning of events: no member of a hook takes the place of a member of the event.
#[test]
fn a_member_cannot_pose_as_ours() {
    let names = [
        "audit_id",
        "event_type",
        "timestamp",
        "witness",
        "user_id",
        "uid",
        "host",
        "outcome",
        "phase",
        "ledger",
        "resource",
        "seq",
        "erased",
        "source_ip",
        "email",
        "approval_chain",
        "hook",
    ];
    for name in names {
        let mut hook = json!({"session_id": "s1", "hook_event_name": "Stop"});
        hook[name] = "forged".into();
        let view = &Bench::new().feed(&hook)[0];
        assert_ne!(view[name], "forged", "{name}");
        assert_eq!(view["hook"][name], "forged", "{name}");
    }
}

/// Protects the list of the envelope's names against a member that the event crate adds.
#[test]
fn every_envelope_member_is_reserved() {
    let schema = serde_json::to_value(schemars::schema_for!(sealtrail_event::Envelope)).unwrap();
    for name in schema["properties"].as_object().unwrap().keys() {
        let mut hook = json!({"session_id": "s1", "hook_event_name": "Stop"});
        hook[name] = json!(["forged"]);
        let view = &Bench::new().feed(&hook)[0];
        assert_eq!(view["hook"][name], json!(["forged"]), "{name} in {view:#}");
    }
}

/// Protects "nothing lost, nothing guessed": bytes that are not one unambiguous object are kept as bytes, with the reason.
#[test]
fn what_cannot_be_understood_is_kept() {
    let deep = format!("{{\"session_id\":\"s1\",\"x\":{}{}}}", "[".repeat(70), "]".repeat(70));
    let cases: Vec<(&[u8], &str)> = vec![
        (b"{\"session_id\":\"s1\",\"hook_event_name\":\"Stop\",", "not_json"),
        (b"", "not_json"),
        (b"[1]", "not_object"),
        (b"{\"session_id\":\"s1\"} x", "not_json"),
        (b"{\"session_id\":\"s1\",\"a\":{\"b\":1,\"b\":2}}", "duplicate_key"),
        (b"{\"session_id\":\"s1\",\"a\":\"\xff\"}", "not_utf8"),
        (deep.as_bytes(), "too_deep"),
    ];
    for (bytes, reason) in cases {
        let views = Bench::new().feed_bytes(bytes, 1);
        assert_eq!((&views[0]["event_type"], &views[0]["reason"]), (&json!("system.unparsed"), &json!(reason)));
        assert_eq!(views[0]["raw"]["size_bytes"], bytes.len());
        assert_eq!(views[0]["raw"]["text"].as_str().unwrap(), String::from_utf8_lossy(bytes));
        assert_eq!(views[0]["raw"].get("base64").is_some(), reason == "not_utf8");
        if bytes.len() > 20 {
            assert_eq!(views[0]["session_id"], "s1", "{reason}");
        }
    }
}

/// Protects the recorder against a huge input: the beginning is kept, size and hash are told.
#[test]
fn a_huge_hook_is_cut_and_says_so() {
    let text = format!("{{\"session_id\":\"s1\",\"hook_event_name\":\"Stop\",\"x\":\"{}\"}}", "word ".repeat(RECORD_BYTES_MAX / 5));
    let view = &Bench::new().feed_bytes(text.as_bytes(), 1)[0];
    assert_eq!((&view["reason"], &view["hook_event_name"]), (&json!("too_large"), &json!("Stop")));
    assert_eq!(view["raw"]["size_bytes"], text.len());
    assert_eq!(view["raw"]["text"].as_str().unwrap().len(), RAW_BYTES_MAX);
    assert_eq!(view["raw"]["sha256"].as_str().unwrap().len(), 64);
}

/// Protects the slot limit: a file of 9 MB is cut in the event, with its size and hash, and its call is still paired.
#[test]
fn a_large_write_is_cut_and_paired() {
    let content = "line of text\n".repeat(700_000);
    let call = |hook: &str| {
        json!({"session_id": "s1", "hook_event_name": hook, "tool_name": "Write", "tool_use_id": "toolu_1",
                                   "tool_input": {"file_path": "/p/x", "content": content}})
    };
    let mut bench = Bench::new();
    bench.feed(&call("PreToolUse"));
    let views = bench.feed(&call("PostToolUse"));
    assert_eq!(views.len(), 1, "no rewrite was seen");
    assert_eq!(views[0]["tool_input"]["content"]["cut"]["size_bytes"], content.len());
    assert_eq!(views[0]["resource"]["size_bytes"], content.len());
    assert_eq!(views[0]["tool_input"]["content"]["cut"]["sha256"], views[0]["resource"]["after"]["sha256"]);
}

/// Protects numbers: one that 64 bits cannot hold keeps its digits.
#[test]
fn a_long_number_keeps_its_digits() {
    let hook = b"{\"session_id\":\"s1\",\"hook_event_name\":\"Stop\",\"n\":[12345678901234567890123,0.5]}";
    let view = &Bench::new().feed_bytes(hook, 1)[0];
    assert_eq!(view["n"], json!(["12345678901234567890123", 0.5]));
    assert_eq!(view["numbers_as_text"], 1);
}

/// Protects the recorder from being made to read for others: side files lie beside the transcript, and nowhere else.
#[test]
fn side_files_stay_beside_the_transcript() {
    let start = |agent: &str, transcript: &str| {
        needs(json!({"hook_event_name": "SubagentStart", "agent_id": agent, "transcript_path": transcript}).to_string().as_bytes())
    };
    let wanted = start("a1", "/h/p/s1.jsonl");
    assert_eq!((wanted[0].kind, wanted[0].path.as_str()), (SideKind::SubagentMeta, "/h/p/s1/subagents/agent-a1.meta.json"));
    assert!(start("../../x", "/h/p/s1.jsonl").is_empty());
    assert!(start("a1", "/h/../etc/s1.jsonl").is_empty());
    assert!(start("a1", "p/s1.jsonl").is_empty());
    let output = |path: &str| {
        let hook =
            json!({"hook_event_name": "PostToolUse", "transcript_path": "/h/p/s1.jsonl", "tool_response": {"persistedOutputPath": path}});
        needs(hook.to_string().as_bytes()).len()
    };
    assert_eq!(output("/h/p/s1/tool-results/b1.txt"), 1);
    for path in ["/etc/shadow", "/h/p/s1/tool-results/../../x", "/h/p/s1/tool-results/.hidden", "/h/p/s2/tool-results/b1.txt"] {
        assert_eq!(output(path), 0, "{path}");
    }
}

/// Protects the table: 33 hooks, each once.
#[test]
fn the_table_has_every_hook_once() {
    let mut names: Vec<&str> = HOOKS.iter().map(|row| row.hook).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 33);
    for name in names {
        let view: &Value = &Bench::new().feed(&json!({"session_id": "s1", "hook_event_name": name}))[0];
        assert_ne!(view["event_type"], "session.hook_event", "{name}");
        assert_ne!(view["event_type"], "*", "{name}");
    }
}

/// Protects the whole output of a long command: what the client left in a file is in the event, and a missing file is told.
#[test]
fn the_side_file_of_a_long_output_is_taken() {
    let path = "/h/p/s1/tool-results/b1.txt";
    let hook = json!({"session_id": "s1", "transcript_path": "/h/p/s1.jsonl", "hook_event_name": "PostToolUse", "tool_name": "Bash",
                      "tool_use_id": "toolu_1", "tool_input": {"command": "seq 9"},
                      "tool_response": {"stdout": "1", "stderr": "", "persistedOutputPath": path, "persistedOutputSize": 18}});
    let missing = &Bench::new().feed(&hook)[0];
    assert_eq!(missing["side_file"], json!({"kind": "tool_output", "path": path, "refused": "not_read"}));
    let mut bench = Bench::new();
    bench.sides.push(Side { path: path.to_owned(), bytes: b"1\n2\n3\n4\n5\n6\n7\n8\n9\n".to_vec(), size_bytes: 18 });
    let taken = &bench.feed(&hook)[0];
    assert_eq!(taken["tool_output"]["text"], "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert_eq!(taken["result"]["size_bytes"], 18);
    assert!(taken["tool_output"].get("read_bytes").is_none());
}

/// Protects the recorder's trust in versions: only the client's own form is taken for one.
#[test]
fn versions_are_read_from_the_clients_form_only() {
    assert_eq!(client_version("claude-code_2-1-329_harness").as_deref(), Some("2.1.329"));
    assert_eq!(client_version("claude-code_2-1-329").as_deref(), Some("2.1.329"));
    assert_eq!(client_version("other_2-1-329"), None);
    assert_eq!(client_version("claude-code_<x>_y"), None);
}
