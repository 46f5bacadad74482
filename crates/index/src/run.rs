//! A search is answered: from the index where it reaches, from the events themselves where it does not.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_query::{Match, Search, Source, Table};
use sealtrail_tlog::Seq;
use serde::Serialize;
use serde_json::Value;

use crate::error::IndexError;
use crate::hits::Hits;
use crate::index::Index;
use crate::report::Report;
use crate::sequences::Series;

/// In which order events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last recorded one first.
    #[default]
    Newest,
    /// The first recorded one first.
    Oldest,
}

/// How a search is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// In which order events come.
    pub order: Order,
    /// After how many events to stop.
    pub limit: Option<u64>,
    /// Only events before this position.
    pub before: Option<Seq>,
    /// Only events after this position.
    pub after: Option<Seq>,
    /// Threads for a report over many partitions.
    pub threads: usize,
    /// Ends the search when it is set.
    pub cancel: Option<Arc<AtomicBool>>,
    /// Bytes that groups of a report may take.
    pub memory_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        // 100 MiB: the bound of the query crate, half of what a search may take.
        Self { order: Order::Newest, limit: None, before: None, after: None, threads: 1, cancel: None, memory_max: 100 << 20 }
    }
}

impl Options {
    /// Returns the positions to look at, of a log of `size` events: from the first one to the one after the last.
    pub(crate) fn bounds(&self, size: u64) -> (u64, u64) {
        let to = self.before.map_or(size, |before| before.0.min(size));
        (self.after.map_or(0, |after| after.0.saturating_add(1)).min(to), to)
    }
}

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Positions that are settled.
    pub done: u64,
    /// Positions to be settled.
    pub total: u64,
}

/// An event that was found: judged on what the ledger has.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its position.
    pub seq: Seq,
    /// The event as it is stored.
    pub stored: Stored,
    /// The event as one JSON object.
    pub view: Value,
}

/// The answer to a search.
pub enum Answer<'a> {
    /// Events, read as they are asked for.
    Events(Hits<'a>),
    /// What the pipe made of the events, or of the matches.
    Table(Table),
    /// The matches of a sequence, by their first events in the order asked for.
    Matches(Vec<SequenceMatch>),
}

/// One match of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceMatch {
    /// Its keys, and when it was.
    pub found: Match,
    /// Its events, in the order of the steps.
    pub hits: Vec<Hit>,
}

/// Answers a search.
///
/// Without an index every event is looked at: that answer is complete whatever the index says, and the index must give the same.
pub fn run<'a>(
    reader: &'a Reader,
    index: Option<&Index>,
    search: &Search,
    options: &Options,
    progress: &'a mut dyn FnMut(Progress),
) -> Result<Answer<'a>, IndexError> {
    match (&search.source, &search.pipe[..]) {
        (Source::Events(query), []) => Ok(Answer::Events(Hits::new(reader, index, query, options, progress))),
        (Source::Events(query), pipe) => Ok(Answer::Table(Report::new(reader, query, pipe, options).run(index, progress)?)),
        (Source::Sequence(sequence), []) => Ok(Answer::Matches(Series::new(reader, sequence, options).matches(index, progress)?)),
        (Source::Sequence(sequence), pipe) => Ok(Answer::Table(Series::new(reader, sequence, options).table(pipe, index, progress)?)),
    }
}
