//! Searching from the command line: lists, reports, sequences, what lies around an event, the answers of a chain.

use serde_json::{Value, json};

use crate::run::Machine;

const SESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/claude-code");
const RECORDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/seeds");

/// Logins of two people: one gets in within 300 seconds after failures, one after 20 minutes.
const LOGINS: &[(&str, &str, &str, &str)] = &[
    ("2026-11-20T10:00:00Z", "203.0.113.7", "fail", "mallory"),
    ("2026-11-20T10:01:00Z", "203.0.113.7", "fail", "mallory"),
    ("2026-11-20T10:03:10Z", "203.0.113.7", "success", "mallory"),
    ("2026-11-20T11:00:00Z", "198.51.100.4", "fail", "alice"),
    ("2026-11-20T11:20:00Z", "198.51.100.4", "success", "alice"),
];

const SEQUENCE: &[&str] =
    &["search", "--sequence", "auth.user_login[status=fail] auth.user_login[status=success]", "--within-seconds", "300"];

/// A machine with a trail that holds every sample record, five logins and, when asked for, a recorded session.
pub(crate) fn trail(session: bool) -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let mut names: Vec<_> = std::fs::read_dir(RECORDS).unwrap().flatten().map(|entry| entry.path()).collect();
    names.sort();
    let mut lines: Vec<String> = Vec::new();
    for path in names.iter().filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let record: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        lines.push(record.to_string());
    }
    for (number, (at, ip, status, user)) in LOGINS.iter().enumerate() {
        let login = json!({"event_type": "auth.user_login", "timestamp": at, "source_ip": ip, "status": status, "user_id": user, "audit_id": format!("audit_evt_login_{number}")});
        lines.push(login.to_string());
    }
    machine.write("work/records.ndjson", &lines.join("\n"));
    assert_eq!(machine.run("import events records.ndjson").exit, 0);
    if session {
        let ran = machine.run_args(&["import", "hooks", &format!("{SESSIONS}/hooks-session-lifecycle.jsonl")]);
        assert_eq!(ran.exit, 0, "{ran}");
    }
    machine
}

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    base.iter().chain(more).copied().collect()
}

/// Protects what people and programs read: every format of a list, a report and a sequence keeps its look.
#[test]
fn each_format_keeps_its_look() {
    let machine = trail(false);
    let list = ["search", "source_ip exists or resource.sensitivity_level=pii", "--oldest-first"];
    for format in ["table", "timeline", "csv", "tsv", "id"] {
        insta::assert_snapshot!(format!("list_{format}"), machine.run_args(&with(&list, &["-o", format])));
        insta::assert_snapshot!(format!("sequence_{format}"), machine.run_args(&with(SEQUENCE, &["-o", format])));
    }
    for (name, pipe) in [("count", "event_type=auth.* | count by user_id"), ("histogram", "source_ip exists | histogram day by status")] {
        for format in ["table", "csv", "ndjson"] {
            insta::assert_snapshot!(format!("report_{name}_{format}"), machine.run_args(&["search", pipe, "-o", format]));
        }
    }
}

/// Protects the sequence of the articles: two failures and a success within the time are one match, and the slow one is none.
#[test]
fn a_sequence_is_found_with_its_keys_and_events() {
    let machine = trail(false);
    let found: Value =
        serde_json::from_str(&machine.run_args(&with(SEQUENCE, &["--source-ip", "203.0.113.*", "-o", "json"])).stdout).unwrap();
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["user_id"], "mallory");
    assert_eq!(found[0]["span_ms"], 130_000);
    assert_eq!(found[0]["audit_ids"], json!(["audit_evt_login_1", "audit_evt_login_2"]));
    assert_eq!(found[0]["events"][1]["status"], "success");
    let ids = |more: &[&str]| machine.run_args(&with(&SEQUENCE[..3], &with(more, &["-o", "id"]))).stdout.lines().count();
    assert_eq!(ids(&["--within-seconds", "60"]), 0);
    assert_eq!(ids(&["--within-seconds", "3600"]), 4);
    assert_eq!(ids(&["--within-seconds", "3600", "--by", "source_ip"]), 4);
    assert_eq!(ids(&["--within-seconds", "3600", "--source-ip", "198.51.100.0/24"]), 2);
}

/// Protects every answer: with the index and without it the same comes out.
#[test]
fn a_scan_gives_what_the_index_gives() {
    let machine = trail(true);
    let cases: &[&[&str]] = &[
        &["search", "--all"],
        &["search", "event_type=data.* and outcome!=denied", "--all"],
        &["search", "\"made.txt\"", "--all"],
        &["search", "--source-ip", "203.0.113.*", "--oldest-first"],
        &["search", "domain!=system | count by event_type"],
        &["search", "domain!=system | histogram day by outcome"],
        &["search", "domain!=system | last 2 by domain"],
        SEQUENCE,
        &["search", "--related-to", "audit_evt_login_2", "--context", "3h"],
    ];
    for case in cases {
        // Readings of the trail are events too: the two searches differ by the one between them.
        let strip = |text: String| {
            text.lines()
                .filter(|line| !line.contains("audit_log_accessed") && !line.contains("ledger."))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let index = strip(machine.run_args(&with(case, &["-o", "tsv"])).stdout);
        let scan = strip(machine.run_args(&with(case, &["-o", "tsv", "--scan"])).stdout);
        assert!(index.len() > 1, "{case:?}");
        assert_eq!(index, scan, "{case:?}");
    }
}

/// Protects the investigator's second question: what the same user, the same session and the same day saw, in order of time, inside the window only.
#[test]
fn around_an_event_are_user_session_and_day() {
    let machine = trail(false);
    let ran = machine.run_args(&[
        "search",
        "--related-to",
        "audit_evt_login_2",
        "--context",
        "90min",
        "-o",
        "csv",
        "--fields",
        "relation,audit_id",
    ]);
    let told: Vec<&str> = ran.stdout.lines().skip(1).collect();
    assert_eq!(
        told,
        [
            "\"user,day\",audit_evt_login_0",
            "\"user,day\",audit_evt_login_1",
            "\"itself,user,day\",audit_evt_login_2",
            "day,audit_evt_login_3",
            "day,audit_evt_login_4"
        ]
    );
    let near = machine.run_args(&["search", "--related-to", "audit_evt_login_2", "--context", "30min", "-o", "id"]);
    assert_eq!(near.stdout.lines().count(), 3, "{near}");
    // The closest come first when the list is cut.
    let cut = machine.run_args(&["search", "--related-to", "audit_evt_login_2", "--context", "90min", "--limit", "3", "-o", "id"]);
    assert_eq!(cut.stdout.lines().last(), Some("audit_evt_login_2"), "{cut}");
    assert!(cut.stderr.contains("stopped at --limit 3"), "{cut}");
    assert_eq!(machine.run("search --related-to audit_evt_nothing_like_it").exit, 1);
}

/// Protects the list of sessions: the newest first, whole sessions whatever the filter chose, cut with a word.
#[test]
fn sessions_are_listed_newest_first() {
    let machine = trail(true);
    let listed: Value = serde_json::from_str(&machine.run("session list -o json").stdout).unwrap();
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|line| line["session_id"].as_str().unwrap()).collect();
    assert_eq!(ids[0], "9c5e117c-7fe1-40cf-9fc6-a9e3406d0edf");
    assert_eq!(ids.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len(), "each once");
    assert!(ids.contains(&"sess_abc123def456") && ids.contains(&"conv-204"), "{ids:?}");
    let cut = machine.run("session list -o json --limit 1");
    let one: Value = serde_json::from_str(&cut.stdout).unwrap();
    assert_eq!(one[0], listed[0]);
    assert!(cut.stderr.contains("there are more sessions"), "{cut}");
    let denied: Value = serde_json::from_str(&machine.run("session list --outcome denied -o json").stdout).unwrap();
    assert_eq!(denied.as_array().unwrap().len(), 1);
    assert_eq!(denied[0]["events"], listed[0]["events"], "whole sessions are counted");
}

/// Protects the six questions of the articles: a chain answers each of them from events, and says what nobody saw.
#[test]
fn a_chain_answers_the_questions_of_an_investigation() {
    let machine = trail(true);
    let chain = machine.script("sealtrail trace-chain $(sealtrail search 'event_type=session.started source=startup' -o id -q) -o json");
    let chain: Value = serde_json::from_str(&chain.stdout).unwrap();
    let answers = &chain["answers"];
    let told =
        |name: &str| answers[name].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(told("authorised").iter().any(|what| what.starts_with("session started")), "{answers:#}");
    assert!(told("instructed").iter().any(|what| what.contains("CLAUDE.md")), "{answers:#}");
    assert!(told("instructed").iter().any(|what| what.contains("[lane:sub3] nested")), "what agents were told: {answers:#}");
    assert!(told("permitted").iter().any(|what| what.contains("permission mode default")), "{answers:#}");
    assert!(told("read").iter().any(|what| what.ends_with("/pkg/inner.txt")), "{answers:#}");
    assert!(told("changed").iter().any(|what| what.ends_with("/made.txt")), "{answers:#}");
    assert!(told("refused").iter().any(|what| what.contains("127.0.0.1:9")), "{answers:#}");
    assert!(answers["missing"].is_array());
    let text = machine.script("sealtrail trace-chain $(sealtrail search 'event_type=session.started source=startup' -o id -q)");
    for question in
        ["who authorised it", "what it was told", "under which permission", "what data it read", "what it changed", "what it deleted"]
    {
        assert!(text.stdout.contains(question), "{question}: {text}");
    }
    let call = machine.script("sealtrail trace-chain $(sealtrail search 'tool_name=WebFetch phase=intent' -o id -q) -o json");
    let call: Value = serde_json::from_str(&call.stdout).unwrap();
    assert!(call["permission"]["ruling"].is_string(), "what the settings said about a call: {call:#}");
    // Approvals of a record are part of who authorised it.
    let update = machine.run("trace-chain audit_evt_7c2f3a8e9d1b");
    assert!(update.stdout.contains("approved by cto at [TIME]"), "{update}");
    assert!(update.stdout.contains("granted: [\"s3:read-sensitive-bucket\"]"), "{update}");
}

/// Protects chains of any depth: runs that started runs are followed up to the first and down to the last, loops end.
#[test]
fn records_are_chained_at_any_depth() {
    let machine = trail(false);
    let lines: Vec<String> = (0..12)
        .map(|n| {
            let parent = if n == 0 { Value::Null } else { json!(format!("run-{}", n - 1)) };
            json!({"event_type": "workflow.execution", "timestamp": format!("2026-11-20T12:00:{n:02}Z"), "execution_id": format!("run-{n}"), "parent_execution": parent, "initiated_by": "user_7", "audit_id": format!("audit_evt_run_{n}")}).to_string()
        })
        .chain([json!({"event_type": "workflow.step", "audit_id": "audit_evt_loop", "parent_audit_id": "audit_evt_loop"}).to_string()])
        .collect();
    machine.write("work/runs.ndjson", &lines.join("\n"));
    assert_eq!(machine.run("import events runs.ndjson").exit, 0);
    let chain: Value = serde_json::from_str(&machine.run("trace-chain audit_evt_run_6 -o json").stdout).unwrap();
    let ids = |part: &str| {
        chain[part].as_array().unwrap().iter().filter_map(|link| link["audit_id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(ids("above"), (0..6).map(|n| format!("audit_evt_run_{n}")).collect::<Vec<_>>());
    assert_eq!(ids("below"), (7..12).map(|n| format!("audit_evt_run_{n}")).collect::<Vec<_>>());
    assert_eq!(machine.run("trace-chain audit_evt_loop").exit, 0);
}

/// Protects the reader of a plan: it says what the index answers, and asking for it is recorded.
#[test]
fn explain_tells_the_plan_of_the_index() {
    let machine = Machine::new();
    assert_eq!(machine.run_args(&["query", "explain", "user_id=alice"]).stdout, "user_id=\"alice\"\n");
    let machine = trail(false);
    let plan = machine.run_args(&["query", "explain", "user_id=alice and \"rm -rf\" | count by user_id"]);
    assert!(plan.stdout.contains("index ") && plan.stdout.contains("trigrams") && plan.stdout.contains("stage "), "{plan}");
    let json: Value = serde_json::from_str(&machine.run_args(&["search", "--explain", "user_id=alice", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["plan"]["queries"][0]["conditions"][0]["by"], "term");
    let read = machine.run_args(&["search", "--event-type", "system.audit_log_accessed", "access.command=\"query explain\"", "-o", "id"]);
    assert_eq!(read.stdout.lines().count(), 2, "{read}");
}

/// Protects the flags of the articles: each names its field.
#[test]
fn every_flag_names_its_field() {
    let machine = trail(false);
    for (flag, value, query) in [
        ("--tag", "soc2", "compliance_tags=\"soc2\""),
        ("--status", "fail", "status=\"fail\""),
        ("--severity", "high", "severity=\"high\""),
        ("--policy-result", "denied", "policy_result=\"denied\""),
        ("--mcp-server", "github", "mcp_server=\"github\""),
        ("--developer", "dev_jordan", "user_id=\"dev_jordan\" or user_id_hash=\"dev_jordan\""),
        ("--project", "p1", "project_id=\"p1\""),
        ("--department", "ops", "department=\"ops\""),
        ("--model", "claude-*", "model=\"claude-*\""),
        ("--application-id", "app", "application_id=\"app\""),
    ] {
        let plan: Value = serde_json::from_str(&machine.run_args(&["search", flag, value, "--explain", "-o", "json"]).stdout).unwrap();
        assert_eq!(plan["query"], query, "{flag}");
    }
    assert_eq!(machine.run("search --status failed -o id").stdout.lines().count(), 3);
}

/// Protects a list of everything from showing only itself: what the trail does for its own sake is left out, and that is said.
#[test]
fn a_list_of_everything_leaves_out_its_own_traces() {
    let machine = trail(false);
    machine.run("search --user-id alice");
    let plain = machine.run("search --since 1h -o tsv");
    assert!(!plain.stdout.contains("audit_log_accessed"), "{plain}");
    assert!(plain.stderr.contains("1 readings of the trail (--bookkeeping shows them)"), "{plain}");
    assert!(machine.run("search --since 1h -o tsv --bookkeeping").stdout.contains("audit_log_accessed"));
    assert!(machine.run("search domain=system -o tsv").stdout.contains("audit_log_accessed"), "a condition that matches shows them");
}

/// Protects the promise that reading is recorded when two commands read at once: the second waits for the ledger.
#[test]
fn two_readings_at_once_are_both_recorded() {
    let machine = trail(false);
    let ran = machine.script("for n in 1 2 3 4; do sealtrail search --user-id reader_$n -q & done; wait");
    assert!(!ran.stderr.contains("not recorded"), "{ran}");
    let read = machine.run_args(&["search", "--event-type", "system.audit_log_accessed", "access.query:reader_", "-o", "id"]);
    assert_eq!(read.stdout.lines().count(), 4, "{read}");
}
