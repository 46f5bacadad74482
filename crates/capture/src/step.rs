//! What one event changes in the pairing state; read from an event being made and from a stored one by the same rules.

use std::sync::Arc;

use sealtrail_event::{AuditId, Token};
use serde_json::Value;

use crate::draft::{Draft, token};
use crate::hash::{self, Hash};
use crate::provenance::{self, PathKey, Seen};
use crate::settings::{self, Rules};
use crate::views::{self, Expect};

/// Reason of an event that tells something for the second time.
pub(crate) const REPEATED: &str = "repeated";

/// Reason of an outcome that was written because the state had no more room.
pub(crate) const EVICTED: &str = "evicted";

/// Something that shows an event's members by name.
pub(crate) trait Look {
    /// Returns a word of the envelope, or of a slot.
    fn word(&self, name: &str) -> Option<&str>;
    /// Returns a member of any slot.
    fn member(&self, name: &str) -> Option<&Value>;
}

impl Look for Value {
    fn word(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }
    fn member(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl Look for Draft {
    fn word(&self, name: &str) -> Option<&str> {
        let envelope = &self.envelope;
        let found = match name {
            "audit_id" => return Some(envelope.audit_id.as_str()),
            "event_type" => return Some(envelope.event_type.as_str()),
            "witness" => return Some(envelope.witness.as_str()),
            "phase" => return envelope.phase.map(|phase| phase.as_str()),
            "outcome" => return envelope.outcome.map(|outcome| outcome.as_str()),
            "session_id" => &envelope.session_id,
            "tool_use_id" => &envelope.tool_use_id,
            "tool_name" => &envelope.tool_name,
            "action_type" => &envelope.action_type,
            "agent_id" => &envelope.agent_id,
            "parent_agent_id" => &envelope.parent_agent_id,
            "subagent_id" => &envelope.subagent_id,
            "client_version" => &envelope.client_version,
            "reason" => &envelope.reason,
            name => return Look::member(self, name)?.as_str(),
        };
        found.as_ref().map(Token::as_str)
    }
    fn member(&self, name: &str) -> Option<&Value> {
        self.slots.values().find_map(|members| members.get(name))
    }
}

/// Who stands behind a session, as the last hook said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) user_id: Option<String>,
    pub(crate) uid: Option<u32>,
    pub(crate) host: Option<String>,
    pub(crate) client_pid: Option<u32>,
    pub(crate) client_version: Option<Token>,
}

/// One change of the pairing state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) id: AuditId,
    pub(crate) session: Option<String>,
    pub(crate) who: Option<Who>,
    pub(crate) deed: Deed,
}

/// The kinds of change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    Requested { call: Token, tool: Option<Token>, action: Option<Token>, agent: Option<Token>, input: Option<Hash>, cwd: Option<String> },
    Ended { call: Token, tool: Option<Token>, agent: Option<Token>, input: Option<Hash>, expect: Expect, child: Option<Token> },
    Asked { call: Token },
    Denied { call: Token },
    Spawned { agent: Token, parent: Option<Token>, call: Option<Token> },
    TurnOpened,
    TurnFinished,
    SessionStarted,
    SessionEnded,
    Found { path: String, folder: Option<String>, fingerprint: Hash, rules: Option<Rules> },
    Instructed { path: PathKey, seen: Seen, text: Option<Arc<str>> },
    Seen { version: String, names: Vec<String> },
    Touched,
}

/// Returns what an event changes; nothing for events of other witnesses and for repeated ones.
pub(crate) fn of(event: &dyn Look) -> Option<Step> {
    let kind = event.word("event_type")?;
    let file = kind == settings::SNAPSHOT || provenance::is_told(kind);
    match event.word("witness") {
        Some("hook" | "recorder") if !file => {}
        Some("fs") if file => {}
        _ => return None,
    }
    let id = AuditId::parse(event.word("audit_id")?).ok()?;
    let session = event.word("session_id").map(str::to_owned);
    let deed = deed_of(event)?;
    let hook = event.word("witness") == Some("hook");
    if !hook && deed == Deed::Touched {
        return None;
    }
    Some(Step { id, session, who: hook.then(|| who_of(event)), deed })
}

fn deed_of(event: &dyn Look) -> Option<Deed> {
    let kind = event.word("event_type")?;
    if kind.starts_with("ledger.") {
        return None;
    }
    if kind == "system.client_changed" {
        return Some(seen(event));
    }
    if kind == settings::SNAPSHOT {
        return found(event);
    }
    if provenance::is_told(kind) {
        let (path, seen, text) = provenance::found_in(event)?;
        return Some(Deed::Instructed { path, seen, text: text.map(Arc::from) });
    }
    let reason = event.word("reason");
    match (event.word("phase"), call_of(event)) {
        (Some("intent"), Some(call)) if kind == "tool.requested" => Some(requested(event, call)),
        (Some("outcome"), Some(_)) if reason == Some(EVICTED) => None,
        (Some("outcome"), Some(call)) => Some(ended(event, call)),
        (_, call) => Some(match (kind, call) {
            ("policy.approval_requested", Some(call)) => Deed::Asked { call },
            ("policy.decision", Some(call)) => Deed::Denied { call },
            ("agent.subagent_spawned" | "agent.subagent_finished", _) => spawned(event),
            ("prompt.submitted", _) => Deed::TurnOpened,
            ("session.turn_finished", _) => Deed::TurnFinished,
            ("session.started", _) => Deed::SessionStarted,
            ("session.ended", _) => Deed::SessionEnded,
            _ => Deed::Touched,
        }),
    }
}

fn call_of(event: &dyn Look) -> Option<Token> {
    event.word("tool_use_id").and_then(token)
}

fn named(event: &dyn Look, name: &str) -> Option<Token> {
    event.word(name).and_then(token)
}

fn input_of(event: &dyn Look) -> Option<Hash> {
    event.member("tool_input").map(|input| hash::of_input(input, event.word("cwd")))
}

fn requested(event: &dyn Look, call: Token) -> Deed {
    let (tool, action) = (named(event, "tool_name"), named(event, "action_type"));
    let cwd = event.word("cwd").map(str::to_owned);
    Deed::Requested { call, tool, action, agent: named(event, "agent_id"), input: input_of(event), cwd }
}

fn ended(event: &dyn Look, call: Token) -> Deed {
    let expect = views::expected(event.word("tool_name").unwrap_or_default(), event.member("tool_response"), event.member("error"));
    Deed::Ended {
        call,
        tool: named(event, "tool_name"),
        agent: named(event, "agent_id"),
        input: input_of(event),
        expect,
        child: named(event, "subagent_id"),
    }
}

/// Reads who started a subagent, if the event knows it.
fn spawned(event: &dyn Look) -> Deed {
    let known = event.member("delegation").filter(|delegation| delegation.get("how").is_some_and(|how| how != "unknown"));
    match (known, named(event, "subagent_id")) {
        (Some(delegation), Some(agent)) => Deed::Spawned {
            agent,
            parent: named(event, "parent_agent_id"),
            call: delegation.get("tool_use_id").and_then(Value::as_str).and_then(token),
        },
        _ => Deed::Touched,
    }
}

/// Reads which settings file was found how.
fn found(event: &dyn Look) -> Option<Deed> {
    let resource = event.member("resource")?;
    let text = |name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
    let fingerprint = settings::fingerprint_of(event)?;
    // Settings of another folder that the session went to do not hold for the session.
    let folder = text("folder").filter(|_| matches!(event.word("reason"), Some("session_start" | "first_seen")));
    Some(Deed::Found { path: text("path")?, folder, fingerprint, rules: settings::rules_of(event) })
}

fn seen(event: &dyn Look) -> Deed {
    let names = event.member("client_change").and_then(|change| change.get("seen")).and_then(Value::as_array);
    Deed::Seen {
        version: event.word("client_version").unwrap_or_default().to_owned(),
        names: names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn who_of(event: &dyn Look) -> Who {
    let number = |name: &str| event.member(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    Who {
        user_id: event.word("user_id").map(str::to_owned),
        uid: number("uid"),
        host: event.word("host").map(str::to_owned),
        client_pid: number("client_pid"),
        client_version: named(event, "client_version"),
    }
}
