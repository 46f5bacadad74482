//! `permission` on a trail that has no settings files in it: what is not known is said plainly.

use serde_json::Value;

use crate::run::Machine;

const SESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/claude-code/hooks-session.jsonl");

/// Protects whoever asks from a guess: a session that was recorded without its settings files gets the answer "unknown", with what is missing, in
/// prose and as JSON; an event that is no call is refused with a hint.
#[test]
fn what_was_not_recorded_is_unknown() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    assert_eq!(machine.run_args(&["import", "hooks", SESSION]).exit, 0);
    let script = |condition: &str, more: &str| {
        let id = format!("id=$(sealtrail search -q -o id --limit 1 --oldest-first '{condition}') && ");
        machine.script(&format!("{id} sealtrail permission $id {more}"))
    };
    let ran = script("event_type=tool.requested and tool_name=Bash", "-o json");
    assert_eq!(ran.exit, 0, "{ran}");
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["ruling"], &answer["tool_name"]), (&Value::from("unknown"), &Value::from("Bash")));
    assert!(answer["unknown"][0].as_str().unwrap().contains("which settings files there were"), "{answer}");
    let prose = script("event_type=tool.requested and tool_name=Bash", "");
    assert!(prose.stdout.contains("ruling              unknown") && prose.stdout.contains("not known\n"), "{prose}");
    let none = script("event_type=session.started", "");
    assert!(none.exit == 1 && none.stderr.contains("is no tool call") && none.stderr.contains("hint"), "{none}");
}
