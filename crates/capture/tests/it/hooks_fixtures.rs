//! Every captured hook, alone.

use serde_json::Value;

use crate::kit::{self, Bench};

/// Protects "nothing lost": every leaf value of every captured hook is in the view of its events.
#[test]
fn every_leaf_of_every_hook_is_kept() {
    let hooks = kit::hooks();
    assert!(hooks.len() >= 75, "{} fixtures", hooks.len());
    for (name, hook) in hooks {
        let views = Bench::new().feed(&hook);
        let mut kept = Vec::new();
        views.iter().for_each(|view| leaves(view, &mut kept));
        let mut wanted = Vec::new();
        leaves(&hook, &mut wanted);
        for leaf in wanted {
            assert!(kept.contains(&leaf), "{name}: {leaf} is lost in {views:#?}");
        }
    }
}

/// Protects the names of the members: what the hook calls `x` is `x` in the event, or in its member `hook`.
#[test]
fn members_keep_their_names() {
    for (name, hook) in kit::hooks() {
        let first = &Bench::new().feed(&hook)[0];
        for (member, value) in hook.as_object().unwrap() {
            if member == "tool_calls" {
                continue;
            }
            assert!(first[member] == *value || first["hook"][member] == *value, "{name}: {member} in {first:#}");
        }
    }
}

fn leaves(value: &Value, into: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, into)),
        leaf => into.push(leaf.clone()),
    }
}
