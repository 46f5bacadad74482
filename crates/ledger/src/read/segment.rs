//! A sealed segment: any event of it, found through its side file and checked line by line.
//!
//! Where to start reading is only ever a hint. A line tells its own position, lines rise, and an envelope tells which slots it has: a
//! hint that leads astray is noticed, and then the files themselves are searched for places to start.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sealtrail_disk::{Disk, DiskFile, Open};
use sealtrail_event::AuditId;
use sealtrail_tlog::Seq;

use super::blocks::{BLOCK_EVENTS, Blocks, Collect};
use super::ids::{Wanted, id_in};
use super::lines::{Lines, LinesError, Source};
use super::parts::sealed_path;
use super::piece::{Piece, Unreadable, position};
use super::starts::{KeptRow, Part, Searched, Starts, search};
use super::{ReadError, Stored, StoredSlot};
use crate::line::{Compression, EnvelopeLine, FileSum, Manifest, SlotLine};

/// An open sealed segment.
pub(crate) struct Segment {
    first: u64,
    size: u64,
    compression: Compression,
    entries: File,
    slots: File,
    /// The side file, if there is one that is whole and of these files.
    blocks: Option<Blocks>,
    /// Where reading can start, found by looking through the files; only when it is needed.
    searched: OnceLock<Searched>,
}

struct File {
    name: String,
    file: Arc<dyn DiskFile>,
    /// Plain bytes of one event, on average.
    mean: u64,
}

/// What was decoded last: buffers that serve one event after another.
pub(crate) struct Decoded {
    /// Which files it is of.
    key: Option<(u64, [u8; 32])>,
    /// Whether the rest of a block is wanted too when one of its events is.
    pub(crate) whole: bool,
    row: KeptRow,
    entries: Piece,
    slots: Piece,
}

impl Decoded {
    pub(crate) fn new() -> Self {
        Self { key: None, whole: false, row: None, entries: Piece::new(), slots: Piece::new() }
    }

    /// Takes the buffers for the files of a segment; what is of other files is forgotten.
    pub(crate) fn of(mut self, key: (u64, [u8; 32])) -> Self {
        self.whole = false;
        if self.key != Some(key) {
            self.forget();
            self.key = Some(key);
        }
        self
    }

    pub(crate) fn forget(&mut self) {
        self.key = None;
        self.start_anew();
    }

    fn start_anew(&mut self) {
        self.row = None;
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
        let open = |what, plain: u64| {
            let name = sealed_path(manifest.first, what, manifest.compression);
            let file = disk.open(&dir.join(&name), Open::Read)?;
            Ok::<_, ReadError>(File { name, file, mean: plain / manifest.size.saturating_sub(manifest.first).max(1) })
        };
        let (entries, slots) = (open("entries", manifest.plain.entries)?, open("slots", manifest.plain.slots)?);
        let (entries_bytes, slots_bytes) = (entries.file.size()?, slots.file.size()?);
        let blocks = Blocks::open(disk, dir, manifest).filter(|blocks| blocks.fits(entries_bytes, slots_bytes));
        let (first, size, compression) = (manifest.first, manifest.size, manifest.compression);
        Ok(Self { first, size, compression, entries, slots, blocks, searched: OnceLock::new() })
    }

    /// Returns one event of the segment.
    pub(crate) fn event(&self, decoded: &mut Decoded, seq: u64) -> Result<Stored, ReadError> {
        if let Some(blocks) = &self.blocks
            && let Ok(Some(event)) = self.event_from(Starts::Led(blocks), decoded, seq)
        {
            return Ok(event);
        }
        decoded.start_anew();
        if let Ok(Some(event)) = self.event_from(Starts::Searched(self.searched()?), decoded, seq) {
            return Ok(event);
        }
        // What is wrong shows on the way from the start.
        let missing = || ReadError::Missing { file: self.entries.name.clone(), seq };
        self.read_through(seq).next()?.ok_or_else(missing)
    }

    fn event_from(&self, starts: Starts<'_>, decoded: &mut Decoded, seq: u64) -> Result<Option<Stored>, Unreadable> {
        let (file, piece, row) = (&self.entries.file, &mut decoded.entries, &mut decoded.row);
        let until = if decoded.whole { self.block_of(seq) + BLOCK_EVENTS } else { seq + 1 };
        let start = starts.at(Part::Entries, starts.place_of(Part::Entries, seq), row)?;
        piece.go(start.about(self.entries.mean, until), seq);
        let Some(at) = piece.line(file, self.compression, seq)? else { return Ok(None) };
        let Some((_, line)) = piece.nth(file, self.compression, at)? else { return Ok(None) };
        let envelope = EnvelopeLine::parse(line).map_err(|_| Unreadable)?;
        let wanted = envelope.slots.iter().count();
        let envelope = line.to_vec();
        let slots = if wanted == 0 { Vec::new() } else { self.slots_from(starts, decoded, seq..until, wanted)? };
        Ok(Some(Stored { seq: Seq(seq), envelope, slots }))
    }

    /// Returns the slots of an event that commits to `wanted` of them. One is missing only if the lines before and after its place
    /// were seen.
    fn slots_from(
        &self,
        starts: Starts<'_>,
        decoded: &mut Decoded,
        range: Range<u64>,
        wanted: usize,
    ) -> Result<Vec<StoredSlot>, Unreadable> {
        let (seq, piece) = (range.start, &mut decoded.slots);
        let mut at = starts.place_of(Part::Slots, seq);
        loop {
            let start = starts.at(Part::Slots, at, &mut decoded.row)?;
            piece.go(start.about(self.slots.mean, range.end), seq);
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
        }
    }

    /// Finds an event by its id.
    pub(crate) fn find(&self, decoded: &mut Decoded, id: &AuditId, wanted: Wanted) -> Result<Option<Stored>, ReadError> {
        let Some(candidates) = self.blocks.as_ref().and_then(|blocks| blocks.candidates(wanted).ok()) else {
            let seq = self.search(id)?;
            return seq.map(|seq| self.event(decoded, seq)).transpose();
        };
        for seq in candidates {
            let event = self.event(decoded, seq)?;
            if has_id(&event.envelope, id) {
                return Ok(Some(event));
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

    fn searched(&self) -> Result<&Searched, ReadError> {
        if let Some(starts) = self.searched.get() {
            return Ok(starts);
        }
        let of = |file: &File| search(&file.file, self.compression, self.first, self.size).map_err(|source| file.damaged(source));
        let starts = Searched { entries: of(&self.entries)?, slots: of(&self.slots)? };
        Ok(self.searched.get_or_init(|| starts))
    }

    /// Makes the side file again from the entries, for slots that start at `slots_at`, block for block.
    pub(crate) fn side_file(&self, entries: &FileSum, slots: &FileSum, slots_at: &[u64]) -> Result<Vec<u8>, ReadError> {
        let starts = Starts::Searched(self.searched()?);
        let (mut collect, mut piece) = (Collect::new(self.first), Piece::new());
        for seq in self.first..self.size {
            let missing = || ReadError::Missing { file: self.entries.name.clone(), seq };
            let start = starts.at(Part::Entries, starts.place_of(Part::Entries, seq), &mut None).map_err(|Unreadable| missing())?;
            if collect.at_block() {
                let slots_at = slots_at.get((collect.events() / BLOCK_EVENTS) as usize).copied();
                collect.block(start.start.offset, slots_at.unwrap_or(slots.bytes));
            }
            piece.go(start.about(self.entries.mean, seq + BLOCK_EVENTS), seq);
            let at = piece.line(&self.entries.file, self.compression, seq).map_err(|Unreadable| missing())?.ok_or_else(missing)?;
            let line = piece.nth(&self.entries.file, self.compression, at).map_err(|Unreadable| missing())?.ok_or_else(missing)?;
            collect.event(line.1);
        }
        Ok(collect.encode(entries, slots))
    }

    /// Returns the position at which the block of `seq` starts.
    pub(crate) fn block_of(&self, seq: u64) -> u64 {
        self.first + seq.saturating_sub(self.first) / BLOCK_EVENTS * BLOCK_EVENTS
    }

    /// Reads the events from `from` on by decoding everything before it.
    fn read_through(&self, from: u64) -> SegmentEvents {
        let from_start = |file: &File| Lines::new(Source::new(Arc::clone(&file.file), 0, self.compression, false));
        let names = [self.entries.name.clone(), self.slots.name.clone()];
        SegmentEvents { names, entries: from_start(&self.entries), slots: from_start(&self.slots), next: from, end: self.size }
    }
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
