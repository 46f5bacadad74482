//! Everything that one run did, from the events that name it: each step, who authorised it, what data it touched.

use std::collections::BTreeMap;

use sealtrail_ledger::read::Stored;
use sealtrail_trace::field::{at, summary, text};
use serde_json::Value;

use crate::reading::{Reading, STORY_EVENTS_MAX, too_long};
use crate::refusal::Refusal;
use crate::types::{Authority, Custody, Event, Execution, Leaf, Step, Touch};

/// 32: no workflow nests runs this deep; damaged data must not make a loop.
const ROUNDS_MAX: usize = 32;

/// Members that say what was touched, most telling first.
const RESOURCES: &[&str] =
    &["resource.path", "resource.url", "resource.name", "resource.target", "resource.id", "tool_input.file_path", "tool_input.url"];

/// Members that say how sensitive it is.
const SENSITIVITY: &[&str] = &["resource.sensitivity_level", "resource.classification", "data_classification"];

impl Reading<'_> {
    /// Returns the chain of custody of a run as JSON, and how many events it was made of. A session's id is taken, too.
    pub fn execution(&self, id: &str) -> Result<(Value, u64), Refusal> {
        let mut found = Run::default();
        self.below(id, &mut found)?;
        if found.events.is_empty() {
            for (stored, view) in self.exactly(&["session_id"], &[id.to_owned()])? {
                found.events.insert(stored.seq.0, (stored, view));
            }
        }
        if found.events.is_empty() {
            return Err(Refusal::Missing { what: "execution", name: id.to_owned() });
        }
        self.above(id, &mut found)?;
        found.missing.extend(self.grant.hides());
        let seen = found.events.len() as u64;
        let custody = self.custody(&found);
        let answer = found.told(id, custody);
        Ok((serde_json::to_value(answer).unwrap_or_default(), seen))
    }

    /// Finds the run, and the runs that it started.
    fn below(&self, id: &str, found: &mut Run) -> Result<(), Refusal> {
        let mut wanted = vec![id.to_owned()];
        for _ in 0..ROUNDS_MAX {
            let mut next = Vec::new();
            for (stored, view) in self.exactly(&["execution_id", "parent_execution"], &wanted)? {
                let own = text(&view, "execution_id");
                if !own.is_empty() && own != id && !found.children.contains(&own) && !wanted.contains(&own) {
                    next.push(own.clone());
                    found.children.push(own);
                }
                found.events.insert(stored.seq.0, (stored, view));
            }
            if found.events.len() > STORY_EVENTS_MAX {
                return Err(too_long());
            }
            if next.is_empty() {
                return Ok(());
            }
            next.dedup();
            wanted = next;
        }
        found.missing.push(format!("runs more than {ROUNDS_MAX} levels below"));
        Ok(())
    }

    /// Names the runs above it. Their own steps are theirs: who wants them asks for them.
    fn above(&self, id: &str, found: &mut Run) -> Result<(), Refusal> {
        let own: Vec<&Value> = found.events.values().map(|(_, view)| view).filter(|view| text(view, "execution_id") == id).collect();
        let mut parent = own.iter().map(|view| text(view, "parent_execution")).find(|parent| !parent.is_empty());
        while let Some(name) = parent.take() {
            if found.parents.contains(&name) || found.parents.len() == ROUNDS_MAX {
                break;
            }
            let events = self.exactly(&["execution_id"], std::slice::from_ref(&name))?;
            if events.is_empty() {
                found.missing.push(format!("the run {name}: named as parent, not in the trail"));
            }
            parent = events.iter().map(|(_, view)| text(view, "parent_execution")).find(|parent| !parent.is_empty());
            found.parents.push(name);
        }
        Ok(())
    }

    fn custody(&self, found: &Run) -> Custody {
        let log = self.finder.reader.log();
        let leaf = |(stored, view): &(Stored, Value)| Leaf {
            audit_id: text(view, "audit_id"),
            seq: stored.seq.0,
            leaf_hash: sealtrail_tlog::strict64::encode(stored.leaf_hash().as_bytes()),
        };
        // Before the first checkpoint there is none; the leaves stand without it.
        let note = self.checkpoint().ok().and_then(|checkpoint| checkpoint["note"].as_str().map(str::to_owned));
        Custody { origin: log.origin.clone(), vkey: log.vkey.clone(), checkpoint: note, leaves: found.events.values().map(leaf).collect() }
    }
}

/// A run while it is put together.
#[derive(Default)]
struct Run {
    /// By position.
    events: BTreeMap<u64, (Stored, Value)>,
    children: Vec<String>,
    parents: Vec<String>,
    missing: Vec<String>,
}

impl Run {
    fn told(self, id: &str, custody: Custody) -> Execution {
        let mut in_time: Vec<&Value> = self.events.values().map(|(_, view)| view).collect();
        // Stable: events of one time stay in the order of the ledger.
        in_time.sort_by_key(|view| text(view, "timestamp").parse::<jiff::Timestamp>().ok());
        let mut authorized_by: Vec<Authority> = Vec::new();
        let (mut steps, mut data_touched, mut sessions) = (Vec::new(), Vec::new(), Vec::new());
        for view in &in_time {
            for authority in authorities(view) {
                if !authorized_by.iter().any(|known| (&known.who, &known.how) == (&authority.who, &authority.how)) {
                    authorized_by.push(authority);
                }
            }
            steps.extend(steps_of(view));
            data_touched.extend(touch(view));
            let session = text(view, "session_id");
            if !session.is_empty() && !sessions.contains(&session) {
                sessions.push(session);
            }
        }
        let mut missing = self.missing;
        let initiated_by = authorized_by.iter().find(|one| one.how == "initiated").map(|one| one.who.clone()).unwrap_or_default();
        if initiated_by.is_empty() {
            missing.push("the person: no visible event names one".to_owned());
        }
        let problems = steps.iter().filter(|step| is_problem(&step.outcome)).cloned().collect();
        Execution {
            execution_id: id.to_owned(),
            initiated_by,
            authorized_by,
            steps,
            data_touched,
            children: self.children,
            parents: self.parents,
            sessions,
            problems,
            missing,
            events: self.events.into_values().map(|(_, view)| Event(view)).collect(),
            custody,
        }
    }
}

fn is_problem(outcome: &str) -> bool {
    use sealtrail_event::Outcome::{Denied, Error, Failure, Unknown};
    !outcome.is_empty() && matches!(sealtrail_event::outcome_of(outcome), Denied | Error | Failure | Unknown)
}

fn authorities(view: &Value) -> Vec<Authority> {
    let (timestamp, audit_id) = (text(view, "timestamp"), text(view, "audit_id"));
    let one = |who: String, how: &str, when: String| Authority { who, how: how.to_owned(), timestamp: when, audit_id: audit_id.clone() };
    let mut found = Vec::new();
    for name in ["initiated_by", "user_context.initiated_by", "user_id"] {
        let who = text(view, name);
        if !who.is_empty() {
            found.push(one(who, "initiated", timestamp.clone()));
            break;
        }
    }
    for approval in at(view, "approval_chain").and_then(Value::as_array).into_iter().flatten() {
        let who = approval.as_str().map_or_else(|| text(approval, "approver"), str::to_owned);
        if !who.is_empty() {
            found.push(one(who, "approved", text(approval, "timestamp")));
        }
    }
    let (rule, result) = (text(view, "policy_rule"), text(view, "policy_result"));
    if !rule.is_empty() || matches!(result.as_str(), "allowed" | "denied" | "asked") {
        found.push(one(format!("{result} {rule}").trim().to_owned(), "policy", timestamp.clone()));
    }
    found
}

/// The step that an event tells, and those that lie inside it.
fn steps_of(view: &Value) -> Vec<Step> {
    let step = |name: String, of: &Value, outcome: String, decision: Value| Step {
        timestamp: text(view, "timestamp"),
        execution_id: text(view, "execution_id"),
        name,
        actor: actor(view),
        summary: summary(of),
        outcome,
        duration_ms: ["duration_ms", "total_duration_ms"].iter().find_map(|name| at(of, name).and_then(Value::as_u64)),
        decision,
        audit_id: text(view, "audit_id"),
    };
    let mut steps = vec![step(text(view, "event_type"), view, text(view, "outcome"), Value::Null)];
    for inner in at(view, "workflow_steps").and_then(Value::as_array).into_iter().flatten() {
        let decision = inner.get("decision").cloned().unwrap_or_default();
        steps.push(step(text(inner, "step_name"), inner, text(inner, "status"), decision));
    }
    steps
}

fn actor(view: &Value) -> String {
    let names = ["agent_id", "initiated_by", "user_id"];
    names.iter().map(|name| text(view, name)).find(|found| !found.is_empty()).unwrap_or_else(|| text(view, "agent"))
}

fn touch(view: &Value) -> Option<Touch> {
    let first = |names: &[&str]| names.iter().map(|name| text(view, name)).find(|found| !found.is_empty()).unwrap_or_default();
    let resource = first(RESOURCES);
    if resource.is_empty() && !text(view, "event_type").starts_with("data.") {
        return None;
    }
    let operation = first(&["operation.type", "operation.name", "event_type"]);
    Some(Touch {
        resource,
        operation,
        sensitivity_level: first(SENSITIVITY),
        outcome: text(view, "outcome"),
        timestamp: text(view, "timestamp"),
        audit_id: text(view, "audit_id"),
    })
}
