//! The story of one session: its events joined into actions, agents and turns. Pure: events in, a story out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::field::{at, summary, text};

/// One tool call, or one event that is no tool call.
#[derive(Clone, Debug, Default)]
pub struct Action {
    /// Id of the call; empty for an event that is none.
    pub call: String,
    /// The event that asked for it.
    pub intent: Option<Value>,
    /// The events that judged it, in order.
    pub verdicts: Vec<Value>,
    /// The event that ended it.
    pub outcome: Option<Value>,
    /// The single event, when it is no call.
    pub event: Option<Value>,
}

/// A subagent.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// The kind of agent.
    pub kind: String,
    /// The agent that started it: empty for the main agent, nothing when nobody said.
    pub parent: Option<String>,
    /// The call that started it.
    pub call: Option<String>,
    /// An event tells its start.
    pub started: bool,
    /// An event tells its end.
    pub finished: bool,
}

/// One session.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What was done, in the order of its first event.
    pub actions: Vec<Action>,
    /// The subagents, by id.
    pub agents: BTreeMap<String, Agent>,
    calls: BTreeMap<String, usize>,
}

impl Story {
    /// Takes in the next event of the session.
    pub fn add(&mut self, view: Value) {
        self.learn_agents(&view);
        let call = text(&view, "tool_use_id");
        let phase = text(&view, "phase");
        if call.is_empty() || phase.is_empty() {
            self.actions.push(Action { event: Some(view), ..Action::default() });
            return;
        }
        let at = *self.calls.entry(call.clone()).or_insert_with(|| {
            self.actions.push(Action { call, ..Action::default() });
            self.actions.len() - 1
        });
        let action = &mut self.actions[at];
        match phase.as_str() {
            "intent" => action.intent = action.intent.take().or(Some(view)),
            "verdict" => action.verdicts.push(view),
            _ => action.outcome = action.outcome.take().or(Some(view)),
        }
    }

    fn learn_agents(&mut self, view: &Value) {
        let child = text(view, "subagent_id");
        if !child.is_empty() {
            let agent = self.agents.entry(child).or_default();
            let call = text(view, "tool_use_id");
            match (text(view, "phase").is_empty(), text(view, "event_type").as_str()) {
                // A call of a tool that names the agent it started: who called is the parent.
                (false, _) => agent.parent = agent.parent.take().or_else(|| Some(text(view, "agent_id"))),
                (true, "agent.subagent_spawned") => {
                    agent.started = true;
                    agent.kind = text(view, "agent_type");
                }
                (true, "agent.subagent_finished") => agent.finished = true,
                (true, _) => {}
            }
            let parent = text(view, "parent_agent_id");
            if !parent.is_empty() && text(view, "phase").is_empty() {
                agent.parent = Some(parent);
            }
            if !call.is_empty() {
                agent.call = agent.call.take().or(Some(call));
            }
        }
        let own = text(view, "agent_id");
        if !own.is_empty() {
            let parent = text(view, "parent_agent_id");
            let agent = self.agents.entry(own).or_default();
            if agent.kind.is_empty() {
                agent.kind = text(view, "agent_type");
            }
            if agent.parent.is_none() && !parent.is_empty() {
                agent.parent = Some(parent);
            }
        }
    }

    /// Returns the action of a call.
    pub fn call(&self, id: &str) -> Option<&Action> {
        self.calls.get(id).map(|at| &self.actions[*at])
    }

    /// Returns the agent that a call started.
    pub fn started_by(&self, call: &str) -> Option<(&String, &Agent)> {
        self.agents.iter().find(|(_, agent)| agent.call.as_deref() == Some(call))
    }
}

impl Action {
    /// Returns every event of the action, in the order intent, verdicts, outcome.
    pub fn events(&self) -> impl Iterator<Item = &Value> {
        self.event.iter().chain(&self.intent).chain(&self.verdicts).chain(&self.outcome)
    }

    /// Returns the event that says most: the outcome, else the intent, else the verdict.
    pub fn main(&self) -> Option<&Value> {
        self.event.as_ref().or(self.outcome.as_ref()).or(self.intent.as_ref()).or(self.verdicts.first())
    }

    /// Returns a field of the first event that has it.
    pub fn text(&self, name: &str) -> String {
        self.main().into_iter().chain(self.events()).map(|event| text(event, name)).find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// Returns how it ended: `unknown` for a call whose end nobody saw, empty for an event that is no call.
    pub fn outcome_word(&self) -> String {
        if let Some(event) = &self.event {
            return text(event, "outcome");
        }
        match &self.outcome {
            Some(event) => text(event, "outcome"),
            None => "unknown".to_owned(),
        }
    }

    /// Returns what was decided about it.
    pub fn verdict_word(&self) -> String {
        if self.event.is_some() {
            return String::new();
        }
        // The latest word counts.
        let mut judged =
            self.outcome.iter().chain(self.verdicts.iter().rev()).chain(&self.intent).map(|event| text(event, "policy_result"));
        judged.find(|word| !word.is_empty() && word != "not_evaluated").unwrap_or_else(|| "not_evaluated".to_owned())
    }

    /// Returns the event type: of the outcome, else what the intent said it would be.
    pub fn kind(&self) -> String {
        if let Some(event) = self.event.as_ref().or(self.outcome.as_ref()) {
            return text(event, "event_type");
        }
        let intended = self.text("action_type");
        if intended.is_empty() { self.text("event_type") } else { intended }
    }

    /// Tells whether it belongs on a timeline without `-v`.
    pub fn is_told(&self) -> bool {
        let Some(event) = &self.event else { return true };
        text(event, "severity") != "debug" && text(event, "event_type") != "tool.batch"
    }

    /// Returns the line of the timeline.
    pub fn line(&self) -> Value {
        let first = self.events().next();
        let id = |event: Option<&Value>| event.map(|event| text(event, "audit_id"));
        let about = self.intent.as_ref().or(self.main()).map(summary).unwrap_or_default();
        let mut line = json!({
            "timestamp": first.map(|event| text(event, "timestamp")).unwrap_or_default(),
            "agent": self.text("agent"),
            "event_type": self.kind(),
            "tool_name": self.text("tool_name"),
            "summary": about,
            "verdict": self.verdict_word(),
            "outcome": self.outcome_word(),
            "audit_id": id(self.main()),
        });
        if self.event.is_none() {
            line["tool_use_id"] = json!(self.call);
            line["intent_audit_id"] = json!(id(self.intent.as_ref()));
            line["verdict_audit_ids"] = self.verdicts.iter().map(|event| text(event, "audit_id")).collect();
            line["outcome_audit_id"] = json!(id(self.outcome.as_ref()));
            if let Some(ms) = self.main().and_then(|event| at(event, "duration_ms")) {
                line["duration_ms"] = ms.clone();
            }
        }
        line
    }
}

/// Counts tool calls and how many ended in a way that somebody saw.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    open: BTreeSet<String>,
    ended: u64,
    unknown: u64,
}

impl Calls {
    /// Takes in the next event.
    pub fn add(&mut self, view: &Value) {
        let call = text(view, "tool_use_id");
        match text(view, "phase").as_str() {
            _ if call.is_empty() => {}
            "intent" => {
                self.open.insert(call);
            }
            "outcome" => {
                self.open.remove(&call);
                self.ended += 1;
                self.unknown += u64::from(text(view, "outcome") == "unknown");
            }
            _ => {}
        }
    }

    /// Returns how many calls there were.
    pub fn total(&self) -> u64 {
        self.ended + self.open.len() as u64
    }

    /// Returns how many calls have no end that somebody saw, running ones among them.
    pub fn unknown(&self) -> u64 {
        self.unknown + self.open.len() as u64
    }
}
