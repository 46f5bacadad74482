//! Settings files on a disk, seen through the daemon: permission given, action, permission revoked.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sealtrail_engine::Daemon;
use sealtrail_intake::Answer;
use sealtrail_trace::permission::{Ruling, report};
use serde_json::{Value, json};

use crate::kit::{TestHome, frame, home, send};

/// A project and a client's folder.
struct Client {
    test: TestHome,
    daemon: Option<Daemon>,
    folder: tempfile::TempDir,
    sent: u64,
    /// The client's process; 0 when its hooks do not name one.
    pid: u32,
}

impl Client {
    fn new() -> Self {
        let test = home();
        let daemon = Some(test.daemon());
        let folder = tempfile::tempdir().unwrap();
        for name in ["project/.claude", "project/sub/.claude", "config/projects/p"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        Self { test, daemon, folder, sent: 0, pid: 0 }
    }

    fn write(&self, name: &str, value: &Value) {
        // A new file each time: a change within one tick of the clock is seen all the same.
        let path = self.folder.path().join(name);
        let _ = fs::remove_file(&path);
        fs::write(path, value.to_string()).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn hook(&mut self, name: &str, more: Value) {
        self.hook_in("project", name, more);
    }

    fn hook_in(&mut self, cwd: &str, name: &str, more: Value) {
        let mut body = json!({
            "session_id": "s", "transcript_path": self.path("config/projects/p/s.jsonl"), "cwd": self.path(cwd), "hook_event_name": name,
            "permission_mode": "default",
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.sent += 1;
        let body = body.to_string().into_bytes();
        let mut frame = frame(self.sent, &body);
        if self.pid != 0 {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            (frame.client_pid, frame.received_unix_ns) = (self.pid, u64::try_from(now.as_nanos()).unwrap());
        }
        assert!(matches!(send(&self.test.home, &frame, &body), Some(Answer::Sealed(_))));
    }

    /// A command that runs without a question; returns nothing, its events have the id of the call.
    fn run(&mut self, call: &str, command: &str) {
        let input = json!({"command": command});
        self.hook("PreToolUse", json!({"tool_name": "Bash", "tool_use_id": call, "tool_input": input}));
        let response = json!({"stdout": "", "stderr": "", "interrupted": false});
        self.hook("PostToolUse", json!({"tool_name": "Bash", "tool_use_id": call, "tool_input": input, "tool_response": response}));
    }

    /// Starts the daemon anew.
    fn restart(&mut self) {
        self.daemon.take().unwrap().stop().unwrap();
        self.daemon = Some(self.test.daemon());
    }

    fn end(mut self) -> Vec<Value> {
        self.daemon.take().unwrap().stop().unwrap();
        self.test.events()
    }
}

fn snapshots(events: &[Value]) -> Vec<(String, String, String)> {
    let word = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let of_type = events.iter().filter(|event| event["event_type"] == "auth.permission_snapshot");
    of_type.map(|event| (word(event, "source"), word(event, "status"), word(event, "reason"))).collect()
}

fn told(source: &str, status: &str, reason: &str) -> (String, String, String) {
    (source.to_owned(), status.to_owned(), reason.to_owned())
}

fn allow(rules: &[&str]) -> Value {
    json!({"permissions": {"allow": rules}, "env": {"TOKEN": "never-kept"}})
}

/// Protects the edge case of forensics: a permission is given, an action done, the permission revoked. All three are in the trail with their times,
/// and the answer for the action names rule, file, snapshot and the moment of the revocation; the same action after it is a finding.
#[test]
fn given_used_revoked() {
    let mut client = Client::new();
    client.write("config/settings.json", &allow(&["Bash(deploy *)"]));
    client.hook("SessionStart", json!({"source": "startup"}));
    client.run("toolu_1", "deploy web");
    client.restart();
    client.write("config/settings.json", &allow(&[]));
    client.hook("ConfigChange", json!({"source": "user_settings"}));
    client.run("toolu_2", "deploy web");
    let path = client.path("config/settings.json");
    let events = client.end();
    assert!(!serde_json::to_string(&events).unwrap().contains("never-kept"));
    let found = snapshots(&events);
    assert_eq!((&found[0], found.len()), (&told("user", "present", "session_start"), 2));
    let revoked = events.iter().find(|event| event["event_type"] == "auth.permission_revoked").unwrap();
    assert_eq!(revoked["tool_permissions"], json!({"revoked": ["Bash(deploy *)"]}));

    let of_call = |call: &str| events.iter().find(|event| event["tool_use_id"] == call && event["phase"] == "outcome").unwrap();
    let first = report(of_call("toolu_1"), &events, &[]).unwrap();
    let Ruling::Granted(ground) = &first.ruling else { panic!("{first:?}") };
    let snapshot = events.iter().find(|event| event["event_type"] == "auth.permission_snapshot").unwrap();
    assert_eq!((ground.rules[0].rule.as_str(), ground.rules[0].path.as_str()), ("Bash(deploy *)", path.as_str()));
    assert_eq!((&json!(ground.rules[0].event), &json!(ground.rules[0].at)), (&snapshot["audit_id"], &snapshot["timestamp"]));
    let lost = first.lost.as_ref().unwrap();
    assert_eq!((&json!(lost.event), &json!(lost.at), lost.before), (&revoked["parent_audit_id"], &revoked["timestamp"], false));
    assert!(first.findings.is_empty(), "{first:?}");

    let second = report(of_call("toolu_2"), &events, &[]).unwrap();
    assert_eq!((second.ruling.word(), second.findings[0].kind), ("asked", "executed_while_unauthorised"));
    assert!(second.lost.unwrap().before);
}

/// A process with a command line of a client; it waits until its input ends.
fn started_with(words: &[&str]) -> std::process::Child {
    let mut command = std::process::Command::new("/bin/sh");
    let process = command.args(["-c", "read line", "claude"]).args(words).stdin(std::process::Stdio::piped()).spawn().unwrap();
    // A process that is just being started has no command line yet.
    let before = Instant::now();
    while std::fs::read(format!("/proc/{}/cmdline", process.id())).unwrap().is_empty() {
        assert!(before.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
    process
}

/// Protects the answer for a client that was started with flags: they are recorded when its session begins, they are the rule that is named, and
/// neither the prompt beside them nor a value of the environment in its settings is kept.
#[test]
fn flags_of_the_command_line_are_a_ground() {
    let mut client = Client::new();
    let settings = allow(&["Bash(publish *)"]).to_string();
    let words = ["-p", "a prompt of Hunter2", "--allowedTools", "Bash(deploy *)", "--add-dir", "/q", "--settings", &settings];
    let mut process = started_with(&words);
    client.pid = process.id();
    client.hook("SessionStart", json!({"source": "startup"}));
    client.hook("UserPromptSubmit", json!({"prompt": "x"}));
    client.run("toolu_1", "deploy web");
    client.run("toolu_2", "publish web");
    let mut other = started_with(&["-c"]);
    client.pid = other.id();
    client.hook("SessionStart", json!({"source": "resume"}));
    client.run("toolu_3", "deploy web");
    client.run("toolu_4", "publish web");
    for process in [&mut process, &mut other] {
        drop(process.stdin.take());
        process.wait().unwrap();
    }
    let events = client.end();
    let text = serde_json::to_string(&events).unwrap();
    assert!(!text.contains("Hunter2") && !text.contains("never-kept"));
    let launch: Vec<_> = snapshots(&events).into_iter().filter(|(source, _, _)| source == "launch").collect();
    let present = told("launch", "present", "session_start");
    assert_eq!(launch, [present.clone(), present, told("launch", "gone", "session_start")]);
    let of_call = |call: &str| events.iter().find(|event| event["tool_use_id"] == call && event["phase"] == "outcome").unwrap();
    let by = |call: &str| match report(of_call(call), &events, &[]).unwrap().ruling {
        Ruling::Granted(ground) => (ground.rules[0].rule.clone(), ground.rules[0].path.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(by("toolu_1"), ("Bash(deploy *)".to_owned(), "command line".to_owned()));
    assert_eq!(by("toolu_2"), ("Bash(publish *)".to_owned(), "command line --settings".to_owned()));
    for call in ["toolu_3", "toolu_4"] {
        let after = report(of_call(call), &events, &[]).unwrap();
        assert_eq!((after.ruling.word(), after.findings.len()), ("asked", 1), "{after:?}");
    }
}

/// Protects against silence: a change that no ConfigChange tells is found at the next hook, a file that goes away too, and a daemon that began anew
/// tells only what changed.
#[test]
fn changes_are_seen_without_being_told() {
    let mut client = Client::new();
    client.write("project/.claude/settings.json", &allow(&["Edit(a)"]));
    client.hook("UserPromptSubmit", json!({"prompt": "x"}));
    client.hook("UserPromptSubmit", json!({"prompt": "x"}));
    client.write("project/.claude/settings.local.json", &allow(&["Edit(b)"]));
    client.hook("UserPromptSubmit", json!({"prompt": "x"}));
    client.restart();
    client.hook("UserPromptSubmit", json!({"prompt": "x"}));
    fs::remove_file(client.path("project/.claude/settings.json")).unwrap();
    client.hook("UserPromptSubmit", json!({"prompt": "x"}));
    let expected =
        [told("project", "present", "first_seen"), told("local", "present", "changed_on_disk"), told("project", "gone", "changed_on_disk")];
    let events = client.end();
    assert_eq!(snapshots(&events), expected);
    let first = events.iter().find(|event| event["event_type"] == "prompt.submitted").unwrap();
    assert!(
        first["resource"]["settings_missing"]
            .as_array()
            .unwrap()
            .iter()
            .any(|path| path.as_str().unwrap().ends_with("/config/settings.json"))
    );
}

/// Protects a session that goes elsewhere: settings of another folder are recorded when it goes there and do not count as the session's own; those of
/// the repository's root count for its folders, also after the recorder began anew.
#[test]
fn other_folders_and_the_repository() {
    let mut client = Client::new();
    fs::create_dir(Path::new(&client.path("project/.git"))).unwrap();
    client.write("project/.claude/settings.local.json", &allow(&["Edit(root)"]));
    client.write("project/sub/.claude/settings.json", &allow(&["Edit(sub)"]));
    client.hook_in("project/sub", "SessionStart", json!({"source": "startup"}));
    client.write("config/settings.json", &allow(&[]));
    client.write("project/.claude/settings.json", &allow(&["Edit(elsewhere)"]));
    client.hook("CwdChanged", json!({"old_cwd": "x", "new_cwd": "y"}));
    client.restart();
    client.hook("Stop", json!({}));
    let events = client.end();
    let found = snapshots(&events);
    assert_eq!(found[..2], [told("project", "present", "session_start"), told("local", "present", "session_start")]);
    assert!(
        found.contains(&told("project", "present", "new_folder")) && found.contains(&told("user", "present", "first_seen")),
        "{found:?}"
    );
    let last = events.iter().rfind(|event| event["event_type"] == "session.turn_finished").unwrap();
    assert!(last["resource"]["settings_folder"].as_str().unwrap().ends_with("project/sub"), "{last}");
}

/// Protects odd files: a pipe is not waited for, a folder is no file, and the operator can forbid reading beside hooks altogether.
#[test]
fn odd_files_and_the_switch() {
    let mut client = Client::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, client.path("project/.claude/settings.json"), rustix::fs::Mode::RUSR).unwrap();
    fs::create_dir(client.path("config/settings.json")).unwrap();
    fs::write(client.path("project/.claude/settings.local.json"), "x".repeat(1_100_000)).unwrap();
    client.hook("SessionStart", json!({"source": "startup"}));
    let events = client.end();
    let whys: Vec<&Value> =
        events.iter().filter(|event| event["status"] == "unreadable").map(|event| &event["permission_snapshot"]["why"]).collect();
    assert_eq!(whys, [&json!("not_a_file"), &json!("not_a_file"), &json!("too_large")]);

    let mut client = Client::new();
    client.test.configure("audit:\n  capture:\n    side_files: false\n");
    client.restart();
    client.write("config/settings.json", &allow(&["Bash"]));
    client.hook("SessionStart", json!({"source": "startup"}));
    assert!(snapshots(&client.end()).is_empty());
}
