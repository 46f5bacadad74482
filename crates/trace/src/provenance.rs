//! Which instructions a session had: what was in force from when to when, and the versions of one file over time.
//!
//! Judged from what the recorder read and what MCP servers listed; nothing here opens a file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::field::{at, text};

/// Events that tell of a file of instructions.
pub const FILE_TYPES: &[&str] = &["instructions.loaded", "instructions.changed"];

/// Events that tell of what else instructs an agent: settings with their hooks, and what MCP servers describe.
pub const OTHER_TYPES: &[&str] =
    &["auth.permission_snapshot", "mcp.tools_listed", "mcp.prompts_listed", "mcp.instructions_given", "mcp.description_changed"];

/// One thing that instructed a session, from one event to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// From when.
    pub timestamp: String,
    /// Until when; empty when nothing replaced it.
    pub until: String,
    /// `memory`, `rule`, `agent`, `skill`, `command`, `output_style`, `settings`, `mcp`.
    pub kind: String,
    /// Whose it is.
    pub source: String,
    /// The file, or the MCP server.
    pub what: String,
    /// `present`, `gone`, `unreadable`, …
    pub status: String,
    /// Hash of the content; of the redacted content when it begins with `redacted:`.
    pub sha256: String,
    /// Why it was looked at.
    pub reason: String,
    /// Whether the client said that it loaded it.
    pub loaded: bool,
    /// Whether it differs from what was known before.
    pub changed: bool,
    /// The event.
    pub audit_id: String,
}

impl InForce {
    /// Returns the members as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "timestamp": self.timestamp, "until": self.until, "kind": self.kind, "source": self.source, "what": self.what, "status": self.status,
            "sha256": self.sha256, "reason": self.reason, "loaded": self.loaded, "changed": self.changed, "audit_id": self.audit_id,
        })
    }
}

/// Returns what instructed a session, from its events in the order of the ledger.
pub fn in_force(events: &[Value]) -> Vec<InForce> {
    let mut found: Vec<InForce> = Vec::new();
    let mut last: BTreeMap<(String, String), usize> = BTreeMap::new();
    for event in events {
        let Some(one) = one_of(event) else { continue };
        if let Some(before) = last.insert((one.kind.clone(), one.what.clone()), found.len()).and_then(|n| found.get_mut(n)) {
            before.until.clone_from(&one.timestamp);
        }
        found.push(one);
    }
    found
}

fn one_of(event: &Value) -> Option<InForce> {
    let (event_type, witness) = (text(event, "event_type"), text(event, "witness"));
    // What somebody merely asserts does not stand among what the recorder read.
    if witness != if event_type.starts_with("mcp.") { "mcp" } else { "fs" } {
        return None;
    }
    let mut one = InForce {
        timestamp: text(event, "timestamp"),
        until: String::new(),
        kind: text(event, "resource.type"),
        source: text(event, "source"),
        what: text(event, "resource.path"),
        status: text(event, "status"),
        sha256: content_of(event),
        reason: text(event, "reason"),
        loaded: true,
        changed: false,
        audit_id: text(event, "audit_id"),
    };
    match event_type.as_str() {
        "instructions.loaded" | "instructions.changed" => {
            one.loaded = at(event, "instructions.loaded") == Some(&Value::Bool(true));
            one.changed = event_type == "instructions.changed";
        }
        "auth.permission_snapshot" => {
            one.sha256 = bare(&text(event, "result.audit_hash"));
            one.changed = at(event, "tool_permissions").is_some();
        }
        name if OTHER_TYPES.contains(&name) => {
            one.kind = "mcp".to_owned();
            one.changed = name == "mcp.description_changed";
            let (listing, change) = (text(event, "mcp_listing.sha256"), text(event, "mcp_change.new_sha256"));
            one.sha256 = if one.changed { change } else { listing };
            let part = match name {
                "mcp.tools_listed" => "tools".to_owned(),
                "mcp.prompts_listed" => "prompts".to_owned(),
                "mcp.instructions_given" => "instructions".to_owned(),
                _ => text(event, "mcp_change.what"),
            };
            one.what = format!("{} {part}", text(event, "mcp_server"));
            one.status = "present".to_owned();
        }
        _ => return None,
    }
    Some(one)
}

/// Returns the hash of the content that an event of a file tells.
fn content_of(event: &Value) -> String {
    let (whole, redacted) = (text(event, "instructions.sha256"), text(event, "instructions.redacted_sha256"));
    match (whole.is_empty(), redacted.is_empty()) {
        // Where the content was erased, the envelope still has the hash.
        (true, true) => bare(&text(event, "result.audit_hash")),
        (true, false) => format!("redacted:{redacted}"),
        _ => whole,
    }
}

fn bare(hash: &str) -> String {
    hash.strip_prefix("sha256:").unwrap_or(hash).to_owned()
}

/// One version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// When it was first seen.
    pub timestamp: String,
    /// When it was last told.
    pub last: String,
    /// `present`, `gone`, `unreadable`, …
    pub status: String,
    /// Hash of the content, as in [`InForce::sha256`].
    pub sha256: String,
    /// Bytes, where known.
    pub size_bytes: Option<u64>,
    /// Sessions that had it, in the order of the ledger.
    pub sessions: Vec<String>,
    /// The event that told it first.
    pub audit_id: String,
    /// Its text, when one of these events has it.
    pub text: Option<String>,
}

/// Returns the versions of one file, from the events that tell of it in the order of the ledger.
pub fn versions(events: &[Value]) -> Vec<Version> {
    let mut found: Vec<Version> = Vec::new();
    let read = |event: &&Value| FILE_TYPES.contains(&text(event, "event_type").as_str()) && text(event, "witness") == "fs";
    for event in events.iter().filter(read) {
        let (sha256, status, session) = (content_of(event), text(event, "status"), text(event, "session_id"));
        let body = at(event, "instructions.text").and_then(Value::as_str).map(str::to_owned);
        match found.last_mut().filter(|last| last.sha256 == sha256 && last.status == status) {
            Some(last) => {
                last.last = text(event, "timestamp");
                last.text = last.text.take().or(body);
                if !last.sessions.contains(&session) {
                    last.sessions.push(session);
                }
            }
            None => found.push(Version {
                timestamp: text(event, "timestamp"),
                last: text(event, "timestamp"),
                status,
                sha256,
                size_bytes: at(event, "resource.size_bytes").and_then(Value::as_u64),
                sessions: vec![session],
                audit_id: text(event, "audit_id"),
                text: body,
            }),
        }
    }
    // A version that comes back was told before, and its text stands there.
    let texts: BTreeMap<String, String> = found.iter().filter_map(|one| Some((one.sha256.clone(), one.text.clone()?))).collect();
    for version in &mut found {
        version.text = version.text.take().or_else(|| texts.get(&version.sha256).cloned());
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::{in_force, versions};

    fn event(n: u32, kind: &str, session: &str, sha: &str, body: Option<&str>) -> Value {
        let mut event = json!({
            "audit_id": format!("e{n}"), "event_type": kind, "timestamp": format!("2026-03-01T00:00:0{n}Z"), "session_id": session, "status": "present",
            "source": "project", "witness": "fs", "reason": "session_start", "resource": {"type": "memory", "path": "/p/CLAUDE.md", "size_bytes": 3},
            "instructions": {"loaded": true, "sha256": sha},
        });
        if let Some(body) = body {
            event["instructions"]["text"] = body.into();
        }
        event
    }

    /// Protects the answer to "what was it told, and when did that change": a version is in force until the next of the same file, and settings and MCP
    /// servers stand beside the files.
    #[test]
    fn what_was_in_force() {
        let mut settings = event(2, "auth.permission_snapshot", "s", "", None);
        settings["resource"] = json!({"type": "settings", "path": "/p/.claude/settings.json"});
        settings["result"] = json!({"audit_hash": "sha256:cc"});
        let mut server = event(3, "mcp.description_changed", "s", "", None);
        server["mcp_server"] = "demo".into();
        server["witness"] = "mcp".into();
        server["mcp_change"] = json!({"what": "tools", "new_sha256": "dd"});
        let events =
            [event(1, "instructions.loaded", "s", "aa", None), settings, server, event(4, "instructions.changed", "s", "bb", None)];
        let found: Vec<_> = in_force(&events).into_iter().map(|one| (one.kind, one.what, one.sha256, one.until, one.changed)).collect();
        let row = |kind: &str, what: &str, sha: &str, until: &str, changed| (kind.into(), what.into(), sha.into(), until.into(), changed);
        assert_eq!(
            found,
            [
                row("memory", "/p/CLAUDE.md", "aa", "2026-03-01T00:00:04Z", false),
                row("settings", "/p/.claude/settings.json", "cc", "", false),
                row("mcp", "demo tools", "dd", "", true),
                row("memory", "/p/CLAUDE.md", "bb", "", true),
            ]
        );
    }

    /// Protects the history of a file: sessions with the same content are one version, a content that comes back is a new one, with the text that was told before.
    #[test]
    fn versions_over_sessions() {
        let events = [
            event(1, "instructions.loaded", "s", "aa", Some("A\n")),
            event(2, "instructions.loaded", "t", "aa", None),
            event(3, "instructions.changed", "t", "bb", Some("B\n")),
            event(4, "instructions.changed", "u", "aa", None),
        ];
        let found = versions(&events);
        let told: Vec<_> = found.iter().map(|one| (one.sha256.as_str(), one.sessions.len(), one.text.as_deref().unwrap())).collect();
        assert_eq!(told, [("aa", 2, "A\n"), ("bb", 1, "B\n"), ("aa", 1, "A\n")]);
        assert_eq!((found[0].timestamp.as_str(), found[0].last.as_str()), ("2026-03-01T00:00:01Z", "2026-03-01T00:00:02Z"));
    }
}
