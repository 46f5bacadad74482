//! Events that match, one after another: candidates of the index, and whatever it does not reach, judged on the ledger.

use std::collections::VecDeque;
use std::sync::Arc;

use sealtrail_ledger::read::Reader;
use sealtrail_query::Query;
use sealtrail_tlog::Seq;

use crate::error::IndexError;
use crate::found::Found;
use crate::index::Index;
use crate::plan::{Cancel, Plan, go_on};
use crate::run::{Hit, Options, Order, Progress};
use crate::segment::Segment;

/// 32 candidates are read at first, and twice as many each time up to 1,024: few are wanted most of the time.
const BATCH_MIN: usize = 32;
const BATCH_MAX: usize = 1_024;
/// 1,024 events are looked at between two looks at the flag.
const SCAN: u64 = 1_024;

/// A run of positions, and who answers for it.
#[derive(Clone)]
pub(crate) struct Chunk {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The segment; without one every event is looked at.
    pub(crate) segment: Option<Arc<Segment>>,
}

/// Cuts positions into runs, in order.
pub(crate) fn chunks(index: Option<&Index>, from: u64, to: u64) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut next = from;
    for segment in index.into_iter().flat_map(Index::segments) {
        let (first, end) = segment.span();
        let (first, end) = (first.max(next), end.min(to));
        if first >= end {
            continue;
        }
        if next < first {
            chunks.push(Chunk { from: next, to: first, segment: None });
        }
        chunks.push(Chunk { from: first, to: end, segment: Some(Arc::clone(segment)) });
        next = end;
    }
    if next < to {
        chunks.push(Chunk { from: next, to, segment: None });
    }
    chunks
}

/// What is left of the run at hand.
enum Work {
    /// Positions to look at.
    Scan(u64, u64),
    /// Candidates among documents `from` to `to`.
    Candidates(Arc<Segment>, Found, u32, u32),
}

/// Events that match, in order; ends after the first error.
pub struct Hits<'a>(Box<Walk<'a>>);

/// Where it is.
struct Walk<'a> {
    reader: &'a Reader,
    query: Query,
    plan: Plan,
    newest: bool,
    cancel: Cancel,
    left: u64,
    chunks: VecDeque<Chunk>,
    work: Option<Work>,
    ready: VecDeque<Hit>,
    batch: usize,
    progress: &'a mut dyn FnMut(Progress),
    done: u64,
    total: u64,
}

impl<'a> Hits<'a> {
    pub(crate) fn new(
        reader: &'a Reader,
        index: Option<&Index>,
        query: &Query,
        options: &Options,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let (from, to) = options.bounds(reader.size().0);
        let mut chunks: VecDeque<Chunk> = chunks(index, from, to).into();
        let newest = options.order == Order::Newest;
        if newest {
            chunks.make_contiguous().reverse();
        }
        let left = options.limit.unwrap_or(u64::MAX);
        Self(Box::new(Walk {
            reader,
            query: query.clone(),
            plan: Plan::new(query),
            newest,
            cancel: options.cancel.clone(),
            left,
            chunks,
            work: None,
            ready: VecDeque::new(),
            batch: usize::try_from(left).unwrap_or(BATCH_MIN).clamp(1, BATCH_MIN),
            progress,
            done: 0,
            total: to - from,
        }))
    }
}

impl Walk<'_> {
    fn step(&mut self) -> Result<Option<Hit>, IndexError> {
        loop {
            if let Some(hit) = self.ready.pop_front() {
                return Ok(Some(hit));
            }
            go_on(&self.cancel)?;
            match self.work.take() {
                Some(Work::Scan(from, to)) => self.scan(from, to)?,
                Some(Work::Candidates(segment, docs, from, to)) => self.candidates(segment, docs, from, to)?,
                None => {
                    let Some(chunk) = self.chunks.pop_front() else { return Ok(None) };
                    (self.progress)(Progress { done: self.done, total: self.total });
                    self.done += chunk.to - chunk.from;
                    self.work = Some(match chunk.segment {
                        None => Work::Scan(chunk.from, chunk.to),
                        Some(segment) => {
                            let found = self.plan.answer(&segment, &self.cancel)?;
                            let (from, to) = (segment.doc_at(chunk.from), segment.doc_at(chunk.to));
                            Work::Candidates(segment, found, from, to)
                        }
                    });
                }
            }
        }
    }

    /// Looks at the next events of a run that the index does not know.
    fn scan(&mut self, from: u64, to: u64) -> Result<(), IndexError> {
        let (part, rest) = match self.newest {
            true => {
                let middle = to.saturating_sub(SCAN).max(from);
                (middle..to, (from, middle))
            }
            false => {
                let middle = from.saturating_add(SCAN).min(to);
                (from..middle, (middle, to))
            }
        };
        let events = usize::try_from(part.end - part.start).unwrap_or(0);
        let mut found = Vec::new();
        for stored in self.reader.iter(Seq(part.start)).take(events) {
            let stored = stored?;
            let view = stored.view();
            if self.query.matches(&view) {
                found.push(Hit { seq: stored.seq, stored, view });
            }
        }
        self.give(found);
        if rest.0 < rest.1 {
            self.work = Some(Work::Scan(rest.0, rest.1));
        }
        Ok(())
    }

    /// Reads the next candidates and judges them.
    fn candidates(&mut self, segment: Arc<Segment>, docs: Found, mut from: u32, mut to: u32) -> Result<(), IndexError> {
        let mut wanted = Vec::with_capacity(self.batch);
        // As many as are certain to be enough are enough; the one that is asked for now is not counted in `left`.
        let mut certain = 0;
        while wanted.len() < self.batch && certain <= self.left {
            let next = if self.newest { docs.maybe.last_before(to) } else { docs.maybe.first_from(from) };
            let Some(doc) = next.filter(|doc| (from..to).contains(doc)) else {
                from = to;
                break;
            };
            wanted.push(Seq(segment.position(doc)));
            certain += u64::from(docs.yes.contains(doc));
            if self.newest { to = doc } else { from = doc + 1 }
        }
        wanted.sort_unstable();
        let found = self.judge(&wanted)?;
        self.give(found);
        self.batch = (self.batch * 2).min(BATCH_MAX);
        if from < to {
            self.work = Some(Work::Candidates(segment, docs, from, to));
        }
        Ok(())
    }

    /// Reads events, oldest first, and keeps those that match.
    fn judge(&self, wanted: &[Seq]) -> Result<Vec<Hit>, IndexError> {
        let mut found = Vec::new();
        for stored in self.reader.get_many(wanted) {
            let stored = stored?;
            let view = stored.view();
            if self.query.matches(&view) {
                found.push(Hit { seq: stored.seq, stored, view });
            }
        }
        Ok(found)
    }

    /// Makes hits ready, which come oldest first.
    fn give(&mut self, mut found: Vec<Hit>) {
        if self.newest {
            found.reverse();
        }
        self.ready.extend(found);
    }
}

impl Iterator for Hits<'_> {
    type Item = Result<Hit, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let walk = &mut *self.0;
        walk.left = walk.left.checked_sub(1)?;
        let hit = walk.step();
        if !matches!(hit, Ok(Some(_))) {
            walk.left = 0;
            (walk.progress)(Progress { done: walk.total, total: walk.total });
        }
        hit.transpose()
    }
}
