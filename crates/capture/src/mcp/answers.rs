//! What comes back: results and errors become outcomes, listings and greetings.

use sealtrail_event::{Category, Outcome, Phase, Severity, SlotName};
use serde_json::{Map, Value, json};

use super::Now;
use super::refusals;
use super::requests::accessed;
use super::watch::{Kind, Open, Seen, Watch};
use crate::draft::{Draft, token, word};
use crate::hook::disclose;
use crate::redacted;

/// What a person may answer a server.
const ACTIONS: [&str; 3] = ["accept", "decline", "cancel"];

impl Watch {
    /// Starts the event of the end of a request that had an event; nothing for the others.
    pub(super) fn outcome(&self, open: &Open, now: &mut Now<'_>) -> Option<Draft> {
        let kind = match open.kind {
            Kind::Call => "mcp.tool_call",
            Kind::Access => accessed(&open.method),
            Kind::Sampling => "mcp.sampling_answered",
            Kind::Elicitation => "mcp.elicitation_answered",
            Kind::Hello | Kind::Tools | Kind::Prompts | Kind::Ping | Kind::Other => return None,
        };
        Some(self.ended(kind, open, now))
    }

    fn ended(&self, event_type: &'static str, open: &Open, now: &mut Now<'_>) -> Draft {
        let mut draft = self.link.draft(event_type, now);
        self.name(&mut draft, open);
        draft.envelope.duration_ms = Some(now.unix_ns.saturating_sub(open.since_ns) / 1_000_000);
        if matches!(open.kind, Kind::Call | Kind::Access) {
            draft.envelope.category = Some(Category::ToolInvocation);
        }
        if open.asked.is_some() {
            draft.envelope.phase = Some(Phase::Outcome);
        }
        draft
    }

    /// A request gave something.
    pub(super) fn answered(&mut self, open: &Open, result: Value, bytes: usize, now: &mut Now<'_>, seen: &mut Seen) {
        let members = match result {
            Value::Object(members) => members,
            other => Map::from_iter([("result".to_owned(), other)]),
        };
        if open.kind == Kind::Ping {
            return;
        }
        let (members, rules) = redacted::members(&self.redactor, members);
        let members = members.into_inner();
        match open.kind {
            Kind::Hello => return self.greeted(open, members, &rules, now, seen),
            Kind::Tools | Kind::Prompts => return self.listed(open, members, &rules, now, seen),
            _ => {}
        }
        let mut draft = self.outcome(open, now).unwrap_or_else(|| self.other(open, now));
        let failed = members.get("isError") == Some(&Value::Bool(true));
        draft.envelope.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
        if failed {
            draft.envelope.severity = Severity::Warning;
            draft.envelope.reason = Some(word("tool_error"));
        }
        draft.result().size_bytes = Some(bytes as u64);
        disclose(&mut draft, &rules);
        let refused = if failed { refusals::in_result(&members) } else { None };
        match open.kind {
            Kind::Sampling => {
                draft.envelope.model = members.get("model").and_then(Value::as_str).and_then(token);
                draft.put(SlotName::Output, "response", Value::Object(members));
            }
            Kind::Elicitation => {
                let action = members.get("action").and_then(Value::as_str);
                draft.envelope.status = ACTIONS.iter().find(|known| action == Some(**known)).copied().map(word);
                draft.put(SlotName::Content, "elicitation", Value::Object(members));
            }
            _ => draft.put(SlotName::Output, "tool_response", Value::Object(members)),
        }
        self.end(draft, refused, open, now, seen);
    }

    /// A request gave an error.
    pub(super) fn failed(&mut self, open: &Open, error: Value, bytes: usize, now: &mut Now<'_>, seen: &mut Seen) {
        let members = match error {
            Value::Object(members) => members,
            other => Map::from_iter([("message".to_owned(), other)]),
        };
        let (members, rules) = redacted::members(&self.redactor, members);
        let members = members.into_inner();
        let refused = refusals::in_error(&members);
        // A client that tries a newer greeting first is answered with an error by an older server: that is how they agree.
        let harmless = matches!(open.kind, Kind::Ping) || (open.kind == Kind::Hello && open.method != "initialize" && refused.is_none());
        if harmless {
            return;
        }
        let mut draft = self.outcome(open, now).unwrap_or_else(|| self.other(open, now));
        draft.envelope.outcome = Some(Outcome::Error);
        draft.envelope.severity = Severity::Warning;
        draft.envelope.reason = Some(word("rpc_error"));
        draft.envelope.status = members.get("code").and_then(Value::as_i64).and_then(|code| token(&code.to_string()));
        draft.result().size_bytes = Some(bytes as u64);
        if let Some(Value::String(text)) = members.get("message") {
            draft.put(SlotName::Output, "error", text.as_str().into());
        }
        draft.put_in(SlotName::Output, "mcp_error", "error", Value::Object(members));
        disclose(&mut draft, &rules);
        self.end(draft, refused, open, now, seen);
    }

    /// A request of another kind: told of once it is answered.
    pub(super) fn other(&self, open: &Open, now: &mut Now<'_>) -> Draft {
        let mut draft = self.ended("mcp.request", open, now);
        draft.envelope.severity = Severity::Debug;
        draft
    }

    /// Tells an outcome, and the refusal that it shows.
    pub(super) fn end(&self, draft: Draft, refused: Option<&'static str>, open: &Open, now: &mut Now<'_>, seen: &mut Seen) {
        seen.hold |= open.kind.is_call();
        let id = seen.tell(draft);
        if let Some(reason) = refused {
            let mut told = self.refused(open, reason, now);
            told.envelope.grade = sealtrail_event::Grade::Derived;
            told.envelope.parent_audit_id = Some(id);
            seen.tell(told);
        }
    }

    /// Starts the event that a server, or a system behind it, did not let the agent in.
    pub(super) fn refused(&self, open: &Open, reason: &'static str, now: &mut Now<'_>) -> Draft {
        let mut draft = self.link.draft(refusals::EVENT, now);
        self.name(&mut draft, open);
        draft.envelope.outcome = Some(Outcome::Denied);
        draft.envelope.severity = Severity::High;
        draft.envelope.reason = Some(word(reason));
        draft
    }

    /// The server said who it is.
    fn greeted(&mut self, open: &Open, mut members: Map<String, Value>, rules: &[String], now: &mut Now<'_>, seen: &mut Seen) {
        self.connected = true;
        let mut draft = self.link.draft("mcp.connected", now);
        draft.envelope.duration_ms = Some(now.unix_ns.saturating_sub(open.since_ns) / 1_000_000);
        draft.envelope.outcome = Some(Outcome::Success);
        draft.envelope.source = token(self.link.transport.as_str());
        let (target, more) = redacted::text(&self.redactor, &self.link.target);
        draft.put(SlotName::Resource, "mcp_target", target.into_inner().into());
        let instructions = members.shift_remove("instructions");
        let version = members.get("protocolVersion").and_then(Value::as_str).map(str::to_owned);
        draft.put(
            SlotName::Content,
            "mcp",
            json!({"method": open.method, "transport": self.link.transport.as_str(), "protocol_version": version, "server": members}),
        );
        disclose(&mut draft, &rules.iter().cloned().chain(more).collect::<Vec<_>>());
        seen.tell(draft);
        let text = instructions.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default();
        self.instructed(&text, now, seen);
    }
}
