//! Everything that is known of one session, from every witness.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::action::Action;
use super::moment::{Id, least};
use super::runs::Runs;
use super::told::Told;
use super::words::{Class, Phases, WITNESSES, Witness};

/// 131,072 actions: at one in three seconds, four days without a pause; at some 700 bytes each, 90 MB. What comes on top is counted, and the
/// session is not called complete.
pub const ACTIONS_MAX: usize = 131_072;

/// 256 moments at which settings changed, hooks fired or servers were called: more say nothing more.
const MARKS_MAX: usize = 256;

/// Ids of calls, requests, prompts, agents.
pub(super) type Actions = BTreeMap<Box<str>, Action>;

/// What is known of one session.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub(super) id: String,
    /// From the first to the last event of each witness, in milliseconds.
    pub(super) spans: [Option<(i64, i64)>; WITNESSES],
    pub(super) calls: Actions,
    pub(super) models: Actions,
    pub(super) prompts: Actions,
    pub(super) agents: Actions,
    /// The session itself, as an action.
    pub(super) own: Action,
    /// Agents that only ended: the client's own, for compaction.
    pub(super) agents_started: BTreeSet<Box<str>>,
    pub(super) agents_typed: BTreeSet<Box<str>>,
    /// Agents that called a tool or a model, each with the witnesses who saw that, one bit each.
    acted: BTreeMap<Box<str>, u8>,
    /// The last hook of a tool call.
    pub(super) last_call_hook: Option<i64>,
    /// A witness saw more than traffic with the model's API.
    pub(super) has_trail: bool,
    /// Its last start and its last end: a session that is taken up again is open again.
    started: Option<i64>,
    ended: Option<i64>,
    /// The recorder found the client gone.
    pub(super) killed: Option<(i64, Id)>,
    /// When settings or configuration changed.
    pub(super) changed: BTreeSet<i64>,
    /// When the client began (`false`) and ended (`true`) to compact its talk.
    compactions: BTreeSet<(i64, bool)>,
    /// The client's transcript went away.
    pub(super) transcript_gone: Option<(i64, Id)>,
    /// Events that say its sealed lines were changed, each with how.
    pub(super) transcript_changed: BTreeMap<Id, Box<str>>,
    /// Numbers of the exporter's events.
    pub(super) sequence: Runs,
    /// Hooks of the client that reached the trail.
    pub(super) fired: BTreeSet<Box<str>>,
    /// Hooks that the exporter, or a settings file, says the client has, with the first word of it.
    pub(super) registered: BTreeMap<Box<str>, Id>,
    /// Who was told that a person or a program submitted a prompt.
    pub(super) prompted: [Option<Id>; WITNESSES],
    /// MCP servers whose calls the MCP witness saw.
    pub(super) servers: BTreeSet<Box<str>>,
    /// The longest wait of an event in a spool.
    pub(super) late: Option<(u64, Id)>,
    /// Events that say the client sent something unknown.
    pub(super) canaries: BTreeMap<Id, Box<str>>,
    /// Gateway requests that an answer names.
    answered: BTreeMap<Box<str>, Box<str>>,
    /// Ids of actions that found no room.
    pub(super) left_out: u64,
}

impl Session {
    /// Starts a session of which nothing is known.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the ids of its tool calls.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.calls.keys().map(AsRef::as_ref)
    }

    /// Takes in one event of the session.
    pub fn add(&mut self, view: &Value) {
        if let Some(told) = Told::new(view) {
            self.take(&told);
        }
    }

    /// Takes in one event that names the session, or one of its calls or requests.
    pub(super) fn take(&mut self, told: &Told<'_>) {
        let Some(witness) = told.witness else { return self.hear_others(told) };
        let span = self.spans[witness as usize].get_or_insert((told.at, told.at));
        *span = (span.0.min(told.at), span.1.max(told.at));
        self.has_trail |= !told.is_api_level();
        self.of_session(witness, told);
        self.of_call(witness, told);
        self.of_model(witness, told);
        if !told.prompt.is_empty() {
            self.act(Class::Prompt, told.prompt, witness, told);
        }
        self.of_agents(witness, told);
        if let Some(late) = told.late_ms {
            let found = (late, Id::new(told.id));
            self.late = self.late.take().max(Some(found));
        }
        if told.deletes_transcript() {
            least(&mut self.transcript_gone, (told.at, Id::new(told.id)));
        }
    }

    /// What Sealtrail itself, or a witness outside the matrix, says of the session.
    fn hear_others(&mut self, told: &Told<'_>) {
        if told.kind == "session.ended" {
            self.ended = self.ended.max(Some(told.at));
            if told.reason == "agent_lost" {
                least(&mut self.killed, (told.at, Id::new(told.id)));
            }
        }
        if told.kind.starts_with("auth.permission_") {
            self.mark_change(told.at);
            for (hook, count) in told.member("permission_snapshot.hook_counts").and_then(Value::as_object).into_iter().flatten() {
                if count.as_u64().unwrap_or(0) > 0 {
                    self.register(hook, told);
                }
            }
        }
        if told.deletes_transcript() {
            least(&mut self.transcript_gone, (told.at, Id::new(told.id)));
        }
        if told.changes_transcript() && self.transcript_changed.len() < MARKS_MAX {
            self.transcript_changed.insert(Id::new(told.id), told.reason.into());
        }
        if let Some(action) = self.calls.get_mut(told.call).filter(|_| !told.call.is_empty()) {
            action.note(told);
        }
    }

    fn of_session(&mut self, witness: Witness, told: &Told<'_>) {
        let phases = match (witness, told.kind) {
            (Witness::Hook, "session.started") => Phases::INTENT,
            (Witness::Hook, "session.ended") => Phases::OUTCOME,
            _ => Phases::NONE,
        };
        self.own.add(witness, &Told { phases, end: None, tool: "", model: "", agent: "", ..*told });
        match told.kind {
            "session.started" => self.started = self.started.max(Some(told.at)),
            "session.ended" => self.ended = self.ended.max(Some(told.at)),
            _ => {}
        }
        if told.kind == "agent.config_update" {
            self.mark_change(told.at);
        }
        let compacts = matches!(told.kind, "session.compaction_started" | "session.compaction_finished");
        if witness == Witness::Hook && compacts && self.compactions.len() < MARKS_MAX {
            self.compactions.insert((told.at, told.kind == "session.compaction_finished"));
        }
        if told.kind == "prompt.submitted" {
            least(&mut self.prompted[witness as usize], Id::new(told.id));
        }
        if told.kind == "system.client_changed" && self.canaries.len() < MARKS_MAX {
            let seen = told.member("client_change.seen").map(Value::to_string).unwrap_or_default();
            self.canaries.insert(Id::new(told.id), seen.into());
        }
        if witness == Witness::Hook && !told.hook.is_empty() && self.fired.len() < MARKS_MAX {
            self.fired.insert(told.hook.into());
        }
        if witness == Witness::Otel {
            self.sequence_of(told);
        }
        if witness == Witness::Mcp && self.servers.len() < MARKS_MAX {
            let named = if told.server.is_empty() { server_of(told.tool) } else { told.server };
            if !named.is_empty() {
                self.servers.insert(named.into());
            }
        }
    }

    fn sequence_of(&mut self, told: &Told<'_>) {
        if let Some(n) = told.sequence() {
            self.sequence.add(n);
        }
        if let Some(hook) = told.registered() {
            self.register(hook, told);
        }
    }

    fn register(&mut self, hook: &str, told: &Told<'_>) {
        if self.registered.len() < MARKS_MAX || self.registered.contains_key(hook) {
            let id = Id::new(told.id);
            let kept = self.registered.entry(hook.into()).or_insert_with(|| id.clone());
            *kept = kept.clone().min(id);
        }
    }

    fn of_call(&mut self, witness: Witness, told: &Told<'_>) {
        if told.call.is_empty() || told.is_run_by_api() {
            return;
        }
        if witness == Witness::Hook {
            self.last_call_hook = self.last_call_hook.max(Some(told.at));
        }
        self.act(Class::ToolCall, told.call, witness, told);
        self.acts(told.agent, witness);
    }

    /// A request that has no id yet is known by the event that told of it, and its answer by the event that it names.
    fn of_model(&mut self, witness: Witness, told: &Told<'_>) {
        if told.shows_answer() {
            let shown = Told { phases: Phases::OUTCOME, end: None, tool: "", tokens: [None; 2], ..*told };
            self.act(Class::ModelCall, told.request, witness, &shown);
        }
        if !told.is_model_call() {
            return;
        }
        let asked = told.kind == "model.request";
        let key = match (told.request, witness) {
            ("", Witness::Gateway) if !asked && !told.parent.is_empty() => told.parent,
            ("", Witness::Gateway) => told.id,
            ("", _) => return,
            (request, _) => request,
        };
        if witness == Witness::Gateway && !asked && !told.request.is_empty() && !told.parent.is_empty() && self.answered.len() < ACTIONS_MAX
        {
            self.answered.insert(told.parent.into(), told.request.into());
        }
        self.act(Class::ModelCall, key, witness, told);
        self.acts(told.agent, witness);
    }

    fn of_agents(&mut self, witness: Witness, told: &Told<'_>) {
        for (agent, starts) in [(told.agent, false), (told.child, true)] {
            if agent.is_empty() {
                continue;
            }
            self.act(Class::Subagent, agent, witness, told);
            if starts && told.kind == "agent.subagent_spawned" && self.agents_started.len() < ACTIONS_MAX {
                self.agents_started.insert(agent.into());
            }
            let typed = told.member("agent_type").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty());
            if typed && self.agents_typed.len() < ACTIONS_MAX {
                self.agents_typed.insert(agent.into());
            }
        }
    }

    fn acts(&mut self, agent: &str, witness: Witness) {
        if !agent.is_empty() && (self.acted.len() < ACTIONS_MAX || self.acted.contains_key(agent)) {
            *self.acted.entry(agent.into()).or_default() |= 1 << witness as u8;
        }
    }

    fn act(&mut self, class: Class, key: &str, witness: Witness, told: &Told<'_>) {
        let full = self.size() >= ACTIONS_MAX;
        // What a prompt or a subagent led to is no phase and no end of its own.
        let plain = |agent| Told { phases: Phases::NONE, end: None, tool: "", model: "", agent, ..*told };
        let (actions, told) = match class {
            Class::ToolCall => (&mut self.calls, Told { ..*told }),
            Class::ModelCall => (&mut self.models, Told { ..*told }),
            Class::Prompt => (&mut self.prompts, plain("")),
            _ => (&mut self.agents, plain(key)),
        };
        if full && !actions.contains_key(key) {
            self.left_out += 1;
            return;
        }
        actions.entry(key.into()).or_default().add(witness, &told);
    }

    fn size(&self) -> usize {
        self.calls.len() + self.models.len() + self.prompts.len() + self.agents.len()
    }

    fn mark_change(&mut self, at: i64) {
        if self.changed.len() < MARKS_MAX {
            self.changed.insert(at);
        }
    }

    /// Joins gateway requests with the answers that got an id.
    pub(super) fn settle(&mut self) {
        for (asked, request) in std::mem::take(&mut self.answered) {
            if let Some(intent) = self.models.remove(&asked) {
                self.models.entry(request).or_default().merge(intent);
            }
        }
    }

    /// Returns from when to when it was heard of, in milliseconds since 1970.
    pub fn span(&self) -> (i64, i64) {
        let spans = self.spans.iter().flatten();
        let from = spans.clone().map(|(from, _)| *from).min().unwrap_or(0);
        (from, spans.map(|(_, to)| *to).max().unwrap_or(0))
    }

    /// Tells whether somebody said that it is over.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some_and(|ended| self.started.is_none_or(|started| ended >= started))
    }

    /// Tells whether a witness saw an agent call a tool or a model.
    pub(super) fn saw_act(&self, witness: Witness, agent: &str) -> bool {
        self.acted.get(agent).is_some_and(|seen| seen & (1 << witness as u8) != 0)
    }

    /// Tells whether the client was compacting its talk then.
    pub(super) fn was_compacting(&self, at: i64) -> bool {
        self.compactions.range(..=(at, true)).next_back().is_some_and(|(_, ended)| !ended)
    }

    /// Tells whether anybody saw that.
    pub(super) fn has_acted(&self, agent: &str) -> bool {
        self.acted.contains_key(agent)
    }

    /// Tells whether a witness said anything of the session.
    pub(super) fn heard(&self, witness: Witness) -> bool {
        self.spans[witness as usize].is_some()
    }
}

/// Returns the server in the name of an MCP tool, `mcp__<server>__<tool>`.
pub(super) fn server_of(tool: &str) -> &str {
    tool.strip_prefix("mcp__").and_then(|rest| rest.split_once("__")).map_or("", |(server, _)| server)
}
