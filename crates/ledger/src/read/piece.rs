//! Lines of a file from a place where reading can start, decoded only as far as they are asked for, into buffers that are kept.

use std::io;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use sealtrail_disk::{DiskError, DiskFile};

use crate::line::{Compression, LINE_BYTES_MAX};

/// 64 KiB: a block of ordinary events is read at once.
const READ_BYTES: usize = 64 * 1024;
/// 2 to 64 KiB are decoded at a time, as much as leads to the wanted line if lines are of ordinary length.
const STEP_BYTES: std::ops::RangeInclusive<usize> = 2 * 1024..=64 * 1024;
/// 1 MiB: a block of ordinary events many times; of larger ones only what lies ahead is kept.
const KEPT_BYTES: usize = 1024 * 1024;

/// A place where reading can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Offset in the file.
    pub(crate) offset: u64,
    /// Offset of the next start: how far reading ahead makes sense.
    pub(crate) next: u64,
    /// Plain bytes up to the end of what is wanted, by the average.
    pub(crate) about: u64,
}

/// Why a piece cannot be read: the start is not one, or the file is damaged. Reading the file from its start tells which.
#[derive(Debug)]
pub(crate) struct Unreadable;

impl From<DiskError> for Unreadable {
    fn from(_: DiskError) -> Self {
        Self
    }
}

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// One line: its position and where it lies.
#[derive(Clone, Copy)]
struct Span {
    seq: u64,
    from: usize,
    to: usize,
}

/// Lines of one file, from one start.
pub(crate) struct Piece {
    from: Option<Start>,
    /// Bytes of the file; those before `used` are decoded.
    packed: Vec<u8>,
    used: usize,
    /// Offset of the next byte to read.
    offset: u64,
    decoder: Option<Decompress>,
    /// Whether the decoder stands inside a gzip member.
    in_member: bool,
    plain: Vec<u8>,
    /// Bytes of `plain` that were looked at for newlines.
    searched: usize,
    lines: Vec<Span>,
    /// Whether lines before the first of `lines` were dropped.
    dropped: bool,
    ended: bool,
}

impl Piece {
    pub(crate) fn new() -> Self {
        Self {
            from: None,
            packed: Vec::new(),
            used: 0,
            offset: 0,
            decoder: None,
            in_member: false,
            plain: Vec::new(),
            searched: 0,
            lines: Vec::new(),
            dropped: false,
            ended: false,
        }
    }

    /// Forgets what was read; buffers stay.
    pub(crate) fn clear(&mut self) {
        self.from = None;
    }

    /// How much to decode in the next step.
    fn step(&self) -> usize {
        let about = self.from.map_or(0, |from| from.about);
        let left = usize::try_from(about).unwrap_or(usize::MAX).saturating_sub(self.plain.len());
        left.clamp(*STEP_BYTES.start(), *STEP_BYTES.end())
    }

    /// Goes to a start, unless lines from `seq` on are here already.
    pub(crate) fn go(&mut self, start: Start, seq: u64) {
        let begun = self.lines.first().is_some_and(|line| line.seq < seq);
        let here = self.from.is_some_and(|from| from.offset == start.offset) && (begun || !self.dropped);
        let across = self.from.is_some() && begun && self.lines.last().is_some_and(|line| line.seq >= seq);
        if here || across {
            if let Some(from) = &mut self.from {
                from.about = from.about.max(start.about);
            }
            return;
        }
        self.from = Some(start);
        (self.used, self.offset, self.searched) = (0, start.offset, 0);
        self.packed.clear();
        self.plain.clear();
        self.lines.clear();
        (self.in_member, self.dropped, self.ended) = (false, false, false);
    }

    /// Decodes until a line of `seq` or after it is there, or the file ends; returns the first line of `seq`.
    pub(crate) fn line(&mut self, file: &Arc<dyn DiskFile>, compression: Compression, seq: u64) -> Result<Option<usize>, Unreadable> {
        while !self.ended && self.lines.last().is_none_or(|line| line.seq < seq) {
            self.more(file, compression, seq)?;
        }
        let at = self.lines.partition_point(|line| line.seq < seq);
        Ok(self.lines.get(at).filter(|line| line.seq == seq).map(|_| at))
    }

    /// Decodes until line `at` is there, and returns its position and its bytes; nothing after the last line.
    pub(crate) fn nth(
        &mut self,
        file: &Arc<dyn DiskFile>,
        compression: Compression,
        at: usize,
    ) -> Result<Option<(u64, &[u8])>, Unreadable> {
        while !self.ended && at >= self.lines.len() {
            self.more(file, compression, 0)?;
        }
        Ok(self.lines.get(at).map(|line| (line.seq, &self.plain[line.from..line.to])))
    }

    /// Tells whether every line of `seq` that the file has lies behind the start, as far as the lines tell that were decoded.
    pub(crate) fn starts_before(&self, seq: u64) -> bool {
        let from_start = self.from.is_some_and(|from| from.offset == 0);
        (from_start && !self.dropped) || self.lines.first().is_some_and(|line| line.seq < seq)
    }

    fn more(&mut self, file: &Arc<dyn DiskFile>, compression: Compression, seq: u64) -> Result<(), Unreadable> {
        if self.plain.len() > KEPT_BYTES {
            self.drop_before(seq);
        }
        let alive = match compression {
            Compression::None => self.read_plain(file)?,
            Compression::Gzip => self.inflate(file)?,
        };
        self.split()?;
        if !alive {
            self.ended = true;
            // A file ends with a newline.
            return if self.unfinished() == 0 { Ok(()) } else { Err(Unreadable) };
        }
        if self.unfinished() > LINE_BYTES_MAX { Err(Unreadable) } else { Ok(()) }
    }

    /// Bytes after the last newline.
    fn unfinished(&self) -> usize {
        self.plain.len() - self.lines.last().map_or(0, |line| line.to + 1)
    }

    fn drop_before(&mut self, seq: u64) {
        let kept = self.lines.partition_point(|line| line.seq < seq);
        // One line stays: it shows that nothing of `seq` was dropped.
        let Some(first) = kept.checked_sub(1).filter(|first| *first > 0) else { return };
        let bytes = self.lines[first].from;
        self.lines.drain(..first);
        self.plain.drain(..bytes);
        self.searched -= bytes;
        for line in &mut self.lines {
            (line.from, line.to) = (line.from - bytes, line.to - bytes);
        }
        self.dropped = true;
    }

    fn split(&mut self) -> Result<(), Unreadable> {
        let mut from = self.lines.last().map_or(0, |line| line.to + 1);
        for at in memchr::memchr_iter(b'\n', &self.plain[self.searched..]) {
            let to = self.searched + at;
            let seq = position(&self.plain[from..to]).ok_or(Unreadable)?;
            if self.lines.last().is_some_and(|line| line.seq > seq) {
                return Err(Unreadable);
            }
            self.lines.push(Span { seq, from, to });
            from = to + 1;
        }
        self.searched = self.plain.len();
        Ok(())
    }

    fn read_plain(&mut self, file: &Arc<dyn DiskFile>) -> Result<bool, Unreadable> {
        let room = self.step();
        let old = self.plain.len();
        self.plain.resize(old + room, 0);
        let n = file.read_at(&mut self.plain[old..], self.offset)?;
        self.plain.truncate(old + n);
        self.offset += n as u64;
        Ok(n > 0)
    }

    /// Decodes one step; false at the end of the file.
    fn inflate(&mut self, file: &Arc<dyn DiskFile>) -> Result<bool, Unreadable> {
        if !self.in_member && !self.enter_member(file)? {
            return Ok(false);
        }
        if self.used == self.packed.len() && !self.fill(file)? {
            return Err(Unreadable);
        }
        let (old, step) = (self.plain.len(), self.step());
        self.plain.resize(old + step, 0);
        let Some(decoder) = &mut self.decoder else { return Err(Unreadable) };
        let (read, written) = (decoder.total_in(), decoder.total_out());
        let status = decoder.decompress(&self.packed[self.used..], &mut self.plain[old..], FlushDecompress::None);
        let (read, written) = (decoder.total_in() - read, decoder.total_out() - written);
        self.used += read as usize;
        self.plain.truncate(old + written as usize);
        match status {
            Ok(Status::StreamEnd) => {
                self.in_member = false;
                // CRC-32 and length of the member: verification checks them, and part of a member has none.
                if !self.need(file, 8)? {
                    return Err(Unreadable);
                }
                self.used += 8;
                Ok(true)
            }
            Ok(_) if read + written > 0 || self.used == self.packed.len() => Ok(true),
            _ => Err(Unreadable),
        }
    }

    /// Reads the header of a gzip member (RFC 1952 section 2.3); false at the end of the file.
    fn enter_member(&mut self, file: &Arc<dyn DiskFile>) -> Result<bool, Unreadable> {
        if !self.need(file, 1)? {
            return Ok(false);
        }
        if !self.need(file, 10)? {
            return Err(Unreadable);
        }
        let header = &self.packed[self.used..self.used + 10];
        // Deflate, and none of the optional fields.
        if header[..4] != [0x1f, 0x8b, 8, 0] {
            return Err(Unreadable);
        }
        self.used += 10;
        match &mut self.decoder {
            Some(decoder) => decoder.reset(false),
            None => self.decoder = Some(Decompress::new(false)),
        }
        self.in_member = true;
        Ok(true)
    }

    /// Sees to it that `n` bytes are there to decode; false if the file ends before.
    fn need(&mut self, file: &Arc<dyn DiskFile>, n: usize) -> Result<bool, Unreadable> {
        while self.packed.len() - self.used < n {
            if !self.fill(file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fill(&mut self, file: &Arc<dyn DiskFile>) -> Result<bool, Unreadable> {
        self.packed.drain(..self.used);
        self.used = 0;
        let (old, room) = (self.packed.len(), self.room());
        self.packed.resize(old + room, 0);
        let n = file.read_at(&mut self.packed[old..], self.offset)?;
        self.packed.truncate(old + n);
        self.offset += n as u64;
        Ok(n > 0)
    }

    /// How much to read: up to the next start, as long as it lies ahead.
    fn room(&self) -> usize {
        let left = self.from.map_or(0, |from| from.next.saturating_sub(self.offset));
        usize::try_from(left).ok().filter(|left| *left > 0).unwrap_or(READ_BYTES).min(READ_BYTES)
    }
}

/// Returns the position that an envelope or slot line starts with.
pub(crate) fn position(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"v\":1,\"i\":").or_else(|| line.strip_prefix(b"{\"i\":"))?;
    let (mut value, mut length) = (0u64, 0);
    for digit in digits.iter().take(20).map(|byte| byte.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        length += 1;
    }
    (length > 0).then_some(value)
}
