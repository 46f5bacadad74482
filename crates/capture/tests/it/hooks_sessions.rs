//! Whole sessions of the real client.

use std::collections::BTreeSet;

use sealtrail_capture::{Close, Sessions, Side};
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

/// Protects the delegation chain: user, main agent, subagent, its subagent; and every later event names the parent agent.
#[test]
fn a_nested_agent_has_its_chain() {
    let mut bench = Bench::new();
    for (unix_ns, hook) in kit::session("hooks-session-lifecycle.jsonl") {
        bench.feed_bytes(hook.to_string().as_bytes(), unix_ns);
    }
    let nested = |view: &&Value| view["agent_id"] == "a9155d0e6645f8ba8";
    let spawned = bench.views.iter().find(nested).unwrap();
    assert_eq!(spawned["event_type"], "agent.subagent_spawned");
    let chain = ["user:dev", "session:9c5e117c-7fe1-40cf-9fc6-a9e3406d0edf", "agent:ad4c99e08e1937e16", "agent:a9155d0e6645f8ba8"];
    assert_eq!(spawned["delegation_chain"], serde_json::json!(chain));
    assert!(bench.views.iter().filter(nested).count() > 4);
    assert!(bench.views.iter().filter(nested).all(|view| view["parent_agent_id"] == "ad4c99e08e1937e16"));
}

/// Protects the chain where the client left no description: the only open Agent call started the agent.
#[test]
fn an_agent_without_description_is_joined_to_the_open_call() {
    let mut bench = Bench::new();
    for (unix_ns, hook) in kit::session("hooks-session.jsonl") {
        bench.feed_bytes(hook.to_string().as_bytes(), unix_ns);
    }
    let spawned = bench.views.iter().find(|view| view["hook_event_name"] == "SubagentStart").unwrap();
    assert_eq!(spawned["delegation"]["how"], "only_open_call");
    assert_eq!(spawned["delegation"]["tool_use_id"], "toolu_01KE7kWgSRRTf4VZsvocya5D");
}

/// Protects delegation when several agents start at once: the first call of an agent finds the client's description, which was not there yet when
/// the agent started; every event from then on names the parent, also after a restart, also the outcome that nobody saw.
#[test]
fn agents_that_start_together_are_told_apart_by_their_first_call() {
    let mut bench = Bench::new();
    let call = |id: &str, agent: &str, tool: &str| {
        serde_json::json!({"session_id": "s1", "transcript_path": "/h/p/s1.jsonl", "cwd": "/p", "hook_event_name": "PreToolUse", "agent_id": agent,
                           "agent_type": "general-purpose", "tool_name": tool, "tool_use_id": id, "tool_input": {"prompt": id, "command": "echo hi"}})
    };
    bench.feed(&call("toolu_a", "outer", "Agent"));
    bench.feed(&call("toolu_b", "outer", "Agent"));
    let start =
        serde_json::json!({"session_id": "s1", "hook_event_name": "SubagentStart", "agent_id": "inner", "agent_type": "general-purpose"});
    assert_eq!(bench.feed(&start)[0]["delegation"]["how"], "unknown");

    let meta = br#"{"agentType":"general-purpose","toolUseId":"toolu_b","parentAgentId":"outer","spawnDepth":2}"#;
    let path = "/h/p/s1/subagents/agent-inner.meta.json".to_owned();
    bench.sides = vec![Side { path, size_bytes: meta.len() as u64, bytes: meta.to_vec() }];
    let first = bench.feed(&call("toolu_1", "inner", "Bash"));
    bench.sides.clear();
    assert_eq!((&first[0]["event_type"], &first[0]["parent_agent_id"]), (&"tool.requested".into(), &"outer".into()));
    assert_eq!((&first[1]["event_type"], &first[1]["delegation"]["how"]), (&"agent.subagent_spawned".into(), &"meta".into()));
    assert_eq!(first[1]["delegation_chain"], serde_json::json!(["user:dev", "session:s1", "agent:outer", "agent:inner"]));
    assert_eq!(bench.feed(&call("toolu_2", "inner", "Bash")).len(), 1);

    let mut replayed = Sessions::new();
    bench.views.iter().for_each(|view| replayed.replay(view));
    assert!(replayed == bench.sessions);
    let lost = bench.close("s1", Close::AgentLost);
    let inner: Vec<_> = lost.iter().filter(|view| view["agent_id"] == "inner").collect();
    assert_eq!(inner.len(), 2);
    assert!(inner.iter().all(|view| view["outcome"] == "unknown" && view["parent_agent_id"] == "outer"));
}

/// Protects `end_reason`: the client's `other` counts as completed only after a finished turn.
#[test]
fn a_session_ends_completed_or_unknown() {
    let hook = |name: &str, more: Value| {
        let mut hook = serde_json::json!({"session_id": "s1", "hook_event_name": name});
        hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        hook
    };
    let other = || hook("SessionEnd", serde_json::json!({"reason": "other"}));
    let cases = [
        (vec![hook("UserPromptSubmit", serde_json::json!({"prompt": "go"})), hook("Stop", serde_json::json!({})), other()], "completed"),
        (vec![hook("UserPromptSubmit", serde_json::json!({"prompt": "go"})), other()], "unknown"),
        (vec![hook("SessionStart", serde_json::json!({})), hook("SessionEnd", serde_json::json!({"reason": "logout"}))], "completed"),
    ];
    for (hooks, expected) in cases {
        let mut bench = Bench::new();
        hooks.iter().for_each(|hook| drop(bench.feed(hook)));
        assert_eq!(bench.views.last().unwrap()["end_reason"], expected);
    }
}
