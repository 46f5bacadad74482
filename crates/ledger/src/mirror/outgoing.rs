//! The owner's side: batches of a log in order, out of its segments and its active file, in pieces that one request carries.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open};
use sealtrail_tlog::TreeSize;

use crate::line::{CommitLine, Compression, EnvelopeLine, Kind, Line, LineError, Manifest, SlotLine};
use crate::read::lines::{Lines, LinesError, Source};
use crate::read::parts::{Parts, sealed_path};
use crate::read::wal::Batches;

/// 4 MiB: one request, unless one batch is larger.
pub const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Why batches cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The disk refused.
    #[error("cannot read the ledger")]
    Disk(#[from] DiskError),
    /// A file cannot be split into lines.
    #[error("cannot read the segment that starts at {first}; run verify")]
    Lines {
        /// The segment.
        first: u64,
        /// What is wrong.
        source: LinesError,
    },
    /// A line is damaged.
    #[error("cannot read the segment that starts at {first}; run verify")]
    Line {
        /// The segment.
        first: u64,
        /// What is wrong.
        source: LineError,
    },
    /// Events are not where they must be.
    #[error("cannot read on after event {size}: no batch begins there; run verify")]
    Missing {
        /// Where.
        size: u64,
    },
}

/// A piece of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutChunk {
    /// First position of the file that the batches are in.
    pub segment: u64,
    /// Size of the log before it.
    pub old: u64,
    /// Size of the log after it.
    pub new: u64,
    /// The batches.
    pub bytes: Vec<u8>,
}

struct OutBatch {
    segment: u64,
    size: u64,
    bytes: Vec<u8>,
}

enum Place {
    Sealed(Box<Manifest>),
    Active(Arc<dyn DiskFile>),
}

enum Opened {
    Sealed(Box<Sealed>),
    Active(u64, Batches),
}

struct Sealed {
    first: u64,
    next: u64,
    entries: Lines<Source>,
    slots: Lines<Source>,
    commits: Lines<Source>,
}

/// Reads a log from one position on, as it was when this was opened.
pub struct Outgoing {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    content: bool,
    places: VecDeque<(u64, Place)>,
    open: Option<Opened>,
    waiting: Option<OutBatch>,
    at: u64,
}

impl Outgoing {
    /// Starts after the first `from` events of the ledger in `dir`; without `content`, no slot leaves.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, from: u64, content: bool) -> Result<Self, OutgoingError> {
        let parts = Parts::list(&*disk, dir)?;
        let mut places = VecDeque::new();
        for (first, part) in parts.found {
            match (part.manifest, part.wal) {
                (Some(manifest), _) => {
                    let manifest = manifest.map_err(|source| OutgoingError::Line { first, source })?;
                    if manifest.size > from {
                        places.push_back((first, Place::Sealed(Box::new(manifest))));
                    }
                }
                (None, Some(file)) => places.push_back((first, Place::Active(file))),
                (None, None) => {}
            }
        }
        Ok(Self { disk, dir: dir.to_owned(), content, places, open: None, waiting: None, at: from })
    }

    /// Returns the next piece; nothing when no further batch lies within the first `until` events.
    pub fn chunk(&mut self, until: TreeSize) -> Result<Option<OutChunk>, OutgoingError> {
        let mut chunk: Option<OutChunk> = None;
        loop {
            let batch = match self.waiting.take() {
                Some(batch) => Some(batch),
                None => self.batch()?,
            };
            let Some(batch) = batch else { return Ok(chunk) };
            let fits = |chunk: &OutChunk| chunk.segment == batch.segment && chunk.bytes.len() + batch.bytes.len() <= CHUNK_BYTES;
            if batch.size > until.0 || chunk.as_ref().is_some_and(|chunk| !fits(chunk)) {
                self.waiting = Some(batch);
                return Ok(chunk);
            }
            let old = self.at;
            self.at = batch.size;
            match &mut chunk {
                Some(chunk) => {
                    chunk.new = batch.size;
                    chunk.bytes.extend_from_slice(&batch.bytes);
                }
                None => chunk = Some(OutChunk { segment: batch.segment, old, new: batch.size, bytes: batch.bytes }),
            }
        }
    }

    /// Returns the next batch after those that were taken.
    fn batch(&mut self) -> Result<Option<OutBatch>, OutgoingError> {
        loop {
            if self.open.is_none() {
                let Some((first, place)) = self.places.pop_front() else { return Ok(None) };
                if first > self.at {
                    return Err(OutgoingError::Missing { size: self.at });
                }
                self.open = Some(self.opened(first, place)?);
            }
            let found = match &mut self.open {
                Some(Opened::Sealed(sealed)) => sealed.batch(self.content)?,
                Some(Opened::Active(first, batches)) => active(*first, batches, self.content)?,
                None => None,
            };
            match found {
                Some(batch) if batch.size > self.at => return Ok(Some(batch)),
                Some(_) => {}
                None => self.open = None,
            }
        }
    }

    fn opened(&self, first: u64, place: Place) -> Result<Opened, OutgoingError> {
        let manifest = match place {
            Place::Active(file) => return Ok(Opened::Active(first, Batches::new(file, 0))),
            Place::Sealed(manifest) => manifest,
        };
        let open = |what| self.lines(first, what, manifest.compression);
        let (entries, slots, commits) = (open("entries")?, open("slots")?, open("commits")?);
        Ok(Opened::Sealed(Box::new(Sealed { first, next: first, entries, slots, commits })))
    }

    fn lines(&self, first: u64, what: &str, compression: Compression) -> Result<Lines<Source>, DiskError> {
        let file = self.disk.open(&self.dir.join(sealed_path(first, what, compression)), Open::Read)?;
        Ok(Lines::new(Source::new(file, 0, compression, false)))
    }
}

fn active(first: u64, batches: &mut Batches, content: bool) -> Result<Option<OutBatch>, OutgoingError> {
    let Some(batch) = batches.next()? else { return Ok(None) };
    let mut bytes = Vec::with_capacity(batch.lines.len() + batch.commit_line.len() + 1);
    for line in batch.lines.split_inclusive(|byte| *byte == b'\n') {
        if content || Line::kind(line) != Some(Kind::Slot) {
            bytes.extend_from_slice(line);
        }
    }
    push_line(&mut bytes, batch.commit_line);
    Ok(Some(OutBatch { segment: first, size: batch.commit.commit.size, bytes }))
}

fn push_line(bytes: &mut Vec<u8>, line: &[u8]) {
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
}

impl Sealed {
    /// Puts the next batch together again; a slot that was erased is not in it.
    fn batch(&mut self, content: bool) -> Result<Option<OutBatch>, OutgoingError> {
        let first = self.first;
        let lines = |source| OutgoingError::Lines { first, source };
        let bad = |source| OutgoingError::Line { first, source };
        let mut tail = Vec::new();
        let size = loop {
            let Some(line) = self.commits.peek().map_err(lines)? else { return Ok(None) };
            push_line(&mut tail, line);
            let size = if Line::kind(line) == Some(Kind::Commit) { Some(CommitLine::parse(line).map_err(bad)?.commit.size) } else { None };
            self.commits.advance();
            if let Some(size) = size {
                break size;
            }
        };
        let mut bytes = Vec::new();
        while self.next < size {
            let missing = OutgoingError::Missing { size: self.next };
            let Some(line) = self.entries.peek().map_err(lines)? else { return Err(missing) };
            if EnvelopeLine::parse(line).map_err(bad)?.seq != self.next {
                return Err(missing);
            }
            push_line(&mut bytes, line);
            self.entries.advance();
            while let Some(line) = self.slots.peek().map_err(lines)? {
                if SlotLine::parse(line).map_err(bad)?.seq > self.next {
                    break;
                }
                if content {
                    push_line(&mut bytes, line);
                }
                self.slots.advance();
            }
            self.next += 1;
        }
        bytes.extend_from_slice(&tail);
        Ok(Some(OutBatch { segment: first, size, bytes }))
    }
}
