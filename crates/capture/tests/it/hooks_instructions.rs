//! Files of instructions beside a hook become events: each content once, each change with its difference.

use sealtrail_capture::provenance::{InstructionFile, InstructionKind, named};
use sealtrail_capture::settings::{Found, Look, Unreadable, Why};
use sealtrail_capture::{Captured, Intake, Sessions, hook};
use sealtrail_event::{AuditId, SettingsScope};
use serde_json::{Value, json};

const MEMORY: &str = "/p/CLAUDE.md";

struct Bench {
    sessions: Sessions,
    ids: u32,
    views: Vec<Value>,
}

impl Bench {
    fn new() -> Self {
        Self { sessions: Sessions::new(), ids: 0, views: Vec::new() }
    }

    /// Feeds a hook beside which one file was found; returns the events of it.
    fn feed(&mut self, session: &str, event: &str, loaded: bool, found: Found) -> Vec<Value> {
        let file = InstructionFile { kind: InstructionKind::Memory, scope: SettingsScope::Project, path: MEMORY.to_owned(), loaded, found };
        self.feed_all(session, event, vec![file])
    }

    fn feed_all(&mut self, session: &str, event: &str, instructions: Vec<InstructionFile>) -> Vec<Value> {
        let why = if event == "InstructionsLoaded" { Why::InstructionsLoaded } else { Why::Changed };
        let look = Look { why, read_unix_ns: 1_795_229_029_500_000_000, instructions, ..Look::default() };
        self.ids += 1;
        let mut intake = Intake::new(AuditId::parse(&format!("d{}", self.ids)).unwrap(), 1_795_229_029_000_000_000, 1000);
        intake.settings = Some(look);
        let body =
            json!({"session_id": session, "hook_event_name": event, "cwd": "/p", "file_path": MEMORY, "load_reason": "session_start"});
        let ids = &mut self.ids;
        let Captured { events } = hook(body.to_string().as_bytes(), &intake, &mut self.sessions, &mut || {
            *ids += 1;
            AuditId::parse(&format!("e{ids}")).unwrap()
        });
        let views: Vec<Value> = events.iter().map(sealtrail_event::Event::to_json).collect();
        self.views.extend(views.iter().cloned());
        views.into_iter().filter(|view| view["event_type"].as_str().unwrap().starts_with("instructions.")).collect()
    }

    /// Takes the place of a recorder that began anew.
    fn restart(&mut self) {
        let mut again = Sessions::new();
        self.views.iter().for_each(|view| again.replay(view));
        assert_eq!(again, self.sessions);
        self.sessions = again;
    }
}

fn text(text: &str) -> Found {
    Found::Present(text.as_bytes().to_vec())
}

/// Protects the address of instructions: the event names path, size and SHA-256, and the text stands in it the first time only, whoever loads it later.
#[test]
fn a_content_is_told_once() {
    let mut bench = Bench::new();
    let told = bench.feed("s", "InstructionsLoaded", true, text("abc"));
    let event = &told[0];
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((&event["event_type"], &event["witness"], &event["domain"]), (&json!("instructions.loaded"), &json!("fs"), &json!("agent")));
    assert_eq!((&event["source"], &event["reason"], &event["status"]), (&json!("project"), &json!("session_start"), &json!("present")));
    assert_eq!(event["resource"], json!({"type": "memory", "size_bytes": 3, "path": MEMORY}));
    assert_eq!(event["result"]["audit_hash"], json!(format!("sha256:{hash}")));
    assert_eq!(event["instructions"], json!({"loaded": true, "first_seen": true, "sha256": hash, "text": "abc"}));
    assert!(bench.feed("s", "InstructionsLoaded", true, text("abc")).is_empty());
    bench.restart();
    assert!(bench.feed("s", "UserPromptSubmit", false, text("abc")).is_empty());
    let other = bench.feed("t", "InstructionsLoaded", true, text("abc"));
    assert_eq!(other[0]["instructions"], json!({"loaded": true, "first_seen": false, "sha256": hash}));
}

/// Protects the record of a change: what was added and removed, in words of the event schema and as a diff, in the same session and in a later one, also by
/// a recorder that began anew; that the client then loads it is told, too.
#[test]
fn a_change_is_told_with_its_difference() {
    let mut bench = Bench::new();
    bench.feed("s", "InstructionsLoaded", true, text("# Project\nUse two spaces.\n"));
    bench.restart();
    let told = bench.feed("s", "UserPromptSubmit", false, text("# Project\nUse four spaces.\n"));
    let event = &told[0];
    assert_eq!(
        (&event["event_type"], &event["severity"], &event["reason"]),
        (&json!("instructions.changed"), &json!("warning"), &json!("changed_on_disk"))
    );
    assert_eq!(event["instructions_delta"], json!({"added": "Use four spaces.", "removed": "Use two spaces."}));
    assert!(event["instructions"]["diff"].as_str().unwrap().contains("-Use two spaces.\n+Use four spaces.\n"), "{event}");
    assert_eq!(event["instructions"]["previous_sha256"], bench.views[1]["instructions"]["sha256"]);
    let loaded = bench.feed("s", "InstructionsLoaded", true, text("# Project\nUse four spaces.\n"));
    assert_eq!((&loaded[0]["event_type"], &loaded[0]["instructions"]["first_seen"]), (&json!("instructions.loaded"), &json!(false)));
    let later = bench.feed("t", "InstructionsLoaded", true, text("# Project\n"));
    assert_eq!(later[0]["instructions_delta"], json!({"added": "", "removed": "Use four spaces."}));
}

/// Protects against a silent end: a file that goes away is told once, one that never was there is not told, one that cannot be read says why.
#[test]
fn what_is_not_there() {
    let mut bench = Bench::new();
    assert!(bench.feed("s", "UserPromptSubmit", false, Found::Missing).is_empty());
    bench.feed("s", "InstructionsLoaded", true, text("abc"));
    let gone = bench.feed("s", "UserPromptSubmit", false, Found::Missing);
    assert_eq!((&gone[0]["event_type"], &gone[0]["status"]), (&json!("instructions.changed"), &json!("gone")));
    assert!(bench.feed("s", "UserPromptSubmit", false, Found::Missing).is_empty());
    bench.restart();
    let refused = bench.feed("t", "InstructionsLoaded", true, Found::Unreadable(Unreadable::TooLarge));
    assert_eq!((&refused[0]["status"], &refused[0]["instructions"]["why"]), (&json!("unreadable"), &json!("too_large")));
    let binary = bench.feed("t", "InstructionsLoaded", true, Found::Present(vec![0xff, 0xfe]));
    assert_eq!((&binary[0]["status"], binary[0]["instructions"].get("text")), (&json!("not_text"), None));
}

/// Protects secrets in instructions: they are replaced, and no hash of the whole is told by which a short one could be guessed; a change is seen all the same.
#[test]
fn secrets_are_replaced_and_not_hashed() {
    let mut bench = Bench::new();
    let secret = format!("ghp_{}", "a0Bz9Yk3Xq7a0Bz9Yk3Xq7a0Bz9Yk3Xq7abc");
    let told = bench.feed("s", "InstructionsLoaded", true, text(&format!("Push with {secret}\n")));
    assert!(!told[0].to_string().contains(&secret), "{}", told[0]);
    assert_eq!(
        (told[0]["result"].get("audit_hash"), told[0]["instructions"].get("sha256"), &told[0]["redactions"]),
        (None, None, &json!(1))
    );
    assert_eq!(told[0]["instructions"]["redacted_sha256"].as_str().unwrap().len(), 64);
    bench.restart();
    assert!(bench.feed("s", "UserPromptSubmit", false, text(&format!("Push with {secret}\n"))).is_empty());
    assert_eq!(bench.feed("s", "UserPromptSubmit", false, text(&format!("Pull with {secret}\n"))).len(), 1);
}

/// Protects the trail's size: the same text in two files of one look is kept once.
#[test]
fn one_look_tells_a_content_once() {
    let mut bench = Bench::new();
    let file = |path: &str| InstructionFile {
        kind: InstructionKind::Skill,
        scope: SettingsScope::User,
        path: path.to_owned(),
        loaded: false,
        found: text("abc"),
    };
    let told = bench.feed_all("s", "SessionStart", vec![file("/c/skills/a/SKILL.md"), file("/c/skills/b/SKILL.md")]);
    let first: Vec<_> = told.iter().map(|event| event["instructions"]["first_seen"].as_bool().unwrap()).collect();
    assert_eq!(first, [true, false]);
    bench.restart();
}

/// Protects the recorder from a path that climbs: only an absolute, plain path is read, and a rule is known by its folder.
#[test]
fn the_named_file() {
    let of = |path: &str| named(json!({"file_path": path, "memory_type": "User"}).to_string().as_bytes());
    assert_eq!(of("/h/.claude/rules/a.md").map(|named| (named.kind, named.scope)), Some((InstructionKind::Rule, SettingsScope::User)));
    assert_eq!(of("/p/CLAUDE.md").map(|named| named.kind), Some(InstructionKind::Memory));
    for path in ["CLAUDE.md", "/p/../etc/shadow", "/p/./x", "", "/p\0"] {
        assert_eq!(of(path), None, "{path:?}");
    }
}
