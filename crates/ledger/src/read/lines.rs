//! Lines of a segment's file, plain or gzip, through one buffer: no allocation per line.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use flate2::bufread::MultiGzDecoder;
use sealtrail_disk::{DiskFile, FileReader};
use sealtrail_tlog::LeafHash;

use crate::line::{Compression, LINE_BYTES_MAX, SLOT_LABEL, SlotParts};

/// 256 KiB stays in a core's cache between the copy from the page cache and the hashing.
const BUFFER_BYTES: usize = 256 * 1024;

/// 16 KiB holds a longest envelope line twice.
const FIRST_BYTES: usize = 16 * 1024;

/// A file's bytes on their way to a decoder; counted, and hashed if asked.
pub(crate) struct Raw {
    reader: FileReader,
    bytes: u64,
    digest: Option<Context>,
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(into)?;
        self.bytes += n as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&into[..n]);
        }
        Ok(n)
    }
}

/// The plain bytes of a segment's file.
pub(crate) enum Source {
    Plain(Raw),
    Gzip(Box<MultiGzDecoder<BufReader<Raw>>>),
}

impl Source {
    /// Reads `file` from `offset`, which is 0 or the start of a gzip member.
    pub(crate) fn new(file: Arc<dyn DiskFile>, offset: u64, compression: Compression, hashed: bool) -> Self {
        let digest = hashed.then(|| Context::new(&SHA256));
        // An empty file has no gzip member; it is what a segment without slots has.
        let left = file.size().map_or(u64::MAX, |size| size.saturating_sub(offset));
        let room = usize::try_from(left).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let raw = Raw { reader: FileReader::new(file, offset), bytes: 0, digest };
        match compression {
            _ if room == 0 => Self::Plain(raw),
            Compression::None => Self::Plain(raw),
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(room, raw)))),
        }
    }

    /// Reads what is left of the file and returns its length and, if it was asked for, its SHA-256.
    pub(crate) fn finish(self) -> io::Result<(u64, Option<[u8; 32]>)> {
        let mut raw = match self {
            Self::Plain(raw) => raw,
            Self::Gzip(decoder) => decoder.into_inner().into_inner(),
        };
        let mut rest = [0; 4096];
        while raw.read(&mut rest)? > 0 {}
        let sha256 = raw.digest.and_then(|digest| digest.finish().as_ref().try_into().ok());
        Ok((raw.bytes, sha256))
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(into),
            Self::Gzip(decoder) => decoder.read(into),
        }
    }
}

/// Why the next line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The disk or the decoder gave up.
    #[error("cannot read on after {at} bytes of plain text")]
    Read {
        /// Plain bytes read before.
        at: u64,
        /// Why.
        source: io::Error,
    },
    /// No newline within the limit.
    #[error("cannot read the line at byte {at}: no newline within the limit of {LINE_BYTES_MAX} bytes")]
    TooLong {
        /// Where it starts.
        at: u64,
    },
    /// The last line has no newline.
    #[error("cannot read the line at byte {at}: the file ends inside it")]
    Unfinished {
        /// Where it starts.
        at: u64,
    },
}

/// One byte before the first line, so that every line has one that a hash prefix can take.
const HEAD: usize = 1;

/// Yields lines without their newlines.
pub(crate) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Length of the line at `begin`, when it is known.
    line: Option<usize>,
    offset: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), begin: HEAD, end: HEAD, line: None, offset: 0, ended: false }
    }

    /// Returns the next line and stays at it.
    pub(crate) fn peek(&mut self) -> Result<Option<&[u8]>, LinesError> {
        self.ensure()?;
        Ok(self.line())
    }

    /// Returns the line that [`Lines::ensure`] found.
    pub(crate) fn line(&self) -> Option<&[u8]> {
        self.line.map(|length| &self.buffer[self.begin..self.begin + length])
    }

    /// Finds the next line, if there is one.
    pub(crate) fn ensure(&mut self) -> Result<(), LinesError> {
        let mut searched = 0;
        while self.line.is_none() {
            let fresh = self.buffer.get(self.begin + searched..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', fresh) {
                self.line = Some(searched + at);
                break;
            }
            searched = self.end - self.begin;
            if self.ended && searched == 0 {
                return Ok(());
            }
            if self.ended {
                return Err(LinesError::Unfinished { at: self.offset });
            }
            self.fill()?;
        }
        Ok(())
    }

    /// Returns the RFC 6962 leaf hash of the line that [`Lines::peek`] returned, made where it lies: its prefix takes the byte before.
    pub(crate) fn leaf_hash(&mut self) -> Option<LeafHash> {
        let end = self.begin + self.line?;
        let line = self.buffer.get_mut(self.begin - HEAD..end)?;
        line[0] = 0;
        Some(LeafHash(sha256(line)))
    }

    /// Returns the commitment to the slot line that [`Lines::ensure`] found. What is hashed before the value overwrites what stands
    /// before it: the line cannot be parsed again.
    #[inline]
    pub(crate) fn commitment(&mut self, slot: &SlotParts) -> Option<[u8; 32]> {
        const PREFIX: usize = SLOT_LABEL.len() + 16;
        let line = self.buffer.get_mut(self.begin..self.begin + self.line?)?;
        let close = line.len().checked_sub(1)?;
        let hashed = line.get_mut(close.checked_sub(slot.bytes + PREFIX)?..close)?;
        let (label, rest) = hashed.split_first_chunk_mut::<{ SLOT_LABEL.len() }>()?;
        label.copy_from_slice(SLOT_LABEL.as_bytes());
        rest.first_chunk_mut::<16>()?.copy_from_slice(&slot.salt.to_be_bytes());
        Some(sha256(hashed))
    }

    /// Moves on to the line after the one that [`Lines::peek`] returned.
    pub(crate) fn advance(&mut self) {
        if let Some(length) = self.line.take() {
            self.begin += length + 1;
            self.offset += length as u64 + 1;
        }
    }

    /// Returns the plain bytes before the current line.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn into_source(self) -> R {
        self.source
    }

    fn fill(&mut self) -> Result<(), LinesError> {
        if self.begin > HEAD {
            self.buffer.copy_within(self.begin..self.end, HEAD);
            self.end -= self.begin - HEAD;
            self.begin = HEAD;
        }
        if self.end > LINE_BYTES_MAX {
            return Err(LinesError::TooLong { at: self.offset });
        }
        // Small at first: of many files only a line or two is wanted.
        let wanted = match self.buffer.len() {
            0 => FIRST_BYTES,
            FIRST_BYTES => BUFFER_BYTES,
            length if self.end == length => length * 2,
            length => length,
        };
        if wanted > self.buffer.len() {
            let mut larger = vec![0; wanted];
            let kept = self.end.min(self.buffer.len());
            larger[..kept].copy_from_slice(&self.buffer[..kept]);
            self.buffer = larger;
        }
        let n = self.source.read(&mut self.buffer[self.end..]);
        let n = n.map_err(|source| LinesError::Read { at: self.offset + (self.end - HEAD) as u64, source })?;
        self.end += n;
        self.ended = n == 0;
        Ok(())
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
