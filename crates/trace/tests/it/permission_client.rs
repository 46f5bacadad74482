//! The judgement beside what the real client decided, call by call.

use std::fs;
use std::path::PathBuf;

use sealtrail_trace::permission::{Action, InForce, Ruling, Snapshots, judge};
use serde_json::{Value, json};

/// One recorded session: its settings, and the client's decisions in them.
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) held: InForce,
    pub(crate) cases: Vec<Value>,
}

/// Reads the decisions that the real client made in scripted sessions.
pub(crate) fn recorded() -> Vec<Recorded> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/claude-code/permissions");
    let mut found: Vec<Recorded> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let head = lines.next().unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            Recorded { name, mode: head["mode"].as_str().unwrap().to_owned(), held: held(&head), cases: lines.collect() }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn held(head: &Value) -> InForce {
    let mut snapshots = Snapshots::of_session("s");
    snapshots.add(&json!({"session_id": "s", "witness": "hook", "resource": {"settings_folder": head["folder"]}}));
    for (n, file) in head["files"].as_array().unwrap().iter().enumerate() {
        snapshots.add(&json!({
            "audit_id": format!("snapshot-{n}"), "event_type": "auth.permission_snapshot", "witness": "fs", "session_id": "s", "source": file["scope"],
            "status": "present", "timestamp": "2026-11-21T08:00:00Z", "resource": {"path": file["path"]},
            "permission_snapshot": {"permissions": file["permissions"], "trusted": file["trusted"]},
        }));
    }
    let mut held = snapshots.in_force();
    held.home = head["home"].as_str().map(str::to_owned);
    held
}

/// Protects every verdict about the past: over a thousand calls that the real client decided are judged by the recorded rules alone. Where the
/// judgement is sure it is the client's; it is sure of at least 97 of 100.
#[test]
fn the_judgement_is_the_clients() {
    let (mut wrong, mut unknown, mut all) = (Vec::new(), Vec::new(), 0);
    for session in recorded() {
        for case in &session.cases {
            let said = case["decision"].as_str().unwrap();
            let action =
                Action { tool: case["tool"].as_str().unwrap(), input: &case["input"], cwd: Some("/w/project"), mode: &session.mode };
            let ruling = judge(&action, &session.held);
            all += 1;
            let line = format!("{} {} {}: the client {said}, judged {ruling:?}", session.name, case["tool"], case["input"]);
            match ruling {
                Ruling::Unknown(_) => unknown.push(line),
                // A tool that a rule takes away is not offered to the model.
                Ruling::Denied(_) if said == "refused" => {}
                other if other.word() != said => wrong.push(line),
                _ => {}
            }
        }
    }
    assert!(all > 1000, "{all}");
    assert!(wrong.is_empty(), "{} of {all} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unknown.len() * 100 <= all * 3, "{} of {all} unknown:\n{}", unknown.len(), unknown.join("\n"));
}
