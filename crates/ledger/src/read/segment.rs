//! A sealed segment: events forward from any position, and blocks of 256 events from the end.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskFile, Open};
use sealtrail_tlog::Seq;

use super::lines::{Lines, LinesError, Source};
use super::parts::sealed_path;
use super::{ReadError, Stored, StoredSlot};
use crate::line::{Compression, EnvelopeLine, Manifest, SlotLine};

/// Events in one gzip member of the entries, and in one block read backwards.
const BLOCK_EVENTS: u64 = 256;
/// A gzip member starts with 10 bytes of header (RFC 1952 section 2.3); the writer's are all alike.
const GZIP_HEADER_BYTES: usize = 10;
/// 1 MiB a read while looking for headers.
const READ_BYTES: usize = 1024 * 1024;

/// An open sealed segment.
pub(crate) struct Segment {
    first: u64,
    size: u64,
    compression: Compression,
    entries: File,
    slots: File,
}

struct File {
    name: String,
    file: Arc<dyn DiskFile>,
    /// Where reading can start: position of the first line there and its offset, in rising order. The first is the file's start.
    starts: Vec<(u64, u64)>,
}

impl Segment {
    /// Opens the files of a segment. Their content is read as it comes; nothing is indexed yet.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<Self, ReadError> {
        let open = |what| {
            let name = sealed_path(manifest.first, what, manifest.compression);
            let file = disk.open(&dir.join(&name), Open::Read)?;
            Ok::<_, ReadError>(File { name, file, starts: vec![(manifest.first, 0)] })
        };
        let (entries, slots) = (open("entries")?, open("slots")?);
        Ok(Self { first: manifest.first, size: manifest.size, compression: manifest.compression, entries, slots })
    }

    /// Finds where reading can start inside the files.
    pub(crate) fn index(&mut self) -> Result<(), ReadError> {
        for file in [&mut self.entries, &mut self.slots] {
            if file.starts.len() > 1 {
                continue;
            }
            let starts = match self.compression {
                Compression::Gzip => file.gzip_starts()?,
                Compression::None => file.plain_starts()?,
            };
            // Lines tell their position themselves; an index that does not rise from the start is no index.
            let rises = starts.is_sorted_by(|a, b| a < b) && starts.iter().all(|(seq, _)| (self.first..self.size).contains(seq));
            if rises && starts.first().is_some_and(|(_, offset)| *offset == 0) {
                file.starts = starts;
            }
        }
        Ok(())
    }

    /// Reads the events `from` to `to` (not included), in order.
    pub(crate) fn read(&self, from: u64, to: u64) -> SegmentEvents {
        let at = |file: &File| {
            let start = file.starts.partition_point(|(seq, _)| *seq <= from).saturating_sub(1);
            let offset = file.starts.get(start).map_or(0, |(_, offset)| *offset);
            Lines::new(Source::new(Arc::clone(&file.file), offset, self.compression, false))
        };
        let names = [self.entries.name.clone(), self.slots.name.clone()];
        SegmentEvents { names, entries: at(&self.entries), slots: at(&self.slots), next: from, end: to.min(self.size) }
    }

    /// Reads the block that ends before `to`: at most 256 events and where they start.
    pub(crate) fn read_block_before(&self, to: u64) -> (u64, SegmentEvents) {
        let start = self.first + (to.saturating_sub(self.first + 1)) / BLOCK_EVENTS * BLOCK_EVENTS;
        (start, self.read(start, to))
    }

    /// Looks at raw entry lines from `from` on until `pick` says yes; returns that line's position.
    pub(crate) fn find(&self, mut pick: impl FnMut(&EnvelopeLine<'_>) -> bool) -> Result<Option<u64>, ReadError> {
        let mut lines = Lines::new(Source::new(Arc::clone(&self.entries.file), 0, self.compression, false));
        while let Some(line) = lines.peek().map_err(|source| self.entries.damaged(source))? {
            let envelope = EnvelopeLine::parse(line).map_err(|source| self.entries.line(source))?;
            if pick(&envelope) {
                return Ok(Some(envelope.seq));
            }
            lines.advance();
        }
        Ok(None)
    }
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
        let (mut offset, mut starts) = (0u64, Vec::new());
        loop {
            let n = self.file.read_at(&mut buffer, offset)?;
            // The last bytes of a read are looked at again at the start of the next.
            let fresh = n.min(READ_BYTES);
            for at in finder.find_iter(&buffer[..n]).filter(|at| *at < fresh) {
                starts.extend(self.first_line_at(offset + at as u64).map(|seq| (seq, offset + at as u64)));
            }
            if fresh < READ_BYTES {
                return Ok(starts);
            }
            offset += fresh as u64;
        }
    }

    fn first_line_at(&self, offset: u64) -> Option<u64> {
        let mut lines = Lines::new(Source::new(Arc::clone(&self.file), offset, Compression::Gzip, false));
        position(lines.peek().ok()??)
    }

    fn plain_starts(&self) -> Result<Vec<(u64, u64)>, ReadError> {
        let mut lines = Lines::new(Source::new(Arc::clone(&self.file), 0, Compression::None, false));
        let (mut starts, mut block) = (Vec::new(), None);
        loop {
            let offset = lines.offset();
            let Some(line) = lines.peek().map_err(|source| self.damaged(source))? else { return Ok(starts) };
            if let Some(seq) = position(line).filter(|seq| block != Some(seq / BLOCK_EVENTS)) {
                block = Some(seq / BLOCK_EVENTS);
                starts.push((seq, offset));
            }
            lines.advance();
        }
    }
}

/// Returns the position that an envelope or slot line starts with.
fn position(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"v\":1,\"i\":").or_else(|| line.strip_prefix(b"{\"i\":"))?;
    let length = digits.iter().take(20).take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

/// Events of one segment, in order.
pub(crate) struct SegmentEvents {
    names: [String; 2],
    entries: Lines<Source>,
    slots: Lines<Source>,
    next: u64,
    end: u64,
}

impl SegmentEvents {
    /// Returns the next event, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Stored>, ReadError> {
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
