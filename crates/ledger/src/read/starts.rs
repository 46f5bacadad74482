//! Where reading can start in the files of a sealed segment: as its side file says, or as the files themselves show.

use std::sync::Arc;

use sealtrail_disk::DiskFile;

use super::blocks::{BLOCK_EVENTS, Blocks, Row};
use super::lines::{Lines, LinesError, Source};
use super::piece::{Piece, Start, Unreadable, position};
use crate::line::Compression;

/// A gzip member starts with 10 bytes of header (RFC 1952 section 2.3); the writer's are all alike.
const GZIP_HEADER_BYTES: usize = 10;
/// 1 MiB a read while looking for headers.
const READ_BYTES: usize = 1024 * 1024;
/// 4 KiB hold the first line of most members.
const HEADER_READ_BYTES: u64 = 4 * 1024;

/// Which of the two files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Entries,
    Slots,
}

/// Starts found by looking through the files: position of the first line there and its offset; both rise, and the first is the
/// file's start.
pub(super) struct Searched {
    pub(super) entries: Vec<(u64, u64)>,
    pub(super) slots: Vec<(u64, u64)>,
}

/// Who says where reading can start.
#[derive(Clone, Copy)]
pub(super) enum Starts<'a> {
    Led(&'a Blocks),
    Searched(&'a Searched),
}

/// A block's row and the one after it, remembered between events.
pub(super) type KeptRow = Option<(u64, (Row, Option<Row>))>;

/// A start, and the position of the first line there or one before it.
pub(super) struct Found {
    seq: u64,
    pub(super) start: Start,
}

impl Found {
    /// Returns the start for reading up to `until`, where an event has `mean` bytes.
    pub(super) fn about(self, mean: u64, until: u64) -> Start {
        // An eighth more: what is decoded too far costs less than one more step.
        let about = until.saturating_sub(self.seq).saturating_mul(mean.saturating_add(mean / 8));
        Start { about, ..self.start }
    }
}

impl Starts<'_> {
    /// Returns the place in the list of starts from which to read for `seq`.
    pub(super) fn place_of(self, part: Part, seq: u64) -> u64 {
        match self {
            Self::Led(blocks) => blocks.block_of(seq),
            Self::Searched(searched) => searched.of(part).partition_point(|(first, _)| *first <= seq).saturating_sub(1) as u64,
        }
    }

    /// Returns the start at a place in the list.
    pub(super) fn at(self, part: Part, at: u64, kept: &mut KeptRow) -> Result<Found, Unreadable> {
        let (seq, offset, next) = match self {
            Self::Led(blocks) => {
                let (row, next) = match kept {
                    Some((of, rows)) if *of == at => *rows,
                    _ => kept.insert((at, blocks.row(at).ok_or(Unreadable)?)).1,
                };
                let offset = |row: Row| if part == Part::Entries { row.entries } else { row.slots };
                (blocks.first_of(at), offset(row), next.map(offset))
            }
            Self::Searched(searched) => {
                let at = usize::try_from(at).map_err(|_| Unreadable)?;
                let (seq, offset) = *searched.of(part).get(at).ok_or(Unreadable)?;
                (seq, offset, searched.of(part).get(at + 1).map(|(_, offset)| *offset))
            }
        };
        Ok(Found { seq, start: Start { offset, next: next.unwrap_or(0), about: 0 } })
    }
}

impl Searched {
    fn of(&self, part: Part) -> &[(u64, u64)] {
        if part == Part::Entries { &self.entries } else { &self.slots }
    }
}

/// Looks through a file of the events `first` to `size` for places where reading can start.
pub(super) fn search(file: &Arc<dyn DiskFile>, compression: Compression, first: u64, size: u64) -> Result<Vec<(u64, u64)>, LinesError> {
    let starts = match compression {
        Compression::Gzip => gzip_starts(file)?,
        Compression::None => plain_starts(file, first)?,
    };
    // Lines tell their position themselves; an index that does not rise from the start is no index.
    let rises = starts.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1) && starts.iter().all(|(seq, _)| (first..size).contains(seq));
    let whole = rises && starts.first().is_some_and(|(_, offset)| *offset == 0);
    Ok(if whole { starts } else { vec![(first, 0)] })
}

/// Finds gzip members by their header; a false hit shows when its bytes do not decode to a line of ours.
fn gzip_starts(file: &Arc<dyn DiskFile>) -> Result<Vec<(u64, u64)>, LinesError> {
    let mut header = [0; GZIP_HEADER_BYTES];
    if file.read_at(&mut header, 0).map_err(unread(0))? < GZIP_HEADER_BYTES {
        return Ok(Vec::new());
    }
    let finder = memchr::memmem::Finder::new(&header);
    let mut buffer = vec![0; READ_BYTES + GZIP_HEADER_BYTES];
    let (mut offset, mut starts, mut piece) = (0u64, Vec::new(), Piece::new());
    loop {
        let n = file.read_at(&mut buffer, offset).map_err(unread(offset))?;
        // The last bytes of a read are looked at again at the start of the next.
        let fresh = n.min(READ_BYTES);
        for at in finder.find_iter(&buffer[..n]).filter(|at| *at < fresh) {
            let at = offset + at as u64;
            piece.clear();
            piece.go(Start { offset: at, next: at + HEADER_READ_BYTES, about: 0 }, 0);
            let line = piece.nth(file, Compression::Gzip, 0).ok().flatten();
            starts.extend(line.map(|(seq, _)| (seq, at)));
        }
        if fresh < READ_BYTES {
            return Ok(starts);
        }
        offset += fresh as u64;
    }
}

/// Finds the first line of each block.
fn plain_starts(file: &Arc<dyn DiskFile>, first: u64) -> Result<Vec<(u64, u64)>, LinesError> {
    let mut lines = Lines::new(Source::new(Arc::clone(file), 0, Compression::None, false));
    let (mut starts, mut block) = (Vec::new(), None);
    loop {
        let offset = lines.offset();
        let Some(line) = lines.peek()? else { return Ok(starts) };
        let block_of = |seq: u64| seq.saturating_sub(first) / BLOCK_EVENTS;
        if let Some(seq) = position(line).filter(|seq| block != Some(block_of(*seq))) {
            block = Some(block_of(seq));
            starts.push((seq, offset));
        }
        lines.advance();
    }
}

fn unread(at: u64) -> impl FnOnce(sealtrail_disk::DiskError) -> LinesError {
    move |error| LinesError::Read { at, source: std::io::Error::other(error) }
}
