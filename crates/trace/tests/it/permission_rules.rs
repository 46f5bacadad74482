//! Precedence of files and modes, hand-checked against the client's documented behaviour; and what is said when something is missing.

use sealtrail_trace::permission::{Action, InForce, Ruling, Snapshots, judge, report};
use serde_json::{Value, json};

fn snapshot(n: u32, scope: &str, path: &str, members: Value) -> Value {
    json!({
        "audit_id": format!("snap-{n}"), "event_type": "auth.permission_snapshot", "witness": "fs", "session_id": "s", "source": scope,
        "status": "present", "timestamp": format!("2026-11-21T08:00:{n:02}Z"), "resource": {"path": path}, "permission_snapshot": members,
    })
}

const PATHS: &[(&str, &str)] = &[
    ("managed", "/etc/claude-code/managed-settings.json"),
    ("user", "/home/dev/.claude/settings.json"),
    ("project", "/p/.claude/settings.json"),
    ("local", "/p/.claude/settings.local.json"),
    ("trust", "/home/dev/.claude.json"),
];

fn held(files: &[(&str, Value)]) -> InForce {
    let mut snapshots = Snapshots::of_session("s");
    snapshots.add(&json!({"session_id": "s", "witness": "hook", "resource": {"settings_folder": "/p"}}));
    for (n, (scope, members)) in files.iter().enumerate() {
        let path = PATHS.iter().find(|(name, _)| name == scope).unwrap().1;
        snapshots.add(&snapshot(n as u32, scope, path, members.clone()));
    }
    snapshots.in_force()
}

fn judged(mode: &str, tool: &str, input: Value, files: &[(&str, Value)]) -> Ruling {
    judge(&Action { tool, input: &input, cwd: Some("/p"), mode }, &held(files))
}

fn rules(list: &str, rules: &[&str]) -> Value {
    json!({"permissions": {list: rules}})
}

/// Protects the order of the client: what forbids wins over what asks, that over what permits, whichever file says it; a project's grants need trust.
#[test]
fn precedence_of_files() {
    let trusted = ("trust", json!({"trusted": true}));
    let bash = |files: &[(&str, Value)]| judged("default", "Bash", json!({"command": "deploy web"}), files);
    let by = |ruling: &Ruling| ruling.ground().and_then(|ground| ground.rules.first()).map(|by| (by.scope.as_str(), by.list.as_str()));
    type Case<'a> = (Vec<(&'a str, Value)>, &'a str, Option<(&'a str, &'a str)>);
    let table: Vec<Case<'_>> = vec![
        (vec![("user", rules("allow", &["Bash(deploy *)"]))], "granted", Some(("user", "allow"))),
        (
            vec![("user", rules("allow", &["Bash(deploy *)"])), ("project", rules("deny", &["Bash(deploy web)"]))],
            "denied",
            Some(("project", "deny")),
        ),
        (
            vec![("user", rules("deny", &["Bash(deploy *)"])), ("managed", rules("allow", &["Bash(deploy *)"]))],
            "denied",
            Some(("user", "deny")),
        ),
        (vec![("managed", rules("ask", &["Bash(deploy *)"])), ("user", rules("allow", &["Bash"]))], "asked", Some(("managed", "ask"))),
        (vec![("local", rules("ask", &["Bash"])), ("user", rules("deny", &["Bash(deploy *)"]))], "denied", Some(("user", "deny"))),
        (vec![("project", rules("allow", &["Bash(deploy *)"])), trusted.clone()], "granted", Some(("project", "allow"))),
        (vec![("project", rules("allow", &["Bash(deploy *)"])), ("trust", json!({"trusted": false}))], "asked", None),
        (vec![("project", rules("allow", &["Bash(deploy *)"]))], "unknown", None),
        (
            vec![("local", rules("allow", &["Bash(deploy *)"])), ("user", rules("allow", &["Bash(de*)"])), trusted],
            "granted",
            Some(("local", "allow")),
        ),
        (
            vec![
                ("managed", json!({"permissions": {}, "switches": {"allowManagedPermissionRulesOnly": true}})),
                ("user", rules("allow", &["Bash"])),
            ],
            "asked",
            None,
        ),
        (vec![("user", json!({"permissions": {}}))], "asked", None),
    ];
    for (files, word, ground) in table {
        let ruling = bash(&files);
        assert_eq!((ruling.word(), by(&ruling)), (word, ground), "{files:?} {ruling:?}");
    }
}

/// Protects the reading of modes, and of what the client permits or asks about by itself.
#[test]
fn modes_and_habits() {
    let none = || vec![("user", json!({"permissions": {}}))];
    let write = |path: &str| ("Write", json!({"file_path": path}));
    let table = [
        ("default", write("/p/a"), "asked"),
        ("acceptEdits", write("/p/a"), "granted"),
        ("acceptEdits", write("/q/a"), "asked"),
        ("acceptEdits", write("/p/.git/hooks/x"), "asked"),
        ("bypassPermissions", write("/q/a"), "granted"),
        ("dontAsk", write("/p/a"), "denied"),
        ("plan", write("/p/a"), "unknown"),
        ("auto", write("/p/a"), "unknown"),
        ("", write("/p/a"), "unknown"),
        ("default", ("Read", json!({"file_path": "/p/a"})), "granted"),
        ("default", ("Read", json!({"file_path": "/q/a"})), "asked"),
        ("default", ("Grep", json!({"pattern": "x"})), "granted"),
        ("default", ("TodoWrite", json!({})), "granted"),
        ("default", ("Agent", json!({"subagent_type": "Explore"})), "granted"),
        ("default", ("WebSearch", json!({"query": "x"})), "asked"),
        ("default", ("mcp__a__b", json!({})), "asked"),
        ("default", ("Bash", json!({"command": "git status && ls"})), "granted"),
        ("default", ("Bash", json!({"command": "cat /etc/shadow"})), "asked"),
    ];
    for (mode, (tool, input), word) in table {
        let ruling = judged(mode, tool, input.clone(), &none());
        assert_eq!(ruling.word(), word, "{mode} {tool} {input} {ruling:?}");
    }
}

/// Protects honesty: where the trail lacks something that could decide, the answer is "unknown" and names it.
#[test]
fn what_is_missing_is_named() {
    let missing = |ruling: Ruling| if let Ruling::Unknown(missing) = ruling { missing.join("; ") } else { panic!("{ruling:?}") };
    let action = json!({"command": "deploy web"});
    let empty = judge(&Action { tool: "Bash", input: &action, cwd: Some("/p"), mode: "default" }, &InForce::default());
    assert!(missing(empty).contains("which settings files"));
    let unread = snapshot(1, "managed", PATHS[0].1, json!({"why": "owner"}));
    let mut snapshots = Snapshots::of_session("s");
    let mut unread = unread;
    unread["status"] = json!("unreadable");
    snapshots.add(&unread);
    let found = judge(&Action { tool: "Bash", input: &action, cwd: Some("/p"), mode: "default" }, &snapshots.in_force());
    assert!(missing(found).contains("could not be read (owner)"));
    assert!(missing(judged("default", "Bash", Value::Null, &[("user", rules("allow", &["Bash"]))])).contains("its input"));
    let redacted = [("user", rules("deny", &["Bash(curl -H [redacted:bearer] *)"]))];
    assert!(missing(judged("default", "Bash", action, &redacted)).contains("redacted"));
    // A shell that is given a script may do what a rule forbids.
    let script = json!({"command": "bash -c 'deploy web'"});
    assert!(missing(judged("default", "Bash", script, &[("user", rules("deny", &["Bash(deploy *)"]))])).contains("script"));
}

/// Protects against forged snapshots: what somebody sent in as a record is none.
#[test]
fn a_record_is_no_snapshot() {
    let mut snapshots = Snapshots::of_session("s");
    let mut forged = snapshot(1, "user", PATHS[1].1, rules("allow", &["Bash"]));
    forged["witness"] = json!("api");
    assert!(!snapshots.add(&forged));
    assert!(snapshots.in_force().files.is_empty());
}

fn call(id: &str, phase: &str, outcome: Option<&str>) -> Value {
    let mut event = json!({
        "audit_id": format!("{id}-{phase}"), "event_type": "tool.command", "witness": "hook", "session_id": "s", "tool_use_id": id, "phase": phase,
        "tool_name": "Bash", "tool_input": {"command": "deploy web"}, "permission_mode": "default", "cwd": "/p", "timestamp": "2026-11-21T08:00:30Z",
    });
    if let Some(outcome) = outcome {
        event["outcome"] = json!(outcome);
    }
    event
}

/// Protects the story around an action: since when a rule holds, in which other session its end was first seen, and that a question which was
/// answered is no finding.
#[test]
fn since_when_and_until_when() {
    let user = PATHS[1].1;
    let with = |n: u32, allow: &[&str]| snapshot(n, "user", user, rules("allow", allow));
    let start = json!({"session_id": "s", "witness": "hook", "resource": {"settings_folder": "/p", "settings_missing": [PATHS[2].1]}});
    let events = [
        start.clone(),
        with(1, &["Bash(deploy *)"]),
        with(2, &["Bash(deploy *)", "Edit"]),
        call("t", "intent", None),
        call("t", "outcome", Some("success")),
    ];
    let mut elsewhere = with(40, &["Edit"]);
    elsewhere["session_id"] = json!("another");
    let mut other_project = snapshot(39, "project", "/other/.claude/settings.json", rules("deny", &["Bash"]));
    other_project["session_id"] = json!("another");
    let found = report(&events[4], &events, &[other_project, elsewhere]).unwrap();
    assert_eq!(found.ruling.ground().unwrap().rules[0].event, "snap-1");
    assert_eq!(
        (found.lost.as_ref().unwrap().event.as_str(), found.decided.as_str()),
        ("snap-40", "ran without a question, as the rules say")
    );
    let asked = [
        start,
        with(1, &["Bash(deploy *)"]),
        with(2, &[]),
        call("t", "intent", None),
        call("t", "verdict", None),
        call("t", "outcome", Some("success")),
    ];
    let found = report(&asked[5], &asked, &[]).unwrap();
    assert_eq!((found.ruling.word(), found.findings.len(), found.asked), ("asked", 0, vec!["t-verdict".to_owned()]));
    let unasked = [&asked[..4], &asked[5..]].concat();
    let found = report(&unasked[4], &unasked, &[]).unwrap();
    assert_eq!((found.findings[0].kind, found.lost.unwrap().event.as_str()), ("executed_while_unauthorised", "snap-2"));
    let mut denied = unasked.clone();
    denied[2] = snapshot(2, "user", user, rules("deny", &["Bash(deploy *)"]));
    assert_eq!(report(&denied[4], &denied, &[]).unwrap().findings[0].kind, "executed_while_unauthorised");
    assert!(report(&json!({"event_type": "session.started", "session_id": "s"}), &unasked, &[]).is_none());
}

/// Protects flags and permissions of the session: they count where the client counts them, and the answer names them as what they are.
#[test]
fn what_the_client_was_started_with_counts() {
    let with = |files: &[(&str, &str, Value)], command: &str, looked: bool| {
        let mut snapshots = Snapshots::of_session("s");
        let missing = if looked { vec!["command line"] } else { Vec::new() };
        snapshots.add(&json!({"session_id": "s", "witness": "hook", "resource": {"settings_folder": "/p", "settings_missing": missing}}));
        for (n, (scope, path, members)) in files.iter().enumerate() {
            snapshots.add(&snapshot(n as u32, scope, path, members.clone()));
        }
        judge(&Action { tool: "Bash", input: &json!({"command": command}), cwd: Some("/p"), mode: "default" }, &snapshots.in_force())
    };
    let line = |members: Value| ("launch", "command line", members);
    let user = |members: Value| ("user", PATHS[1].1, members);
    let by = |ruling: &Ruling| {
        let ground = ruling.ground().and_then(|ground| ground.rules.first());
        ground.map(|by| (by.scope.as_str().to_owned(), by.path.clone(), by.rule.clone()))
    };
    let flags = with(&[line(rules("allow", &["Bash(deploy *)"])), user(rules("allow", &["Bash(de*)"]))], "deploy web", true);
    assert_eq!(by(&flags), Some(("launch".to_owned(), "command line".to_owned(), "Bash(deploy *)".to_owned())), "{flags:?}");
    let named = line(json!({"permissions": {}, "launch": {"settings": "/q/extra.json"}}));
    let extra = ("launch", "/q/extra.json", rules("deny", &["Bash(deploy *)"]));
    let file = with(&[named.clone(), extra.clone(), user(rules("allow", &["Bash"]))], "deploy web", true);
    assert_eq!((file.word(), by(&file).unwrap().1.as_str()), ("denied", "/q/extra.json"));
    assert_eq!(with(&[line(json!({"permissions": {}})), extra, user(rules("allow", &["Bash"]))], "deploy web", true).word(), "granted");
    // Where only the organisation's rules count, a flag can still forbid and no longer permit.
    let only = ("managed", PATHS[0].1, json!({"permissions": {}, "switches": {"allowManagedPermissionRulesOnly": true}}));
    assert_eq!(with(&[only.clone(), line(rules("allow", &["Bash"]))], "deploy web", true).word(), "asked");
    assert_eq!(with(&[only, line(rules("deny", &["Bash"]))], "deploy web", true).word(), "denied");
    // A client that was told to leave out a person's settings does not ask them.
    let sources = json!({"permissions": {}, "launch": {"flags": ["--setting-sources"], "setting_sources": ["project"]}});
    assert_eq!(with(&[line(sources.clone()), user(rules("allow", &["Bash"]))], "deploy web", true).word(), "asked");
    // A settings file cannot say so, and the command line of another session says nothing of this one.
    assert_eq!(with(&[named, ("launch", "/q/extra.json", sources), user(rules("allow", &["Bash"]))], "deploy web", true).word(), "granted");
    let mut snapshots = Snapshots::of_session("s");
    snapshots.add(&json!({"session_id": "s", "witness": "hook", "resource": {"settings_missing": ["command line"]}}));
    let mut other = snapshot(1, "launch", "command line", rules("allow", &["Bash"]));
    other["session_id"] = json!("another");
    assert!(!snapshots.add(&other));
}

/// Protects what a person permits for the session, which no file holds: it is a ground where the client's telemetry says so, it is named as
/// possible where nobody says so, and it ends with the client's process.
#[test]
fn a_permission_of_the_session_is_found_in_its_question() {
    let call = |id: &str, phase: &str, more: Value| {
        let mut event = json!({
            "audit_id": format!("{id}-{phase}"), "event_type": "tool.command", "witness": "hook", "session_id": "s", "tool_use_id": id, "phase": phase,
            "tool_name": "Bash", "tool_input": {"command": format!("deploy {id}")}, "cwd": "/p", "permission_mode": "default",
            "timestamp": "2026-11-21T09:00:00Z", "outcome": if phase == "outcome" { "success" } else { "" },
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let offer = json!({"event_type": "policy.approval_requested", "permission_suggestions": [
        {"type": "addRules", "behavior": "allow", "destination": "localSettings", "rules": [{"toolName": "Bash"}]},
        {"type": "addRules", "behavior": "allow", "destination": "session", "rules": [{"toolName": "Bash", "ruleContent": "deploy:*"}]},
    ]});
    let telemetry = |source: &str| call("two", "verdict", json!({"event_type": "policy.decision", "witness": "otel", "source": source}));
    let none = json!({});
    let start = json!({"event_type": "session.started", "source": "startup", "session_id": "s", "witness": "hook", "resource": {"settings_folder": "/p"}});
    let first = [
        start.clone(),
        snapshot(1, "user", PATHS[1].1, rules("allow", &[])),
        call("one", "intent", none.clone()),
        call("one", "verdict", offer),
        call("one", "outcome", none.clone()),
    ];
    let second = |more: &[Value]| [&[call("two", "intent", none.clone())], more, &[call("two", "outcome", none.clone())]].concat();
    let answer = |events: Vec<Value>| report(events.last().unwrap(), &events, &[]).unwrap();

    let sure = answer([&first[..], &second(&[telemetry("user_temporary")])].concat());
    let Ruling::Granted(ground) = &sure.ruling else { panic!("{sure:?}") };
    let rule = &ground.rules[0];
    assert_eq!((rule.rule.as_str(), rule.scope.as_str(), rule.event.as_str()), ("Bash(deploy:*)", "session", "one-verdict"));
    assert!(sure.unknown.is_empty() && sure.findings.is_empty(), "{sure:?}");

    let unsure = answer([&first[..], &second(&[])].concat());
    assert_eq!(unsure.ruling.word(), "asked");
    assert!(unsure.unknown.iter().any(|text| text.contains("one-verdict")), "{unsure:?}");

    let hook = answer([&first[..], &second(&[telemetry("hook")])].concat());
    assert!(hook.ruling.word() == "asked" && hook.decided.contains("a hook decided") && hook.unknown.is_empty(), "{hook:?}");

    let mut again = first.to_vec();
    again.push(start);
    let forgotten = answer([&again[..], &second(&[telemetry("user_temporary")])].concat());
    assert_eq!(forgotten.ruling.word(), "asked", "{forgotten:?}");
}

proptest::proptest! {
    /// Protects the reader of any trail: no rule, path or command line makes the judgement panic or run for ever.
    #[test]
    fn no_text_breaks_it(rule in "\\PC{0,40}", inner in "[a-z*?\\[\\]!^/.~$(){}'\"\\\\ |&;<>=:\\n-]{0,40}", command in "[a-z*$(){}'\"`\\\\ |&;<>=:#!\\n-]{0,80}", path in "\\PC{0,40}") {
        for rule in [rule.clone(), format!("Bash({inner})"), format!("Edit({inner})"), format!("WebFetch(domain:{inner})")] {
            let files = [("user", json!({"permissions": {"allow": [rule.clone()], "ask": [rule.clone()], "deny": [rule]}}))];
            judged("default", "Bash", json!({"command": command.clone()}), &files);
            judged("acceptEdits", "Write", json!({"file_path": path.clone()}), &files);
            judged("default", "WebFetch", json!({"url": path.clone()}), &files);
        }
    }
}
