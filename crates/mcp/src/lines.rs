//! A stream of bytes cut into lines; one that is too long to be held goes on in pieces, and its size, hash and both ends are kept.

use aws_lc_rs::digest::{Context, SHA256};

/// 16 MiB: the largest record that is read; two directions hold at most 32 MiB.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// 80 KiB of the beginning are kept: what is shown, and a border in which a secret that is cut is still found whole.
const HEAD_BYTES: usize = 80 * 1024;

/// 8 KiB of the end: the small members of a message that stand behind its large one.
const TAIL_BYTES: usize = 8 * 1024;

/// A part of the stream, in order; the bytes of all parts together are the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole line, with its end; the last one of a stream may have none.
    Line(&'a [u8]),
    /// The beginning of a line that is too long.
    Begins(&'a [u8]),
    /// More of it.
    More(&'a [u8]),
    /// The last of it, with the line's end.
    Ends(&'a [u8], &'a Passed),
}

/// A long line that has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its beginning.
    pub head: Vec<u8>,
    /// Its end.
    pub tail: Vec<u8>,
    /// Its size, without the line's end.
    pub size_bytes: u64,
    /// Its SHA-256, without the line's end.
    pub sha256: [u8; 32],
}

/// The state of one stream.
pub struct Lines {
    held: Vec<u8>,
    limit: usize,
    /// Whether line ends mean nothing: the stream is one message.
    whole: bool,
    long: Option<Long>,
}

struct Long {
    head: Vec<u8>,
    tail: Vec<u8>,
    size: u64,
    digest: Context,
}

impl Lines {
    /// Starts a stream whose lines are held up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { held: Vec::new(), limit, whole: false, long: None }
    }

    /// Starts a stream that is one message, held up to `limit` bytes.
    pub fn whole(limit: usize) -> Self {
        Self { whole: true, ..Self::new(limit) }
    }

    /// Starts a stream that is one message of which `head` is too much already.
    pub(crate) fn unbroken(head: &[u8]) -> Self {
        let mut lines = Self::whole(head.len().saturating_sub(1));
        lines.push(head, &mut |_| {});
        lines
    }

    /// Takes the next bytes of the stream and gives its parts.
    pub fn push(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            let end = if self.whole { None } else { bytes.iter().position(|byte| *byte == b'\n') };
            let (now, ends) = match end {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            };
            let (part, rest) = bytes.split_at(now);
            bytes = rest;
            self.part(part, ends, take);
        }
    }

    /// Ends the stream: what is left of it is its last line.
    pub fn finish(&mut self, take: &mut dyn FnMut(Piece<'_>)) {
        if let Some(long) = self.long.take() {
            take(Piece::Ends(b"", &long.passed()));
        } else if !self.held.is_empty() {
            take(Piece::Line(&std::mem::take(&mut self.held)));
        }
    }

    fn part(&mut self, part: &[u8], ends: bool, take: &mut dyn FnMut(Piece<'_>)) {
        if let Some(long) = &mut self.long {
            long.add(if ends { &part[..part.len() - 1] } else { part });
            match self.long.take_if(|_| ends) {
                Some(long) => take(Piece::Ends(part, &long.passed())),
                None => take(Piece::More(part)),
            }
            return;
        }
        if self.held.is_empty() && ends && part.len() <= self.limit {
            return take(Piece::Line(part));
        }
        self.held.extend_from_slice(part);
        if self.held.len() > self.limit && !(ends && self.held.len() <= self.limit + 1) {
            let held = std::mem::take(&mut self.held);
            let mut long = Long { head: Vec::new(), tail: Vec::new(), size: 0, digest: Context::new(&SHA256) };
            long.add(if ends { &held[..held.len() - 1] } else { &held });
            take(Piece::Begins(&held));
            match ends {
                true => take(Piece::Ends(b"", &long.passed())),
                false => self.long = Some(long),
            }
        } else if ends {
            take(Piece::Line(&std::mem::take(&mut self.held)));
        }
    }
}

impl Long {
    fn add(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        let over = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..over);
    }

    fn passed(self) -> Passed {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Passed { head: self.head, tail: self.tail, size_bytes: self.size, sha256 }
    }
}
