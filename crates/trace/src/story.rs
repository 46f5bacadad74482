//! The story of one session: its events joined into actions, agents and turns. Pure: events in, a story out.

use std::collections::BTreeMap;

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
    /// How near to the call the witness of each part was: 0 is a hook.
    pub(crate) ranks: Ranks,
}

/// Ranks of the witnesses of intent, verdicts and outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ranks {
    intent: usize,
    verdicts: usize,
    outcome: usize,
}

/// Witnesses that may tell the same call, the nearest first. Hooks, and what the recorder concludes from them, come before all others.
const WITNESSES: &[&str] = &["hook", "recorder", "transcript", "mcp", "gateway", "otel", "api"];

/// Returns how near a witness is to the call that it tells; 0 is a hook.
pub fn rank(view: &Value) -> usize {
    let witness = text(view, "witness");
    // A view without a witness is of a trail that had only hooks.
    WITNESSES
        .iter()
        .position(|name| *name == witness)
        .map_or(if witness.is_empty() { 0 } else { WITNESSES.len() }, |at| at.saturating_sub(1))
}

/// Tells whether an event only shows from another side what hooks show: the client's own records, its telemetry, its traffic.
pub(crate) fn is_second_view(view: &Value) -> bool {
    matches!(text(view, "witness").as_str(), "transcript" | "otel" | "gateway")
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
        self.actions[at].tell(&phase, view);
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
    /// Takes in what one witness tells of the call. Of several the nearest counts, so that a call has one intent and one outcome, whoever saw it.
    fn tell(&mut self, phase: &str, view: Value) {
        let rank = rank(&view);
        let ranks = &mut self.ranks;
        match phase {
            "intent" if self.intent.is_none() || rank < ranks.intent => (self.intent, ranks.intent) = (Some(view), rank),
            "intent" => {}
            "verdict" if rank < ranks.verdicts || self.verdicts.is_empty() => (self.verdicts, ranks.verdicts) = (vec![view], rank),
            "verdict" if rank == ranks.verdicts => self.verdicts.push(view),
            "verdict" => {}
            _ if self.outcome.is_none() || rank < ranks.outcome => (self.outcome, ranks.outcome) = (Some(view), rank),
            _ => {}
        }
    }

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
        text(event, "severity") != "debug" && text(event, "event_type") != "tool.batch" && !is_second_view(event)
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

/// Counts tool calls and how many ended in a way that somebody saw. A call that several witnesses tell is one.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// By id: how near the witness of its end was, and whether that end is known; nothing while no end was told.
    ends: BTreeMap<String, Option<(usize, bool)>>,
}

impl Calls {
    /// Takes in the next event.
    pub fn add(&mut self, view: &Value) {
        let call = text(view, "tool_use_id");
        match text(view, "phase").as_str() {
            _ if call.is_empty() => {}
            "intent" => {
                self.ends.entry(call).or_default();
            }
            "outcome" => {
                let rank = rank(view);
                let end = self.ends.entry(call).or_default();
                if end.is_none_or(|(known, _)| rank < known) {
                    *end = Some((rank, text(view, "outcome") != "unknown"));
                }
            }
            _ => {}
        }
    }

    /// Returns how many calls there were.
    pub fn total(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Returns how many calls have no end that somebody saw, running ones among them.
    pub fn unknown(&self) -> u64 {
        self.ends.values().filter(|end| !end.is_some_and(|(_, known)| known)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(witness: &str, phase: &str, outcome: &str) -> Value {
        json!({"witness": witness, "phase": phase, "outcome": outcome, "tool_use_id": "t", "event_type": "tool.call", "audit_id": format!("{witness}-{phase}")})
    }

    /// Protects counts and timelines from seeing double: a call that hooks and a transcript tell is one, in any order, and the hooks' word counts.
    #[test]
    fn a_call_is_one_whoever_tells_it() {
        let events = [
            told("transcript", "intent", ""),
            told("hook", "intent", ""),
            told("otel", "verdict", ""),
            told("hook", "verdict", ""),
            told("transcript", "outcome", "success"),
            told("hook", "outcome", "failure"),
            told("gateway", "outcome", "success"),
        ];
        for turn in 0..events.len() {
            let (mut story, mut calls) = (Story::default(), Calls::default());
            let mut events = events.clone();
            events.rotate_left(turn);
            events.iter().for_each(|event| calls.add(event));
            events.into_iter().for_each(|event| story.add(event));
            assert_eq!((calls.total(), calls.unknown(), story.actions.len()), (1, 0, 1));
            let ids: Vec<String> = story.actions[0].events().map(|event| text(event, "audit_id")).collect();
            assert_eq!(ids, ["hook-intent", "hook-verdict", "hook-outcome"]);
        }
    }

    /// Protects sessions that only a transcript tells: its calls are shown, with their ends.
    #[test]
    fn a_transcript_alone_tells_a_call() {
        let (mut story, mut calls) = (Story::default(), Calls::default());
        for event in [told("transcript", "intent", ""), told("transcript", "outcome", "denied")] {
            calls.add(&event);
            story.add(event);
        }
        assert_eq!((story.actions[0].outcome_word().as_str(), calls.total(), calls.unknown()), ("denied", 1, 0));
    }
}
