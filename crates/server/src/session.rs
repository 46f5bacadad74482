//! One session: what was done in it, in order.

use sealtrail_trace::field::text;
use sealtrail_trace::story::{Calls, Story};
use serde_json::Value;

use crate::reading::Reading;
use crate::refusal::Refusal;
use crate::types::{Agent, Session};

impl Reading<'_> {
    /// Returns a session as JSON, and how many events it has.
    pub fn session(&self, id: &str) -> Result<(Value, u64), Refusal> {
        let (story, seen) = self.story(id)?;
        if seen == 0 {
            return Err(Refusal::Missing { what: "session", name: id.to_owned() });
        }
        let answer = told(id, &story, seen as u64);
        Ok((serde_json::to_value(answer).unwrap_or_default(), seen as u64))
    }
}

fn told(id: &str, story: &Story, events: u64) -> Session {
    let all = || story.actions.iter().flat_map(|action| action.events());
    let mut calls = Calls::default();
    all().for_each(|event| calls.add(event));
    let first = |name: &str| all().map(|event| text(event, name)).find(|found| !found.is_empty()).unwrap_or_default();
    // A session that was resumed after its end is open again: the last word counts.
    let last = story.actions.iter().rev().filter_map(|action| action.event.as_ref()).find_map(|event| {
        let kind = text(event, "event_type");
        matches!(kind.as_str(), "session.ended" | "session.started").then(|| (kind, text(event, "end_reason")))
    });
    let ended = last.filter(|(kind, _)| kind == "session.ended").map(|(_, reason)| reason);
    Session {
        session_id: id.to_owned(),
        user_id: first("user_id"),
        started: first("timestamp"),
        state: if ended.is_some() { "ended" } else { "open" }.to_owned(),
        end_reason: ended.unwrap_or_default(),
        events,
        calls: calls.total(),
        unknown: calls.unknown(),
        agents: story.agents.iter().map(|(id, agent)| agent_of(id, agent)).collect(),
        timeline: story.actions.iter().map(|action| action.line()).collect(),
    }
}

fn agent_of(id: &str, agent: &sealtrail_trace::story::Agent) -> Agent {
    let parent = agent.parent.clone().map(|parent| if parent.is_empty() { "main".to_owned() } else { parent });
    Agent { agent_id: id.to_owned(), agent_type: agent.kind.clone(), parent, started: agent.started, finished: agent.finished }
}
