//! Ends that nobody told: calls that were open when their session ended, and sessions whose client is gone.

use sealtrail_event::{AuditId, Category, Event, Grade, Outcome, Phase, Severity, SlotName, Token, Witness};

use crate::agents;
use crate::draft::{Draft, token, word};
use crate::hook::{self, Work};
use crate::sessions::{Call, Sessions};
use crate::step::Who;
use crate::tools;

/// Why a session is closed without its own SessionEnd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client's process is gone and said nothing.
    AgentLost,
    /// Nothing was heard of the session for longer than the operator waits.
    TimedOut,
}

impl Close {
    fn reason(self) -> &'static str {
        match self {
            Self::AgentLost => "agent_lost",
            Self::TimedOut => "silent",
        }
    }

    fn end_reason(self) -> &'static str {
        match self {
            Self::AgentLost => "crashed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Sessions {
    /// Closes a session whose end no hook told: its open calls get the outcome `unknown`, and the session ends.
    ///
    /// A session that is not known, or has ended with no call open, gives no event.
    pub fn close(&mut self, session: &str, why: Close, unix_ns: u64, ids: &mut dyn FnMut() -> AuditId) -> Vec<Event> {
        let Some(id) = token(session) else { return Vec::new() };
        let Some(known) = self.session(Some(&id)) else { return Vec::new() };
        let mut drafts: Vec<Draft> = known.open().map(|call| unknown(session, &known.who, call, why.reason(), unix_ns, ids())).collect();
        drafts.iter_mut().for_each(|draft| agents::name_parent(draft, self));
        if !known.ended {
            drafts.push(ended(&id, &known.who, why, unix_ns, ids()));
        }
        hook::settle(drafts, unix_ns, self, ids)
    }
}

/// SessionStart: a session that goes on in another process lost the calls that the first process had open.
pub(crate) fn session_start(draft: &mut Draft, work: &mut Work<'_>) -> Vec<Draft> {
    let Some(session) = work.sessions.session(draft.envelope.session_id.as_ref()) else { return Vec::new() };
    if session.who.client_pid.is_none() || work.intake.client_pid.is_none() || session.who.client_pid == work.intake.client_pid {
        return Vec::new();
    }
    let name = draft.envelope.session_id.as_ref().map_or("", |id| id.as_str());
    let (reason, unix_ns) = (Close::AgentLost.reason(), work.intake.received_unix_ns);
    let mut lost: Vec<Draft> = session.open().map(|call| unknown(name, &session.who, call, reason, unix_ns, (work.ids)())).collect();
    lost.iter_mut().for_each(|draft| agents::name_parent(draft, work.sessions));
    lost
}

/// SessionEnd: says how it ended, and gives the open calls the outcome `unknown`.
pub(crate) fn session_end(draft: &mut Draft, work: &mut Work<'_>) -> Vec<Draft> {
    let Some(session) = work.sessions.session(draft.envelope.session_id.as_ref()) else {
        draft.envelope.end_reason = Some(word("unknown"));
        return Vec::new();
    };
    // `other` is what the client says after a finished `-p` run and after SIGTERM alike: only a turn that was
    // finished and calls that have ended tell the first from the second.
    let deliberate = draft.envelope.reason.as_ref().is_some_and(|reason| reason.as_str() != "other");
    let finished = !session.turn_open && session.open().next().is_none();
    draft.envelope.end_reason = Some(word(if deliberate || finished { "completed" } else { "unknown" }));
    let name = draft.envelope.session_id.as_ref().map_or("", |id| id.as_str());
    session
        .open()
        .map(|call| {
            let mut lost = unknown(name, &session.who, call, "session_ended", work.intake.received_unix_ns, (work.ids)());
            lost.envelope.late_ms = work.intake.late_ms;
            agents::name_parent(&mut lost, work.sessions);
            lost
        })
        .collect()
}

/// Makes the outcome of a call whose end nobody saw.
pub(crate) fn unknown(session: &str, who: &Who, call: &Call, reason: &'static str, unix_ns: u64, id: AuditId) -> Draft {
    let kind = call.action.as_ref().map_or("tool.call", |action| action.as_str());
    let mut draft = Draft::at(unix_ns, id, kind, Witness::Recorder);
    tell_who(&mut draft, who);
    let envelope = &mut draft.envelope;
    envelope.recorded_at = Some(envelope.timestamp.clone());
    envelope.category = Some(tools::category_of(kind));
    envelope.severity = Severity::Warning;
    envelope.phase = Some(Phase::Outcome);
    envelope.outcome = Some(Outcome::Unknown);
    envelope.grade = Grade::Derived;
    envelope.session_id = token(session);
    envelope.tool_use_id = call.id.clone();
    envelope.tool_name = call.tool.clone();
    envelope.agent_id = call.agent.clone();
    envelope.parent_audit_id = call.requested.clone();
    envelope.reason = Some(word(reason));
    draft
}

fn ended(session: &Token, who: &Who, why: Close, unix_ns: u64, id: AuditId) -> Draft {
    let mut draft = Draft::at(unix_ns, id, "session.ended", Witness::Recorder);
    tell_who(&mut draft, who);
    let envelope = &mut draft.envelope;
    envelope.recorded_at = Some(envelope.timestamp.clone());
    envelope.category = Some(Category::SessionLifecycle);
    envelope.severity = Severity::Warning;
    envelope.grade = Grade::Derived;
    envelope.session_id = Some(session.clone());
    envelope.reason = Some(word(why.reason()));
    envelope.end_reason = Some(word(why.end_reason()));
    draft
}

/// Says whose session it was.
fn tell_who(draft: &mut Draft, who: &Who) {
    draft.envelope.client_version = who.client_version.clone();
    if let Some(user) = &who.user_id {
        draft.put(SlotName::Identity, "user_id", user.as_str().into());
    }
    if let Some(uid) = who.uid {
        draft.put(SlotName::Identity, "uid", uid.into());
    }
    if let Some(host) = &who.host {
        draft.put(SlotName::Identity, "host", host.as_str().into());
    }
    if let Some(pid) = who.client_pid {
        draft.put(SlotName::Identity, "client_pid", pid.into());
    }
}
