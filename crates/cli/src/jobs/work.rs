//! The worker of one job: searches, writes what it finds, and says how far it is.

use std::cell::Cell;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sealtrail_engine::{Finder, Home};
use sealtrail_index::{Answer, Hits, IndexError, Options, Order, Progress, SequenceMatch};
use sealtrail_query::{ColumnKind, Source, Table};
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use super::store::{Job, Kind, RESULT_BYTES_MAX, State, Store, open_result, pause};
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::field::text;
use crate::filter::Wanted;
use crate::home;
use crate::run::Call;

/// How often the worker says how far it is, and looks whether it shall stop.
const TELL_EVERY: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// 64 lines are lost when a worker is killed, and found again.
const FLUSH_LINES: u64 = 64;

/// Does the work of a job, from where its result ends. Another worker that has it is left alone.
pub(crate) fn work(call: &mut Call, name: &str) -> Result<Exit, Failure> {
    // A session of its own: the terminal that asked may go away. It fails only for a process that leads one already.
    let _ = rustix::process::setsid();
    let home = Home::new(home::find(&call.global)?);
    let store = Store::of(&home);
    let mut job = store.find(name)?;
    let Some(_held) = store.hold(&job.job)? else { return Ok(Exit::Yes) };
    job = store.find(name)?;
    if job.state != State::Running {
        return Ok(Exit::Yes);
    }
    job.pid = Some(std::process::id());
    job.starts += 1;
    store.save(&job)?;
    let done = Worker { home: &home, store: &store, stop: watch(&store, &job) }.run(&mut job);
    match done {
        Ok(state) => job.state = state,
        Err(failure) => {
            job.state = State::Failed;
            job.error = Some(failure.first_line());
        }
    }
    job.finished = Some(Timestamp::now());
    store.save(&job)?;
    Ok(Exit::Yes)
}

/// Sets the flag when somebody cancels the job. The thread ends with the process.
fn watch(store: &Store, job: &Job) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, path) = (Arc::clone(&stop), store.cancelled(&job.job));
    std::thread::spawn(move || {
        while !path.exists() {
            pause(LOOK_EVERY);
        }
        flag.store(true, Ordering::Relaxed);
    });
    stop
}

struct Worker<'a> {
    home: &'a Home,
    store: &'a Store,
    stop: Arc<AtomicBool>,
}

impl Worker<'_> {
    fn run(&self, job: &mut Job) -> Result<State, Failure> {
        let mut finder = Finder::open(self.home).map_err(|error| failed(&error))?;
        if !job.scan {
            // Without it the search takes longer and finds the same.
            let _ = finder.catch_up(self.home, &mut |_| {});
        }
        if job.size == 0 {
            job.size = finder.reader.size().0;
            self.store.save(job)?;
        }
        let (mut file, whole) = open_result(&self.store.result(&job.job))?;
        let before = self.restart(job, &mut file, &whole)?;
        let at = Cell::new(Progress { done: 0, total: job.size });
        let mut tell = |now: Progress| at.set(now);
        let options = self.options(job, before);
        let index = (!job.scan).then_some(&finder.index);
        let answered = sealtrail_index::run(&finder.reader, index, &job.search, &options, &mut tell);
        let written = match answered {
            Err(IndexError::Cancelled) => return Ok(State::Cancelled),
            Err(error) => return Err(failed(&error)),
            Ok(Answer::Events(hits)) => self.events(job, hits, &at, file),
            Ok(Answer::Table(table)) => table_lines(job, &table).and_then(|lines| write_all(job, file, lines)),
            Ok(Answer::Matches(matches)) => write_all(job, file, match_lines(job, &matches)),
        };
        if matches!(written, Ok(State::Done)) {
            (job.done, job.total) = (job.size, job.size);
        }
        written
    }

    /// Returns the position of the last event that is in the result; anything but single events begins again.
    fn restart(&self, job: &mut Job, file: &mut std::fs::File, whole: &[u8]) -> Result<Option<Seq>, Failure> {
        job.found = 0;
        if job.kind != Kind::Events {
            file.set_len(0).map_err(|error| Failure::file("write", &self.store.result(&job.job), &error))?;
            return Ok(None);
        }
        job.found = whole.iter().filter(|byte| **byte == b'\n').count() as u64;
        let last = whole.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
        let last: Option<Value> = last.and_then(|line| serde_json::from_slice(line).ok());
        Ok(last.and_then(|line| line["seq"].as_u64()).map(Seq))
    }

    fn options(&self, job: &Job, last: Option<Seq>) -> Options {
        let cancel = Some(Arc::clone(&self.stop));
        let end = Seq(job.size);
        let options = Options { cancel, before: Some(end), ..Options::default() };
        match (job.oldest_first, last) {
            (true, after) => Options { order: Order::Oldest, after, ..options },
            (false, before) => Options { order: Order::Newest, before: before.or(Some(end)), ..options },
        }
    }

    fn events(&self, job: &mut Job, hits: Hits<'_>, at: &Cell<Progress>, file: std::fs::File) -> Result<State, Failure> {
        let wanted = Wanted::of(job.search.clone()).showing(job.bookkeeping, job.readings);
        let path = self.store.result(&job.job);
        let lost = |error: std::io::Error| Failure::file("write", &path, &error);
        let mut bytes = file.metadata().map_err(lost)?.len();
        let mut out = BufWriter::new(file);
        let mut told = Instant::now();
        let mut state = State::Done;
        for hit in hits {
            let hit = match hit {
                Err(IndexError::Cancelled) => {
                    state = State::Cancelled;
                    break;
                }
                hit => hit.map_err(|error| failed(&error))?,
            };
            if !wanted.shows(&hit.view) {
                continue;
            }
            if job.limit.is_some_and(|limit| job.found >= limit) {
                break;
            }
            let line = format!("{}\n", json!({"seq": hit.seq.0, "audit_id": text(&hit.view, "audit_id")}));
            bytes += line.len() as u64;
            if bytes > RESULT_BYTES_MAX {
                job.error = Some(format!("the result has reached {RESULT_BYTES_MAX} bytes; narrow the search"));
                state = State::Stopped;
                break;
            }
            out.write_all(line.as_bytes()).map_err(lost)?;
            job.found += 1;
            if job.found.is_multiple_of(FLUSH_LINES) {
                out.flush().map_err(lost)?;
            }
            if told.elapsed() >= TELL_EVERY {
                out.flush().map_err(lost)?;
                (job.done, job.total) = (at.get().done, at.get().total);
                self.store.save(job)?;
                told = Instant::now();
            }
        }
        out.flush().map_err(lost)?;
        out.get_ref().sync_all().map_err(lost)?;
        Ok(state)
    }
}

/// Rows of a report; rows that are events are named, not copied.
fn table_lines(job: &mut Job, table: &Table) -> Result<Vec<Value>, Failure> {
    if matches!(&table.columns[..], [only] if only.kind == ColumnKind::Event) {
        job.columns = Vec::new();
        return Ok(table.rows.iter().flatten().map(|event| json!({"audit_id": text(event, "audit_id")})).collect());
    }
    job.columns = table.columns.iter().map(|column| column.name.clone()).collect();
    Ok(table.objects().collect())
}

fn match_lines(job: &Job, matches: &[SequenceMatch]) -> Vec<Value> {
    debug_assert!(matches!(job.search.source, Source::Sequence(_)), "only a sequence has matches");
    let limit = job.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let line =
        |one: &SequenceMatch| json!({"seqs": one.hits.iter().map(|hit| hit.seq.0).collect::<Vec<_>>(), "settled": one.found.settled});
    if job.oldest_first { matches.iter().take(limit).map(line).collect() } else { matches.iter().rev().take(limit).map(line).collect() }
}

fn write_all(job: &mut Job, file: std::fs::File, lines: Vec<Value>) -> Result<State, Failure> {
    let mut out = BufWriter::new(file);
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    out.get_ref().sync_all()?;
    job.found = lines.len() as u64;
    Ok(State::Done)
}

fn failed(error: &IndexError) -> Failure {
    Failure::new("search.failed", Exit::Failed, chain(error))
}
