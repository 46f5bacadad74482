//! The keeper's side: a copy of one log, grown piece by piece.
//!
//! A piece is judged as a whole before a byte of it is written, and it is durable before anybody hears of it. A crash leaves a torn tail, which opening
//! cuts off: nobody was told of it, so the owner sends it again.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, Lock, Open, create_whole, replace};
use sealtrail_tlog::proof::verify_consistency;
use sealtrail_tlog::{Checkpoint, Root, Seq, TreeSize, VerifierKey};
use serde_json::Value;

use super::batch::cut;
use super::{CHUNK_BYTES_MAX, Chunk, MirrorError, part};
use crate::erase::EraseJob;
use crate::head::frontier_bytes;
use crate::job::Done;
use crate::keys::KeyFiles;
use crate::layout::Layout;
use crate::line::{Compression, EnvelopeLine, HighWater, Kind, Line, LogInfo};
use crate::marker::Marker;
use crate::open::{marks, write_again};
use crate::options::OpenOptions;
use crate::publish::{PublishJob, notes_end, write_tiles};
use crate::read::Reader;
use crate::read::wal::Batches;
use crate::recover::{Recover, RecoverError, WalEnd};
use crate::seal::SealJob;
use crate::track::Tracker;
use crate::wal::Wal;
use crate::write::remove_if_there;

/// 1 MiB: copies of many logs lie on one disk.
const GROW_BYTES: u64 = 1024 * 1024;
/// 65,536 events close a segment, and the batch that reaches them may be of 4,096.
const SEGMENT_EVENTS_MAX: u64 = 65_536 + 4_096;

/// A copy of one log.
pub struct Mirror {
    disk: Arc<dyn Disk>,
    layout: Layout,
    key: VerifierKey,
    info: Option<LogInfo>,
    tracker: Tracker,
    wal: Option<Wal>,
    /// Whether slots of the newest segment are missing, so that it lies in a part and not in a WAL.
    partial: bool,
    /// The epoch in which the last commit lies.
    epoch: u64,
    tiled: TreeSize,
    published: TreeSize,
    notes_end: u64,
    poisoned: bool,
    _lock: Box<dyn Lock>,
}

/// What a piece is, once it is believed.
struct Judged {
    tracker: Tracker,
    whole: bool,
    epoch: u64,
    /// Erasures that are recorded as carried out.
    erasures: Vec<Marker>,
}

impl Mirror {
    /// Opens the copy of the log of `key` in `dir`, or starts one there.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, key: VerifierKey) -> Result<Self, MirrorError> {
        let layout = Layout::new(dir, &dir.join("keys"));
        for folder in [layout.dir.clone(), layout.wal_dir(), layout.seg_dir()] {
            disk.create_dir(&folder)?;
        }
        let lock = disk.lock(&layout.lock())?;
        let info = match disk.read(&layout.log()) {
            Ok(bytes) => Some(LogInfo::parse(&bytes)?),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error.into()),
        };
        if info.as_ref().is_some_and(|info| info.vkey != key.to_string()) {
            return Err(MirrorError::Log { what: "the copy is of a log with another key" });
        }
        let tracker = Tracker::new(key.name().as_str(), key.clone(), info.as_ref().is_some_and(|info| info.hmac));
        let mut mirror = Self {
            disk,
            layout,
            key,
            info,
            tracker,
            wal: None,
            partial: false,
            epoch: 0,
            tiled: TreeSize::EMPTY,
            published: TreeSize::EMPTY,
            notes_end: 0,
            poisoned: false,
            _lock: lock,
        };
        if mirror.info.is_some() {
            mirror.recover()?;
        }
        Ok(mirror)
    }

    /// Returns the size of the log as far as it is stored.
    pub fn size(&self) -> TreeSize {
        self.tracker.frontier.size()
    }

    /// Returns the root of what is stored.
    pub fn root(&self) -> Root {
        self.tracker.frontier.root()
    }

    /// Returns the size of the checkpoint that lies beside the copy.
    pub fn published(&self) -> TreeSize {
        self.published
    }

    /// Takes a piece: when this returns, it is believed and durable. An error leaves the copy as it was, or asks to open it again.
    pub fn accept(&mut self, chunk: &Chunk<'_>) -> Result<TreeSize, MirrorError> {
        if self.poisoned {
            return Err(MirrorError::Poisoned);
        }
        let size = self.size();
        if chunk.old != size.0 {
            return Err(MirrorError::Elsewhere { found: chunk.old, size: size.0 });
        }
        let info = match &self.info {
            Some(info) => info.clone(),
            None => first_info(chunk, &self.key)?,
        };
        let judged = self.judge(chunk, &info)?;
        let wanted = self.wal.as_ref().map_or(size.0, |wal| wal.first);
        let fits = chunk.segment == wanted || chunk.segment == size.0;
        if !fits || judged.tracker.size() - chunk.segment > SEGMENT_EVENTS_MAX {
            return Err(MirrorError::Segment { found: chunk.segment, wanted, size: size.0 });
        }
        if judged.erasures.iter().flat_map(|marker| &marker.ranges).any(|(_, last)| *last >= chunk.segment) {
            // A writer closes the file before it erases in it.
            return Err(MirrorError::Batch { what: "an erasure recorded as done in the file that it is recorded in", at: 0 });
        }
        // From here on a failure is the disk's; what is durable is found out by opening again.
        self.poisoned = true;
        self.store(chunk, judged, info)?;
        self.poisoned = false;
        Ok(self.size())
    }

    /// Lays a signed checkpoint beside the copy, with tiles, history and mark, if it is of exactly what is stored; tells whether it did.
    pub fn publish(&mut self, note: &str) -> Result<bool, MirrorError> {
        let (checkpoint, _) = Checkpoint::open(note.as_bytes(), &self.key, &[])?;
        let fits = checkpoint.size == self.size() && checkpoint.root == self.root() && checkpoint.size > self.published;
        if self.poisoned || self.partial || !fits {
            return Ok(false);
        }
        let (wal, offset) = self.wal.as_ref().map_or((self.size().0, 0), |wal| (wal.first, wal.end));
        let mark = HighWater {
            size: checkpoint.size.0,
            root: checkpoint.root.0,
            chain: self.tracker.chain,
            frontier: frontier_bytes(&self.tracker.frontier),
            wal: Layout::wal_name(wal),
            offset,
            epoch: self.epoch,
        };
        // Of the growth since the last checkpoint: full tiles that a rotation wrote are not held any more, partial ones it did not write.
        let tiles = self.tracker.edge.tiles(self.published, checkpoint.size);
        let job =
            PublishJob::of_copy(Arc::clone(&self.disk), self.layout.clone(), tiles, self.published, note.to_owned(), self.notes_end, mark);
        self.poisoned = true;
        if let Done::Published { size, notes_end, .. } = job.run()? {
            (self.tiled, self.published, self.notes_end) = (size, size, notes_end);
            self.tracker.edge.trim(size);
        }
        self.poisoned = false;
        Ok(true)
    }

    /// Follows the piece and compares its end with its checkpoint.
    fn judge(&mut self, chunk: &Chunk<'_>, info: &LogInfo) -> Result<Judged, MirrorError> {
        if chunk.batches.is_empty() || chunk.batches.len() > CHUNK_BYTES_MAX {
            return Err(MirrorError::Batch { what: "no batch, or more bytes than a piece may have", at: chunk.batches.len() });
        }
        let (checkpoint, _) = Checkpoint::open(chunk.note.as_bytes(), &self.key, &[])?;
        let mut tracker = self.tracker.clone();
        tracker.hmac = info.hmac;
        let (mut at, mut whole, mut epoch, mut orders, mut done) = (0, true, self.epoch, Vec::new(), Vec::new());
        while at < chunk.batches.len() {
            let cut = cut(chunk.batches, at)?;
            tracker.batch(&cut.batch)?;
            read_erasures(cut.batch.lines, &mut orders, &mut done);
            whole &= cut.whole;
            epoch = cut.batch.commit.commit.epoch;
            at = usize::try_from(cut.batch.end).unwrap_or(usize::MAX);
        }
        let (size, root) = (tracker.frontier.size(), tracker.frontier.root());
        verify_consistency(size, &root, checkpoint.size, &checkpoint.root, chunk.proof)?;
        let mut erasures = Vec::new();
        for erase in done {
            match orders.iter().find(|order: &&Marker| order.erase == erase) {
                Some(order) => erasures.push(order.clone()),
                None => erasures.extend(self.order(erase)?),
            }
        }
        Ok(Judged { tracker, whole, epoch, erasures })
    }

    /// Reads the order of an erasure that an earlier piece brought.
    fn order(&self, erase: u64) -> Result<Option<Marker>, MirrorError> {
        if erase >= self.size().0 {
            return Ok(None);
        }
        let stored = Reader::open(Arc::clone(&self.disk), &self.layout.dir)?.get(Seq(erase))?;
        Ok(stored.and_then(|stored| Marker::of(erase, &stored.envelope)))
    }

    fn store(&mut self, chunk: &Chunk<'_>, judged: Judged, info: LogInfo) -> Result<(), MirrorError> {
        let disk = Arc::clone(&self.disk);
        if self.info.is_none() {
            // The key first: once `log.json` is there, opening takes both for written.
            replace(&*disk, &self.layout.vkey(), format!("{}\n", info.vkey).as_bytes())?;
            create_whole(&*disk, &self.layout.log(), &info.encode())?;
            self.info = Some(info);
        }
        if self.wal.as_ref().is_some_and(|wal| wal.first != chunk.segment) {
            self.rotate()?;
        }
        // Before the record that it is done is taken: a crash between the two brings the piece again, and erasing again finds nothing.
        for marker in judged.erasures {
            self.erase(marker)?;
        }
        let wal = match self.wal.take() {
            Some(wal) => wal,
            None => Wal::create(&*disk, &self.layout, chunk.segment, GROW_BYTES)?,
        };
        let wal = self.wal.insert(wal);
        if !judged.whole && !self.partial {
            disk.rename(&self.layout.wal(wal.first), &self.layout.part(wal.first))?;
            disk.sync_dir(&self.layout.wal_dir())?;
            self.partial = true;
        }
        let bytes = chunk.batches.len() as u64;
        wal.reserve(bytes, GROW_BYTES)?;
        wal.write(chunk.batches)?;
        wal.sync(bytes)?;
        (self.tracker, self.epoch) = (judged.tracker, judged.epoch);
        self.tracker.edge.trim(self.tiled);
        Ok(())
    }

    /// Seals the newest segment, and writes the tiles that it filled.
    fn rotate(&mut self) -> Result<(), MirrorError> {
        let Some(wal) = &self.wal else { return Ok(()) };
        self.seal(wal.first, self.size().0, self.partial)?;
        (self.wal, self.partial) = (None, false);
        let size = self.size();
        let mut tiles = self.tracker.edge.tiles(self.tiled, size);
        tiles.retain(|(tile, _)| !tile.is_partial());
        write_tiles(&*self.disk, &self.layout.dir, &tiles)?;
        self.tiled = size;
        Ok(())
    }

    fn seal(&self, first: u64, size: u64, partial: bool) -> Result<(), MirrorError> {
        let origin = self.key.name().as_str().to_owned();
        let job = SealJob::of_copy(Arc::clone(&self.disk), self.layout.clone(), origin, Compression::Gzip, (first, size), partial);
        Ok(job.run()?)
    }

    /// Removes what the log records as erased.
    fn erase(&self, marker: Marker) -> Result<(), MirrorError> {
        replace(&*self.disk, &self.layout.erasing(), &marker.encode())?;
        self.finish_erase(marker)
    }

    /// Finishes an erasure that a crash interrupted. Its marker was written for a piece that was believed.
    fn resume_erase(&self) -> Result<(), MirrorError> {
        match self.disk.read(&self.layout.erasing()) {
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error.into()),
            Ok(bytes) => match Marker::parse(&bytes) {
                Some(marker) => self.finish_erase(marker),
                None => Ok(remove_if_there(&*self.disk, &self.layout.erasing())?),
            },
        }
    }

    fn finish_erase(&self, marker: Marker) -> Result<(), MirrorError> {
        EraseJob::of_copy(Arc::clone(&self.disk), self.layout.clone(), marker).run()?;
        remove_if_there(&*self.disk, &self.layout.erasing())?;
        Ok(self.disk.sync_dir(&self.layout.dir)?)
    }

    /// Finds the end of the copy, cuts off what was never acknowledged, and seals what a crash left unsealed.
    fn recover(&mut self) -> Result<(), MirrorError> {
        let disk = Arc::clone(&self.disk);
        let (marks, mark) = marks(&*disk, &self.layout, &OpenOptions::default(), &self.key)?;
        let noted = marks.iter().map(|mark| mark.size).max().unwrap_or(0);
        self.published = TreeSize(mark.as_ref().map_or(0, |mark| mark.size));
        let mut start = self.tracker.clone();
        start.marks = marks;
        let keys = KeyFiles { log: None, epoch: None, next: None, mac: None };
        let recover = Recover { disk: &*disk, layout: &self.layout, keys: &keys, mark: mark.as_ref(), rebuild: false };
        let mut end = None;
        match recover.run(start) {
            Ok(found) => {
                let mut closed = found.closed.into_iter().chain(found.wal.as_ref().map(|wal| wal.first)).peekable();
                for first in found.gone {
                    disk.remove(&self.layout.wal(first))?;
                }
                while let Some(first) = closed.next() {
                    if let Some(next) = closed.peek() {
                        self.seal(first, *next, false)?;
                    }
                }
                (self.tracker, self.tiled, end) = (found.tracker, found.tiled, found.wal);
            }
            // Nothing of the first piece was durable, or it lies in a part.
            Err(RecoverError::Empty { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(found) = part::follow(&*disk, &self.layout, &mut self.tracker)? {
            if let Some(before) = end.take() {
                self.seal(before.first, found.first, false)?;
            }
            (self.partial, end) = (true, Some(found));
        }
        if self.size().0 < noted {
            return Err(MirrorError::Behind { size: self.size().0, noted });
        }
        if let Some(end) = end {
            self.resume(&end)?;
        }
        self.resume_erase()?;
        let checkpoint = disk.read(&self.layout.checkpoint()).unwrap_or_default();
        self.notes_end = notes_end(&*disk, &self.layout, &checkpoint, &self.key)?;
        Ok(())
    }

    /// Takes up the newest file: its last batch is written once more, as its sync may have failed.
    fn resume(&mut self, end: &WalEnd) -> Result<(), MirrorError> {
        let path = if self.partial { self.layout.part(end.first) } else { self.layout.wal(end.first) };
        let file = self.disk.open(&path, Open::Write)?;
        let mut batches = if self.partial {
            Batches::lenient(Arc::clone(&file), end.last_batch)
        } else {
            Batches::new(Arc::clone(&file), end.last_batch)
        };
        if let Some(batch) = batches.next()? {
            self.epoch = batch.commit.commit.epoch;
        }
        file.truncate(end.end)?;
        write_again(&*file, end)?;
        file.sync_data()?;
        self.wal = Some(Wal::of_file(file, end.first, end.end, end.since)?);
        Ok(())
    }
}

/// Takes `log.json` from the first piece, if it is what event 0 says.
fn first_info(chunk: &Chunk<'_>, key: &VerifierKey) -> Result<LogInfo, MirrorError> {
    let wrong = |what| MirrorError::Log { what };
    let info = LogInfo::parse(chunk.log.ok_or(wrong("log.json is missing"))?.as_bytes()).map_err(|_| wrong("log.json is damaged"))?;
    if info.vkey != key.to_string() || info.origin != key.name().as_str() {
        return Err(wrong("it has another key"));
    }
    let line = chunk.batches.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let event: Value = serde_json::from_slice(line).map_err(|_| wrong("its event 0 is damaged"))?;
    let says = &event["ledger"];
    let same = says["origin"] == *info.origin && says["log_id"] == *info.log_id && says["vkey"] == *info.vkey && says["hmac"] == info.hmac;
    if event["event_type"] != "ledger.created" || !same || event["timestamp"] != info.created.to_string() {
        return Err(wrong("log.json is not what its event 0 says"));
    }
    Ok(info)
}

/// Collects the orders of erasures, and the positions of those that are recorded as carried out.
fn read_erasures(lines: &[u8], orders: &mut Vec<Marker>, done: &mut Vec<u64>) {
    for line in lines.split(|byte| *byte == b'\n').filter(|line| Line::kind(line) == Some(Kind::Envelope)) {
        let Some(envelope) = EnvelopeLine::parse(line).ok().filter(EnvelopeLine::is_ledger_event) else { continue };
        orders.extend(Marker::of(envelope.seq, line));
        let parsed: Option<Value> = serde_json::from_slice(line).ok();
        let erased = parsed.filter(|event| event["event_type"] == "ledger.erased").and_then(|event| event["ledger"]["erase"].as_u64());
        done.extend(erased.filter(|erase| *erase < envelope.seq));
    }
}
