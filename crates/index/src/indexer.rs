//! The one writer of an index: feeds it, rebuilds it, and forgets in it what the ledger forgot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use sealtrail_disk::Lock;
use sealtrail_ledger::line::LogInfo;
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_tlog::Seq;
use serde_json::Value;
use tantivy::TantivyError;

use crate::error::IndexError;
use crate::files::{Files, RealFiles};
use crate::layout::{Layout, SPAN, State, remove_tree};
use crate::open::{Mark, open_folder, positions};
use crate::partition::Partition;
use crate::run::Progress;

/// 64 MiB: events are held in memory until then, about 50,000 of them.
const MEMORY_BYTES: usize = 64 << 20;
/// 16 MiB: the least that the search library works with.
const MEMORY_BYTES_MIN: usize = 16 << 20;

/// How an index is written.
#[derive(Clone, Debug)]
pub struct IndexerOptions {
    /// Bytes that events which are not written yet may take.
    pub memory_bytes: usize,
}

impl Default for IndexerOptions {
    fn default() -> Self {
        Self { memory_bytes: MEMORY_BYTES }
    }
}

/// What a call of [`Indexer::feed`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// The position up to which everything is in the index.
    pub indexed_to: u64,
    /// The size of the log as the reader knew it.
    pub size: u64,
    /// Events that were added.
    pub events: u64,
    /// Partitions that were made anew after an erasure.
    pub rebuilt: u64,
}

/// The one writer of an index.
pub struct Indexer {
    layout: Layout,
    memory_bytes: usize,
    /// Up to where each partition is made.
    marks: BTreeMap<u64, Mark>,
    open: Option<(u64, Partition)>,
    /// The partition that was filled last: its segments become one while the next is fed.
    closing: Option<JoinHandle<Result<(), IndexError>>>,
    /// Whether what is there was compared with the log.
    compared: bool,
    /// Whether everything was to be thrown away and some of it may still be there.
    wiping: bool,
    _lock: Box<dyn Lock>,
}

impl Indexer {
    /// Opens the index in `dir` for writing, or begins one. An index of another log or version is thrown away, and so is a partition
    /// that cannot be opened.
    pub fn open(dir: &Path, log: &LogInfo, options: &IndexerOptions) -> Result<Self, IndexError> {
        Self::open_on(Arc::new(RealFiles), dir, log, options)
    }

    /// As [`Indexer::open`], on other files.
    pub(crate) fn open_on(files: Arc<dyn Files>, dir: &Path, log: &LogInfo, options: &IndexerOptions) -> Result<Self, IndexError> {
        let layout = Layout::new(files, dir);
        layout.disk().create_dir(dir)?;
        let lock = layout.disk().lock(&layout.lock_path())?;
        let ready = layout.state(log)? == State::Ready;
        layout.clean(!ready)?;
        if !ready {
            layout.write(log)?;
        }
        let mut marks = BTreeMap::new();
        for (first, found) in layout.partitions()? {
            match whole(layout.files(), &found.dir, first) {
                Ok(mark) => {
                    marks.insert(first, mark);
                }
                Err(_) => remove_tree(layout.disk(), &found.dir)?,
            }
        }
        let memory_bytes = options.memory_bytes.max(MEMORY_BYTES_MIN);
        Ok(Self { layout, memory_bytes, marks, open: None, closing: None, compared: false, wiping: false, _lock: lock })
    }

    /// Returns the position up to which everything is in the index.
    pub fn indexed_to(&self) -> u64 {
        let mut first = 0;
        while self.marks.get(&first).is_some_and(|mark| mark.to >= first + SPAN) {
            first += SPAN;
        }
        self.marks.get(&first).map_or(first, |mark| mark.to)
    }

    /// Adds up to `events_max` events that are not in the index yet, oldest first, and commits them.
    ///
    /// `reader` must have been refreshed. An erasure that is met on the way is followed: the partitions it touched are made anew.
    pub fn feed(&mut self, reader: &Reader, events_max: u64) -> Result<Fed, IndexError> {
        if self.wiping {
            self.wipe()?;
        }
        self.compare(reader)?;
        let mut fed = Fed { size: reader.size().0, ..Fed::default() };
        let mut ranges = self.layout.to_forget()?;
        while fed.events < events_max {
            let from = self.indexed_to();
            if from >= fed.size {
                break;
            }
            let first = from / SPAN * SPAN;
            let to = fed.size.min(first + SPAN).min(from.saturating_add(events_max - fed.events));
            self.add(reader, from, to, &mut ranges)?;
            fed.events += to - from;
        }
        if !ranges.is_empty() {
            fed.rebuilt = self.forget(reader, &ranges)?;
            // What an earlier try left behind has the erased too.
            self.layout.clean(false)?;
            self.layout.forgotten()?;
        }
        fed.indexed_to = self.indexed_to();
        if fed.indexed_to >= fed.size {
            self.closed()?;
        }
        Ok(fed)
    }

    /// Throws everything away and feeds every event.
    pub fn rebuild(&mut self, reader: &Reader, progress: &mut dyn FnMut(Progress)) -> Result<Fed, IndexError> {
        self.wipe()?;
        let mut all = Fed::default();
        loop {
            // A sixteenth of a partition: often enough to be seen, seldom enough to cost little.
            let fed = self.feed(reader, SPAN / 16)?;
            all = Fed { events: all.events + fed.events, rebuilt: all.rebuilt + fed.rebuilt, ..fed };
            progress(Progress { done: fed.indexed_to, total: fed.size });
            if fed.indexed_to >= fed.size {
                return Ok(all);
            }
        }
    }

    /// Adds the events `from` to `to` of one partition; erasures among them are noted on disk before they are passed by.
    fn add(&mut self, reader: &Reader, from: u64, to: u64, ranges: &mut Vec<(u64, u64)>) -> Result<(), IndexError> {
        let first = from / SPAN * SPAN;
        let mut partition = self.take(first)?;
        // A commit that was reported failed may be there: what it has is not added twice.
        let from = partition.mark().to.max(from);
        if from >= to {
            self.marks.insert(first, partition.mark().clone());
            self.open = Some((first, partition));
            return Ok(());
        }
        let erased = ranges.len();
        let mark = copy(reader, &mut partition, from, to, |view| erased_ranges(reader, view, ranges))?;
        if ranges.len() > erased {
            self.layout.forget(ranges)?;
        }
        partition.commit(mark)?;
        self.marks.insert(first, partition.mark().clone());
        if to == first + SPAN {
            return self.close(partition);
        }
        partition.settle(false)?;
        self.open = Some((first, partition));
        Ok(())
    }

    /// Ends a full partition on a thread of its own. A crash leaves it in several segments, which answer the same.
    fn close(&mut self, mut partition: Partition) -> Result<(), IndexError> {
        self.closed()?;
        let work = move || partition.settle(true).and_then(|()| partition.close());
        let thread = std::thread::Builder::new().name("index-close".to_owned()).spawn(work);
        self.closing = Some(thread.map_err(|error| IndexError::on("start a thread", self.layout.dir())(error.into()))?);
        Ok(())
    }

    /// Waits for the partition that is being closed.
    fn closed(&mut self) -> Result<(), IndexError> {
        match self.closing.take() {
            // A panic there is one of the search library: what is committed stays, and the next writer looks at it with fresh eyes.
            Some(closing) => closing.join().unwrap_or(Ok(())),
            None => Ok(()),
        }
    }

    /// Takes the open partition, or opens the one that begins at `first`.
    fn take(&mut self, first: u64) -> Result<Partition, IndexError> {
        match self.open.take() {
            Some((open, partition)) if open == first => return Ok(partition),
            Some((_, partition)) => partition.close()?,
            None => {}
        }
        let found = self.layout.partitions()?.remove(&first);
        let dir = found.map_or_else(|| self.layout.partition(first, 1).0, |found| found.dir);
        Partition::open(self.layout.files(), &dir, first, self.memory_bytes)
    }

    /// Makes the partitions anew in which something was erased: the ledger no longer has it.
    ///
    /// The new one is made beside the old one and takes its place by a rename; a crash leaves the old one and the note.
    fn forget(&mut self, reader: &Reader, ranges: &[(u64, u64)]) -> Result<u64, IndexError> {
        let mut rebuilt = 0;
        self.closed()?;
        if let Some((_, partition)) = self.open.take() {
            partition.close()?;
        }
        for (first, found) in self.layout.partitions()? {
            let Some(mark) = self.marks.get(&first) else { continue };
            if !ranges.iter().any(|(from, last)| *from < mark.to && *last >= first) {
                continue;
            }
            let (dir, new) = self.layout.partition(first, found.generation + 1);
            remove_tree(self.layout.disk(), &new)?;
            let mut partition = Partition::open(self.layout.files(), &new, first, self.memory_bytes)?;
            let mark = copy(reader, &mut partition, first, mark.to, |_| Ok(()))?;
            partition.commit(mark)?;
            partition.settle(true)?;
            partition.close()?;
            self.layout.disk().rename(&new, &dir)?;
            self.layout.disk().sync_dir(self.layout.dir())?;
            remove_tree(self.layout.disk(), &found.dir)?;
            rebuilt += 1;
        }
        Ok(rebuilt)
    }

    /// Throws the index away when it is not one of this log's events: the log is shorter, or another one under the same id.
    fn compare(&mut self, reader: &Reader) -> Result<(), IndexError> {
        let same = |reader: &Reader, mark: &Mark| -> Result<bool, IndexError> {
            let Some(last) = mark.to.checked_sub(1).filter(|_| !mark.leaf.is_empty()) else { return Ok(true) };
            Ok(reader.get(Seq(last))?.is_some_and(|stored| hex(&stored) == mark.leaf))
        };
        let Some((_, mark)) = self.marks.last_key_value() else { return Ok(()) };
        if self.compared && mark.to <= reader.size().0 {
            return Ok(());
        }
        if !same(reader, mark)? {
            let mut fresh = reader.clone();
            fresh.refresh()?;
            if !same(&fresh, mark)? {
                self.wipe()?;
            }
        }
        self.compared = true;
        Ok(())
    }

    fn wipe(&mut self) -> Result<(), IndexError> {
        self.wiping = true;
        self.closed()?;
        self.open = None;
        self.marks.clear();
        self.layout.clean(true)?;
        self.layout.forgotten()?;
        self.wiping = false;
        Ok(())
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        // Before the lock goes: two writers of one partition would be one too many. What went wrong is only a merge that was not done.
        drop(self.closed());
    }
}

/// Adds the events `from` to `to` to a partition; returns the mark that comes after them.
fn copy(
    reader: &Reader,
    partition: &mut Partition,
    from: u64,
    to: u64,
    mut see: impl FnMut(&Value) -> Result<(), IndexError>,
) -> Result<Mark, IndexError> {
    let mut mark = partition.mark().clone();
    let events = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    for stored in reader.iter(Seq(from)).take(events) {
        let stored = stored?;
        let view = stored.view();
        see(&view)?;
        partition.add(&stored, &view)?;
        mark.to = stored.seq.0 + 1;
        if mark.to == to {
            mark.leaf = hex(&stored);
        }
    }
    Ok(mark)
}

/// Adds the ranges of an erasure when `view` is the event that says it is done.
fn erased_ranges(reader: &Reader, view: &Value, ranges: &mut Vec<(u64, u64)>) -> Result<(), IndexError> {
    if view.get("event_type").and_then(Value::as_str) != Some("ledger.erased") {
        return Ok(());
    }
    let erase = view.pointer("/ledger/erase").and_then(Value::as_u64);
    let erase = erase.map_or(Ok(None), |seq| reader.get(Seq(seq)))?;
    let erase = erase.map(|stored| stored.view()).unwrap_or_default();
    for range in erase.pointer("/ledger/ranges").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(first), Some(last)) = (range.get(0).and_then(Value::as_u64), range.get(1).and_then(Value::as_u64)) {
            ranges.push((first, last));
        }
    }
    Ok(())
}

/// Opens every segment of a partition, which must be runs of positions one after another; returns its mark.
fn whole(files: &dyn Files, dir: &Path, first: u64) -> Result<Mark, IndexError> {
    let look = || {
        let index = open_folder(files, dir)?;
        let mark = Mark::of(&index.load_metas()?, first);
        let runs = positions(&index)?;
        let end = runs.iter().try_fold(first, |next, (_, at, docs)| (first + at == next).then(|| next + u64::from(*docs)));
        match end == Some(mark.to) {
            true => Ok(mark),
            false => Err(TantivyError::InternalError(format!("its segments are no run of positions up to {}", mark.to))),
        }
    };
    look().map_err(IndexError::on("open", dir))
}

fn hex(stored: &Stored) -> String {
    stored.leaf_hash().0.iter().map(|byte| format!("{byte:02x}")).collect()
}
