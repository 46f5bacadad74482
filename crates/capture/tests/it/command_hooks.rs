//! What a Bash call looks like in the trail.

use serde_json::{Value, json};

use crate::kit::Bench;

/// A Bash call from its request to its end; the shell ends in the folder `left`. Returns the events of the end.
fn ran(command: &str, left: &str, hook: &str) -> Vec<Value> {
    let mut bench = Bench::new();
    let call = |hook: &str, cwd: &str| {
        json!({"session_id": "s1", "cwd": cwd, "hook_event_name": hook, "tool_name": "Bash", "tool_use_id": "toolu_1",
               "tool_input": {"command": command}})
    };
    bench.feed(&call("PreToolUse", "/p"));
    bench.feed(&call(hook, left))
}

/// Type, outcome and path.
fn told(view: &Value) -> String {
    [&view["event_type"], &view["outcome"], &view["resource"]["path"]].map(|word| word.as_str().unwrap_or("-")).join(" ")
}

/// Protects deletions through the shell: one action gives the call its type, its verb and its path.
#[test]
fn one_action_is_the_call() {
    let views = ran("sudo rm -rf old", "/p", "PostToolUse");
    assert_eq!(views.len(), 1);
    let view = &views[0];
    assert_eq!(told(view), "data.file_deleted success /p/old");
    assert_eq!((&view["operation"]["action"], &view["resource"]["type"]), (&json!("delete"), &json!("file")));
    assert_eq!((&view["resource"]["privileged"], &view["resource"]["detail"]["recursive"]), (&json!(true), &json!("true")));
    assert_eq!(view["phase"], "outcome");
}

/// Protects the parts of a command line: one event each, joined to the call, without a phase, and no outcome that the exit status does
/// not vouch for.
#[test]
fn several_actions_are_parts() {
    let views = ran("cat a.txt; curl -d @b.txt \"$URL\" && git push", "/p", "PostToolUse");
    let types: Vec<_> = views.iter().map(told).collect();
    let expected = [
        "tool.command success -",
        "data.file_read unknown /p/a.txt",
        "data.api_call success -",
        "data.file_read success /p/b.txt",
        "infra.git success -",
    ];
    assert_eq!(types, expected);
    assert_eq!(views[0]["actions"].as_array().unwrap().len(), 4);
    for part in &views[1..] {
        assert_eq!((&part["tool_use_id"], &part["parent_audit_id"]), (&json!("toolu_1"), &views[0]["audit_id"]));
        assert_eq!((&part["grade"], part.get("phase")), (&json!("derived"), None));
    }
    assert_eq!((&views[1]["resource"]["confirmed"], &views[2]["resource"]["certain"]), (&json!(false), &json!(false)));
    assert_eq!(views[4]["resource"]["detail"]["external"], "true");
    let failed: Vec<_> = ran("rm a && rm b", "/p", "PostToolUseFailure").iter().map(told).collect();
    assert_eq!(failed, ["tool.command failure -", "data.file_deleted unknown /p/a", "data.file_deleted unknown /p/b"]);
}

/// Protects paths after a `cd`: the hook of the end names the folder where the command left the shell, not where it began.
#[test]
fn relative_paths_begin_where_the_call_began() {
    let views = ran("cd sub && rm a.txt", "/p/sub", "PostToolUse");
    assert_eq!(told(&views[0]), "data.file_deleted success /p/sub/a.txt");
}

/// Protects what changes something against being hidden behind many harmless parts: reads are left out first, and counted.
#[test]
fn a_deletion_cannot_hide_behind_reads() {
    let reads: Vec<String> = (0..40).map(|number| format!("cat f{number}; ")).collect();
    let views = ran(&format!("{} rm -rf data", reads.concat()), "/p", "PostToolUse");
    assert_eq!(views.len(), 17);
    assert_eq!(told(&views[16]), "data.file_deleted success /p/data");
    assert_eq!(views[0]["parts"]["left_out"], 25);
}
