//! Pairing under disorder: any order, repeated hooks, parallel calls, forgotten ends.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sealtrail_capture::{CALLS_PER_SESSION_MAX, Close, SESSIONS_MAX, Sessions};
use serde_json::{Value, json};

use crate::kit::Bench;

fn tool(hook: &str, call: usize, more: Value) -> Value {
    let mut value = json!({
        "session_id": "s1", "cwd": "/p", "hook_event_name": hook, "tool_name": "Bash",
        "tool_input": {"command": format!("echo {call}")}, "tool_use_id": format!("toolu_{call}"),
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn batch(calls: &[usize]) -> Value {
    let calls: Vec<Value> = calls
        .iter()
        .map(|call| {
            json!({"tool_name": "Bash", "tool_input": {"command": format!("echo {call}")},
                   "tool_use_id": format!("toolu_{call}"), "tool_response": format!("{call}")})
        })
        .collect();
    json!({"session_id": "s1", "cwd": "/p", "hook_event_name": "PostToolBatch", "tool_calls": calls})
}

/// The hooks of `calls` parallel calls; `kinds` says how each ends: well, badly, or without a hook.
fn hooks(kinds: &[u8]) -> Vec<Value> {
    let mut hooks = Vec::new();
    for (call, kind) in kinds.iter().enumerate() {
        hooks.push(tool("PreToolUse", call, json!({})));
        match kind {
            0 => hooks.push(tool("PostToolUse", call, json!({"tool_response": {"stdout": format!("{call}"), "stderr": ""}}))),
            1 => hooks.push(tool("PostToolUseFailure", call, json!({"error": format!("{call}")}))),
            2 => hooks.push(json!({"session_id": "s1", "cwd": "/p", "hook_event_name": "PermissionRequest", "tool_name": "Bash",
                                   "tool_input": {"command": format!("echo {call}")}})),
            _ => {}
        }
    }
    let ended: Vec<usize> = kinds.iter().enumerate().filter(|(_, kind)| **kind < 4).map(|(call, _)| call).collect();
    hooks.push(batch(&ended));
    hooks.push(json!({"session_id": "s1", "hook_event_name": "SessionEnd", "reason": "other"}));
    hooks
}

fn outcomes(views: &[Value]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for view in views {
        if let Some(call) = view["tool_use_id"].as_str() {
            *count.entry(call.to_owned()).or_default() += usize::from(view["phase"] == "outcome");
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Protects "one call, one outcome" against any order of the hooks, and against hooks that come twice.
    #[test]
    fn any_order_gives_one_outcome_a_call(
        kinds in prop::collection::vec(0u8..5, 1..8),
        order in prop::collection::vec(any::<u32>(), 64),
        twice in prop::collection::vec(any::<bool>(), 64),
    ) {
        let mut shuffled: Vec<(u32, Value)> = Vec::new();
        for (at, hook) in hooks(&kinds).into_iter().enumerate() {
            shuffled.push((order[at], hook.clone()));
            if twice[at] {
                shuffled.push((order[at].rotate_left(7), hook));
            }
        }
        shuffled.sort_by_key(|(key, _)| *key);
        let mut bench = Bench::new();
        let mut replayed = Sessions::new();
        for (_, hook) in &shuffled {
            for view in bench.feed(hook) {
                replayed.replay(&view);
            }
            prop_assert!(replayed == bench.sessions, "replay differs after {hook}");
        }
        bench.close("s1", Close::AgentLost);
        for (call, count) in outcomes(&bench.views) {
            prop_assert_eq!(count, 1, "{} in {:#?}", call, bench.views);
        }
        prop_assert_eq!(bench.sessions.live().count(), 0);
    }

    /// Protects the recorder's life: no bytes make it panic, and some event keeps them.
    #[test]
    fn any_bytes_give_an_event(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!Bench::new().feed_bytes(&bytes, 1).is_empty());
    }

    /// Protects the recorder's life: no damage to a real hook makes it panic.
    #[test]
    fn any_damage_gives_an_event(fixture in any::<prop::sample::Index>(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let hooks = crate::kit::hooks();
        let mut bytes = fixture.get(&hooks).1.to_string().into_bytes();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert!(!Bench::new().feed_bytes(&bytes, u64::MAX).is_empty());
    }
}

/// Protects the order of nature: Pre, Post, Batch join up, and the batch adds no outcome to a call that has one.
#[test]
fn a_plain_call_is_intent_and_outcome() {
    let mut bench = Bench::new();
    for hook in hooks(&[0]) {
        bench.feed(&hook);
    }
    let kinds: Vec<&str> = bench.views.iter().map(|view| view["event_type"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert_eq!(bench.views[1]["parent_audit_id"], bench.views[0]["audit_id"]);
    assert_eq!(bench.views[1]["outcome"], "success");
}

/// Protects the trail of a client that was killed in a call: the intent is there, the outcome is `unknown`, the session crashed.
#[test]
fn a_lost_client_leaves_unknown_outcomes() {
    let mut bench = Bench::new();
    bench.feed(&tool("PreToolUse", 1, json!({})));
    bench.feed(&tool("PreToolUse", 2, json!({})));
    bench.feed(&tool("PostToolUse", 2, json!({"tool_response": {"stdout": "", "stderr": ""}})));
    assert_eq!(bench.sessions.live().next().unwrap().client_pid, Some(4711));
    let views = bench.close("s1", Close::AgentLost);
    assert_eq!(views.len(), 2, "{views:#?}");
    assert_eq!(views[0]["tool_use_id"], "toolu_1");
    assert_eq!((&views[0]["outcome"], &views[0]["reason"]), (&json!("unknown"), &json!("agent_lost")));
    assert_eq!(views[0]["parent_audit_id"], bench.views[0]["audit_id"]);
    assert_eq!((&views[1]["event_type"], &views[1]["end_reason"]), (&json!("session.ended"), &json!("crashed")));
    assert_eq!(views[1]["user_id"], "dev");
    assert!(bench.close("s1", Close::AgentLost).is_empty());
}

/// Protects the trail of a session that another process took up again: the first process lost its open calls.
#[test]
fn a_resumed_session_closes_the_calls_of_the_lost_process() {
    let mut bench = Bench::new();
    bench.feed(&tool("PreToolUse", 1, json!({})));
    bench.client_pid = 4712;
    let views = bench.feed(&json!({"session_id": "s1", "hook_event_name": "SessionStart", "source": "resume"}));
    assert_eq!(views.len(), 2);
    assert_eq!((&views[1]["outcome"], &views[1]["reason"]), (&json!("unknown"), &json!("agent_lost")));
}

/// Protects both views of a rewritten input and output: each stays in the event that showed it, and an event names the two.
#[test]
fn a_rewrite_is_told() {
    let mut bench = Bench::new();
    bench.feed(&tool("PreToolUse", 1, json!({})));
    let post = bench.feed(&tool(
        "PostToolUse",
        1,
        json!({"tool_input": {"command": "echo safe"}, "tool_response": {"stdout": "secret", "stderr": ""}}),
    ));
    assert_eq!(post[1]["event_type"], "policy.rewritten");
    assert_eq!((&post[1]["reason"], &post[1]["source"]), (&json!("input"), &json!("hook")));
    assert_eq!(post[1]["rewritten"]["other_shown_by"], bench.views[0]["audit_id"]);
    assert_eq!(post[0]["tool_input"]["command"], "echo safe");
    let after = bench.feed(&batch(&[1]));
    assert_eq!((&after[1]["event_type"], &after[1]["reason"]), (&json!("policy.rewritten"), &json!("output")));
    assert_eq!(after[1]["rewritten"]["other_shown_by"], post[0]["audit_id"]);
    assert_eq!(after.len(), 2, "the batch shows the model's own input, as the intent did");
}

/// Protects the memory of the recorder: beyond its bounds the state forgets, and says of open calls that their end is unknown.
#[test]
fn forgetting_is_told() {
    let mut bench = Bench::new();
    for call in 0..=CALLS_PER_SESSION_MAX {
        bench.feed(&tool("PreToolUse", call, json!({})));
    }
    let told: Vec<&Value> = bench.views.iter().filter(|view| view["phase"] == "outcome").collect();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["tool_use_id"], &told[0]["reason"]), (&json!("toolu_0"), &json!("evicted")));
    for session in 0..SESSIONS_MAX {
        bench.feed(&json!({"session_id": format!("other{session}"), "hook_event_name": "Notification", "message": "x"}));
    }
    let told = bench.views.iter().filter(|view| view["reason"] == "evicted").count();
    assert_eq!(told, 1 + CALLS_PER_SESSION_MAX);
}

/// Protects "one call, one outcome" against hooks that name no session: they are kept, and end no call.
#[test]
fn a_call_without_a_session_is_unpaired() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        let mut hook = tool("PostToolUse", 1, json!({"tool_response": "x"}));
        hook.as_object_mut().unwrap().remove("session_id");
        let view = &bench.feed(&hook)[0];
        assert_eq!((view.get("phase"), &view["reason"], &view["outcome"]), (None, &json!("unpaired"), &json!("success")));
    }
}
