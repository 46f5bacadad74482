//! The daemon follows transcripts: what is in a file gets sealed once, and what somebody does to a file is told.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sealtrail_engine::Daemon;
use sealtrail_intake::Answer;
use serde_json::{Value, json};

use crate::kit::{TestHome, frame, home, send};

/// How long something may take that happens within a second.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    test: TestHome,
    projects: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let test = home();
        let projects = test._folder.path().join("projects");
        fs::create_dir_all(projects.join("p")).unwrap();
        test.configure(&format!("audit:\n  transcripts:\n    enabled: true\n    poll_ms: 50\n    folders: ['{}']\n", projects.display()));
        Self { test, projects }
    }

    fn session(&self) -> PathBuf {
        self.projects.join("p/s1.jsonl")
    }

    /// Waits until the trail has `count` events of a type.
    fn wait_for(&self, event_type: &str, count: usize) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let found = self.test.of_type(event_type);
            if found.len() >= count {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "{} of {count} {event_type}: {:#?}", found.len(), kinds(&self.test));
            std::thread::yield_now();
        }
    }

    /// Looks a last time and stops.
    fn stop(&self, daemon: Daemon) {
        daemon.stop().unwrap();
    }

    fn prompts(&self) -> Vec<String> {
        self.test.of_type("prompt.submitted").iter().map(|event| event["prompt"].as_str().unwrap().to_owned()).collect()
    }
}

fn kinds(test: &TestHome) -> Vec<String> {
    test.events().iter().map(|event| event["event_type"].as_str().unwrap_or_default().to_owned()).collect()
}

fn said(n: usize) -> String {
    let line = json!({
        "type": "user", "uuid": format!("u{n}"), "timestamp": "2026-11-21T02:44:32.023Z", "sessionId": "s1", "promptId": format!("p{n}"), "promptSource": "sdk",
        "message": {"role": "user", "content": format!("prompt {n}")},
    });
    format!("{line}\n")
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("prompt {n}")).collect()
}

/// Protects the promise of the tailer: what is appended is sealed, a half line waits, and after a restart it goes on without doing anything twice.
#[test]
fn what_is_written_is_sealed_once() {
    let bench = Bench::new();
    append(&bench.session(), &said(0));
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 1);
    let half = said(1);
    append(&bench.session(), &half[..40]);
    append(&bench.session(), &half[40..]);
    append(&bench.session(), &said(2)[..10]);
    bench.wait_for("prompt.submitted", 2);
    bench.stop(daemon);
    append(&bench.session(), &said(2)[10..]);
    append(&bench.session(), &said(3));
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 4);
    bench.stop(daemon);
    bench.stop(bench.test.daemon());
    assert_eq!(bench.prompts(), names(4));
    assert!(bench.test.of_type("transcript.changed").is_empty());
    let event = &bench.test.of_type("prompt.submitted")[0];
    assert_eq!(
        (&event["witness"], &event["session_id"], &event["uid"]),
        (&json!("transcript"), &json!("s1"), &json!(rustix::process::getuid().as_raw()))
    );
}

/// Protects the last lines of a session: what stands in a file when the daemon stops is sealed before it ends.
#[test]
fn the_last_look_comes_before_the_end() {
    let bench = Bench::new();
    let daemon = bench.test.daemon();
    append(&bench.session(), &(0..50).map(said).collect::<String>());
    bench.stop(daemon);
    assert_eq!(bench.prompts(), names(50));
}

/// Protects against an edited past: a changed byte, also one changed while no daemon ran, also with the file's own time set back, is an event that names
/// the file, and another one names the event that was sealed of that line, with what it says now; new lines are sealed still.
#[test]
fn an_edit_is_told() {
    for (while_running, longer) in [(true, true), (true, false), (false, true), (false, false)] {
        let bench = Bench::new();
        append(&bench.session(), &(0..3).map(said).collect::<String>());
        let daemon = bench.test.daemon();
        bench.wait_for("prompt.submitted", 3);
        let edit = || {
            let text = fs::read_to_string(bench.session()).unwrap().replace("prompt 1", "PROMPT 1");
            // In place: the same file, the same size.
            let before = fs::metadata(bench.session()).unwrap().modified().unwrap();
            let mut file = OpenOptions::new().write(true).open(bench.session()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            if longer {
                append(&bench.session(), &said(3));
            }
            // As somebody would who does not want to be seen.
            file.set_modified(before).unwrap();
        };
        let daemon = if while_running {
            edit();
            daemon
        } else {
            bench.stop(daemon);
            edit();
            bench.test.daemon()
        };
        let told = bench.wait_for("transcript.changed", 1);
        assert_eq!(
            (&told[0]["reason"], &told[0]["severity"], &told[0]["file"]["from_byte"]),
            (&json!("edited"), &json!("high"), &json!(0))
        );
        assert_eq!(
            (&told[0]["resource"]["path"], &told[0]["file"]["sealed_lines"]),
            (&json!(bench.session().to_str().unwrap()), &json!(3))
        );
        let prompts = if longer { 4 } else { 3 };
        bench.wait_for("prompt.submitted", prompts);
        let rewritten = &bench.wait_for("transcript.changed", 2)[1];
        let sealed = &bench.test.of_type("prompt.submitted")[1];
        assert_eq!((&rewritten["reason"], &rewritten["parent_audit_id"]), (&json!("rewritten"), &sealed["audit_id"]));
        assert_eq!((&rewritten["file"]["members"], &rewritten["prompt"]), (&json!(["prompt"]), &json!("PROMPT 1")));
        assert_eq!((&rewritten["grade"], &rewritten["session_id"]), (&json!("observed"), &json!("s1")));
        bench.stop(daemon);
        bench.stop(bench.test.daemon());
        assert_eq!((bench.prompts(), bench.test.of_type("transcript.changed").len()), (names(prompts), 2));
    }
}

/// Protects against a transcript that is taken away, changed, and laid back: every line is known by its id, and the one that says something else is told,
/// once, however often it comes.
#[test]
fn a_line_that_comes_back_changed_is_told() {
    let bench = Bench::new();
    append(&bench.session(), &(0..3).map(said).collect::<String>());
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 3);
    let text = fs::read_to_string(bench.session()).unwrap().replace("prompt 2", "prompt two");
    fs::remove_file(bench.session()).unwrap();
    bench.wait_for("transcript.deleted", 1);
    append(&bench.session(), &text);
    bench.wait_for("transcript.changed", 1);
    // A copy beside it, in which the line stands twice.
    append(&bench.projects.join("p/s2.jsonl"), &(text.clone() + &said(2) + &said(4)));
    bench.wait_for("prompt.submitted", 4);
    bench.stop(daemon);
    let told = bench.test.of_type("transcript.changed");
    let members: Vec<(&Value, &Value)> = told.iter().map(|event| (&event["reason"], &event["prompt"])).collect();
    assert_eq!(members, [(&json!("rewritten"), &json!("prompt two"))]);
}

/// Protects against cutting: a file that is shorter than what was sealed of it is a finding, and it is followed from there on.
#[test]
fn a_truncation_is_told() {
    let bench = Bench::new();
    append(&bench.session(), &(0..3).map(said).collect::<String>());
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 3);
    OpenOptions::new().write(true).open(bench.session()).unwrap().set_len(said(0).len() as u64).unwrap();
    assert_eq!(bench.wait_for("transcript.changed", 1)[0]["reason"], "truncated");
    append(&bench.session(), &said(9));
    bench.wait_for("prompt.submitted", 4);
    bench.stop(daemon);
    assert_eq!(bench.prompts().last().unwrap(), "prompt 9");
}

/// Protects against the client's own clean-up: a deleted file is told with how far it was sealed, also when that happened while no daemon ran.
#[test]
fn a_deletion_is_told() {
    for while_running in [true, false] {
        let bench = Bench::new();
        append(&bench.session(), &(0..3).map(said).collect::<String>());
        append(&bench.session(), "{\"half\":");
        let daemon = bench.test.daemon();
        bench.wait_for("prompt.submitted", 3);
        let daemon = if while_running {
            fs::remove_file(bench.session()).unwrap();
            daemon
        } else {
            bench.stop(daemon);
            fs::remove_file(bench.session()).unwrap();
            bench.test.daemon()
        };
        let told = bench.wait_for("transcript.deleted", 1);
        assert_eq!((&told[0]["session_id"], &told[0]["file"]["sealed_lines"]), (&json!("s1"), &json!(3)));
        let (reason, rest) = if while_running { ("not_all_sealed", json!(8)) } else { ("rest_unknown", Value::Null) };
        assert_eq!((&told[0]["reason"], &told[0]["file"]["unsealed_bytes"]), (&json!(reason), &rest));
        bench.stop(daemon);
        bench.stop(bench.test.daemon());
        assert_eq!(bench.test.of_type("transcript.deleted").len(), 1);
    }
}

/// Protects the client that goes on at once in a new file: the deletion of the first one is told, and every line of both is sealed.
#[test]
fn a_deletion_with_a_new_file_is_told() {
    let bench = Bench::new();
    append(&bench.session(), &(0..3).map(said).collect::<String>());
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 3);
    fs::remove_file(bench.session()).unwrap();
    append(&bench.session(), &said(7));
    assert_eq!(bench.wait_for("transcript.deleted", 1)[0]["reason"], "all_sealed");
    bench.wait_for("prompt.submitted", 4);
    append(&bench.session(), &said(8));
    bench.wait_for("prompt.submitted", 5);
    bench.stop(daemon);
    assert!(bench.test.of_type("transcript.changed").is_empty());
    assert_eq!(bench.prompts().len(), 5);
}

/// Protects against mistaking a move for a deletion: the file goes on under its new name, and nothing is sealed twice.
#[test]
fn a_move_is_followed() {
    let bench = Bench::new();
    append(&bench.session(), &(0..2).map(said).collect::<String>());
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 2);
    bench.stop(daemon);
    fs::create_dir(bench.projects.join("q")).unwrap();
    let moved = bench.projects.join("q/s1.jsonl");
    fs::rename(bench.session(), &moved).unwrap();
    append(&moved, &said(2));
    let daemon = bench.test.daemon();
    bench.wait_for("prompt.submitted", 3);
    bench.stop(daemon);
    assert_eq!(bench.prompts(), names(3));
    assert_eq!(
        (bench.test.of_type("transcript.changed")[0]["reason"].clone(), bench.test.of_type("transcript.deleted").len()),
        (json!("moved"), 0)
    );
}

/// Protects against following nobody's files: a hook names its transcript, and the file and its agents' are followed only if they are the sender's.
#[test]
fn hooks_name_their_transcripts() {
    let bench = Bench::new();
    bench.test.configure("audit: {transcripts: {enabled: true, poll_ms: 50, folders: [/nowhere]}}\n");
    let daemon = bench.test.daemon();
    append(&bench.session(), &said(0));
    let agents = bench.projects.join("p/s1/subagents");
    fs::create_dir_all(&agents).unwrap();
    fs::write(agents.join("agent-a1.meta.json"), json!({"agentType": "helper", "parentAgentId": "a0"}).to_string()).unwrap();
    append(&agents.join("agent-a1.jsonl"), &said(7).replace("\"promptSource\":\"sdk\"", "\"isSidechain\":true"));
    let body =
        json!({"session_id": "s1", "hook_event_name": "Stop", "transcript_path": bench.session(), "cwd": "/p"}).to_string().into_bytes();
    assert!(matches!(send(&bench.test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))));
    bench.wait_for("prompt.submitted", 1);
    let asked = bench.wait_for("transcript.user", 1);
    assert_eq!(
        (&asked[0]["agent_id"], &asked[0]["parent_agent_id"], &asked[0]["agent_type"]),
        (&json!("a1"), &json!("a0"), &json!("helper"))
    );
    bench.stop(daemon);
}

/// Protects a trail whose operator does not want it: nothing is read unless the configuration says so.
#[test]
fn switched_off_it_reads_nothing() {
    let bench = Bench::new();
    bench.test.configure("audit: {transcripts: {enabled: false}}\n");
    append(&bench.session(), &said(0));
    let daemon = bench.test.daemon();
    let body =
        json!({"session_id": "s1", "hook_event_name": "Stop", "transcript_path": bench.session(), "cwd": "/p"}).to_string().into_bytes();
    assert!(matches!(send(&bench.test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))));
    bench.stop(daemon);
    assert!(bench.prompts().is_empty());
}

/// Protects the daemon from a file that grows at any byte: however it is cut into writes, its lines are sealed once and in order.
#[test]
fn any_cut_into_writes_gives_the_same() {
    let text: String = (0..12).map(said).collect();
    let bench = Bench::new();
    let daemon = bench.test.daemon();
    // Each file grows in steps of another size.
    for step in 1..24 {
        let path = bench.projects.join(format!("p/cut{step}.jsonl"));
        let own = text.replace("\"uuid\":\"u", &format!("\"uuid\":\"cut{step}-"));
        own.as_bytes().chunks(step * 37).for_each(|part| append(&path, std::str::from_utf8(part).unwrap()));
    }
    bench.wait_for("prompt.submitted", 12 * 23);
    bench.stop(daemon);
    for step in 1..24 {
        let path = bench.projects.join(format!("p/cut{step}.jsonl"));
        let own: Vec<String> = bench
            .test
            .of_type("prompt.submitted")
            .iter()
            .filter(|event| event["transcript_path"] == path.to_str().unwrap())
            .map(|event| event["prompt"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(own, names(12));
    }
}
