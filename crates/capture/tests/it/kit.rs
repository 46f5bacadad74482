//! What the tests share: the captured sessions, ids that count, and one session run through the capturer.

use std::fs;
use std::path::PathBuf;

use sealtrail_capture::{Captured, Close, Intake, Sessions, Side, hook, needs};
use sealtrail_event::AuditId;
use serde_json::Value;

/// Returns the folder of the captures from the real client.
pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/claude-code")
}

/// Returns the hooks of a captured session, in order, with their times in nanoseconds.
pub(crate) fn session(name: &str) -> Vec<(u64, Value)> {
    let text = fs::read_to_string(fixtures().join(name)).unwrap();
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            ((line["received_at"].as_f64().unwrap() * 1e6) as u64 * 1000, line["event"].clone())
        })
        .collect()
}

/// Returns every `hooks/*.json` fixture by file name.
pub(crate) fn hooks() -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = fs::read_dir(fixtures().join("hooks"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "json"))
        .map(|entry| {
            let value = serde_json::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap();
            (entry.file_name().into_string().unwrap(), value)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// A capturer whose ids count up and whose sender never changes.
pub(crate) struct Bench {
    pub(crate) sessions: Sessions,
    pub(crate) views: Vec<Value>,
    pub(crate) client_pid: u32,
    pub(crate) sides: Vec<Side>,
    deliveries: u32,
    ids: u32,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { sessions: Sessions::new(), views: Vec::new(), client_pid: 4711, sides: Vec::new(), deliveries: 0, ids: 0 }
    }

    /// Feeds one hook; returns the views of its events.
    pub(crate) fn feed(&mut self, value: &Value) -> Vec<Value> {
        self.feed_bytes(value.to_string().as_bytes(), 1_795_229_029_000_000_000)
    }

    pub(crate) fn feed_bytes(&mut self, bytes: &[u8], unix_ns: u64) -> Vec<Value> {
        self.deliveries += 1;
        let mut intake = Intake::new(AuditId::parse(&format!("d{}", self.deliveries)).unwrap(), unix_ns, 1000);
        intake.user = Some("dev".to_owned());
        intake.host = Some("devbox".to_owned());
        intake.client_version = Some("2.1.329".to_owned());
        intake.client_pid = Some(self.client_pid);
        intake.side = needs(bytes).into_iter().filter_map(|wanted| side(&wanted.path)).chain(self.sides.clone()).collect();
        let ids = &mut self.ids;
        let Captured { events } = hook(bytes, &intake, &mut self.sessions, &mut || {
            *ids += 1;
            AuditId::parse(&format!("e{ids}")).unwrap()
        });
        let views: Vec<Value> = events.iter().map(sealtrail_event::Event::to_json).collect();
        self.views.extend(views.iter().cloned());
        views
    }

    /// Closes a session as the engine does; returns the views of the events.
    pub(crate) fn close(&mut self, session: &str, why: Close) -> Vec<Value> {
        let ids = &mut self.ids;
        let events = self.sessions.close(session, why, 1_795_229_030_000_000_000, &mut || {
            *ids += 1;
            AuditId::parse(&format!("e{ids}")).unwrap()
        });
        let views: Vec<Value> = events.iter().map(sealtrail_event::Event::to_json).collect();
        self.views.extend(views.iter().cloned());
        views
    }
}

/// Returns the captured meta file that belongs to a path of the captured session.
fn side(path: &str) -> Option<Side> {
    let name = match path {
        path if path.ends_with("agent-a3aef2a14983c1b6c.meta.json") => "session-lifecycle.subagent-background.meta.json",
        path if path.ends_with("agent-ad4c99e08e1937e16.meta.json") => "session-lifecycle.subagent-isolated.meta.json",
        path if path.ends_with("agent-a9155d0e6645f8ba8.meta.json") => "session-lifecycle.subagent-nested.meta.json",
        _ => return None,
    };
    let bytes = fs::read(fixtures().join("transcripts").join(name)).unwrap();
    Some(Side { path: path.to_owned(), size_bytes: bytes.len() as u64, bytes })
}
