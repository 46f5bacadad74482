//! `session …`: which sessions there are, and what happened in one of them.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sealtrail_index::{Index, Options, Order};
use sealtrail_ledger::read::Reader;
use sealtrail_query::Query;
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::args::{Filter, Output, SessionCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};
use sealtrail_trace::story::{Calls, Story};

const LIST: &[&str] = &["started", "last", "session_id", "user_id", "events", "calls", "unknown", "state"];
const TIMELINE: &[&str] = &["timestamp", "agent", "event_type", "tool_name", "summary", "verdict", "outcome"];
const TIMELINE_WHOLE: &[&str] =
    &["timestamp", "agent", "event_type", "tool_name", "summary", "verdict", "outcome", "duration_ms", "tool_use_id", "audit_id"];

pub(crate) fn run(call: &mut Call, command: &SessionCommand) -> Result<Exit, Failure> {
    match command {
        SessionCommand::List(args) => list(call, &args.filter, args.limit),
        SessionCommand::Show { id } => show(call, id),
    }
}

/// 1,000 sessions are asked for, or left out, by one search.
const IDS_MAX: usize = 1_000;
/// 256 events of sessions that are known already: then it is cheaper to search for the others.
const REPEATED_MAX: usize = 256;

/// What the list says of one session.
#[derive(Default)]
struct Summary {
    started: String,
    last: String,
    user: String,
    events: u64,
    calls: Calls,
    end: Option<String>,
}

fn list(call: &mut Call, flags: &Filter, limit: u64) -> Result<Exit, Failure> {
    let wanted = filter::build(flags, None, Timestamp::now())?.and(filter::has("session_id")?);
    let mut trail = trail::open(call)?;
    let (ids, more) = newest(&trail, &wanted, usize::try_from(limit).unwrap_or(usize::MAX))?;
    let sessions = summaries(&trail, &ids)?;
    access::note(call, &mut trail, &Access { command: "session list", query: &wanted.to_string(), count: ids.len() as u64 });
    let mut rows = Rows::new(&call.screen, LIST.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    for (id, summary) in ids.iter().filter_map(|id| Some((id, sessions.get(id)?))) {
        rows.event(call.screen.out(), &summary.line(id))?;
    }
    rows.finish(call.screen.out())?;
    if more {
        call.screen.warn(&format!("stopped at --limit {limit}: there are more sessions; raise the limit to see them"));
    }
    Ok(Exit::Yes)
}

/// Returns the sessions with the newest events that match, newest first, and whether there are more.
fn newest(trail: &Trail, wanted: &Query, limit: usize) -> Result<(Vec<String>, bool), Failure> {
    let mut ids: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    let mut before = None;
    loop {
        let names: Vec<&str> = ids.iter().rev().take(IDS_MAX).map(String::as_str).collect();
        let fresh = filter::not(&filter::any_exactly(&["session_id"], &names)?);
        let query = if names.is_empty() { wanted.clone() } else { wanted.clone().and(fresh) };
        let (mut nothing, options) = (|_| {}, Options { before, ..Options::default() });
        let (left_out, mut repeated, mut over) = (names.len(), 0, true);
        for hit in trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)? {
            let hit = hit.map_err(|error| trail::unanswered(&error))?;
            before = Some(hit.seq);
            let id = text(&hit.view, "session_id");
            if !known.contains(&id) {
                if ids.len() == limit {
                    return Ok((ids, true));
                }
                known.insert(id.clone());
                ids.push(id);
            } else if ids.len() > left_out {
                repeated += 1;
                if repeated == REPEATED_MAX {
                    over = false;
                    break;
                }
            }
        }
        if over {
            return Ok((ids, false));
        }
    }
}

/// Reads every event of these sessions, and nothing else.
fn summaries(trail: &Trail, ids: &[String]) -> Result<HashMap<String, Summary>, Failure> {
    let mut sessions: HashMap<String, Summary> = HashMap::new();
    for some in ids.chunks(IDS_MAX) {
        let names: Vec<&str> = some.iter().map(String::as_str).collect();
        let (query, mut nothing) = (filter::any_exactly(&["session_id"], &names)?, |_| {});
        let options = Options { order: Order::Oldest, ..Options::default() };
        for hit in trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)? {
            let view = hit.map_err(|error| trail::unanswered(&error))?.view;
            sessions.entry(text(&view, "session_id")).or_default().add(&view);
        }
    }
    Ok(sessions)
}

impl Summary {
    fn add(&mut self, view: &Value) {
        self.events += 1;
        let at = text(view, "timestamp");
        if self.started.is_empty() {
            self.started.clone_from(&at);
        }
        self.last = at;
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
            "started": self.started, "last": self.last, "session_id": id, "user_id": self.user, "events": self.events, "calls": self.calls.total(),
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
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let mut rows = match call.screen.output() {
        Output::Timeline => Rows::of_events(&call.screen, names, call.zone.clone()),
        _ if table => Rows::new(&call.screen, names, call.zone.clone()).into_table(),
        _ => Rows::new(&call.screen, names, call.zone.clone()),
    };
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

/// Makes the story of a session, without the outputs of tools.
pub(crate) fn load(trail: &Trail, id: &str) -> Result<Story, Failure> {
    load_from(&trail.reader, Some(&trail.index), id)
}

/// Loads the same events as they stand in the ledger, for judgements that depend on their order.
pub(crate) fn views(trail: &Trail, id: &str) -> Result<Vec<Value>, Failure> {
    let query = filter::any_exactly(&["session_id"], &[id])?;
    let (mut found, mut nothing) = (Vec::new(), |_| {});
    let options = Options { order: Order::Oldest, ..Options::default() };
    for hit in trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)? {
        let mut view = hit.map_err(|error| trail::unanswered(&error))?.view;
        drop_outputs(&mut view);
        found.push(view);
    }
    Ok(found)
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

/// Returns the session of the newest event that has one.
pub(crate) fn last(trail: &Trail) -> Result<String, Failure> {
    let (ids, _) = newest(trail, &filter::has("session_id")?, 1)?;
    ids.into_iter().next().ok_or_else(|| Failure::new("session.missing", Exit::Failed, "there is no session in the trail yet"))
}
