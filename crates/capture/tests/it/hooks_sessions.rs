//! Whole sessions of the real client.

use std::collections::BTreeSet;

use sealtrail_capture::Sessions;
use serde_json::Value;

use crate::kit::{self, Bench};

const SESSIONS: [&str; 2] = ["hooks-session.jsonl", "hooks-session-lifecycle.jsonl"];

/// Protects the pairing: of all events of one tool call exactly one has the phase outcome, and replaying them gives the same state.
#[test]
fn every_call_has_exactly_one_outcome() {
    for name in SESSIONS {
        let mut bench = Bench::new();
        let mut replayed = Sessions::new();
        let mut calls = BTreeSet::new();
        for (unix_ns, hook) in kit::session(name) {
            let calls_in = hook["tool_calls"].as_array().cloned().unwrap_or_default();
            calls.extend(calls_in.iter().chain([&hook]).filter_map(|call| call["tool_use_id"].as_str().map(str::to_owned)));
            for view in bench.feed_bytes(hook.to_string().as_bytes(), unix_ns) {
                replayed.replay(&view);
            }
            assert!(replayed == bench.sessions, "{name}: replay differs after {hook}");
        }
        assert!(calls.len() > 15);
        for call in calls {
            let ends: Vec<&Value> =
                bench.views.iter().filter(|view| view["tool_use_id"] == call.as_str() && view["phase"] == "outcome").collect();
            assert_eq!(ends.len(), 1, "{name} {call}: {ends:#?}");
        }
    }
}

/// Protects what a session looks like in the trail: one line an event, in order.
#[test]
fn sessions_look_like_this() {
    for name in SESSIONS {
        let mut bench = Bench::new();
        for (unix_ns, hook) in kit::session(name) {
            bench.feed_bytes(hook.to_string().as_bytes(), unix_ns);
        }
        let lines: Vec<String> = bench.views.iter().map(line).collect();
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}

fn line(view: &Value) -> String {
    let word = |name: &str| view[name].as_str().unwrap_or("-").to_owned();
    let call = view["tool_use_id"].as_str().map_or("-", |id| &id[id.len() - 5..]);
    let resource = &view["resource"];
    let target = ["path", "url", "name"].iter().find_map(|name| resource[name].as_str()).unwrap_or("-");
    format!(
        "{:4} {:20} {:28} {:7} {:8} {:5} {:9} {:28} {} {} {}",
        word("audit_id"),
        word("hook_event_name"),
        word("event_type"),
        word("phase"),
        word("outcome"),
        call,
        view["agent_id"].as_str().map_or("-", |id| &id[..5]),
        word("action_type"),
        word("reason"),
        view["parent_audit_id"].as_str().unwrap_or("-"),
        target
    )
}
