//! Why a witness did not see what it should have seen: the likely cause, by what else the session shows.

use super::session::Session;
use super::words::{Class, Phases, Witness, words};

/// 5 minutes before the last hook: a change of settings then is the likely reason for its being the last.
const CHANGE_BEFORE_MS: i64 = 5 * 60 * 1_000;

/// 10 s before the last word of a session: exporters send every 5 s, lines are written a moment later.
const QUEUE_MS: i64 = 10 * 1_000;

/// 1 s: calls of one turn begin together.
const AT_ONCE_MS: i64 = 1_000;

words! {
    /// The likely cause of a gap.
    Cause {
        /// The witness was asked for and was not on.
        NotOn = "not_on",
        /// It came later than the action.
        StartedLate = "started_late",
        /// Settings changed, and no hook came after that.
        HookRemoved = "hook_removed",
        /// No hook came after that.
        HookStopped = "hook_stopped",
        /// Other hooks came before and after.
        HookFailed = "hook_failed",
        /// The hook of the end did not come.
        HookOutcomeLost = "hook_outcome_lost",
        /// The hook of the intent did not come.
        HookIntentLost = "hook_intent_lost",
        /// The hook of the session's start did not come.
        SessionStartLost = "session_start_lost",
        /// The client was killed.
        ClientKilled = "client_killed",
        /// What the exporter had queued was lost with the client.
        OtelQueueLost = "otel_queue_lost",
        /// The exporter's own numbers have holes.
        OtelSequence = "otel_sequence",
        /// No telemetry came after that.
        OtelStopped = "otel_stopped",
        /// Telemetry came before and after.
        OtelDropped = "otel_dropped",
        /// The transcript was deleted.
        TranscriptDeleted = "transcript_deleted",
        /// No line came after that.
        TranscriptStopped = "transcript_stopped",
        /// Nothing of this subagent's own transcript was read.
        SubagentTranscript = "subagent_transcript_gone",
        /// Lines came before and after.
        TranscriptCut = "transcript_cut",
        /// Nothing came through the gateway after that.
        GatewayStopped = "gateway_stopped",
        /// Others came through the gateway before and after.
        GatewayBypassed = "gateway_bypassed",
        /// Nothing of this subagent came through the gateway.
        SubagentBypass = "subagent_bypass",
        /// Calls of this server were seen before.
        McpBypassed = "mcp_bypassed",
        /// The recorder itself lost events then, and said so.
        RecorderGap = "recorder_gap",
        /// Nothing tells why.
        Unknown = "unknown",
    }
}

impl Cause {
    /// Returns the cause in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::NotOn => "the witness was required and said nothing of this session: it was not on, or its records did not arrive",
            Self::StartedLate => "the witness said its first word after this: it was switched on late",
            Self::HookRemoved => {
                "settings changed and no hook fired after that: the hooks were removed or disabled in the middle of the session"
            }
            Self::HookStopped => {
                "no hook fired after that, while others saw the session go on: hooks removed or disabled, or the recorder out of reach"
            }
            Self::HookFailed => {
                "hooks fired before and after, this one did not: it timed out, it crashed, it was removed for a while, or an async hook was killed"
            }
            Self::HookOutcomeLost => {
                "the hook of the end is missing: it is not installed, it timed out, or it ran async and was killed when the client ended"
            }
            Self::HookIntentLost => {
                "PreToolUse is missing although the tool ran: it is not installed, or it failed and let the call through"
            }
            Self::SessionStartLost => {
                "SessionStart is missing: --bare skips it, HTTP hooks never get it, or the hooks were installed while the session ran"
            }
            Self::ClientKilled => "the client was killed: SIGKILL leaves no time for hooks and last lines",
            Self::OtelQueueLost => "the client was killed: what its exporter had queued, up to 5 s of events, was lost",
            Self::OtelSequence => "the exporter's event.sequence has holes: events were dropped between the client and the trail",
            Self::OtelStopped => {
                "no telemetry came after that, while others saw the session go on: the exporter was stopped or its collector was away"
            }
            Self::OtelDropped => "telemetry came before and after: the exporter dropped this event",
            Self::TranscriptDeleted => "the transcript was deleted before this was read",
            Self::TranscriptStopped => "no line of the transcript came after that: it was deleted, or it is not followed any more",
            Self::SubagentTranscript => "nothing of this subagent's own transcript was read: it was deleted before that, or never found",
            Self::TranscriptCut => "lines came before and after: the transcript was edited, or a line of it could not be read",
            Self::GatewayStopped => "nothing came through the gateway after that: it was killed, or the client was pointed elsewhere",
            Self::GatewayBypassed => "others came through the gateway before and after: this one took another way to the model",
            Self::SubagentBypass => "nothing of this subagent came through the gateway: it reached the model another way",
            Self::McpBypassed => "other calls of this server went through the MCP proxy, this one did not",
            Self::RecorderGap => "the recorder itself counted lost events of this witness at that time",
            Self::Unknown => "nothing in the trail tells why",
        }
    }
}

/// Where in a session something is missing.
pub(super) struct Place<'a> {
    pub(super) class: Class,
    pub(super) at: i64,
    pub(super) agent: Option<&'a str>,
    /// Phases that a witness left out, which told the others.
    pub(super) lacks: Phases,
    /// When the witness first told of it, if it did.
    pub(super) own: Option<i64>,
    /// The recorder counted lost events of this witness at this time.
    pub(super) counted: bool,
}

/// Returns the likely cause.
pub(super) fn likely(session: &Session, witness: Witness, place: &Place<'_>) -> Cause {
    let Some(span) = session.spans[witness as usize] else { return Cause::NotOn };
    if place.counted {
        return Cause::RecorderGap;
    }
    let killed = session.killed.is_some();
    let (before, after) = (place.at < span.0, place.at > span.1);
    let at_the_end = !place.lacks.is_empty() || place.at.saturating_add(QUEUE_MS) > session.span().1;
    match witness {
        Witness::Hook => of_hook(session, place, span),
        Witness::Otel if killed && at_the_end => Cause::OtelQueueLost,
        Witness::Otel if session.sequence.holes().is_some() => Cause::OtelSequence,
        Witness::Otel if after => Cause::OtelStopped,
        Witness::Otel if before => Cause::StartedLate,
        Witness::Otel => Cause::OtelDropped,
        Witness::Transcript if session.transcript_gone.is_some() => Cause::TranscriptDeleted,
        Witness::Transcript if killed && at_the_end => Cause::ClientKilled,
        Witness::Transcript if unseen(session, witness, place) => Cause::SubagentTranscript,
        Witness::Transcript if after => Cause::TranscriptStopped,
        Witness::Transcript if before => Cause::StartedLate,
        Witness::Transcript => Cause::TranscriptCut,
        Witness::Gateway if unseen(session, witness, place) => Cause::SubagentBypass,
        Witness::Gateway if after => Cause::GatewayStopped,
        Witness::Gateway if before => Cause::StartedLate,
        Witness::Gateway => Cause::GatewayBypassed,
        Witness::Mcp => Cause::McpBypassed,
        Witness::Api => Cause::Unknown,
    }
}

fn of_hook(session: &Session, place: &Place<'_>, span: (i64, i64)) -> Cause {
    if place.lacks.has(Phases::INTENT) {
        return if place.class == Class::Session { Cause::SessionStartLost } else { Cause::HookIntentLost };
    }
    let after = place.at > span.1;
    // The hook of its end did not come, and none of another call after it.
    let last = place.own.is_some()
        && session.last_call_hook.is_none_or(|last| place.own.is_some_and(|own| own.saturating_add(AT_ONCE_MS) >= last));
    if after || place.lacks.has(Phases::OUTCOME) {
        let since = span.1.saturating_sub(CHANGE_BEFORE_MS);
        let until = if after { place.at } else { session.span().1 };
        if (after || last) && session.changed.range(since..=until).next().is_some() {
            return Cause::HookRemoved;
        }
        if session.killed.is_some() {
            return Cause::ClientKilled;
        }
        return if after { Cause::HookStopped } else { Cause::HookOutcomeLost };
    }
    if place.at < span.0 { Cause::StartedLate } else { Cause::HookFailed }
}

/// Tells whether a witness saw nothing of what a subagent did.
fn unseen(session: &Session, witness: Witness, place: &Place<'_>) -> bool {
    place.agent.is_some_and(|agent| !session.saw_act(witness, agent))
}
