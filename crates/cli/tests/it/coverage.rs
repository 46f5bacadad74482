//! `coverage` on a recorded session of the real client, and its certificate: proved, and refused when anything in it is changed.

use serde_json::Value;

use crate::run::Machine;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/claude-code");

/// A trail with a recorded session as hooks and as transcripts told it.
fn recorded(name: &str) -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let hooks = if name == "tool-tour" { "hooks-session.jsonl" } else { "hooks-session-lifecycle.jsonl" };
    assert_eq!(machine.run_args(&["import", "hooks", &format!("{FIXTURES}/{hooks}")]).exit, 0);
    // As the client names its files: the session, and below it the agents.
    for entry in std::fs::read_dir(format!("{FIXTURES}/transcripts")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(rest) = file.strip_prefix(&format!("session-{name}")) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let first: Value = text
            .lines()
            .find_map(|line| serde_json::from_str(line).ok().filter(|line: &Value| line["sessionId"].is_string()))
            .unwrap_or_default();
        let (session, agent) = (first["sessionId"].as_str().unwrap_or_default(), first["agentId"].as_str().unwrap_or_default());
        match rest {
            ".jsonl" => machine.write(&format!("projects/p/{session}.jsonl"), &text),
            _ if rest.ends_with(".jsonl") => machine.write(&format!("projects/p/{session}/subagents/agent-{agent}.jsonl"), &text),
            _ => continue,
        };
    }
    let imported = machine.run_args(&["import", "transcripts", machine.path("projects").to_str().unwrap()]);
    assert_eq!(imported.exit, 0, "{imported}");
    machine
}

fn certificate(machine: &Machine, more: &str) -> (i32, Value) {
    let ran = machine.run(&format!("coverage --session last -o json {more}"));
    let document = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    (ran.exit, document)
}

fn words<'a>(document: &'a Value, list: &str, name: &str) -> Vec<&'a str> {
    document[list]["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

/// Protects against false alarms on real sessions: what hooks and transcripts of the real client told of the same two sessions has no gap and no
/// finding, with subagents, MCP, refused and unknown tools, parallel and background calls among the actions.
#[test]
fn recorded_sessions_of_the_real_client_are_complete() {
    for name in ["tool-tour", "lifecycle"] {
        let machine = recorded(name);
        let (exit, document) = certificate(&machine, "");
        assert_eq!((words(&document, "gaps", "cause"), words(&document, "findings", "detail")), (vec![], vec![]), "{name}: {document:#}");
        assert_eq!((document["verdict"].as_str(), exit), (Some("complete"), 0), "{name}");
        let calls = &document["matrix"][0];
        assert!(calls["actions"].as_u64().unwrap() > 10, "{calls:#}");
        assert!(calls["witnesses"].as_array().unwrap().iter().take(2).all(|cell| cell["basis_points"] == 10_000), "{calls:#}");
    }
}

/// Protects pipelines: a witness that must be there and is not makes the command exit 3 and is named; a session that is not there is an error.
#[test]
fn a_required_witness_that_is_missing_is_no_yes() {
    let machine = recorded("tool-tour");
    let (exit, document) = certificate(&machine, "--require hook,otel --threshold 100");
    assert_eq!((exit, document["verdict"].as_str(), document["threshold_reached"].as_bool()), (3, Some("gaps"), Some(false)));
    assert!(words(&document, "gaps", "cause").iter().all(|cause| *cause == "not_on"));
    let prose = machine.run("coverage --session last --require otel");
    assert!(
        prose.exit == 3 && prose.stdout.contains("not_on  the witness was required") && prose.stdout.contains("what this does not prove"),
        "{prose}"
    );
    assert_eq!(machine.run("coverage --session nobody").exit, 1);
    assert_eq!(machine.run("coverage --require cat").exit, 64);
    assert_eq!(machine.run("coverage --threshold 101").exit, 64);
}

/// Protects a range: every session in it is judged, and a range without one is nothing to compare, which is no yes.
#[test]
fn a_range_takes_every_session() {
    let machine = recorded("tool-tour");
    let ran = machine.run("coverage -o json");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((document["verdict"].as_str(), document["sessions"].as_u64(), ran.exit), (Some("complete"), Some(1), 0), "{document:#}");
    let none = machine.run("coverage --since 2001-01-01 --until 2001-01-02 -o json");
    let document: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!((document["verdict"].as_str(), none.exit), (Some("nothing_to_compare"), 3));
}

/// Protects whoever is handed a certificate: it proves itself without the trail, with and without the log's key; a changed verdict, figure, event,
/// proof or key does not.
#[test]
fn a_certificate_proves_itself_and_a_changed_one_does_not() {
    let machine = recorded("tool-tour");
    let file = machine.path("coverage.json");
    let shown = file.to_str().unwrap();
    let made = machine.run_args(&["coverage", "--session", "last", "--export", shown]);
    assert!(made.exit == 0 && made.stderr.contains("with its proof it is in"), "{made}");
    let vkey = machine.script("sealtrail checkpoint show -o json | sed 's/.*\"vkey\":\"\\([^\"]*\\)\".*/\\1/'").stdout;
    machine.write("log.vkey", &vkey);
    let pinned = machine.run_args(&["coverage", "verify", shown, "--vkey", machine.path("log.vkey").to_str().unwrap()]);
    assert!(pinned.exit == 0 && pinned.stdout.contains("the verdict complete over 1 sessions"), "{pinned}");
    std::fs::remove_dir_all(machine.path(".local")).unwrap();
    assert_eq!(machine.run_args(&["coverage", "verify", shown]).exit, 0);

    let whole: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let text = whole["certificate"].as_str().unwrap();
    let other_text = |text: String| {
        let mut bundle = whole.clone();
        bundle["certificate"] = text.into();
        bundle
    };
    let mut cut = whole.clone();
    cut["consistency"] = serde_json::json!([]);
    let mut moved = whole.clone();
    moved["seal"]["envelope"] = moved["seal"]["envelope"].as_str().unwrap().replace("audit_hash", "audit_hasH").into();
    let changed = [
        other_text(text.replace("\"verdict\":\"complete\"", "\"verdict\":\"gaps\"")),
        other_text(text.replacen("\"seen\":", "\"seen\": ", 1)),
        other_text(text.replacen("\"missing\":0", "\"missing\":1", 1)),
        cut,
        moved,
    ];
    for (n, bundle) in changed.iter().enumerate() {
        let path = machine.write("changed.json", &bundle.to_string());
        let ran = machine.run_args(&["coverage", "verify", path.to_str().unwrap()]);
        assert!(ran.exit == 3 && ran.stderr.contains("error:"), "{n}: {ran}");
    }
}
