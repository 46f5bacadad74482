//! A sealed segment: any event of it, found through its side file and checked line by line.
//!
//! Where to start reading is only ever a hint. A line tells its own position, lines rise, and an envelope tells which slots it has: a
//! hint that leads astray is noticed, and then the files themselves are searched for places to start.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use sealtrail_disk::{Disk, DiskFile, Open};
use sealtrail_event::AuditId;
use sealtrail_tlog::Seq;

use super::blocks::{BLOCK_EVENTS, Blocks, Collect, Row, Wanted, id_in};
use super::lines::{Lines, LinesError, Source};
use super::parts::sealed_path;
use super::piece::{Piece, Start, Unreadable, position};
use super::{ReadError, Stored, StoredSlot};
use crate::line::{Compression, EnvelopeLine, FileSum, Manifest, SlotLine};

/// A gzip member starts with 10 bytes of header (RFC 1952 section 2.3); the writer's are all alike.
const GZIP_HEADER_BYTES: usize = 10;
/// 1 MiB a read while looking for headers.
const READ_BYTES: usize = 1024 * 1024;
/// 4 KiB hold the first line of most members.
const HEADER_READ_BYTES: u64 = 4 * 1024;

/// An open sealed segment.
pub(crate) struct Segment {
    first: u64,
    size: u64,
    compression: Compression,
    entries: File,
    slots: File,
    /// The side file, if there is one that is whole and of these files.
    blocks: Option<(Blocks, Arc<dyn DiskFile>)>,
    led: Option<Starts>,
    /// The same, found by looking through the files; only when it is needed.
    searched: OnceLock<Starts>,
}

struct File {
    name: String,
    file: Arc<dyn DiskFile>,
}

/// Where reading can start in the two files: position of the first line there, or one before it, and its offset; both rise, and the
/// first is the file's start.
struct Starts {
    entries: Vec<(u64, u64)>,
    slots: Vec<(u64, u64)>,
}

/// What was decoded last: buffers that serve one event after another.
pub(crate) struct Decoded {
    /// Which files it is of.
    key: Option<(u64, [u8; 32])>,
    entries: Piece,
    slots: Piece,
}

impl Decoded {
    pub(crate) fn new() -> Self {
        Self { key: None, entries: Piece::new(), slots: Piece::new() }
    }

    /// Takes the buffers for the files of a segment; what is of other files is forgotten.
    pub(crate) fn of(mut self, key: (u64, [u8; 32])) -> Self {
        if self.key != Some(key) {
            self.forget();
            self.key = Some(key);
        }
        self
    }

    pub(crate) fn forget(&mut self) {
        self.key = None;
        self.entries.clear();
        self.slots.clear();
    }

    pub(crate) fn key(&self) -> Option<(u64, [u8; 32])> {
        self.key
    }
}

impl Segment {
    /// Opens the files of a segment and its side file.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<Self, ReadError> {
        let open = |what| {
            let name = sealed_path(manifest.first, what, manifest.compression);
            let file = disk.open(&dir.join(&name), Open::Read)?;
            Ok::<_, ReadError>(File { name, file })
        };
        let (entries, slots) = (open("entries")?, open("slots")?);
        let (entries_bytes, slots_bytes) = (entries.file.size()?, slots.file.size()?);
        let blocks = Blocks::open(disk, dir, manifest).filter(|(blocks, _)| blocks.fits(entries_bytes, slots_bytes));
        let led = blocks.as_ref().map(|(blocks, _)| Starts::of(manifest.first, &blocks.rows)).filter(Starts::rise);
        let (first, size, compression) = (manifest.first, manifest.size, manifest.compression);
        Ok(Self { first, size, compression, entries, slots, blocks, led, searched: OnceLock::new() })
    }

    /// Returns one event of the segment.
    pub(crate) fn event(&self, decoded: &mut Decoded, seq: u64) -> Result<Stored, ReadError> {
        if let Some(led) = &self.led
            && let Ok(Some(event)) = self.event_from(led, decoded, seq)
        {
            return Ok(event);
        }
        decoded.entries.clear();
        decoded.slots.clear();
        if let Ok(Some(event)) = self.event_from(self.searched()?, decoded, seq) {
            return Ok(event);
        }
        // What is wrong shows on the way from the start.
        let missing = || ReadError::Missing { file: self.entries.name.clone(), seq };
        self.read_through(seq).next()?.ok_or_else(missing)
    }

    fn event_from(&self, starts: &Starts, decoded: &mut Decoded, seq: u64) -> Result<Option<Stored>, Unreadable> {
        let (file, piece) = (&self.entries.file, &mut decoded.entries);
        let (at, start) = start_of(&starts.entries, seq);
        debug_assert!(at < starts.entries.len());
        piece.go(start, seq);
        let Some(at) = piece.line(file, self.compression, seq)? else { return Ok(None) };
        let Some((_, line)) = piece.nth(file, self.compression, at)? else { return Ok(None) };
        let envelope = EnvelopeLine::parse(line).map_err(|_| Unreadable)?;
        let wanted = envelope.slots.iter().count();
        let envelope = line.to_vec();
        let slots = self.slots_from(&starts.slots, &mut decoded.slots, seq, wanted)?;
        Ok(Some(Stored { seq: Seq(seq), envelope, slots }))
    }

    /// Returns the slots of an event that commits to `wanted` of them. One is missing only if the lines before and after its place
    /// were seen.
    fn slots_from(&self, starts: &[(u64, u64)], piece: &mut Piece, seq: u64, wanted: usize) -> Result<Vec<StoredSlot>, Unreadable> {
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let (mut at, mut start) = start_of(starts, seq);
        loop {
            piece.go(start, seq);
            let mut found = Vec::with_capacity(wanted);
            let mut next = piece.line(&self.slots.file, self.compression, seq)?;
            while let Some(line) = next.filter(|_| found.len() < wanted) {
                next = match piece.nth(&self.slots.file, self.compression, line)? {
                    Some((of, text)) if of == seq => {
                        let slot = SlotLine::parse(text).map_err(|_| Unreadable)?;
                        found.push(StoredSlot::new(&slot, &self.slots.name).map_err(|_| Unreadable)?);
                        Some(line + 1)
                    }
                    _ => None,
                };
            }
            if found.len() == wanted || piece.starts_before(seq) {
                return Ok(found);
            }
            at = at.checked_sub(1).ok_or(Unreadable)?;
            start = start_at(starts, at);
        }
    }

    /// Finds an event by its id.
    pub(crate) fn find(&self, decoded: &mut Decoded, id: &AuditId, wanted: Wanted) -> Result<Option<Stored>, ReadError> {
        let Some((blocks, file)) = self.blocks.as_ref().filter(|_| self.led.is_some()) else {
            let seq = self.search(id)?;
            return seq.map(|seq| self.event(decoded, seq)).transpose();
        };
        for at in 0..blocks.rows.len() {
            for seq in blocks.candidates(&**file, at, wanted) {
                let event = self.event(decoded, seq)?;
                if has_id(&event.envelope, id) {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    /// Looks for an id in every envelope; returns its position.
    fn search(&self, id: &AuditId) -> Result<Option<u64>, ReadError> {
        let mut lines = Lines::new(Source::new(Arc::clone(&self.entries.file), 0, self.compression, false));
        let finder = memchr::memmem::Finder::new(id.as_str());
        while let Some(line) = lines.peek().map_err(|source| self.entries.damaged(source))? {
            if finder.find(line).is_some() {
                let envelope = EnvelopeLine::parse(line).map_err(|source| self.entries.line(source))?;
                if id_in(envelope.members) == Some(id.as_str().as_bytes()) {
                    return Ok(Some(envelope.seq));
                }
            }
            lines.advance();
        }
        Ok(None)
    }

    fn searched(&self) -> Result<&Starts, ReadError> {
        if let Some(starts) = self.searched.get() {
            return Ok(starts);
        }
        let of = |file: &File| {
            let starts = match self.compression {
                Compression::Gzip => file.gzip_starts()?,
                Compression::None => file.plain_starts(self.first)?,
            };
            // Lines tell their position themselves; an index that does not rise from the start is no index.
            let inside = starts.iter().all(|(seq, _)| (self.first..self.size).contains(seq));
            let whole = inside && rise(&starts) && starts.first().is_some_and(|(_, offset)| *offset == 0);
            Ok::<_, ReadError>(if whole { starts } else { vec![(self.first, 0)] })
        };
        let starts = Starts { entries: of(&self.entries)?, slots: of(&self.slots)? };
        Ok(self.searched.get_or_init(|| starts))
    }

    /// Makes the side file again from the entries, for slots that start at `slots_at`, block for block.
    pub(crate) fn side_file(&self, entries: &FileSum, slots: &FileSum, slots_at: &[u64]) -> Result<Vec<u8>, ReadError> {
        let starts = &self.searched()?.entries;
        let (mut collect, mut piece) = (Collect::new(self.first), Piece::new());
        for seq in self.first..self.size {
            let (_, start) = start_of(starts, seq);
            if collect.events().is_multiple_of(BLOCK_EVENTS) {
                let slots_at = slots_at.get((collect.events() / BLOCK_EVENTS) as usize).copied();
                collect.block(start.offset, slots_at.unwrap_or(slots.bytes));
            }
            piece.go(start, seq);
            let missing = || ReadError::Missing { file: self.entries.name.clone(), seq };
            let at = piece.line(&self.entries.file, self.compression, seq).map_err(|Unreadable| missing())?.ok_or_else(missing)?;
            let line = piece.nth(&self.entries.file, self.compression, at).map_err(|Unreadable| missing())?.ok_or_else(missing)?;
            collect.event(line.1);
        }
        Ok(collect.encode(entries, slots))
    }

    /// Returns the position at which the block before `to` starts.
    pub(crate) fn block_before(&self, to: u64) -> u64 {
        self.first + (to.saturating_sub(self.first + 1)) / BLOCK_EVENTS * BLOCK_EVENTS
    }

    /// Reads the events from `from` on by decoding everything before it.
    fn read_through(&self, from: u64) -> SegmentEvents {
        let from_start = |file: &File| Lines::new(Source::new(Arc::clone(&file.file), 0, self.compression, false));
        let names = [self.entries.name.clone(), self.slots.name.clone()];
        SegmentEvents { names, entries: from_start(&self.entries), slots: from_start(&self.slots), next: from, end: self.size }
    }
}

impl Starts {
    /// Returns the starts that the rows of a side file name; of blocks that start at the same place the first counts.
    fn of(first: u64, rows: &[Row]) -> Self {
        let starts = |offset: fn(&Row) -> u64| {
            let mut starts: Vec<(u64, u64)> = (first..).step_by(BLOCK_EVENTS as usize).zip(rows.iter().map(offset)).collect();
            starts.dedup_by_key(|(_, offset)| *offset);
            starts
        };
        Self { entries: starts(|row| row.entries), slots: starts(|row| row.slots) }
    }

    fn rise(&self) -> bool {
        [&self.entries, &self.slots].into_iter().all(|starts| rise(starts) && starts.first().is_some_and(|(_, offset)| *offset == 0))
    }
}

fn rise(starts: &[(u64, u64)]) -> bool {
    starts.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
}

/// Returns the last start at or before `seq`, and its place in the list.
fn start_of(starts: &[(u64, u64)], seq: u64) -> (usize, Start) {
    let at = starts.partition_point(|(first, _)| *first <= seq).saturating_sub(1);
    (at, start_at(starts, at))
}

fn start_at(starts: &[(u64, u64)], at: usize) -> Start {
    let (seq, offset) = starts.get(at).copied().unwrap_or_default();
    Start { seq, offset, next: starts.get(at + 1).map_or(0, |(_, offset)| *offset) }
}

/// Tells whether an envelope line is that of `id`.
pub(super) fn has_id(line: &[u8], id: &AuditId) -> bool {
    EnvelopeLine::parse(line).is_ok_and(|envelope| id_in(envelope.members) == Some(id.as_str().as_bytes()))
}

impl File {
    fn damaged(&self, source: LinesError) -> ReadError {
        ReadError::Lines { file: self.name.clone(), source }
    }

    fn line(&self, source: crate::line::LineError) -> ReadError {
        ReadError::Line { file: self.name.clone(), source }
    }

    /// Finds gzip members by their header; a false hit shows when its bytes do not decode to a line of ours.
    fn gzip_starts(&self) -> Result<Vec<(u64, u64)>, ReadError> {
        let mut header = [0; GZIP_HEADER_BYTES];
        if self.file.read_at(&mut header, 0)? < GZIP_HEADER_BYTES {
            return Ok(Vec::new());
        }
        let finder = memchr::memmem::Finder::new(&header);
        let mut buffer = vec![0; READ_BYTES + GZIP_HEADER_BYTES];
        let (mut offset, mut starts, mut piece) = (0u64, Vec::new(), Piece::new());
        loop {
            let n = self.file.read_at(&mut buffer, offset)?;
            // The last bytes of a read are looked at again at the start of the next.
            let fresh = n.min(READ_BYTES);
            for at in finder.find_iter(&buffer[..n]).filter(|at| *at < fresh) {
                let at = offset + at as u64;
                piece.clear();
                piece.go(Start { seq: 0, offset: at, next: at + HEADER_READ_BYTES }, 0);
                let line = piece.nth(&self.file, Compression::Gzip, 0).ok().flatten();
                starts.extend(line.map(|(seq, _)| (seq, at)));
            }
            if fresh < READ_BYTES {
                return Ok(starts);
            }
            offset += fresh as u64;
        }
    }

    fn plain_starts(&self, first: u64) -> Result<Vec<(u64, u64)>, ReadError> {
        let mut lines = Lines::new(Source::new(Arc::clone(&self.file), 0, Compression::None, false));
        let (mut starts, mut block) = (Vec::new(), None);
        loop {
            let offset = lines.offset();
            let Some(line) = lines.peek().map_err(|source| self.damaged(source))? else { return Ok(starts) };
            let block_of = |seq: u64| seq.saturating_sub(first) / BLOCK_EVENTS;
            if let Some(seq) = position(line).filter(|seq| block != Some(block_of(*seq))) {
                block = Some(block_of(seq));
                starts.push((seq, offset));
            }
            lines.advance();
        }
    }
}

/// Events of one segment, in order, by the plainest way there is.
struct SegmentEvents {
    names: [String; 2],
    entries: Lines<Source>,
    slots: Lines<Source>,
    next: u64,
    end: u64,
}
impl SegmentEvents {
    /// Returns the next event, or nothing after the last.
    fn next(&mut self) -> Result<Option<Stored>, ReadError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let (seq, envelope) = loop {
            let line = self.entries.peek().map_err(|source| ReadError::Lines { file: self.names[0].clone(), source })?;
            let Some(line) = line else { return Err(ReadError::Missing { file: self.names[0].clone(), seq: self.next }) };
            let seq = EnvelopeLine::parse(line).map_err(|source| ReadError::Line { file: self.names[0].clone(), source })?.seq;
            let envelope = (seq >= self.next).then(|| line.to_vec());
            self.entries.advance();
            if let Some(envelope) = envelope {
                break (seq, envelope);
            }
        };
        if seq != self.next {
            return Err(ReadError::Missing { file: self.names[0].clone(), seq: self.next });
        }
        self.next += 1;
        let slots = self.slots_of(seq)?;
        Ok(Some(Stored { seq: Seq(seq), envelope, slots }))
    }

    fn slots_of(&mut self, seq: u64) -> Result<Vec<StoredSlot>, ReadError> {
        let mut found = Vec::new();
        while let Some(line) = self.slots.peek().map_err(|source| ReadError::Lines { file: self.names[1].clone(), source })? {
            match position(line) {
                Some(at) if at > seq => break,
                Some(at) if at == seq => {
                    let slot = SlotLine::parse(line).map_err(|source| ReadError::Line { file: self.names[1].clone(), source })?;
                    found.push(StoredSlot::new(&slot, &self.names[1])?);
                }
                // Of an event before the one asked for.
                _ => {}
            }
            self.slots.advance();
        }
        Ok(found)
    }
}
