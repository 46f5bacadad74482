//! Searches with a name: shipped and own, run with other flags; and sessions that have something in common.

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::run::Machine;

/// A trail in which each shipped search finds something of the last hour, and one session has things in common with others.
fn recent() -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let ago = |minutes: i64| (Timestamp::now() - minutes.minutes()).to_string();
    let records = [
        json!({"event_type": "auth.user_login", "timestamp": ago(30), "status": "fail", "user_id": "mallory", "source_ip": "203.0.113.7", "audit_id": "e_fail"}),
        json!({"event_type": "auth.user_login", "timestamp": ago(28), "status": "success", "user_id": "mallory", "source_ip": "203.0.113.7", "audit_id": "e_in"}),
        json!({"event_type": "auth.user_login", "timestamp": ago(200), "status": "fail", "user_id": "bob", "audit_id": "e_old_fail"}),
        json!({"event_type": "data.file_read", "timestamp": ago(20), "session_id": "s_one", "user_id": "mallory", "status": "success", "resource": {"type": "file", "path": "/srv/customers.csv", "sensitivity_level": "pii"}, "audit_id": "e_read"}),
        json!({"event_type": "data.file_deleted", "timestamp": ago(19), "session_id": "s_one", "user_id": "mallory", "status": "success", "resource": {"type": "file", "path": "/srv/notes.txt"}, "operation": {"action": "delete"}, "audit_id": "e_delete"}),
        json!({"event_type": "mcp.tool_call", "timestamp": ago(18), "session_id": "s_one", "user_id": "mallory", "mcp_server": "crm", "audit_id": "e_mcp"}),
        json!({"event_type": "data.api_call", "timestamp": ago(17), "session_id": "s_one", "user_id": "mallory", "resource": {"type": "url", "url": "https://files.example.com:8443/up?x=1"}, "audit_id": "e_call"}),
        json!({"event_type": "tool.command", "timestamp": ago(16), "session_id": "s_one", "user_id": "mallory", "resource": {"type": "program", "name": "sudo", "privileged": true}, "status": "unknown", "audit_id": "e_sudo"}),
        json!({"event_type": "tool.command", "timestamp": ago(15), "session_id": "s_one", "user_id": "mallory", "command": format!("export GITHUB_TOKEN=ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"), "audit_id": "e_secret"}),
        json!({"event_type": "mcp.tool_call", "timestamp": ago(3000), "session_id": "s_mcp", "user_id": "alice", "mcp_server": "crm", "audit_id": "r_mcp"}),
        json!({"event_type": "data.file_write", "timestamp": ago(2000), "session_id": "s_file", "user_id": "bob", "resource": {"type": "file", "path": "/srv/customers.csv"}, "audit_id": "r_file"}),
        json!({"event_type": "data.api_call", "timestamp": ago(1000), "session_id": "s_host", "user_id": "carol", "resource": {"type": "url", "url": "https://files.example.com/x"}, "audit_id": "r_host"}),
        json!({"event_type": "data.api_call", "timestamp": ago(900), "session_id": "s_other_host", "user_id": "carol", "resource": {"type": "url", "url": "https://files.example.com.evil.org/x"}, "audit_id": "r_other"}),
        json!({"event_type": "session.started", "timestamp": ago(500), "session_id": "s_same_user", "user_id": "mallory", "audit_id": "r_user"}),
        json!({"event_type": "session.started", "timestamp": ago(31 * 24 * 60), "session_id": "s_long_ago", "user_id": "mallory", "audit_id": "r_old"}),
        json!({"event_type": "session.started", "timestamp": ago(5), "session_id": "s_later", "user_id": "mallory", "audit_id": "r_later"}),
    ];
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    machine.write("work/recent.ndjson", &lines.join("\n"));
    let ran = machine.run("import events recent.ndjson");
    assert_eq!(ran.exit, 0, "{ran}");
    machine
}

fn ids(machine: &Machine, args: &[&str]) -> Vec<String> {
    let mut all = vec!["saved", "run"];
    all.extend(args);
    all.extend(["-o", "id"]);
    let ran = machine.run_args(&all);
    assert_eq!(ran.exit, 0, "{ran}");
    ran.stdout.lines().map(str::to_owned).collect()
}

/// Protects the searches that ship: each finds what its name says, counted from now, and takes other flags.
#[test]
fn each_shipped_search_finds_what_its_name_says() {
    let machine = recent();
    assert_eq!(ids(&machine, &["unauthorised-access"]), ["e_fail"]);
    assert_eq!(ids(&machine, &["unauthorised-access", "--since", "1 day"]), ["e_old_fail", "e_fail"]);
    assert_eq!(ids(&machine, &["customer-data"]), ["r_file", "e_read"]);
    assert_eq!(ids(&machine, &["customer-data", "--user-id", "bob"]), ["r_file"]);
    assert_eq!(ids(&machine, &["failed-then-successful-login"]), ["e_fail", "e_in"]);
    assert!(ids(&machine, &["failed-then-successful-login", "--within-seconds", "60"]).is_empty());
    assert_eq!(ids(&machine, &["deletions"]), ["e_delete"]);
    assert_eq!(ids(&machine, &["external-calls"]), ["r_other", "r_host", "e_call", "e_mcp"]);
    assert_eq!(ids(&machine, &["privileged-commands"]), ["e_sudo"]);
    // The secret is a made-up one, put together here so that no scanner of sources takes it for a real one.
    assert_eq!(ids(&machine, &["secrets-redacted"]), ["e_secret"]);
    assert_eq!(ids(&machine, &["unknown-outcomes"]), ["e_sudo"]);
    let listed: Value = serde_json::from_str(&machine.run("saved list -o json").stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 8);
    insta::assert_snapshot!("saved_list", machine.run("saved list -o table"));
}

/// Protects an own search: it is kept as it was typed, its times count from when it runs, and names are not paths.
#[test]
fn an_own_search_is_kept_run_and_removed() {
    let machine = recent();
    let saved =
        machine.run_args(&["search", "--since", "25min", "--user-id", "mallory", "--save", "mallory-now", "domain=data", "--limit", "7"]);
    assert_eq!((saved.exit, saved.stdout.as_str()), (0, ""), "{saved}");
    assert_eq!(ids(&machine, &["mallory-now"]), ["e_call", "e_mcp", "e_delete", "e_read"]);
    assert_eq!(ids(&machine, &["mallory-now", "--limit", "1"]), ["e_call"]);
    let shown = machine.run("saved show mallory-now").stdout;
    assert_eq!(shown, "sealtrail search --user-id mallory --since 25min --limit 7 domain=data\n");
    let again = machine.script(&format!("{} -o id", shown.trim()));
    assert_eq!(again.stdout.lines().count(), 4, "what is shown can be typed: {again}");
    assert_eq!(machine.run("saved remove mallory-now").exit, 0);
    assert_eq!(machine.run("saved run mallory-now").exit, 1);
    assert_eq!(machine.run("saved remove deletions").exit, 7);
    assert_eq!(machine.run("search --save ../x").exit, 64);
    assert_eq!(machine.run_args(&["search", "--save", "bad", "user_id="]).exit, 64, "a wrong query is not kept");
    // One of the same name takes the place of a shipped one, and gives it back.
    assert_eq!(machine.run("search --save deletions --event-type auth.*").exit, 0);
    assert_eq!(ids(&machine, &["deletions", "--limit", "1"]).len(), 1);
    assert_eq!(machine.run("saved remove deletions").exit, 0);
    assert_eq!(ids(&machine, &["deletions"]), ["e_delete"]);
}

/// Protects the look for lateral movement: the other sessions of the 30 days before, each with what it has in common, and no other one.
#[test]
fn related_sessions_are_listed_with_the_reason() {
    let machine = recent();
    let ran = machine.run("related --lateral s_one -o json");
    assert_eq!(ran.exit, 0, "{ran}");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let told: Vec<(String, String)> =
        found.as_array().unwrap().iter().map(|line| (line["session_id"].as_str().unwrap().to_owned(), line["why"].to_string())).collect();
    let expected = [
        ("s_same_user", json!({"person": ["mallory"]})),
        ("s_host", json!({"host": ["files.example.com"]})),
        ("s_file", json!({"file": ["/srv/customers.csv"]})),
        ("s_mcp", json!({"mcp_server": ["crm"]})),
    ];
    assert_eq!(told, expected.map(|(id, why)| (id.to_owned(), why.to_string())), "{ran}");
    let week = machine.run("related --lateral s_one --days 1 -o json");
    assert_eq!(serde_json::from_str::<Value>(&week.stdout).unwrap().as_array().unwrap().len(), 2, "{week}");
    let person = machine.run("related --lateral mallory -o tsv");
    assert!(
        person.stdout.contains("s_mcp") && !person.stdout.contains("s_same_user"),
        "the person's own sessions are where it begins: {person}"
    );
    assert_eq!(machine.run("related --lateral nobody").exit, 1);
    assert_eq!(machine.run("related").exit, 64);
}
