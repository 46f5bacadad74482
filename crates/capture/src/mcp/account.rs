//! Ends that no message tells of: the gate refused, the exchange broke off, the server or the client is gone.

use std::collections::VecDeque;

use sealtrail_event::{Event, Outcome, PolicyResult, Severity, SlotName};
use serde_json::{Map, Value, json};

use super::refusals;
use super::watch::{Open, Seen, Watch, hash_of};
use super::{Now, Way};
use crate::draft::{token, word};

/// How a connection ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    /// One word: `server_exited`, `client_left`, `stopped`, `session_closed`, `idle`.
    pub reason: &'static str,
    /// The server's exit code.
    pub exit_code: Option<i32>,
    /// The signal that killed the server.
    pub signal: Option<i32>,
    /// Events that could not be recorded.
    pub lost: u64,
}

impl Watch {
    /// The requests `ids` do not go on, because they could not be recorded.
    pub fn held_back(&mut self, scope: u64, ids: &[Value], now: &mut Now<'_>) -> Vec<Event> {
        let mut seen = Seen::default();
        for id in ids {
            let hash = hash_of(id);
            let at = self.open.iter().rposition(|open| open.way == Way::ToServer && open.scope == scope && open.id == hash);
            let Some(open) = at.and_then(|at| self.open.remove(at)) else { continue };
            let Some(mut draft) = self.outcome(&open, now) else { continue };
            draft.envelope.outcome = Some(Outcome::Denied);
            draft.envelope.policy_result = PolicyResult::Denied;
            draft.envelope.severity = Severity::Warning;
            draft.envelope.reason = Some(word("not_recorded"));
            seen.tell(draft);
        }
        seen.events
    }

    /// An exchange of HTTP ended without an answer: `status` is what the server said, nothing when it could not be reached.
    pub fn broke_off(&mut self, scope: u64, status: Option<u16>, why: &'static str, now: &mut Now<'_>) -> Vec<Event> {
        let mut seen = Seen::default();
        let refused = status.and_then(refusals::in_status);
        let (gone, left): (VecDeque<Open>, VecDeque<Open>) =
            std::mem::take(&mut self.open).into_iter().partition(|open| open.scope == scope);
        self.open = left;
        for open in &gone {
            let draft = self.outcome(open, now).or_else(|| refused.map(|_| self.other(open, now)));
            let Some(mut draft) = draft else { continue };
            let known = status.is_some() || why == "unreachable";
            draft.envelope.outcome = Some(if known { Outcome::Error } else { Outcome::Unknown });
            draft.envelope.severity = Severity::Warning;
            draft.envelope.reason = Some(word(refused.unwrap_or(why)));
            draft.envelope.status = status.and_then(|status| token(&status.to_string()));
            self.end(draft, refused, open, now, &mut seen);
        }
        if let Some(reason) = refused
            && seen.events.is_empty()
        {
            let mut draft = self.link.draft(refusals::EVENT, now);
            draft.envelope.outcome = Some(Outcome::Denied);
            draft.envelope.severity = Severity::High;
            draft.envelope.reason = Some(word(reason));
            draft.put_in(SlotName::Content, "mcp", "transport", self.link.transport.as_str().into());
            seen.tell(draft);
        }
        seen.events
    }

    /// The connection ended: whatever is open will never be answered.
    pub fn ended_with(&mut self, end: &End, now: &mut Now<'_>) -> Vec<Event> {
        let mut seen = Seen::default();
        for open in std::mem::take(&mut self.open) {
            self.lost(&open, end.reason, now, &mut seen);
        }
        let mut draft = self.link.draft("mcp.disconnected", now);
        let bad = end.signal.is_some() || end.exit_code.is_some_and(|code| code != 0) || end.lost > 0;
        draft.envelope.severity = if bad { Severity::Warning } else { Severity::Info };
        draft.envelope.reason = Some(word(end.reason));
        draft.envelope.source = token(self.link.transport.as_str());
        let counts: Map<String, Value> = self.counts.iter().map(|(name, count)| (name.clone(), (*count).into())).collect();
        let mut told = json!({
            "messages": counts, "greeted": self.connected,
            "bytes_to_server": self.bytes[Way::ToServer as usize], "bytes_to_client": self.bytes[Way::ToClient as usize],
        });
        for (name, value) in [("exit_code", end.exit_code), ("signal", end.signal)] {
            if let Some(value) = value {
                told[name] = value.into();
            }
        }
        if end.lost > 0 {
            told["events_not_recorded"] = end.lost.into();
        }
        draft.put(SlotName::Content, "mcp", told);
        seen.tell(draft);
        seen.events
    }
}
