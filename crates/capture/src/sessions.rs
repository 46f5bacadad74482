//! The pairing state: which calls of which sessions are open, and what is known of the agents in them.
//!
//! It holds ids, fingerprints, the folders of open calls and redacted texts of instructions, no other content. It is changed only by [`Step`]s, and a
//! step is read from a stored event exactly as from a new one: replaying the trail gives the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use sealtrail_event::{AuditId, Token};
use serde_json::Value;

use crate::hash::Hash;
use crate::provenance::{PathKey, Provenance, Seen};
use crate::redact::Redactor;
use crate::settings::Rules;
use crate::step::{self, Deed, Step, Who};
use crate::views::Expect;

/// Sessions known at a time; the one that was quiet longest is forgotten.
pub const SESSIONS_MAX: usize = 1024;

/// Calls known per session: finished ones are forgotten first.
pub const CALLS_PER_SESSION_MAX: usize = 4096;

/// Calls known in all sessions: about 400 bytes each, so 6.5 MB; the folders of open ones may add 1 KiB each.
pub const CALLS_MAX: usize = 16_384;

/// 1 KiB: of a call in a deeper folder the folder is not remembered.
const CWD_BYTES_MAX: usize = 1024;

/// Agents known in all sessions: about 200 bytes each, so 3.3 MB; of further ones the parent is not remembered.
const AGENTS_MAX: usize = 16_384;

/// Settings files known per session: managed ones, the user's, the project's, those of other folders it went to.
const SETTINGS_MAX: usize = 64;

/// 8 MiB of rules in all sessions; of further files only that they changed is told, not what was granted by that.
const RULES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Files of instructions known in all sessions: about 80 bytes each, so 2.6 MB; further ones are told again each time they are looked at.
const INSTRUCTIONS_MAX: usize = 32_768;

/// Names of unknown hooks and members remembered, over all client versions; with more, no further change is told.
const SEEN_MAX: usize = 1024;

/// One call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: Option<Token>,
    pub(crate) tool: Option<Token>,
    pub(crate) action: Option<Token>,
    pub(crate) agent: Option<Token>,
    pub(crate) input: Option<Hash>,
    /// The folder in which it began, until it ends.
    pub(crate) cwd: Option<String>,
    pub(crate) requested: Option<AuditId>,
    pub(crate) asked: bool,
    pub(crate) denied: bool,
    pub(crate) ended: Option<AuditId>,
    pub(crate) ended_input: Option<Hash>,
    pub(crate) expect: Expect,
}

/// A settings file as it was last found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) fingerprint: Hash,
    /// Its rules, as far as there was room to remember them.
    pub(crate) rules: Option<Rules>,
}

/// Who started an agent; no parent means the main agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Agent {
    pub(crate) parent: Option<Token>,
    pub(crate) call: Option<Token>,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Session {
    touched: u64,
    pub(crate) who: Who,
    pub(crate) ended: bool,
    pub(crate) turn_open: bool,
    /// By number of arrival.
    calls: BTreeMap<u64, Call>,
    numbers: BTreeMap<Token, u64>,
    pub(crate) agents: BTreeMap<Token, Agent>,
    /// By path.
    pub(crate) settings: BTreeMap<String, Found>,
    /// By path: the files of instructions that the session was told of.
    pub(crate) instructions: BTreeMap<PathKey, Seen>,
    /// The project folder whose settings hold.
    folder: Option<String>,
}

/// What there is still room for.
#[derive(Clone, Copy)]
struct Fit {
    agents: bool,
    rules: bool,
    instructions: bool,
}

/// A call that had to be forgotten before its end was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lost {
    pub(crate) session: String,
    pub(crate) who: Who,
    pub(crate) call: Call,
}

/// A session that is not closed, for whoever watches over the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live<'a> {
    /// Its id.
    pub session: &'a str,
    /// Process id of its client, when a hook told it.
    pub client_pid: Option<u32>,
    /// User id of its client.
    pub uid: Option<u32>,
    /// Whether its end was seen.
    pub ended: bool,
    /// Calls whose end was not seen yet.
    pub open_calls: usize,
}

/// The pairing state of all sessions; bounded, and rebuilt from the trail by [`Sessions::replay`].
#[derive(Clone, Debug)]
pub struct Sessions {
    pub(crate) redactor: Arc<Redactor>,
    sessions: BTreeMap<String, Session>,
    clock: u64,
    calls: usize,
    agents: usize,
    /// Bytes of rules.
    rules: usize,
    instructions: usize,
    /// What is known of instructions beyond one session.
    pub(crate) provenance: Provenance,
    seen: BTreeSet<(String, String)>,
}

impl PartialEq for Sessions {
    /// Compares what is known of sessions and clients; how it is redacted is no part of it.
    fn eq(&self, other: &Self) -> bool {
        self.sessions == other.sessions
            && self.calls == other.calls
            && self.agents == other.agents
            && self.seen == other.seen
            && self.provenance == other.provenance
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new()
    }
}

impl Sessions {
    /// Makes an empty state that redacts with the built-in rules, which are compiled once.
    pub fn new() -> Self {
        static BUILT_IN: LazyLock<Arc<Redactor>> = LazyLock::new(|| Arc::new(Redactor::new()));
        Self::with_redactor(Arc::clone(&BUILT_IN))
    }

    /// Makes an empty state that redacts with `redactor`.
    pub fn with_redactor(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            sessions: BTreeMap::new(),
            clock: 0,
            calls: 0,
            agents: 0,
            rules: 0,
            instructions: 0,
            provenance: Provenance::default(),
            seen: BTreeSet::new(),
        }
    }

    /// Takes a stored event into account, so that calls which were open when the recorder stopped are still open.
    ///
    /// Replay the events in the order of the trail. Events that say nothing about a session change nothing.
    pub fn replay(&mut self, view: &Value) {
        if let Some(step) = step::of(view) {
            self.apply(step);
        }
    }

    /// Returns the sessions that have not ended, and those with a call that is open though they ended (hooks may arrive in any order).
    pub fn live(&self) -> impl Iterator<Item = Live<'_>> {
        self.sessions
            .iter()
            .map(|(id, session)| Live {
                session: id,
                client_pid: session.who.client_pid,
                uid: session.who.uid,
                ended: session.ended,
                open_calls: session.open().count(),
            })
            .filter(|live| !live.ended || live.open_calls > 0)
    }

    /// Returns the project folder of a session, as its settings files told it.
    pub fn folder(&self, session: &str) -> Option<&str> {
        self.sessions.get(session)?.folder.as_deref()
    }

    pub(crate) fn session(&self, id: Option<&Token>) -> Option<&Session> {
        self.sessions.get(id?.as_str())
    }

    pub(crate) fn call(&self, session: Option<&Token>, call: Option<&Token>) -> Option<&Call> {
        self.session(session)?.call(call?)
    }

    /// Tells whether a name of this client version may be told as new.
    pub(crate) fn is_news(&self, version: &str, name: &str) -> bool {
        self.seen.len() < SEEN_MAX && !self.seen.contains(&(version.to_owned(), name.to_owned()))
    }

    /// Changes the state; returns the calls that had to be forgotten while open.
    pub(crate) fn apply(&mut self, step: Step) -> Vec<Lost> {
        if let Deed::Seen { version, names } = step.deed {
            self.seen.extend(names.into_iter().map(|name| (version.clone(), name)));
            return Vec::new();
        }
        let Some(id) = step.session else { return Vec::new() };
        if let Deed::Instructed { path, seen, text } = &step.deed {
            self.provenance.note(*path, seen.content, text.clone());
        }
        let mut lost = self.make_room_for_session(&id);
        self.clock += 1;
        let session = self.sessions.entry(id.clone()).or_default();
        session.touched = self.clock;
        if let Some(who) = step.who {
            session.who = who;
        }
        let (calls, agents, rules) = (session.calls.len(), session.agents.len(), session.rules_bytes());
        let instructions = session.instructions.len();
        let fit = Fit {
            agents: self.agents < AGENTS_MAX,
            rules: self.rules < RULES_BYTES_MAX,
            instructions: self.instructions < INSTRUCTIONS_MAX,
        };
        session.apply(step.id, step.deed, self.clock, fit);
        let crowded = session.calls.len() > CALLS_PER_SESSION_MAX;
        self.calls += session.calls.len() - calls;
        self.agents += session.agents.len() - agents;
        self.instructions += session.instructions.len() - instructions;
        self.rules = (self.rules + session.rules_bytes()).saturating_sub(rules);
        lost.extend(self.make_room_for_call(crowded.then_some(id)));
        lost
    }

    fn make_room_for_session(&mut self, id: &str) -> Vec<Lost> {
        if self.sessions.len() < SESSIONS_MAX || self.sessions.contains_key(id) {
            return Vec::new();
        }
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.touched).map(|(id, _)| id.clone());
        let Some((id, session)) = oldest.and_then(|id| self.sessions.remove_entry(&id)) else { return Vec::new() };
        self.calls -= session.calls.len();
        self.agents -= session.agents.len();
        self.instructions -= session.instructions.len();
        self.rules = self.rules.saturating_sub(session.rules_bytes());
        session.open().map(|call| Lost { session: id.clone(), who: session.who.clone(), call: call.clone() }).collect()
    }

    /// Forgets one call when there is one too many: of the `crowded` session, or of the one that was quiet longest.
    fn make_room_for_call(&mut self, crowded: Option<String>) -> Option<Lost> {
        if crowded.is_none() && self.calls <= CALLS_MAX {
            return None;
        }
        let quiet = || self.sessions.iter().filter(|(_, session)| !session.calls.is_empty()).min_by_key(|(_, session)| session.touched);
        let id = crowded.or_else(|| quiet().map(|(id, _)| id.clone()))?;
        let session = self.sessions.get_mut(&id)?;
        let call = session.forget_one()?;
        self.calls -= 1;
        call.ended.is_none().then(|| Lost { session: id, who: session.who.clone(), call })
    }
}

impl Session {
    /// Returns the calls whose end was not seen, oldest first.
    pub(crate) fn open(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.values().filter(|call| call.ended.is_none())
    }

    pub(crate) fn call(&self, id: &Token) -> Option<&Call> {
        self.calls.get(self.numbers.get(id)?)
    }

    fn call_mut(&mut self, id: &Token, number: u64) -> &mut Call {
        let number = *self.numbers.entry(id.clone()).or_insert(number);
        self.calls.entry(number).or_insert_with(|| Call { id: Some(id.clone()), ..Call::default() })
    }

    fn apply(&mut self, event: AuditId, deed: Deed, number: u64, fit: Fit) {
        match deed {
            Deed::Requested { call, tool, action, agent, input, cwd } => {
                let call = self.call_mut(&call, number);
                (call.tool, call.action, call.agent, call.input) = (tool, action, agent, input);
                call.cwd = cwd.filter(|cwd| call.ended.is_none() && cwd.len() <= CWD_BYTES_MAX);
                call.requested.get_or_insert(event);
            }
            Deed::Ended { call: id, tool, agent, input, expect, child } => {
                if let (Some(child), true) = (child, fit.agents) {
                    self.agents.insert(child, Agent { parent: agent.clone(), call: Some(id.clone()) });
                }
                let call = self.call_mut(&id, number);
                call.tool = call.tool.take().or(tool);
                call.agent = call.agent.take().or(agent);
                (call.ended_input, call.expect) = (input, expect);
                call.cwd = None;
                call.ended.get_or_insert(event);
            }
            Deed::Asked { call } => self.call_mut(&call, number).asked = true,
            Deed::Denied { call } => self.call_mut(&call, number).denied = true,
            Deed::Spawned { agent, parent, call } => {
                if fit.agents {
                    self.agents.insert(agent, Agent { parent, call });
                }
            }
            // A prompt proves that the session lives, also where its end was concluded too early.
            Deed::TurnOpened => (self.turn_open, self.ended) = (true, false),
            Deed::TurnFinished => self.turn_open = false,
            Deed::SessionStarted => self.ended = false,
            Deed::SessionEnded => self.ended = true,
            Deed::Found { path, folder, fingerprint, rules } => {
                self.folder = folder.or(self.folder.take());
                if self.settings.len() < SETTINGS_MAX || self.settings.contains_key(&path) {
                    self.settings.insert(path, Found { fingerprint, rules: rules.filter(|_| fit.rules) });
                }
            }
            Deed::Instructed { path, seen, .. } => {
                if fit.instructions || self.instructions.contains_key(&path) {
                    self.instructions.insert(path, seen);
                }
            }
            Deed::Seen { .. } | Deed::Touched => {}
        }
    }

    fn rules_bytes(&self) -> usize {
        self.settings.values().filter_map(|found| found.rules.as_ref()).map(Rules::bytes).sum()
    }

    /// Forgets the oldest finished call, or the oldest call when all are open.
    fn forget_one(&mut self) -> Option<Call> {
        let number =
            self.calls.iter().find(|(_, call)| call.ended.is_some()).or_else(|| self.calls.iter().next()).map(|(number, _)| *number)?;
        let call = self.calls.remove(&number)?;
        if let Some(id) = &call.id {
            self.numbers.remove(id);
        }
        Some(call)
    }
}
