//! The questions of an investigation, answered from events: who, told what, allowed by what, and what became of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::chain::Chain;
use crate::field::{at, summary, text};
use crate::story::{Action, Story, is_second_view};

/// 64: as in chains; damaged data must not make a loop.
const DEPTH_MAX: usize = 64;

/// One line of an answer. What happened several times is one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What it was.
    pub what: String,
    /// Which agent did it; empty when no agent did.
    pub agent: String,
    /// When it was seen first.
    pub at: String,
    /// How it ended, the first time.
    pub outcome: String,
    /// The event that tells it first.
    pub event: Option<String>,
    /// How often.
    pub times: u64,
}

/// The questions, in the order in which an investigator asks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Who set it in motion, and who approved.
    Authorised,
    /// What it was told to do.
    Instructed,
    /// Under which permission.
    Permitted,
    /// Which data it read.
    Read,
    /// What it changed.
    Changed,
    /// What it deleted.
    Deleted,
    /// What it reached outside this machine.
    Reached,
    /// What it ran without telling what that does.
    Ran,
    /// What it was refused.
    Refused,
    /// Errors, warnings, ends that nobody saw.
    Trouble,
}

impl Question {
    /// Every question.
    pub const ALL: &[Self] = &[
        Self::Authorised,
        Self::Instructed,
        Self::Permitted,
        Self::Read,
        Self::Changed,
        Self::Deleted,
        Self::Reached,
        Self::Ran,
        Self::Refused,
        Self::Trouble,
    ];

    /// Returns the name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::Instructed => "instructed",
            Self::Permitted => "permitted",
            Self::Read => "read",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Reached => "reached",
            Self::Ran => "ran",
            Self::Refused => "refused",
            Self::Trouble => "trouble",
        }
    }

    /// Returns the question in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Authorised => "who authorised it",
            Self::Instructed => "what it was told",
            Self::Permitted => "under which permission",
            Self::Read => "what data it read",
            Self::Changed => "what it changed",
            Self::Deleted => "what it deleted",
            Self::Reached => "what it reached outside",
            Self::Ran => "what it ran, of which nobody can tell all effects",
            Self::Refused => "what it was refused",
            Self::Trouble => "errors, warnings, unknown ends",
        }
    }
}

/// The answers.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Of what they are: an agent of a session and everything below it, or records that name each other.
    pub scope: String,
    /// What was found, in order of time.
    pub found: BTreeMap<Question, Vec<Entry>>,
    /// What no witness told.
    pub missing: Vec<String>,
}

impl Answers {
    /// Returns the entries of a question.
    pub fn of(&self, question: Question) -> &[Entry] {
        self.found.get(&question).map_or(&[], Vec::as_slice)
    }

    /// Returns everything as one object, a member for each question.
    pub fn to_json(&self) -> Value {
        let mut object = json!({"scope": self.scope});
        for question in Question::ALL {
            let entries = self.of(*question).iter().map(|entry| {
                json!({"what": entry.what, "agent": entry.agent, "timestamp": entry.at, "outcome": entry.outcome, "times": entry.times, "audit_id": entry.event})
            });
            object[question.name()] = entries.collect();
        }
        object["missing"] = json!(self.missing);
        object
    }

    fn add(&mut self, question: Question, what: String, event: &Value, outcome: &str) {
        if what.is_empty() {
            return;
        }
        let agent = text(event, "agent");
        let entries = self.found.entry(question).or_default();
        match entries.iter_mut().find(|known| known.what == what && known.agent == agent && known.outcome == outcome) {
            Some(known) => known.times += 1,
            None => {
                let (at, id) = (text(event, "timestamp"), text(event, "audit_id"));
                entries.push(Entry { what, agent, at, outcome: outcome.to_owned(), event: Some(id), times: 1 });
            }
        }
    }
}

/// Answers for the agent of a session that acted in `target`, and for every agent that it started.
pub fn of_session(target: &Value, story: &Story, chain: &Chain) -> Answers {
    let acting = text(target, "agent_id");
    let agents = below(story, &acting);
    let who = if acting.is_empty() { "the main agent".to_owned() } else { format!("agent {acting}") };
    let scope = match agents.len() - 1 {
        0 => format!("{who} in session {}", text(target, "session_id")),
        others => format!("{who} and {others} agents below it in session {}", text(target, "session_id")),
    };
    let mut answers = Answers { scope, missing: chain.missing.clone(), ..Answers::default() };
    persons(&mut answers, story.actions.iter().flat_map(Action::events).chain([target]));
    // Where hooks tell the session, what other witnesses say of it beside calls is the same once more.
    let hooks = story.actions.iter().flat_map(Action::events).any(|event| text(event, "witness") == "hook");
    for action in &story.actions {
        let Some(main) = action.main() else { continue };
        if hooks && action.event.as_ref().is_some_and(is_second_view) {
            continue;
        }
        let own = agents.contains(&text(main, "agent_id"));
        match text(main, "event_type").as_str() {
            "session.started" => answers.add(Question::Authorised, format!("session started ({})", text(main, "source")), main, ""),
            // Instructions come in through the main agent, whoever acts.
            "agent.instructions_loaded" | "agent.config_update" | "skill.invoked" => told(&mut answers, main),
            _ if own => {
                told(&mut answers, action.intent.as_ref().unwrap_or(main));
                did(&mut answers, action);
            }
            // The call that started an agent of the scope says what that agent was told.
            _ => {
                let child = story.started_by(&action.call).is_some_and(|(id, _)| !action.call.is_empty() && agents.contains(id));
                if child {
                    told(&mut answers, action.intent.as_ref().unwrap_or(main));
                }
            }
        }
    }
    answers
}

/// Answers for a record and those that it is linked with.
pub fn of_records(target: &Value, related: &[Value], chain: &Chain) -> Answers {
    let mut answers =
        Answers { scope: "the records that name each other".to_owned(), missing: chain.missing.clone(), ..Answers::default() };
    let linked: BTreeSet<&String> = chain.above.iter().chain(&chain.below).filter_map(|link| link.event.as_ref()).collect();
    let mut events: Vec<&Value> = related.iter().filter(|event| linked.contains(&text(event, "audit_id"))).chain([target]).collect();
    events.sort_by_key(|event| text(event, "timestamp"));
    persons(&mut answers, events.iter().copied());
    for event in events {
        told(&mut answers, event);
        did(&mut answers, &Action { event: Some(event.clone()), ..Action::default() });
    }
    answers
}

/// The agent and all that it started, directly or not.
fn below(story: &Story, acting: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::from([acting.to_owned()]);
    for _ in 0..DEPTH_MAX {
        let more: Vec<String> = story
            .agents
            .iter()
            .filter(|(id, agent)| !known.contains(*id) && agent.parent.as_ref().is_some_and(|parent| known.contains(parent)))
            .map(|(id, _)| id.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        known.extend(more);
    }
    known
}

/// Every person that an event names, once; and who approved.
fn persons<'a>(answers: &mut Answers, events: impl Iterator<Item = &'a Value>) {
    let mut known = BTreeSet::new();
    for event in events {
        let user = text(event, "user_id");
        if !user.is_empty() && known.insert(user.clone()) {
            let about =
                [("e-mail", "email"), ("uid", "uid"), ("on", "host"), ("from", "source_ip")].map(|(word, name)| (word, text(event, name)));
            let about: Vec<String> =
                about.iter().filter(|(_, value)| !value.is_empty()).map(|(word, value)| format!("{word} {value}")).collect();
            let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
            answers.add(Question::Authorised, format!("{user}{about}"), event, "");
        }
        for approval in at(event, "approval_chain").and_then(Value::as_array).into_iter().flatten() {
            let when = text(approval, "timestamp");
            let when = if when.is_empty() { String::new() } else { format!(" at {when}") };
            answers.add(Question::Authorised, format!("approved by {}{when}", text(approval, "approver")), event, "");
        }
    }
}

/// What an event says of instructions and permissions.
fn told(answers: &mut Answers, event: &Value) {
    let kind = text(event, "event_type");
    let mut say = |question, word: &str, name: &str| {
        let found = text(event, name);
        if !found.is_empty() && found != "[]" {
            answers.add(question, format!("{word} {found}"), event, "");
        }
    };
    match kind.as_str() {
        "prompt.submitted" => say(Question::Instructed, "prompt:", "prompt"),
        "agent.instructions_loaded" => say(Question::Instructed, "instructions:", "resource.path"),
        "skill.invoked" => say(Question::Instructed, "skill:", "skill"),
        "agent.config_update" => say(Question::Instructed, "configuration:", "resource.path"),
        _ => {}
    }
    if matches!(text(event, "tool_name").as_str(), "Agent" | "Task") {
        say(Question::Instructed, "told to an agent:", "tool_input.prompt");
    }
    say(Question::Instructed, "added:", "instructions_delta.added");
    say(Question::Instructed, "removed:", "instructions_delta.removed");
    say(Question::Permitted, "granted:", "tool_permissions.granted");
    say(Question::Permitted, "revoked:", "tool_permissions.revoked");
}

/// What an action did, under which permission, and how it went wrong.
fn did(answers: &mut Answers, action: &Action) {
    let Some(main) = action.main() else { return };
    let outcome = action.outcome_word();
    let effect = effect(&action.kind(), &action.text("operation.action"));
    let is_action = effect.is_some() || !action.call.is_empty();
    if is_action {
        answers.add(Question::Permitted, permission(action), main, "");
    }
    let what = what(action);
    match effect {
        Some(_) if outcome == "denied" => answers.add(Question::Refused, what.clone(), main, &outcome),
        Some(question) => answers.add(question, what.clone(), main, &outcome),
        None => {}
    }
    let external =
        at(main, "resource.detail.external").is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"));
    if external && outcome != "denied" && effect != Some(Question::Reached) {
        answers.add(Question::Reached, what.clone(), main, &outcome);
    }
    let grave = matches!(text(main, "severity").as_str(), "warning" | "high" | "critical");
    if grave || matches!(outcome.as_str(), "failure" | "error" | "unknown") {
        answers.add(Question::Trouble, format!("{} {what}", action.kind()).trim().to_owned(), main, &outcome);
    }
}

/// What was decided about an action, by whom, as far as an event says so.
fn permission(action: &Action) -> String {
    let (word, rule, mode) = (action.verdict_word(), action.text("policy_rule"), action.text("permission_mode"));
    let judged = match action.event.as_ref().map(|event| text(event, "policy_result")) {
        Some(own) if !own.is_empty() => own,
        _ => word,
    };
    let judged = if judged == "not_evaluated" { "no recorded policy judged it".to_owned() } else { judged };
    let rule = if rule.is_empty() { String::new() } else { format!(" by rule {rule}") };
    let mode = if mode.is_empty() { String::new() } else { format!(", permission mode {mode}") };
    format!("{judged}{rule}{mode}")
}

/// The thing that was touched.
fn what(action: &Action) -> String {
    let thing = ["resource.path", "resource.url", "resource.name"].iter().map(|name| action.text(name)).find(|found| !found.is_empty());
    let records = action.text("operation.record_count");
    let thing = match (action.kind().as_str(), action.events().map(|event| text(event, "tool_input.command")).find(|line| !line.is_empty()))
    {
        // The name of a program says less than its line.
        ("tool.command" | "tool.script", Some(line)) => line,
        _ => thing.or_else(|| action.main().map(summary)).filter(|found| !found.is_empty()).unwrap_or_else(|| action.text("tool_name")),
    };
    if records.is_empty() { thing } else { format!("{thing} ({records} records)") }
}

/// Which question an action answers, by its type and its verb.
fn effect(kind: &str, verb: &str) -> Option<Question> {
    let by_verb = || by_verb(verb).unwrap_or(Question::Changed);
    match kind {
        "data.file_read" => Some(Question::Read),
        "data.file_deleted" => Some(Question::Deleted),
        "data.api_call" | "mcp.tool_call" => Some(Question::Reached),
        "data.db_query" | "infra.git" | "infra.cloud" | "infra.package" => Some(by_verb()),
        "tool.command" | "tool.script" | "tool.execution" => Some(Question::Ran),
        _ if kind.starts_with("data.") => Some(by_verb()),
        _ if kind.starts_with("mcp.tool") || kind == "tool.invocation" => Some(Question::Reached),
        _ => None,
    }
}

fn by_verb(verb: &str) -> Option<Question> {
    const READS: &[&str] = &[
        "read", "list", "search", "get", "select", "show", "describe", "status", "log", "diff", "dump", "export", "explain", "view",
        "fetch", "ls", "blame", "head", "info",
    ];
    const DELETES: &[&str] =
        &["delete", "drop", "truncate", "remove", "rm", "destroy", "terminate", "shred", "purge", "uninstall", "clean"];
    let last = verb.rsplit(['.', ' ']).next().unwrap_or(verb);
    let first = last.split(['-', '_']).next().unwrap_or(last);
    if DELETES.contains(&first) {
        return Some(Question::Deleted);
    }
    READS.contains(&first).then_some(Question::Read)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the answers: what an action did is told by its type, and where that says nothing, by its verb.
    #[test]
    fn verbs_tell_reading_from_changing_and_deleting() {
        assert_eq!(effect("data.db_query", "select"), Some(Question::Read));
        assert_eq!(effect("data.db_query", "drop"), Some(Question::Deleted));
        assert_eq!(effect("data.db_query", "insert"), Some(Question::Changed));
        assert_eq!(effect("infra.cloud", "ec2.describe-instances"), Some(Question::Read));
        assert_eq!(effect("infra.cloud", "ec2.terminate-instances"), Some(Question::Deleted));
        assert_eq!(effect("data.file_write", "file_write"), Some(Question::Changed));
        assert_eq!(effect("session.started", ""), None);
    }

    /// Protects readers: the same thing done twice is one line that says so, and agents are kept apart.
    #[test]
    fn what_happened_twice_is_one_line() {
        let mut answers = Answers::default();
        for agent in ["a", "a", "b"] {
            answers.add(Question::Read, "/x".to_owned(), &json!({"agent_id": agent, "audit_id": "1"}), "success");
        }
        let told: Vec<(&str, u64)> = answers.of(Question::Read).iter().map(|entry| (entry.agent.as_str(), entry.times)).collect();
        assert_eq!(told, [("a", 2), ("b", 1)]);
    }
}
