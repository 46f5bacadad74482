//! Finds the end of a log: from the high-water mark when it holds, from event 0 otherwise.
//!
//! Everything up to the last whole, signed batch is kept. Only what follows it, at the end of the newest file, can be a torn write;
//! anything else that is wrong is damage to what was acknowledged, and is refused.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open};
use sealtrail_tlog::{TreeSize, leaf_hash};

use crate::edge::Edge;
use crate::head::{frontier_bytes, frontier_from};
use crate::keys::{KeyFiles, epoch_of};
use crate::layout::Layout;
use crate::line::{COMMIT_LINE_BYTES_MAX, CommitLine, EnvelopeLine, HighWater, LEDGER_EVENT, LineError, Manifest, Time};
use crate::publish::write_tiles;
use crate::read::lines::{Lines, LinesError, Source};
use crate::read::parts::Parts;
use crate::read::wal::{Batch, Batches};
use crate::track::{Announced, TrackError, Tracker, clocks_of};

/// Why the end of a log cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The disk refused.
    #[error("cannot read the ledger")]
    Disk(#[from] DiskError),
    /// A batch is whole but wrong.
    #[error("cannot continue {}: at byte {offset} is a batch that is not the next one of this log; run verify", path.display())]
    Batch {
        /// The file.
        path: PathBuf,
        /// Where the batch starts.
        offset: u64,
        /// What is wrong.
        source: TrackError,
    },
    /// Bytes between two batches, or after a file that is not the last, are no batch.
    #[error("cannot continue {}: {bytes} bytes from byte {offset} on are damaged and are not the end of the log; run verify", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage starts.
        offset: u64,
        /// How many bytes are not zero from there on.
        bytes: u64,
    },
    /// Events are missing between two files.
    #[error("cannot continue the log: the events from {from} on are in no file, and {} starts at {next}; run verify", path.display())]
    Hole {
        /// Position of the first missing event.
        from: u64,
        /// First position of the next file.
        next: u64,
        /// The next file.
        path: PathBuf,
    },
    /// There is not even event 0.
    #[error("cannot continue the log: no whole first batch is left in {}", path.display())]
    Empty {
        /// Where it would be.
        path: PathBuf,
    },
    /// A manifest is damaged.
    #[error("cannot read {}; run verify", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LineError,
    },
    /// A segment is not what its manifest says.
    #[error("cannot continue after {}: its events are not those of its manifest; run verify", path.display())]
    Segment {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, when it is a matter of reading.
        #[source]
        source: Option<LinesError>,
    },
}

/// The end of a log.
pub(crate) struct Recovered {
    pub(crate) tracker: Tracker,
    /// The newest WAL, if any is left.
    pub(crate) wal: Option<WalEnd>,
    /// WALs before it that are not sealed yet.
    pub(crate) closed: VecDeque<u64>,
    /// WALs to be removed: their segment is sealed, or nothing is in them.
    pub(crate) gone: Vec<u64>,
    /// The size whose tiles are on the disk.
    pub(crate) tiled: TreeSize,
    /// Whether everything was read from event 0.
    pub(crate) from_start: bool,
}

/// Where the data of a WAL ends.
#[derive(Clone, Debug)]
pub(crate) struct WalEnd {
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// Bytes after it that are not part of the log.
    pub(crate) torn: u64,
    /// Where the last batch starts.
    pub(crate) last_batch: u64,
    /// Time of the first commit.
    pub(crate) since: Option<Time>,
}

pub(crate) struct Recover<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) layout: &'a Layout,
    pub(crate) keys: &'a KeyFiles,
    pub(crate) mark: Option<&'a HighWater>,
    /// Read everything even when the mark holds.
    pub(crate) rebuild: bool,
}

impl Recover<'_> {
    /// Finds the end; `start` is the state before event 0, with the marks to meet.
    pub(crate) fn run(&self, start: Tracker) -> Result<Recovered, RecoverError> {
        let mut parts = Parts::list(self.disk, &self.layout.dir)?;
        let fast = if self.rebuild { None } else { self.take_up_mark(&start, &parts)? };
        let from_start = fast.is_none();
        let (mut tracker, mut from, tiled) = match fast {
            Some((tracker, wal, offset)) => {
                let size = tracker.frontier.size();
                (tracker, Some((wal, offset)), Some(size))
            }
            None => (self.segments(start, &parts)?, None, None),
        };
        let (mut wals, mut gone) = (VecDeque::new(), Vec::new());
        for (first, part) in &mut parts.found {
            let empty = part.wal.clone().map(is_empty).transpose()? == Some(true);
            // An empty file was made for a first batch that never came, maybe at a size that the log then passed in another file.
            if empty || (part.wal.is_some() && part.manifest.is_some()) {
                gone.push(*first);
                part.wal = None;
            }
        }
        let last = parts.found.iter().filter(|(_, part)| part.wal.is_some()).map(|(first, _)| *first).next_back();
        let mut ends: Vec<WalEnd> = Vec::new();
        for (first, part) in &mut parts.found {
            let Some(file) = part.wal.take() else { continue };
            wals.push_back(*first);
            if from.is_some_and(|(wal, _)| *first < wal) {
                continue;
            }
            let offset = from.take().map_or(0, |(_, offset)| offset);
            ends.push(self.wal(&mut tracker, *first, file, offset, Some(*first) == last)?);
        }
        if tracker.size() == 0 {
            return Err(RecoverError::Empty { path: self.layout.wal(0) });
        }
        wals.pop_back();
        let tiled = match tiled {
            Some(size) => size,
            None => {
                let size = tracker.frontier.size();
                write_tiles(self.disk, &self.layout.dir, &tracker.edge.all(size))?;
                tracker.edge.trim(size);
                size
            }
        };
        Ok(Recovered { tracker, wal: ends.pop(), closed: wals, gone, tiled, from_start })
    }

    /// Follows one WAL from `offset` to the end of its data.
    fn wal(&self, tracker: &mut Tracker, first: u64, file: Arc<dyn DiskFile>, offset: u64, is_last: bool) -> Result<WalEnd, RecoverError> {
        let path = self.layout.wal(first);
        if offset == 0 && first != tracker.size() {
            return Err(RecoverError::Hole { from: tracker.size(), next: first, path });
        }
        let since = Batches::new(Arc::clone(&file), 0).next()?.map(|batch| batch.commit.commit.time);
        let mut batches = Batches::new(file, offset);
        let mut last_batch = offset;
        while let Some(batch) = batches.next()? {
            tracker.batch(&batch).map_err(|source| RecoverError::Batch { path: path.clone(), offset: batch.offset, source })?;
            last_batch = batch.offset;
        }
        let (end, tail) = (batches.offset(), batches.tail()?);
        if tail.later_batch || (tail.bytes > 0 && !is_last) {
            return Err(RecoverError::Damaged { path, offset: end, bytes: tail.bytes });
        }
        Ok(WalEnd { first, end, torn: tail.bytes, last_batch, since })
    }

    /// Takes up the log at the high-water mark; nothing when the mark or the tiles it needs do not hold.
    fn take_up_mark(&self, start: &Tracker, parts: &Parts) -> Result<Option<(Tracker, u64, u64)>, RecoverError> {
        let Some(mark) = self.mark else { return Ok(None) };
        let Some(frontier) = frontier_from(mark.size, &mark.frontier).filter(|frontier| frontier.root().0 == mark.root) else {
            return Ok(None);
        };
        let Some(first) = Layout::first_of(&mark.wal, ".wal") else { return Ok(None) };
        let Some(file) = parts.found.get(&first).filter(|part| part.manifest.is_none()).and_then(|part| part.wal.clone()) else {
            return Ok(None);
        };
        let Some(begin) = batch_before(&*file, mark.offset)? else { return Ok(None) };
        let mut batches = Batches::new(Arc::clone(&file), begin);
        let Some(batch) = batches.next()?.filter(|batch| batch.end == mark.offset) else { return Ok(None) };
        let commit = &batch.commit.commit;
        if (commit.size, commit.root, commit.chain, commit.epoch) != (mark.size, mark.root, mark.chain, mark.epoch) {
            return Ok(None);
        }
        let Some((epoch, key)) = self.key_at(start, &batch, file)? else { return Ok(None) };
        let fetch = |tile: sealtrail_tlog::Tile| self.disk.read(&self.layout.dir.join(tile.to_string()));
        let Some(edge) = Edge::load(&frontier, fetch) else { return Ok(None) };
        let clocks = Some(clocks_of(commit));
        let tracker = Tracker { frontier, chain: mark.chain, epoch, key: Some(key), edge, clocks, ..start.clone() };
        Ok(Some((tracker, first, mark.offset)))
    }

    /// Finds the epoch after a batch and its key: announced in the batch, or the key that signed it.
    fn key_at(
        &self,
        start: &Tracker,
        batch: &Batch<'_>,
        file: Arc<dyn DiskFile>,
    ) -> Result<Option<(u64, sealtrail_tlog::VerifierKey)>, RecoverError> {
        let ours = || [&self.keys.epoch, &self.keys.next].into_iter().flatten().map(|key| key.verifier());
        if let Some(announced) = announced_in(batch.lines) {
            // Only our own private key vouches for an announcement whose signer is gone.
            let known = ours().any(|key| *key == announced.key) && epoch_of(&start.origin, &announced.key) == Some(announced.epoch);
            return Ok(known.then_some((announced.epoch, announced.key)));
        }
        let epoch = batch.commit.commit.epoch;
        let text = crate::line::Commit::signed_text(&start.origin, batch.commit.body);
        let signed = |key: &sealtrail_tlog::VerifierKey| {
            epoch_of(&start.origin, key) == Some(epoch) && key.verify_raw(&text, &batch.commit.sig).is_ok()
        };
        if let Some(key) = ours().find(|key| signed(key)) {
            return Ok(Some((epoch, key.clone())));
        }
        // The epoch changed after the mark. Its announcement is most likely in the same file.
        let (mut batches, mut found) = (Batches::new(file, 0), None);
        while let Some(before) = batches.next()?.filter(|before| before.offset < batch.offset) {
            found = announced_in(before.lines).or(found);
        }
        Ok(found.map(|announced| announced.key).filter(signed).map(|key| (epoch, key)))
    }

    /// Follows every sealed segment from event 0, and writes the tiles again.
    fn segments(&self, mut tracker: Tracker, parts: &Parts) -> Result<Tracker, RecoverError> {
        let mut tiled = TreeSize::EMPTY;
        for (first, part) in &parts.found {
            let Some(manifest) = &part.manifest else { continue };
            let path = self.layout.manifest(*first);
            let manifest = manifest.as_ref().map_err(|source| RecoverError::Manifest { path: path.clone(), source: source.clone() })?;
            if *first != tracker.size() || manifest.first != *first {
                return Err(RecoverError::Hole { from: tracker.size(), next: *first, path });
            }
            self.segment(&mut tracker, manifest)?;
            let size = tracker.frontier.size();
            let mut tiles = tracker.edge.tiles(tiled, size);
            tiles.retain(|(tile, _)| !tile.is_partial());
            write_tiles(self.disk, &self.layout.dir, &tiles)?;
            tracker.edge.trim(size);
            tiled = size;
        }
        Ok(tracker)
    }

    fn segment(&self, tracker: &mut Tracker, manifest: &Manifest) -> Result<(), RecoverError> {
        let failed = |source| RecoverError::Segment { path: self.layout.manifest(manifest.first), source };
        let path = self.layout.segment(manifest.first, "entries", manifest.compression.suffix());
        let mut lines = Lines::new(Source::new(self.disk.open(&path, Open::Read)?, 0, manifest.compression, false));
        while let Some(line) = lines.peek().map_err(|source| failed(Some(source)))? {
            let size = tracker.size();
            if EnvelopeLine::parse(line).map(|envelope| envelope.seq) != Ok(size) {
                return Err(failed(None));
            }
            let announced = memchr::memmem::find(line, LEDGER_EVENT).and_then(|_| Announced::of(line));
            let mut edge = std::mem::take(&mut tracker.edge);
            tracker.leaf(leaf_hash(line), |id, hash| edge.push(id, hash));
            tracker.edge = edge;
            tracker.adopt(announced).map_err(|_| failed(None))?;
            if tracker.marks.iter().any(|mark| mark.size == size + 1) {
                tracker.meet_marks(size).map_err(|source| RecoverError::Batch { path: path.clone(), offset: lines.offset(), source })?;
            }
            lines.advance();
        }
        let commit = CommitLine::parse(manifest.commit.as_bytes()).map_err(|_| failed(None))?;
        let says = (manifest.size, manifest.chain, manifest.frontier.clone(), commit.commit.root);
        if says != (tracker.size(), tracker.chain, frontier_bytes(&tracker.frontier), tracker.frontier.root().0) {
            return Err(failed(None));
        }
        tracker.clocks = Some(clocks_of(&commit.commit));
        Ok(())
    }
}

/// Tells whether a WAL holds nothing, not even a part of a batch.
fn is_empty(file: Arc<dyn DiskFile>) -> Result<bool, DiskError> {
    let mut first = [0];
    if file.read_at(&mut first, 0)? == 1 && first != [0] {
        return Ok(false);
    }
    let mut batches = Batches::new(file, 0);
    Ok(batches.next()?.is_none() && batches.tail()?.bytes == 0)
}

/// Finds where the batch starts whose commit line ends at `end`.
fn batch_before(file: &dyn DiskFile, end: u64) -> Result<Option<u64>, DiskError> {
    let from = end.saturating_sub(COMMIT_LINE_BYTES_MAX as u64 + 2);
    if end == 0 || end > file.size()? {
        return Ok(None);
    }
    let mut bytes = vec![0; (end - from) as usize];
    sealtrail_disk::read_exact_at(file, &mut bytes, from)?;
    let Some(text) = bytes.strip_suffix(b"\n") else { return Ok(None) };
    let start = memchr::memrchr(b'\n', text).map_or(0, |at| at + 1);
    let Ok(line) = CommitLine::parse(&text[start..]) else { return Ok(None) };
    Ok((from + start as u64).checked_sub(line.commit.len))
}

/// Returns the last announcement of a key among the lines of a batch.
fn announced_in(lines: &[u8]) -> Option<Announced> {
    memchr::memmem::find(lines, LEDGER_EVENT)?;
    let envelopes = lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"v\":"));
    envelopes.filter(|line| memchr::memmem::find(line, LEDGER_EVENT).is_some()).filter_map(Announced::of).next_back()
}
