//! Settings files beside a hook become events: what they grant, what changed, and nothing of what they hold besides.

use sealtrail_capture::settings::{Found, Look, SettingsFile, Unreadable, Why, mark, places};
use sealtrail_capture::{Captured, Intake, Sessions, hook};
use sealtrail_event::{AuditId, SettingsScope};
use serde_json::{Value, json};

const USER: &str = "/home/dev/.claude/settings.json";
const PROJECT: &str = "/p/.claude/settings.json";

struct Bench {
    sessions: Sessions,
    ids: u32,
    views: Vec<Value>,
}

impl Bench {
    fn new() -> Self {
        Self { sessions: Sessions::new(), ids: 0, views: Vec::new() }
    }

    fn feed(&mut self, event: &str, why: Why, files: &[(SettingsScope, &str, Found)]) -> Vec<Value> {
        let files = files.iter().map(|(scope, path, found)| SettingsFile { scope: *scope, path: (*path).to_owned(), found: found.clone() });
        let look = Look {
            why,
            read_unix_ns: 1_795_229_029_500_000_000,
            folder: Some("/p".to_owned()),
            files: files.collect(),
            instructions: Vec::new(),
            instructions_left_out: 0,
        };
        self.ids += 1;
        let mut intake = Intake::new(AuditId::parse(&format!("d{}", self.ids)).unwrap(), 1_795_229_029_000_000_000, 1000);
        intake.settings = Some(look);
        let body = json!({"session_id": "s", "hook_event_name": event, "cwd": "/p"}).to_string();
        let ids = &mut self.ids;
        let Captured { events } = hook(body.as_bytes(), &intake, &mut self.sessions, &mut || {
            *ids += 1;
            AuditId::parse(&format!("e{ids}")).unwrap()
        });
        let views: Vec<Value> = events.iter().map(sealtrail_event::Event::to_json).collect();
        self.views.extend(views.iter().cloned());
        views
    }
}

fn file(value: &Value) -> Found {
    Found::Present(value.to_string().into_bytes())
}

/// Protects the answer to "what was granted when": each file is told when a session begins, what is not there is named, and an unchanged file is
/// told once, also by a recorder that began anew.
#[test]
fn each_content_is_told_once() {
    let mut bench = Bench::new();
    let settings = file(&json!({"permissions": {"allow": ["Bash(ls *)"], "deny": ["Read(.env)"], "defaultMode": "plan"}, "model": "x"}));
    let files = [(SettingsScope::User, USER, settings), (SettingsScope::Project, PROJECT, Found::Missing)];
    let views = bench.feed("SessionStart", Why::SessionStart, &files);
    assert_eq!(views.len(), 2, "{views:#?}");
    assert_eq!(views[0]["resource"], json!({"settings_missing": [PROJECT], "settings_folder": "/p"}));
    let told = &views[1];
    assert_eq!(
        (&told["event_type"], &told["witness"], &told["source"]),
        (&json!("auth.permission_snapshot"), &json!("fs"), &json!("user"))
    );
    assert_eq!(
        (&told["status"], &told["reason"], &told["parent_audit_id"]),
        (&json!("present"), &json!("session_start"), &views[0]["audit_id"])
    );
    assert_eq!((&told["resource"]["path"], &told["timestamp"]), (&json!(USER), &json!("2026-11-21T02:43:49.500000000Z")));
    let told = &told["permission_snapshot"];
    assert_eq!(told["permissions"], json!({"allow": ["Bash(ls *)"], "deny": ["Read(.env)"], "defaultMode": "plan"}));
    assert_eq!(told["other_members"], json!(["model"]));
    assert_eq!(bench.feed("ConfigChange", Why::ConfigChange, &files).len(), 1);
    let mut again = Sessions::new();
    bench.views.iter().for_each(|view| again.replay(view));
    assert_eq!(again, bench.sessions);
    bench.sessions = again;
    assert_eq!(bench.feed("Stop", Why::FirstSeen, &files).len(), 1);
}

/// Protects the record of a change: what was granted and revoked by it is an event each, with the snapshot as its parent, and a file that goes away
/// takes its grants with it.
#[test]
fn grants_and_revocations_are_events() {
    let mut bench = Bench::new();
    let with = |allow: Value, deny: Value| file(&json!({"permissions": {"allow": allow, "deny": deny}}));
    bench.feed("SessionStart", Why::SessionStart, &[(SettingsScope::Project, PROJECT, with(json!(["A", "B"]), json!(["X"])))]);
    let views = bench.feed("ConfigChange", Why::ConfigChange, &[(SettingsScope::Project, PROJECT, with(json!(["B", "C"]), json!(["Y"])))]);
    let kinds: Vec<&str> = views.iter().map(|view| view["event_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["agent.config_update", "auth.permission_snapshot", "auth.permission_granted", "auth.permission_revoked"]);
    assert_eq!(views[1]["tool_permissions"], json!({"granted": ["C", "X"], "revoked": ["A", "Y"]}));
    assert_eq!((&views[2]["tool_permissions"], &views[2]["parent_audit_id"]), (&json!({"granted": ["C", "X"]}), &views[1]["audit_id"]));
    assert_eq!((&views[3]["tool_permissions"], &views[3]["severity"]), (&json!({"revoked": ["A", "Y"]}), &json!("warning")));
    let views = bench.feed("PreToolUse", Why::Changed, &[(SettingsScope::Project, PROJECT, Found::Missing)]);
    assert_eq!((&views[1]["status"], &views[1]["reason"]), (&json!("gone"), &json!("changed_on_disk")));
    assert_eq!(views[1]["tool_permissions"]["revoked"], json!(["B", "C"]));
    assert_eq!(bench.feed("PreToolUse", Why::Changed, &[(SettingsScope::Project, PROJECT, Found::Missing)]).len(), 1);
}

/// Protects secrets: neither a value of `env`, nor a command or header of a hook, nor a helper lands in an event; a secret in a rule is replaced; and
/// no hash is told of a file in which a short secret could be guessed by it.
#[test]
fn nothing_but_permissions_is_kept() {
    let secret = ["ghp_", "a0Bz9Yk3Xq7a0Bz9Yk3Xq7a0Bz9Yk3Xq7a0Bz"].concat();
    let mut bench = Bench::new();
    let settings = json!({
        "env": {"PIN": "4711-needle"}, "apiKeyHelper": "/bin/needle-helper", "statusLine": {"command": "needle-line"},
        "hooks": {"PreToolUse": [{"hooks": [{"type": "http", "url": "https://needle.example", "headers": {"X-Key": "needle-key"}}]}]},
        "sandbox": {"enabled": true, "credentials": {"needle": 1}, "network": {"allowedDomains": ["a.example"], "httpProxyPort": 1}},
        "permissions": {"allow": [format!("Bash(curl -H 'Authorization: Bearer {secret}' *)"), 7], "needle": {"needle": 1}}
    });
    let views = bench.feed("SessionStart", Why::SessionStart, &[(SettingsScope::User, USER, file(&settings))]);
    let text = serde_json::to_string(&views).unwrap();
    assert!(!text.contains("needle") && !text.contains(&secret), "{text}");
    let told = &views[1]["permission_snapshot"];
    assert_eq!(
        (&told["hook_counts"], &told["sandbox"]),
        (&json!({"PreToolUse": 1}), &json!({"enabled": true, "network": {"allowedDomains": ["a.example"]}}))
    );
    assert_eq!((&told["sha256_withheld"], &views[1]["result"]), (&json!(true), &Value::Null));
    assert_eq!((&views[1]["redactions"], &told["permissions"]["allow_left_out"]), (&json!(1), &json!(1)));
    let plain = bench.feed("ConfigChange", Why::ConfigChange, &[(SettingsScope::User, USER, file(&json!({"permissions": {}})))]);
    let hash = plain[1]["result"]["audit_hash"].as_str().unwrap();
    assert_eq!(hash, format!("sha256:{}", plain[1]["permission_snapshot"]["sha256"].as_str().unwrap()));
}

/// Protects honesty: a file that cannot be read or understood is told as that, once.
#[test]
fn unreadable_files_are_told() {
    let mut bench = Bench::new();
    let files = [
        (SettingsScope::User, USER, Found::Unreadable(Unreadable::Owner)),
        (SettingsScope::Project, PROJECT, Found::Present(b"{\"permissions\": ".to_vec())),
        (
            SettingsScope::Trust,
            "/home/dev/.claude.json",
            file(
                &json!({"oauthAccount": {"emailAddress": "x@y.z"}, "projects": {"/": {"hasTrustDialogAccepted": true}, "/p": {"hasTrustDialogAccepted": true}}}),
            ),
        ),
    ];
    let views = bench.feed("SessionStart", Why::SessionStart, &files);
    let told: Vec<&Value> = views.iter().map(|view| &view["permission_snapshot"]).collect();
    assert_eq!(told[1], &json!({"status": "unreadable", "scope": "user", "why": "owner"}));
    assert_eq!(told[2], &json!({"status": "invalid", "scope": "project"}));
    assert_eq!(told[3], &json!({"status": "present", "scope": "trust", "trusted": true}));
    assert_eq!(bench.feed("ConfigChange", Why::ConfigChange, &files).len(), 1);
}

/// Protects the choice of files: the client's folder follows from where it keeps its transcripts, and no path that climbs is looked at.
#[test]
fn places_follow_from_the_hook() {
    let hook = |transcript: &str, cwd: &str| {
        json!({"session_id": "s", "hook_event_name": "Stop", "transcript_path": transcript, "cwd": cwd}).to_string()
    };
    let found = |transcript: &str, cwd: &str| places(hook(transcript, cwd).as_bytes()).unwrap();
    let places = found("/home/dev/.claude/projects/-p/s.jsonl", "/p");
    assert_eq!((places.config.as_deref(), places.cwd.as_deref()), (Some("/home/dev/.claude"), Some("/p")));
    for odd in ["/projects/-p/s.jsonl", "/home/../projects/-p/s.jsonl", "relative/projects/-p/s.jsonl", "/home/dev/s.jsonl", ""] {
        assert_eq!(found(odd, "/p/../etc"), sealtrail_capture::settings::Places { session: "s".to_owned(), cwd: None, config: None });
    }
    let text = hook("/t", "/p");
    let mark = mark(text.as_bytes()).unwrap();
    assert_eq!((mark.session, mark.cwd, mark.hook), (&b"s"[..], &b"/p"[..], &b"Stop"[..]));
}

/// Protects the hashed envelope: a tool's status is copied there only if it is a word of ours; a mail address stays in the output, which can be erased.
#[test]
fn a_status_is_a_known_word_or_stays_in_the_output() {
    let mut sessions = Sessions::new();
    for (status, kept) in [("async_launched", true), ("completed", true), ("dana@example.com", false), ("Dana", false)] {
        let body = json!({"session_id": "s", "hook_event_name": "PostToolUse", "tool_name": "mcp__x__y", "tool_use_id": "t", "tool_input": {},
            "tool_response": {"status": status}});
        let intake = Intake::new(AuditId::parse("d").unwrap(), 1_795_229_029_000_000_000, 1000);
        let events = hook(body.to_string().as_bytes(), &intake, &mut sessions, &mut || AuditId::parse("e").unwrap()).events;
        assert_eq!(events[0].envelope.status.as_ref().map(|word| word.as_str()), kept.then_some(status));
        assert_eq!(events[0].to_json()["tool_response"]["status"], status);
    }
}
