//! Cause and effect around one event. Pure: a story in, links out.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::field::{summary, text};
use crate::story::{Action, Agent, Story};

/// 64: no client nests agents this deep; damaged data must not make a loop.
const DEPTH_MAX: usize = 64;

/// One link of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// How far below the person.
    pub depth: usize,
    /// `person`, `session`, `prompt`, `agent`, `call`, `event`.
    pub kind: String,
    /// Who or which.
    pub id: String,
    /// What it was about.
    pub about: String,
    /// How it ended.
    pub outcome: String,
    /// The event that tells it.
    pub event: Option<String>,
}

/// What led to an event, the event, and what it led to.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// From the person down to what acted.
    pub above: Vec<Link>,
    /// The event that was asked for.
    pub target: Link,
    /// What it led to.
    pub below: Vec<Link>,
    /// Links that nobody saw, in words.
    pub missing: Vec<String>,
}

impl Chain {
    fn push(&mut self, kind: &str, id: String, about: String, event: Option<&Value>) {
        let depth = self.above.len();
        self.above.push(Link {
            depth,
            kind: kind.to_owned(),
            id,
            about,
            event: event.map(|event| text(event, "audit_id")),
            ..Link::default()
        });
    }
}

/// Returns the chain of an event of a session.
pub fn of_session(target: &Value, story: &Story) -> Chain {
    let mut chain = Chain::default();
    person(&mut chain, target, story);
    let started = single(story, "session.started");
    let about = started.map(|event| text(event, "source")).unwrap_or_default();
    chain.push("session", text(target, "session_id"), about, started);
    if started.is_none() {
        chain.missing.push("the start of the session: no event tells it".to_owned());
    }
    turn(&mut chain, target, story);
    agents(&mut chain, &text(target, "agent_id"), story);
    let depth = chain.above.len();
    let own = story.call(&text(target, "tool_use_id"));
    // A part of a command line hangs below the call that ran the line.
    let part = own.filter(|_| text(target, "phase").is_empty() && !text(target, "parent_audit_id").is_empty());
    let depth = match part {
        Some(action) => {
            chain.above.push(call_link(action, depth));
            depth + 1
        }
        None => depth,
    };
    match own.filter(|_| !text(target, "phase").is_empty()) {
        Some(action) => {
            chain.target = call_link(action, depth);
            gaps_of_call(&mut chain, action);
            below_call(&mut chain, action, story, depth + 1);
        }
        None => {
            chain.target = event_link(target, depth);
            below_event(&mut chain, target, story, depth + 1);
        }
    }
    chain
}

/// Returns the chain of a record without a session: parents by run and by event, and theirs; children likewise.
pub fn of_records(target: &Value, related: &[Value]) -> Chain {
    let mut chain = Chain::default();
    let user = text(target, "user_id");
    if user.is_empty() {
        chain.missing.push("the person: the record names none".to_owned());
    } else {
        chain.push("person", user, text(target, "email"), None);
    }
    for parent in ancestors(&mut chain, target, related).into_iter().rev() {
        chain.push("event", text(parent, "event_type"), summary(parent), Some(parent));
    }
    let agent = text(target, "agent_id");
    if !agent.is_empty() {
        chain.push("agent", agent, text(target, "agent_type"), None);
    }
    let depth = chain.above.len();
    chain.target = event_link(target, depth);
    let mut known = BTreeSet::from([text(target, "audit_id")]);
    children(&mut chain, target, related, depth + 1, &mut known);
    chain
}

/// From the parent of a record up to the first one; damaged data may name a parent twice.
fn ancestors<'a>(chain: &mut Chain, target: &Value, related: &'a [Value]) -> Vec<&'a Value> {
    let mut line: Vec<&Value> = Vec::new();
    let mut known = BTreeSet::from([text(target, "audit_id")]);
    let mut of = target;
    while line.len() < DEPTH_MAX {
        let mut parent = None;
        for (name, is) in [("parent_audit_id", "audit_id"), ("parent_execution", "execution_id")] {
            let wanted = text(of, name);
            if wanted.is_empty() || parent.is_some() {
                continue;
            }
            parent = related.iter().find(|other| text(other, is) == wanted && !known.contains(&text(other, "audit_id")));
            if parent.is_none() {
                chain.missing.push(format!("{wanted}: named as {name}, not in the trail"));
            }
        }
        let Some(found) = parent else { break };
        known.insert(text(found, "audit_id"));
        line.push(found);
        of = found;
    }
    line
}

fn children(chain: &mut Chain, of: &Value, related: &[Value], depth: usize, known: &mut BTreeSet<String>) {
    if depth > DEPTH_MAX {
        return;
    }
    let (run, id) = (text(of, "execution_id"), text(of, "audit_id"));
    for other in related {
        let child = (!run.is_empty() && text(other, "parent_execution") == run) || text(other, "parent_audit_id") == id;
        if child && known.insert(text(other, "audit_id")) {
            chain.below.push(event_link(other, depth));
            children(chain, other, related, depth + 1, known);
        }
    }
}

fn single<'a>(story: &'a Story, kind: &str) -> Option<&'a Value> {
    story.actions.iter().filter_map(|action| action.event.as_ref()).find(|event| text(event, "event_type") == kind)
}

fn person(chain: &mut Chain, target: &Value, story: &Story) {
    let all = || story.actions.iter().flat_map(Action::events).chain([target]);
    let first = |name: &str| all().map(|event| text(event, name)).find(|found| !found.is_empty()).unwrap_or_default();
    let (user, uid, host) = (first("user_id"), first("os.uid"), first("host"));
    let about =
        [("uid", uid), ("on", host)].into_iter().filter(|(_, value)| !value.is_empty()).map(|(word, value)| format!("{word} {value}"));
    let about = about.collect::<Vec<_>>().join(" ");
    if user.is_empty() {
        chain.missing.push("the person: no witness names one".to_owned());
    }
    chain.push("person", if user.is_empty() { "unknown".to_owned() } else { user }, about, None);
}

/// The prompt that began the turn of the event.
fn turn(chain: &mut Chain, target: &Value, story: &Story) {
    let id = text(target, "prompt_id");
    if id.is_empty() {
        return;
    }
    let events = story.actions.iter().filter_map(|action| action.event.as_ref());
    let mut prompts = events.filter(|event| text(event, "event_type") == "prompt.submitted");
    match prompts.find(|event| text(event, "prompt_id") == id) {
        Some(event) if text(event, "audit_id") == text(target, "audit_id") => {}
        Some(event) => chain.push("prompt", id, text(event, "prompt"), Some(event)),
        None => chain.missing.push(format!("the prompt {id}: no event tells it")),
    }
}

/// From the main agent down to the one that acted, with the calls that started them.
fn agents(chain: &mut Chain, acting: &str, story: &Story) {
    let mut line = Vec::new();
    let mut id = acting.to_owned();
    while !id.is_empty() && line.len() < DEPTH_MAX {
        let agent = story.agents.get(&id).cloned().unwrap_or_default();
        let parent = agent.parent.clone();
        if !agent.started {
            chain.missing.push(format!("the start of agent {id}: no event tells it"));
        }
        if agent.call.is_none() {
            chain.missing.push(format!("the call that started agent {id}: no witness names it"));
        }
        if parent.is_none() {
            chain.missing.push(format!("the agent that started {id}: no witness names it"));
        }
        line.push((id, agent));
        id = parent.unwrap_or_default();
    }
    chain.push("agent", "main".to_owned(), String::new(), None);
    for (id, agent) in line.into_iter().rev() {
        if let Some(action) = agent.call.as_deref().and_then(|call| story.call(call)) {
            let link = call_link(action, chain.above.len());
            chain.above.push(link);
        }
        chain.push("agent", id, agent.kind, None);
    }
}

fn call_link(action: &Action, depth: usize) -> Link {
    let about = action.intent.as_ref().or(action.main()).map(summary).unwrap_or_default();
    Link {
        depth,
        kind: "call".to_owned(),
        id: format!("{} {}", action.text("tool_name"), action.kind()).trim().to_owned(),
        about,
        outcome: action.outcome_word(),
        event: action.main().map(|event| text(event, "audit_id")),
    }
}

fn event_link(event: &Value, depth: usize) -> Link {
    Link {
        depth,
        kind: "event".to_owned(),
        id: text(event, "event_type"),
        about: summary(event),
        outcome: text(event, "outcome"),
        event: Some(text(event, "audit_id")),
    }
}

fn gaps_of_call(chain: &mut Chain, action: &Action) {
    if action.intent.is_none() {
        chain.missing.push(format!("the request of call {}: the client told only its end", action.call));
    }
    match &action.outcome {
        None => chain.missing.push(format!("the end of call {}: nobody saw it, so its outcome is unknown", action.call)),
        Some(event) if text(event, "grade") == "derived" => {
            chain.missing.push(format!(
                "the end of call {}: no witness saw it; the recorder concluded it ({})",
                action.call,
                text(event, "reason")
            ));
        }
        Some(_) => {}
    }
}

/// The agent that a call started, and everything it did.
fn below_call(chain: &mut Chain, action: &Action, story: &Story, depth: usize) {
    if let Some((id, agent)) = story.started_by(&action.call) {
        below_agent(chain, id, agent, story, depth);
    }
}

fn below_agent(chain: &mut Chain, id: &str, agent: &Agent, story: &Story, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    let outcome = if agent.finished { "" } else { "unknown" };
    if !agent.finished {
        chain.missing.push(format!("the end of agent {id}: no event tells it"));
    }
    chain.below.push(Link {
        depth,
        kind: "agent".to_owned(),
        id: id.to_owned(),
        about: agent.kind.clone(),
        outcome: outcome.to_owned(),
        event: None,
    });
    for action in story.actions.iter().filter(|action| !action.call.is_empty() && action.text("agent_id") == id) {
        chain.below.push(call_link(action, depth + 1));
        below_call(chain, action, story, depth + 2);
    }
}

/// What an event that is no call led to: the calls of its turn, of its agent, of its session.
fn below_event(chain: &mut Chain, target: &Value, story: &Story, depth: usize) {
    let (turn, child) = (text(target, "prompt_id"), text(target, "subagent_id"));
    match text(target, "event_type").as_str() {
        "agent.subagent_spawned" | "agent.subagent_finished" => {
            if let Some(agent) = story.agents.get(&child) {
                below_agent(chain, &child, agent, story, depth);
            }
        }
        "prompt.submitted" => below_main(chain, story, depth, |action| action.text("prompt_id") == turn),
        "session.started" => below_main(chain, story, depth, |_| true),
        _ => {}
    }
}

fn below_main(chain: &mut Chain, story: &Story, depth: usize, wanted: impl Fn(&Action) -> bool) {
    for action in story.actions.iter().filter(|action| !action.call.is_empty() && action.text("agent_id").is_empty() && wanted(action)) {
        chain.below.push(call_link(action, depth));
        below_call(chain, action, story, depth + 1);
    }
}
