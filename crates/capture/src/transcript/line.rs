//! One line of a transcript, read and redacted.

use serde_json::{Map, Value};

use crate::redact::Redactor;
use crate::redacted;

/// A line.
pub(crate) struct Line {
    /// What kind of line the client calls it.
    pub(crate) kind: String,
    /// Its id; only lines of the conversation have one.
    pub(crate) uuid: Option<String>,
    /// Its session.
    pub(crate) session: Option<String>,
    /// The agent that wrote it, where it is not the main one.
    pub(crate) agent: Option<String>,
    /// When the client wrote it; where it does not say, the time of the line before.
    pub(crate) unix_ns: u64,
    /// The model's answer that the line is a part of: the message's id, and the request's.
    pub(crate) answer: Option<String>,
    /// What `hash` of the line says, before redaction could change it.
    pub(crate) hash: Option<String>,
    /// SHA-256 of `message` or `shape` as the client computes it.
    pub(crate) computed: Vec<String>,
    /// Its members, redacted.
    pub(crate) members: Map<String, Value>,
    /// The rules that matched.
    pub(crate) rules: Vec<String>,
}

impl Line {
    pub(crate) fn new(members: Map<String, Value>, redactor: &Redactor, before_unix_ns: u64) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let message = members.get("message").and_then(|message| message.get("id")).and_then(Value::as_str);
        let answer = message.map(|id| format!("{id}/{}", text("requestId").unwrap_or_default()));
        let kind = text("type").unwrap_or_default();
        let content = match kind.as_str() {
            "api-request-blob" => members.get("message"),
            "api-request-shape" => members.get("shape"),
            _ => None,
        };
        let (uuid, session, agent) = (text("uuid"), text("sessionId"), text("agentId"));
        let computed = content.map(super::canonical::hashes).unwrap_or_default();
        let hash = text("hash").or_else(|| text("shapeHash"));
        let unix_ns = members.get("timestamp").and_then(Value::as_str).and_then(time).unwrap_or(before_unix_ns);
        let (redacted, rules) = redacted::members(redactor, members);
        Self { kind, uuid, session, agent, unix_ns, answer, hash, computed, members: redacted.into_inner(), rules }
    }

    /// Returns a member that is a text.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// Returns a member of the message.
    pub(crate) fn message(&self, name: &str) -> Option<&Value> {
        self.members.get("message")?.get(name)
    }
}

fn time(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}
