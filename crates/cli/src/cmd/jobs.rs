//! `search --async` and `jobs …`: searches that go on without the shell that asked.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use sealtrail_engine::{Finder, Home};
use sealtrail_index::{Options, Order};
use sealtrail_ledger::read::Reader;
use sealtrail_query::{Query, Search as Plan, Sequence, Source};
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::args::{JobName, JobResult, JobsCommand, Search};
use crate::cmd::search::columns;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::{self, text};
use crate::filter::{self, Wanted};
use crate::home;
use crate::jobs::{self, Job, Kind, State, Store};
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};

const LIST: &[&str] = &["created", "job", "state", "found", "done", "query"];
/// How often a waiting command looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// 1,000 events are read at once.
const BATCH: usize = 1_000;

/// Starts a search in the background and prints its id.
pub(crate) fn start(call: &mut Call, args: &Search, wanted: &Wanted) -> Result<Exit, Failure> {
    let home = open(call)?;
    let now = Timestamp::now();
    let kind = match (&wanted.search.source, &wanted.search.pipe[..]) {
        (_, [_, ..]) => Kind::Rows,
        (Source::Events(_), []) => Kind::Events,
        (Source::Sequence(_), []) => Kind::Matches,
    };
    let (bookkeeping, readings) = wanted.what_is_shown();
    let job = Job {
        job: jobs::new_id(now)?,
        state: State::Running,
        kind,
        created: now,
        finished: None,
        query: wanted.search.to_string(),
        search: wanted.search.clone(),
        oldest_first: args.oldest_first,
        limit: args.limit.filter(|_| !args.all),
        scan: args.scan,
        bookkeeping,
        readings,
        fields: args.fields.clone(),
        columns: Vec::new(),
        size: 0,
        found: 0,
        done: 0,
        total: 0,
        starts: 0,
        pid: None,
        error: None,
    };
    // Asked is read: nothing of the result is shown without a second record of it.
    let how = trail::writer(call, &home)?;
    access::note_as(call, &home, how, &Access { command: "search --async", query: &job.query, count: 0 });
    let store = Store::of(&home);
    store.create(&job)?;
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", json!({"job": job.job, "state": "running", "query": job.query}))?;
    } else {
        writeln!(call.screen.out(), "{}", job.job)?;
    }
    call.screen.say(&format!("searching in the background: sealtrail jobs status {0}, sealtrail jobs result {0}", job.job));
    Ok(Exit::Yes)
}

pub(crate) fn run(call: &mut Call, command: &JobsCommand) -> Result<Exit, Failure> {
    if let JobsCommand::Work(name) = command {
        return jobs::work(call, &name.job);
    }
    let home = open(call)?;
    let store = Store::of(&home);
    for job in store.revive()? {
        call.screen.say(&format!("{job} had lost its worker and goes on"));
    }
    forget_erased(&home, &store)?;
    match command {
        JobsCommand::List => list(call, &store),
        JobsCommand::Status(name) => status(call, &store, name),
        JobsCommand::Result(args) => result(call, &store, args),
        JobsCommand::Cancel(name) => {
            let job = store.find(&name.job)?;
            store.cancel(&job)?;
            let job = wait(&store, &job.job, true)?;
            call.screen.say(&format!("{} is {}", job.job, job.state.as_str()));
            Ok(Exit::Yes)
        }
        JobsCommand::Remove(name) => {
            let job = store.find(&name.job)?;
            store.remove(&job)?;
            call.screen.say(&format!("removed {}", job.job));
            Ok(Exit::Yes)
        }
        JobsCommand::Work(_) => Ok(Exit::Yes),
    }
}

fn open(call: &Call) -> Result<Home, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if home.exists() { Ok(home) } else { Err(trail::missing(home.path())) }
}

/// Forgets the rows of reports that are older than an erasure, whoever erased.
fn forget_erased(home: &Home, store: &Store) -> Result<(), Failure> {
    let oldest = store.list().iter().filter(|job| job.kind == Kind::Rows && job.state == State::Done).map(|job| job.size).min();
    let Some(oldest) = oldest else { return Ok(()) };
    let finder = Finder::open(home).map_err(|error| trail::unanswered(&error))?;
    let query: Plan = filter::any_exactly(&["event_type"], &["ledger.erased"])?.into();
    let (mut nothing, options) =
        (|_| {}, Options { limit: Some(1), after: oldest.checked_sub(1).map(Seq), order: Order::Newest, ..Options::default() });
    let erased = trail::hits(&finder.reader, Some(&finder.index), &query, &options, &mut nothing)?.next();
    if let Some(erased) = erased {
        store.forget_rows(erased.map_err(|error| trail::unanswered(&error))?.seq.0)?;
    }
    Ok(())
}

fn list(call: &mut Call, store: &Store) -> Result<Exit, Failure> {
    let mut rows = Rows::new(&call.screen, LIST.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    for job in store.list() {
        rows.event(call.screen.out(), &line(&job))?;
    }
    rows.finish(call.screen.out())?;
    Ok(Exit::Yes)
}

fn line(job: &Job) -> Value {
    let percent = (job.done.min(job.total) * 100).checked_div(job.total).unwrap_or(0);
    json!({
        "job": job.job, "state": job.state.as_str(), "created": job.created.to_string(), "finished": job.finished.map(|at| at.to_string()),
        "found": job.found, "done": format!("{percent}%"), "query": job.query, "error": job.error, "starts": job.starts, "pid": job.pid,
    })
}

/// Waits until a job has ended, when that is wanted.
fn wait(store: &Store, job: &str, wanted: bool) -> Result<Job, Failure> {
    loop {
        let found = store.find(job)?;
        if !wanted || found.state != State::Running {
            return Ok(found);
        }
        if store.hold(job)?.is_some() {
            // Nobody works on it: it ended in between, or is to be continued.
            store.revive()?;
        }
        jobs::pause(LOOK_EVERY);
    }
}

fn exit(job: &Job) -> Exit {
    match job.state {
        State::Done => Exit::Yes,
        State::Running | State::Cancelled | State::Stopped => Exit::Incomplete,
        State::Failed | State::Outdated => Exit::Failed,
    }
}

fn status(call: &mut Call, store: &Store, name: &JobName) -> Result<Exit, Failure> {
    let id = store.find(&name.job)?.job;
    let job = wait(store, &id, name.wait)?;
    let told = line(&job);
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{told}")?;
    } else {
        for (name, value) in told.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            let shown = value.as_str().map_or_else(|| value.to_string(), crate::visible::visible);
            writeln!(call.screen.out(), "{name:<8}  {shown}")?;
        }
    }
    Ok(exit(&job))
}

fn result(call: &mut Call, store: &Store, args: &JobResult) -> Result<Exit, Failure> {
    let id = store.find(&args.name.job)?.job;
    let job = wait(store, &id, args.name.wait)?;
    if job.state == State::Outdated {
        return Err(Failure::new("job.outdated", Exit::Failed, format!("the rows of {id} are forgotten: something was erased since"))
            .hint("search again: the query is in sealtrail jobs status"));
    }
    let bytes = fs::read(store.result(&id)).unwrap_or_default();
    let lines: Vec<Value> = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let mut trail = trail::open(call)?;
    let mut shown = Shown::default();
    let fields = if args.fields.is_empty() { &job.fields } else { &args.fields };
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let lines = &lines[..lines.len().min(limit)];
    let written = match &job.search.source {
        _ if job.kind == Kind::Rows => rows_of(call, &trail, &job, fields, lines, &mut shown),
        Source::Sequence(sequence) => matches_of(call, &trail.reader, sequence, fields, lines, &mut shown),
        Source::Events(query) => events_of(call, &trail, query, fields, lines, &mut shown),
    };
    access::note(call, &mut trail, &Access { command: "jobs result", query: &job.query, count: shown.written });
    written?;
    if shown.gone > 0 {
        call.screen.warn(&format!("{} events do not match any more: a part of them was erased since", shown.gone));
    }
    match job.state {
        State::Running => call.screen.warn(&format!("{id} still runs: this is what it found so far")),
        State::Failed | State::Stopped | State::Cancelled => {
            let why = job.error.as_deref().unwrap_or("somebody cancelled it");
            call.screen.warn(&format!("{id} is {}: {}", job.state.as_str(), crate::visible::visible(why)));
        }
        State::Done | State::Outdated => {}
    }
    Ok(exit(&job))
}

/// What was shown of a result.
#[derive(Default)]
struct Shown {
    written: u64,
    gone: u64,
}

fn events_of(call: &mut Call, trail: &Trail, query: &Query, fields: &[String], lines: &[Value], shown: &mut Shown) -> Result<(), Failure> {
    let mut rows = Rows::of_events(&call.screen, columns(call.screen.output(), fields), call.zone.clone());
    let seqs: Vec<Seq> = lines.iter().filter_map(|line| line["seq"].as_u64()).map(Seq).collect();
    for batch in seqs.chunks(BATCH) {
        for stored in trail.reader.get_many(batch) {
            let stored = stored.map_err(|error| trail::unreadable(&error))?;
            let mut view = stored.view();
            // What was erased since is not found any more, and must not be told by its absence.
            if !query.matches(&view) {
                shown.gone += 1;
                continue;
            }
            if call.screen.is_table() {
                view[field::NUMBER] = stored.seq.0.into();
            }
            crate::cmd::search::shaped(&mut view, fields, call.screen.output());
            rows.event(call.screen.out(), &view)?;
            shown.written += 1;
        }
    }
    Ok(rows.finish(call.screen.out())?)
}

fn matches_of(
    call: &mut Call,
    reader: &Reader,
    sequence: &Sequence,
    fields: &[String],
    lines: &[Value],
    shown: &mut Shown,
) -> Result<(), Failure> {
    let mut names = columns(crate::args::Output::Tsv, fields);
    if fields.is_empty() {
        names.insert(0, "match".to_owned());
        names.insert(4, "user_id".to_owned());
    }
    let mut rows = Rows::new(&call.screen, names, call.zone.clone());
    for line in lines {
        let seqs: Vec<Seq> = line["seqs"].as_array().into_iter().flatten().filter_map(Value::as_u64).map(Seq).collect();
        let mut views = Vec::new();
        for stored in reader.get_many(&seqs) {
            views.push(stored.map_err(|error| trail::unreadable(&error))?.view());
        }
        let still = |view: &Value| sequence.steps().iter().any(|step| step.query.matches(view));
        if !views.iter().all(still) {
            shown.gone += views.len() as u64;
            continue;
        }
        shown.written += 1;
        if call.screen.wants_json() {
            let ids: Vec<String> = views.iter().map(|view| text(view, "audit_id")).collect();
            rows.event(call.screen.out(), &json!({"settled": line["settled"], "audit_ids": ids, "events": views}))?;
            continue;
        }
        for mut view in views {
            view["match"] = json!(shown.written);
            rows.event(call.screen.out(), &view)?;
        }
    }
    Ok(rows.finish(call.screen.out())?)
}

fn rows_of(call: &mut Call, trail: &Trail, job: &Job, fields: &[String], lines: &[Value], shown: &mut Shown) -> Result<(), Failure> {
    if job.columns.is_empty() {
        let mut rows = Rows::of_events(&call.screen, columns(crate::args::Output::Tsv, fields), call.zone.clone());
        for line in lines {
            let view = trail.find(&text(line, "audit_id"))?.view();
            rows.event(call.screen.out(), &view)?;
            shown.written += 1;
        }
        return Ok(rows.finish(call.screen.out())?);
    }
    let mut rows = Rows::new(&call.screen, job.columns.clone(), call.zone.clone());
    for line in lines {
        rows.event(call.screen.out(), line)?;
        shown.written += 1;
    }
    Ok(rows.finish(call.screen.out())?)
}
