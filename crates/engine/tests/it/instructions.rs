//! Files of instructions on a disk, seen through the daemon.

use std::fs;

use sealtrail_engine::Daemon;
use sealtrail_intake::Answer;
use serde_json::{Value, json};

use crate::kit::{TestHome, frame, home, send};

struct Client {
    test: TestHome,
    daemon: Option<Daemon>,
    folder: tempfile::TempDir,
    sent: u64,
}

impl Client {
    fn new() -> Self {
        let test = home();
        let daemon = Some(test.daemon());
        let client = Self { test, daemon, folder: tempfile::tempdir().unwrap(), sent: 0 };
        fs::create_dir_all(client.folder.path().join("config/projects/p")).unwrap();
        client
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        // A new file each time: a change within one tick of the clock is seen all the same.
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        fs::write(path, text).unwrap();
    }

    fn hook(&mut self, session: &str, name: &str, more: Value) {
        let mut body = json!({
            "session_id": session, "transcript_path": self.path(&format!("config/projects/p/{session}.jsonl")), "cwd": self.path("project"),
            "hook_event_name": name,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.sent += 1;
        let body = body.to_string().into_bytes();
        assert!(matches!(send(&self.test.home, &frame(self.sent, &body), &body), Some(Answer::Sealed(_))));
    }

    fn loaded(&mut self, session: &str, name: &str) {
        let file = self.path(name);
        self.hook(session, "InstructionsLoaded", json!({"file_path": file, "memory_type": "Project", "load_reason": "session_start"}));
    }

    /// Stops the daemon; returns of each event of instructions its type, file, status, reason and whether the client had loaded it.
    fn end(&mut self) -> Vec<(String, String, String, String, bool)> {
        self.daemon.take().unwrap().stop().unwrap();
        let root = self.path("");
        let events = self.test.events();
        let told = events.iter().filter(|event| event["event_type"].as_str().unwrap().starts_with("instructions."));
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        told.map(|event| {
            let path = word(&event["resource"]["path"]).replace(&root, "");
            let kind = word(&event["event_type"]).replace("instructions.", "");
            (kind, path, word(&event["status"]), word(&event["reason"]), event["instructions"]["loaded"] == true)
        })
        .collect()
    }
}

fn told(kind: &str, path: &str, status: &str, reason: &str, loaded: bool) -> (String, String, String, String, bool) {
    (kind.into(), path.into(), status.into(), reason.into(), loaded)
}

/// Protects the record of what a session was told: what the client loads is read at once, what lies beside the settings is told at the start; a change, a new file and
/// a file that went away are told at the next turn, and nothing twice, in whatever order the client's first hooks come.
#[test]
fn a_session_and_its_instructions() {
    let mut client = Client::new();
    client.write("project/CLAUDE.md", "Use two spaces.\n");
    client.write("config/CLAUDE.md", "Answer in English.\n");
    client.write("project/.claude/agents/reviewer.md", "Review.\n");
    client.write("project/.claude/skills/brief/SKILL.md", "One sentence.\n");
    client.write("project/.claude/skills/brief/notes.md", "none of the client's\n");
    client.write("config/commands/greet.md", "Greet.\n");
    client.loaded("s", "project/CLAUDE.md");
    client.hook("s", "SessionStart", json!({"source": "startup"}));
    client.hook("s", "UserPromptSubmit", json!({"prompt": "go"}));
    client.write("project/CLAUDE.md", "Use four spaces.\n");
    client.write("project/.claude/agents/second.md", "Review again.\n");
    fs::remove_file(client.path("project/.claude/agents/reviewer.md")).unwrap();
    client.hook("s", "PreToolUse", json!({"tool_name": "Bash", "tool_use_id": "toolu_1", "tool_input": {"command": "true"}}));
    client.hook("s", "UserPromptSubmit", json!({"prompt": "on"}));
    client.hook("s", "UserPromptSubmit", json!({"prompt": "and on"}));
    client.loaded("s", "project/CLAUDE.md");
    assert_eq!(
        client.end(),
        [
            told("loaded", "config/CLAUDE.md", "present", "first_seen", false),
            told("loaded", "config/commands/greet.md", "present", "first_seen", false),
            told("loaded", "project/.claude/agents/reviewer.md", "present", "first_seen", false),
            told("loaded", "project/.claude/skills/brief/SKILL.md", "present", "first_seen", false),
            told("loaded", "project/CLAUDE.md", "present", "session_start", true),
            told("changed", "project/.claude/agents/reviewer.md", "gone", "changed_on_disk", false),
            told("loaded", "project/.claude/agents/second.md", "present", "changed_on_disk", false),
            told("changed", "project/CLAUDE.md", "present", "changed_on_disk", false),
            told("loaded", "project/CLAUDE.md", "present", "session_start", true),
        ]
    );
}

/// Protects the trail's size and its bounds: a recorder that began anew repeats no text, and of too many files the rest is counted.
#[test]
fn a_second_session_repeats_no_text() {
    let mut client = Client::new();
    for n in 0..300 {
        client.write(&format!("project/.claude/rules/{n:03}.md"), &format!("Rule {n}.\n"));
    }
    client.hook("s", "SessionStart", json!({"source": "startup"}));
    client.daemon.take().unwrap().stop().unwrap();
    client.daemon = Some(client.test.daemon());
    client.hook("t", "SessionStart", json!({"source": "startup"}));
    assert_eq!(client.end().len(), 2 * 256);
    let events = client.test.events();
    let texts = events.iter().filter(|event| event["instructions"].get("text").is_some()).count();
    assert_eq!(texts, 256);
    let left_out: Vec<_> = events.iter().filter_map(|event| event["instructions_left_out"].as_u64()).collect();
    assert_eq!(left_out, [44, 44]);
}
