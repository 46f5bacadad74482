//! `session …`: which sessions there are, and what happened in one of them.

use std::collections::HashMap;

use jiff::Timestamp;
use sealtrail_index::{Index, Options, Order};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::args::{Filter, SessionCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};
use sealtrail_trace::story::{Calls, Story};

const LIST: &[&str] = &["started", "session_id", "user_id", "events", "calls", "unknown", "state"];
const TIMELINE: &[&str] = &["timestamp", "agent", "event_type", "tool_name", "summary", "verdict", "outcome"];
const TIMELINE_WHOLE: &[&str] =
    &["timestamp", "agent", "event_type", "tool_name", "summary", "verdict", "outcome", "duration_ms", "tool_use_id", "audit_id"];

pub(crate) fn run(call: &mut Call, command: &SessionCommand) -> Result<Exit, Failure> {
    match command {
        SessionCommand::List(args) => list(call, &args.filter, args.limit),
        SessionCommand::Show { id } => show(call, id),
    }
}

/// What the list says of one session.
#[derive(Default)]
struct Summary {
    first: u64,
    started: String,
    user: String,
    events: u64,
    calls: Calls,
    end: Option<String>,
}

fn list(call: &mut Call, flags: &Filter, limit: u64) -> Result<Exit, Failure> {
    let wanted = filter::build(flags, None, Timestamp::now())?;
    let mut trail = trail::open(call)?;
    let mut sessions: HashMap<String, Summary> = HashMap::new();
    for stored in trail.reader.iter(Seq(0)) {
        let stored = stored.map_err(|error| trail::unreadable(&error))?;
        let view = stored.view();
        let id = text(&view, "session_id");
        if id.is_empty() || !wanted.matches(&view) {
            continue;
        }
        let fresh = Summary { first: stored.seq.0, started: text(&view, "timestamp"), ..Summary::default() };
        sessions.entry(id).or_insert(fresh).add(&view);
    }
    let mut newest: Vec<(String, Summary)> = sessions.into_iter().collect();
    newest.sort_by_key(|(_, summary)| std::cmp::Reverse(summary.first));
    let total = newest.len() as u64;
    access::note(call, &mut trail, &Access { command: "session list", query: &wanted.to_string(), count: total.min(limit) });
    let mut rows = Rows::new(&call.screen, LIST.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    for (id, summary) in newest.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        rows.event(call.screen.out(), &summary.line(&id))?;
    }
    rows.finish(call.screen.out())?;
    if total > limit {
        call.screen.warn(&format!("{limit} of {total} sessions shown; raise --limit to see more"));
    }
    Ok(Exit::Yes)
}

impl Summary {
    fn add(&mut self, view: &Value) {
        self.events += 1;
        if self.user.is_empty() {
            self.user = text(view, "user_id");
        }
        self.calls.add(view);
        match text(view, "event_type").as_str() {
            "session.ended" => self.end = Some(text(view, "end_reason")),
            "session.started" => self.end = None,
            _ => {}
        }
    }

    fn line(&self, id: &str) -> Value {
        let state = match &self.end {
            None => "open".to_owned(),
            Some(reason) if reason.is_empty() => "ended".to_owned(),
            Some(reason) => reason.clone(),
        };
        json!({
            "started": self.started, "session_id": id, "user_id": self.user, "events": self.events, "calls": self.calls.total(),
            "unknown": self.calls.unknown(), "state": state,
        })
    }
}

fn show(call: &mut Call, id: &str) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let id = if id == "last" { last(&trail)? } else { id.to_owned() };
    let story = load(&trail, &id)?;
    let count = story.actions.iter().map(|action| action.events().count() as u64).sum();
    access::note(call, &mut trail, &Access { command: "session show", query: &format!("session_id={id}"), count });
    if story.actions.is_empty() {
        return Err(Failure::new("session.missing", Exit::Failed, format!("no session {id} in the trail"))
            .hint("list them: sealtrail session list"));
    }
    timeline(call, &story, false)?;
    Ok(Exit::Yes)
}

/// Writes the timeline of a session: one line an action; `in_prose` is always a table.
pub(crate) fn timeline(call: &mut Call, story: &Story, in_prose: bool) -> Result<(), Failure> {
    let table = in_prose || call.screen.is_table();
    let names = if table { TIMELINE } else { TIMELINE_WHOLE };
    let mut rows = Rows::new(&call.screen, names.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    if table {
        rows = rows.into_table();
    }
    let all = call.global.verbose > 0 || call.screen.wants_json();
    for action in story.actions.iter().filter(|action| all || action.is_told()) {
        rows.event(call.screen.out(), &action.line())?;
    }
    rows.finish(call.screen.out())?;
    let calls = story.actions.iter().filter(|action| !action.call.is_empty());
    let unknown = calls.clone().filter(|action| action.outcome_word() == "unknown").count();
    call.screen.say(&format!("calls {}, of these with unknown outcome {unknown}; subagents {}", calls.count(), story.agents.len()));
    Ok(())
}

/// Loads every event of a session, in the order of the ledger, without the outputs of tools.
pub(crate) fn load(trail: &Trail, id: &str) -> Result<Story, Failure> {
    load_from(&trail.reader, Some(&trail.index), id)
}

/// As [`load`], from a ledger that no home belongs to.
pub(crate) fn load_from(reader: &Reader, index: Option<&Index>, id: &str) -> Result<Story, Failure> {
    let query = filter::any_exactly(&["session_id"], &[id])?;
    let (mut story, mut nothing) = (Story::default(), |_| {});
    let options = Options { order: Order::Oldest, ..Options::default() };
    for hit in trail::hits(reader, index, &query.into(), &options, &mut nothing)? {
        let mut view = hit.map_err(|error| trail::unanswered(&error))?.view;
        drop_outputs(&mut view);
        story.add(view);
    }
    Ok(story)
}

fn drop_outputs(view: &mut Value) {
    if let Some(members) = view.as_object_mut() {
        for name in ["tool_response", "tool_calls"] {
            members.shift_remove(name);
        }
    }
}

fn last(trail: &Trail) -> Result<String, Failure> {
    for stored in trail.reader.iter_back() {
        let id = text(&stored.map_err(|error| trail::unreadable(&error))?.view(), "session_id");
        if !id.is_empty() {
            return Ok(id);
        }
    }
    Err(Failure::new("session.missing", Exit::Failed, "there is no session in the trail yet"))
}
