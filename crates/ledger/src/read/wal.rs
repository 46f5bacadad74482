//! The active segment's file: whole batches, and what follows the last of them.

use std::io::Read as _;
use std::sync::Arc;

use sealtrail_disk::{DiskError, DiskFile, FileReader, Step};

use super::lines::{Lines, LinesError};
use crate::line::{BATCH_BYTES_MAX, CommitLine, Kind, Line, MAC_LINE_BYTES_MAX, SLOT_LINE_BYTES_MAX};

/// A batch of one event may pass 8 MiB: seven slots, an envelope, a mac line and a commit line.
const BATCH_READ_MAX: usize = BATCH_BYTES_MAX + 7 * SLOT_LINE_BYTES_MAX + MAC_LINE_BYTES_MAX;
/// 1 MiB a read.
const READ_BYTES: usize = 1024 * 1024;

/// What preallocated room reads as.
static ZEROS: [u8; READ_BYTES] = [0; READ_BYTES];

/// One batch whose commit line is well formed and whose length and CRC are right. Hashes and signature are not checked.
pub(crate) struct Batch<'a> {
    /// Where it starts in the file.
    pub(crate) offset: u64,
    /// The byte after its commit line.
    pub(crate) end: u64,
    /// Its lines before the commit line, each with its newline.
    pub(crate) lines: &'a [u8],
    /// The commit line without its newline.
    pub(crate) commit_line: &'a [u8],
    /// The same, parsed.
    pub(crate) commit: CommitLine<'a>,
}

/// Reads batch after batch.
pub(crate) struct Batches {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    /// File offset of `buffer[0]`.
    base: u64,
    begin: usize,
    filled: usize,
    /// Whether slots may be missing, which a commit line counts.
    lenient: bool,
}

/// What follows the last whole batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Bytes up to the last one that is not zero.
    pub(crate) bytes: u64,
    /// Whether a later batch is there: the writer starts a batch only after the one before is on disk, so the bytes between
    /// are damage, not a torn write.
    pub(crate) later_batch: bool,
}

impl Batches {
    /// Starts at `offset`, where a batch starts.
    pub(crate) fn new(file: Arc<dyn DiskFile>, offset: u64) -> Self {
        Self { file, buffer: Vec::new(), base: offset, begin: 0, filled: 0, lenient: false }
    }

    /// As [`Batches::new`], of a file in which slots may be missing: lengths and sums are not compared.
    pub(crate) fn lenient(file: Arc<dyn DiskFile>, offset: u64) -> Self {
        Self { lenient: true, ..Self::new(file, offset) }
    }

    /// Returns the position after the last batch returned.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.begin as u64
    }

    /// Returns the next batch, or nothing where none that is whole starts.
    pub(crate) fn next(&mut self) -> Result<Option<Batch<'_>>, DiskError> {
        let mut at = self.begin;
        let found = loop {
            let Some(length) = memchr::memchr(b'\n', &self.buffer[at..self.filled]) else {
                // Zeros end the data; nothing that starts with one becomes a line by reading on.
                if self.buffer[at..self.filled].first() == Some(&0) || self.filled - self.begin > BATCH_READ_MAX {
                    return Ok(None);
                }
                at -= self.begin;
                if !self.fill()? {
                    return Ok(None);
                }
                at += self.begin;
                continue;
            };
            match Line::kind(&self.buffer[at..at + length]) {
                Some(Kind::Commit) => break (at, length),
                None => return Ok(None),
                _ => at += length + 1,
            }
        };
        Ok(self.take(found.0, found.1))
    }

    fn take(&mut self, at: usize, length: usize) -> Option<Batch<'_>> {
        let (begin, end) = (self.begin, at + length + 1);
        let (lines, commit_line) = (&self.buffer[begin..at], &self.buffer[at..at + length]);
        let commit = if self.lenient { CommitLine::parse(commit_line).ok()? } else { whole(lines, commit_line)? };
        self.begin = end;
        Some(Batch { offset: self.base + begin as u64, end: self.base + end as u64, lines, commit_line, commit })
    }

    /// Reads more behind what is there; false at the end of the file.
    fn fill(&mut self) -> Result<bool, DiskError> {
        self.buffer.copy_within(self.begin..self.filled, 0);
        self.base += self.begin as u64;
        self.filled -= self.begin;
        self.begin = 0;
        // A small file gets a small buffer; a file that grows meanwhile is read on by further calls.
        let left = self.file.size()?.saturating_sub(self.base + self.filled as u64);
        let room = usize::try_from(left).unwrap_or(READ_BYTES).clamp(1, READ_BYTES);
        if self.buffer.len() < self.filled + room {
            let mut larger = vec![0; self.filled + room];
            larger[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
            self.buffer = larger;
        }
        let n = self.file.read_at(&mut self.buffer[self.filled..], self.base + self.filled as u64)?;
        self.filled += n;
        Ok(n > 0)
    }

    /// Looks at everything after the last batch returned.
    pub(crate) fn tail(&self) -> Result<Tail, DiskError> {
        let (start, mut tail) = (self.offset(), Tail::default());
        let left = usize::try_from(self.file.size()?.saturating_sub(start)).unwrap_or(READ_BYTES);
        let mut buffer = vec![0; left.clamp(1, READ_BYTES)];
        let mut offset = start;
        loop {
            let n = self.file.read_at(&mut buffer, offset)?;
            if n == 0 {
                break;
            }
            // Almost always all zeros: compared as a whole before a byte is looked for.
            if buffer[..n] != ZEROS[..n]
                && let Some(last) = buffer[..n].iter().rposition(|byte| *byte != 0)
            {
                tail.bytes = offset + last as u64 + 1 - start;
            }
            offset += n as u64;
        }
        if tail.bytes > 0 {
            tail.later_batch = self.later_batch(start, start + tail.bytes)?;
        }
        Ok(tail)
    }

    /// Looks for two commit lines, or for one whose own batch is whole, between `start` and `end`.
    fn later_batch(&self, start: u64, end: u64) -> Result<bool, DiskError> {
        let mut lines = Lines::new(FileReader::new(Arc::clone(&self.file), start).take(end - start));
        let mut commits = 0;
        loop {
            let at = start + lines.offset();
            let line = match lines.peek() {
                Ok(Some(line)) => line,
                Ok(None) | Err(LinesError::Unfinished { .. }) => return Ok(false),
                // No batch has a line that long, torn or not.
                Err(LinesError::TooLong { .. }) => return Ok(true),
                Err(LinesError::Read { source, .. }) => return Err(DiskError::new(Step::Read, self.file.path(), source)),
            };
            let found = memchr::memmem::rfind(line, b"{\"commit\":{").and_then(|at| Some((at, CommitLine::parse(&line[at..]).ok()?)));
            if let Some((inside, commit)) = found {
                commits += 1;
                if commits > 1 || self.is_whole(start, at + inside as u64, &commit)? {
                    return Ok(true);
                }
            }
            lines.advance();
        }
    }

    /// Tells whether the bytes before a commit line at `at`, but not before `start`, are its batch.
    fn is_whole(&self, start: u64, at: u64, commit: &CommitLine<'_>) -> Result<bool, DiskError> {
        let len = commit.commit.len;
        if len == 0 || len > at - start || len > BATCH_READ_MAX as u64 {
            return Ok(false);
        }
        let (mut offset, mut crc) = (at - len, 0);
        let mut buffer = vec![0; READ_BYTES.min(len as usize)];
        while offset < at {
            let room = buffer.len().min((at - offset) as usize);
            let n = self.file.read_at(&mut buffer[..room], offset)?;
            if n == 0 {
                return Ok(false);
            }
            crc = crc32c::crc32c_append(crc, &buffer[..n]);
            offset += n as u64;
        }
        Ok(crc == commit.commit.crc)
    }
}

/// Returns the lines of a batch, without its commit line; nothing if these bytes are not one whole batch.
pub(crate) fn whole_batch(bytes: &[u8]) -> Option<&[u8]> {
    let ended = bytes.strip_suffix(b"\n")?;
    let (lines, commit_line) = bytes.split_at(memchr::memrchr(b'\n', ended).map_or(0, |at| at + 1));
    whole(lines, commit_line.strip_suffix(b"\n")?).map(|_| lines)
}

/// Parses the commit line of a batch and checks its length and CRC.
pub(crate) fn whole<'a>(lines: &[u8], commit_line: &'a [u8]) -> Option<CommitLine<'a>> {
    let commit = CommitLine::parse(commit_line).ok()?;
    (commit.commit.len == lines.len() as u64 && crc32c::crc32c(lines) == commit.commit.crc).then_some(commit)
}
