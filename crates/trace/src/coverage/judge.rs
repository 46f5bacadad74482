//! Which witness should have seen an action, and whether it did.

use std::collections::BTreeSet;

use super::action::Action;
use super::gap::Loss;
use super::session::{Session, server_of};
use super::sight::sight;
use super::words::{Class, Phases, Witness};

/// 2 minutes: telemetry is sent every 5 s, transcripts are written behind the hooks; in a session that goes on, what is younger is still on its way.
const LAG_MS: i64 = 2 * 60 * 1_000;

/// 1 hour without a word of a session that nobody ended: then what is open in it stays open.
const SILENT_MS: i64 = 60 * 60 * 1_000;

/// What a witness has of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// It saw it, with every phase that it must have told.
    Seen,
    /// It saw it, without these phases.
    Partial(Phases),
    /// It should have seen it.
    Missing,
    /// It can never see it, or it cannot be said that it should have.
    Absent,
    /// It may still be on its way.
    Pending,
}

/// What is asked of every session.
pub(super) struct Bench<'a> {
    pub(super) required: &'a BTreeSet<Witness>,
    /// When the judgement is made, in milliseconds.
    pub(super) now: i64,
    /// What was counted as lost while the session went on.
    pub(super) losses: &'a [Loss],
}

impl Bench<'_> {
    /// Judges one action of a session.
    pub(super) fn cell(&self, session: &Session, class: Class, key: &str, action: &Action, witness: Witness) -> Cell {
        let wanted = self.wanted(session, class, key, action, witness);
        match (action.of(witness), wanted) {
            (Some(seen), Some(wanted)) => match wanted.without(seen.phases) {
                lacks if lacks.is_empty() => Cell::Seen,
                _ if self.is_fresh(session, action) => Cell::Pending,
                lacks => Cell::Partial(lacks),
            },
            (Some(_), None) => Cell::Seen,
            (None, None) => Cell::Absent,
            (None, Some(_)) if self.is_fresh(session, action) => Cell::Pending,
            (None, Some(_)) => Cell::Missing,
        }
    }

    /// Returns the phases that a witness should have told; nothing when it need not have seen the action at all.
    fn wanted(&self, session: &Session, class: Class, key: &str, action: &Action, witness: Witness) -> Option<Phases> {
        let row = sight(class, witness);
        let required = self.required.contains(&witness);
        // What somebody hands in is never owed, but a session of which nothing was handed in can be refused.
        let owed = witness != Witness::Api || (required && class == Class::Session);
        if !row.sees || !owed || !(required || session.heard(witness)) {
            return None;
        }
        let wanted = match class {
            Class::ToolCall => of_call(session, action, witness, row.must, required)?,
            Class::ModelCall => of_model(session, key, action, witness, row.must)?,
            Class::Subagent => of_agent(session, key, witness, row.must)?,
            Class::Prompt => row.must,
            // A server behind HTTP is told no session.
            Class::Session if witness == Witness::Mcp => return None,
            Class::Session => row.must,
        };
        // What nobody saw end has no end that one of them should have seen.
        let ended = class == Class::Session || action.phases().has(Phases::OUTCOME);
        Some(if ended { wanted } else { wanted.without(Phases::OUTCOME) })
    }

    /// Tells whether the recorder counted lost events of a witness when it should have told what it lacks of an action.
    pub(super) fn counted(&self, action: &Action, witness: Witness, lacks: Phases) -> bool {
        let at_the_end = !lacks.is_empty() && !lacks.has(Phases::INTENT);
        let at = if at_the_end { action.last() } else { action.first().map(|(at, _)| at) };
        at.is_some_and(|at| self.losses.iter().any(|loss| loss.counts(witness, at)))
    }

    /// Tells whether an action is so young that a slow witness of a session that goes on may not have told it yet.
    fn is_fresh(&self, session: &Session, action: &Action) -> bool {
        let last = action.all().map(|(_, seen)| seen.first.0).max().unwrap_or(i64::MIN);
        !session.is_over() && self.now.saturating_sub(last) < LAG_MS
    }

    /// Tells whether what is open in a session will stay open.
    pub(super) fn is_closed(&self, session: &Session) -> bool {
        session.is_over() || self.now.saturating_sub(session.span().1) >= SILENT_MS
    }
}

fn of_call(session: &Session, call: &Action, witness: Witness, must: Phases, required: bool) -> Option<Phases> {
    let denied = call.denied().is_some();
    match witness {
        _ if call.is_only_asked() => None,
        Witness::Hook if call.never_ran => Some(must.without(Phases::INTENT)),
        Witness::Otel if call.never_ran => None,
        Witness::Otel if denied => Some(must.without(Phases::OUTCOME)),
        Witness::Mcp if denied || call.never_ran || server_of(call.name()).is_empty() => None,
        Witness::Mcp => (required || session.servers.contains(server_of(call.name()))).then_some(must),
        _ => Some(must),
    }
}

/// Words for what a request is for that belong to the talk of an agent; the client writes no line for its other requests.
const TALK: &[&str] = &["sdk", "repl_main_thread", "agent"];

/// Begins the ids that the gateway gives to requests that got none.
const MINTED: &str = "gw_";

fn of_model(session: &Session, key: &str, call: &Action, witness: Witness, must: Phases) -> Option<Phases> {
    let answered = call.phases().has(Phases::OUTCOME) && !call.failed();
    let source = call.source.as_deref().unwrap_or_default();
    let aside = call.aside || call.first().is_some_and(|(at, _)| session.was_compacting(at));
    let talk = if source.is_empty() { !aside } else { TALK.iter().any(|word| source.starts_with(word)) };
    match witness {
        // Nobody else knows it by that name.
        Witness::Otel | Witness::Transcript if key.starts_with(MINTED) => None,
        // Attempts that failed are told by whoever stood between.
        Witness::Otel if !answered || call.aside => None,
        Witness::Transcript if !answered || !talk => None,
        _ => Some(must),
    }
}

fn of_agent(session: &Session, agent: &str, witness: Witness, must: Phases) -> Option<Phases> {
    let acted = session.has_acted(agent);
    let internal = !session.agents_started.contains(agent) && !session.agents_typed.contains(agent);
    match witness {
        Witness::Hook => Some(must),
        Witness::Transcript if internal => None,
        _ => acted.then_some(must),
    }
}
