//! The side file of a sealed segment: where each block of 32 events starts, and which ids are in it.
//!
//! It is derived: everything in it can be made again from the segment, and a reader checks each line that it was led to. What it
//! saves is decoding a whole segment for one event (`docs/format/ledger.md`, section 3.3).

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open, read_exact_at};

use super::ids::{Fields, Ids, PRINT_BYTES, Span, Wanted};
use super::parts::blocks_path;
use crate::line::{FileSum, Manifest};

/// 32 events: one gzip member of entries and of slots, and what is decoded for one event. On ordinary events members of 256 take 10 %
/// less room, and reading one event takes eight times as long (docs/format/ledger.md, section 3.3).
pub(crate) const BLOCK_EVENTS: u64 = 32;
/// 69,632 events: the largest segment, 65,536 and a last batch of 4,096.
const EVENTS_MAX: u64 = 65_536 + 4_096;

const MAGIC: &[u8; 8] = b"STBLOCKS";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 104;
const ROW_BYTES: usize = 40;
const BLOCK_PRINTS: usize = BLOCK_EVENTS as usize * PRINT_BYTES;

/// Where a block starts, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where the entries of the block start in their file: at a gzip member, or at a line.
    pub(crate) entries: u64,
    /// Where its slots start.
    pub(crate) slots: u64,
    span: Span,
    /// CRC-32C of its fingerprints.
    prints_crc: u32,
}

impl Row {
    /// Appends the row of the block that starts at `first`.
    fn write(&self, first: u64, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.slots.to_le_bytes());
        self.span.write(out);
        out.extend_from_slice(&self.prints_crc.to_le_bytes());
        let crc = row_crc(first, &out[from..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// Parses the row of the block that starts at `first`; nothing if it is damaged or of another block.
    fn parse(first: u64, bytes: &[u8]) -> Option<Self> {
        let (said, crc) = bytes.split_at_checked(ROW_BYTES - 4)?;
        if row_crc(first, said).to_le_bytes() != *crc {
            return None;
        }
        let mut fields = Fields(said);
        Some(Self { entries: fields.u64(), slots: fields.u64(), span: Span::read(&mut fields), prints_crc: fields.u32() })
    }
}

fn row_crc(first: u64, row: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&first.to_le_bytes()), row)
}

/// Collects the side file while a segment is written or read through.
pub(crate) struct Collect {
    first: u64,
    rows: Vec<Row>,
    prints: Vec<u8>,
}

impl Collect {
    pub(crate) fn new(first: u64) -> Self {
        Self { first, rows: Vec::new(), prints: Vec::new() }
    }

    /// Returns whether the next event starts a block.
    pub(crate) fn at_block(&self) -> bool {
        self.events().is_multiple_of(BLOCK_EVENTS)
    }

    /// Starts a block at these places of the two files.
    pub(crate) fn block(&mut self, entries: u64, slots: u64) {
        self.end_block();
        self.rows.push(Row { entries, slots, span: Span::EMPTY, prints_crc: 0 });
    }

    /// Adds the event of an envelope line to the block.
    pub(crate) fn event(&mut self, line: &[u8]) {
        let wanted = Wanted::in_line(line);
        if let Some(row) = self.rows.last_mut() {
            row.span.add(wanted);
        }
        self.prints.extend_from_slice(&wanted.print.to_le_bytes());
    }

    /// Adds an event whose block's places do not matter.
    pub(crate) fn event_in_block(&mut self, line: &[u8]) {
        if self.at_block() {
            self.block(0, 0);
        }
        self.event(line);
    }

    /// Returns how many events there are.
    pub(crate) fn events(&self) -> u64 {
        (self.prints.len() / PRINT_BYTES) as u64
    }

    fn end_block(&mut self) {
        if let Some(at) = self.rows.len().checked_sub(1) {
            self.rows[at].prints_crc = crc32c::crc32c(self.prints.get(at * BLOCK_PRINTS..).unwrap_or_default());
        }
    }

    /// Returns the bytes of the file; the sums are those of the entries and slots files.
    pub(crate) fn encode(mut self, entries: &FileSum, slots: &FileSum) -> Vec<u8> {
        self.end_block();
        encode(self.first, entries.bytes, slots, &self.rows, &self.prints)
    }
}

fn encode(first: u64, entries_bytes: u64, slots: &FileSum, rows: &[Row], prints: &[u8]) -> Vec<u8> {
    let size = first + (prints.len() / PRINT_BYTES) as u64;
    let mut out = Head { first, size, entries_bytes, slots: *slots, span: joined(rows) }.encode();
    for (row, first) in rows.iter().zip((first..).step_by(BLOCK_EVENTS as usize)) {
        row.write(first, &mut out);
    }
    out.extend_from_slice(prints);
    out
}

/// The side file of a segment, open; its start was checked, the rest is when it is read.
pub(crate) struct Blocks {
    head: Head,
    file: Arc<dyn DiskFile>,
}

impl Blocks {
    /// Opens a segment's side file; nothing if there is none that is of this segment and has the length that it says.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Option<Self> {
        let file = disk.open(&dir.join(blocks_path(manifest.first)), Open::Read).ok()?;
        let mut head = [0; HEAD_BYTES];
        read_exact_at(&*file, &mut head, 0).ok()?;
        let head = Head::parse(&head).filter(|head| (head.first, head.size) == (manifest.first, manifest.size))?;
        let whole = file.size().ok()? == head.file_bytes();
        whole.then_some(Self { head, file })
    }

    /// Tells whether the places in it are those of files of these lengths.
    pub(crate) fn fits(&self, entries_bytes: u64, slots_bytes: u64) -> bool {
        (self.head.entries_bytes, self.head.slots.bytes) == (entries_bytes, slots_bytes)
    }

    /// Tells which ids the segment may hold.
    pub(crate) fn span(&self) -> Span {
        self.head.span
    }

    /// Tells more closely which ids the segment may hold; nothing if a row is damaged.
    pub(super) fn ids(&self) -> Option<Ids> {
        let rows = self.rows().ok()?;
        let rows = rows.chunks_exact(ROW_BYTES).zip(0..).map(|(row, at)| Row::parse(self.head.block_first(at), row));
        let rows = rows.collect::<Option<Vec<Row>>>()?;
        let prints = |at| rows.get(at as usize).and_then(|row| self.prints(at, row));
        Some(Ids::of(rows.iter().map(|row| row.span), prints))
    }

    fn rows(&self) -> Result<Vec<u8>, DiskError> {
        let mut rows = vec![0; self.head.rows() as usize * ROW_BYTES];
        read_exact_at(&*self.file, &mut rows, HEAD_BYTES as u64)?;
        Ok(rows)
    }

    /// Returns the place in the file of the block that `seq` lies in.
    pub(crate) fn block_of(&self, seq: u64) -> u64 {
        seq.saturating_sub(self.head.first) / BLOCK_EVENTS
    }

    /// Returns the position of the first event of a block.
    pub(crate) fn first_of(&self, at: u64) -> u64 {
        self.head.block_first(at)
    }

    /// Reads the row of a block and, unless it is the last, the one after it; nothing if they are damaged.
    pub(crate) fn row(&self, at: u64) -> Option<(Row, Option<Row>)> {
        let both = at + 1 < self.head.rows();
        let mut bytes = [0; 2 * ROW_BYTES];
        let bytes = if both { &mut bytes[..] } else { &mut bytes[..ROW_BYTES] };
        read_exact_at(&*self.file, bytes, self.head.row_at(at)).ok()?;
        let (row, next) = bytes.split_at(ROW_BYTES);
        let row = Row::parse(self.head.block_first(at), row)?;
        let next = if both { Some(Row::parse(self.head.block_first(at + 1), next)?) } else { None };
        Some((row, next))
    }

    /// Returns the positions that may be the wanted id's; a damaged row or damaged fingerprints leave out nothing of their block.
    pub(crate) fn candidates(&self, wanted: Wanted) -> Result<Vec<u64>, DiskError> {
        let rows = self.rows()?;
        let mut found = Vec::new();
        for (row, at) in rows.chunks_exact(ROW_BYTES).zip(0..) {
            let row = Row::parse(self.head.block_first(at), row);
            if row.is_none_or(|row| row.span.may_hold(wanted)) {
                self.alike(at, row, wanted, &mut found);
            }
        }
        Ok(found)
    }

    /// Adds the positions in a block whose fingerprint is the wanted one.
    fn alike(&self, at: u64, row: Option<Row>, wanted: Wanted, found: &mut Vec<u64>) {
        let first = self.head.block_first(at);
        match row.and_then(|row| self.prints(at, &row)) {
            Some(prints) => {
                let alike = prints.chunks_exact(PRINT_BYTES).zip(first..).filter(|(print, _)| *print == wanted.print.to_le_bytes());
                found.extend(alike.map(|(_, seq)| seq));
            }
            None => found.extend(first..(first + BLOCK_EVENTS).min(self.head.size)),
        }
    }

    /// Reads the fingerprints of a block; nothing if they are damaged.
    fn prints(&self, at: u64, row: &Row) -> Option<Vec<u8>> {
        let events = (self.head.size - self.head.block_first(at)).min(BLOCK_EVENTS);
        let mut prints = vec![0; events as usize * PRINT_BYTES];
        read_exact_at(&*self.file, &mut prints, self.head.prints_at(at)).ok()?;
        (crc32c::crc32c(&prints) == row.prints_crc).then_some(prints)
    }

    /// Reads everything; nothing if any of it is damaged.
    fn all(&self) -> Option<(Vec<Row>, Vec<u8>)> {
        let rows = self.rows().ok()?;
        let mut prints = vec![0; (self.head.size - self.head.first) as usize * PRINT_BYTES];
        read_exact_at(&*self.file, &mut prints, self.head.prints_at(0)).ok()?;
        let rows = rows.chunks_exact(ROW_BYTES).zip(0..).map(|(row, at)| Row::parse(self.head.block_first(at), row));
        let rows = rows.collect::<Option<Vec<Row>>>()?;
        let whole = rows.iter().zip(prints.chunks(BLOCK_PRINTS)).all(|(row, prints)| crc32c::crc32c(prints) == row.prints_crc);
        whole.then_some((rows, prints))
    }

    /// Returns the file for rewritten slots, of which `slots_at` is where those of each block start; nothing if this one is damaged or
    /// not of these entries.
    pub(crate) fn with_slots(&self, entries: &FileSum, slots: &FileSum, slots_at: &[u64]) -> Option<Vec<u8>> {
        let (mut rows, prints) = self.all().filter(|_| self.head.entries_bytes == entries.bytes)?;
        for (row, at) in rows.iter_mut().zip(slots_at) {
            row.slots = *at;
        }
        Some(encode(self.head.first, entries.bytes, slots, &rows, &prints))
    }
}

/// Returns what is wrong with a segment's side file, if there is one; `ids` is what the entries hold. Where blocks start is left to
/// whoever reads from there: a wrong place shows in the lines.
pub(crate) fn judge(disk: &dyn Disk, dir: &Path, manifest: &Manifest, ids: &Collect) -> Option<&'static str> {
    if disk.size(&dir.join(blocks_path(manifest.first))).is_ok_and(|size| size.is_none()) {
        return None;
    }
    let Some(blocks) = Blocks::open(disk, dir, manifest) else { return Some("it is damaged, or of another segment") };
    if blocks.head.entries_bytes != manifest.files.entries.bytes || blocks.head.slots != manifest.files.slots {
        return Some("it is of other files than those of the segment");
    }
    let Some((rows, prints)) = blocks.all() else { return Some("it is damaged") };
    let whole = ids.events() == manifest.size - manifest.first;
    let spans = rows.iter().map(|row| row.span).eq(ids.rows.iter().map(|row| row.span));
    let joined = blocks.head.span == joined(&rows);
    (whole && !(spans && joined && prints == ids.prints)).then_some("it leads to other ids than those of the events")
}

fn joined(rows: &[Row]) -> Span {
    rows.iter().fold(Span::EMPTY, |mut all, row| {
        all.join(row.span);
        all
    })
}

/// The fixed start of the file.
struct Head {
    first: u64,
    size: u64,
    entries_bytes: u64,
    slots: FileSum,
    /// Of all blocks.
    span: Span,
}

impl Head {
    fn rows(&self) -> u64 {
        (self.size - self.first).div_ceil(BLOCK_EVENTS)
    }

    fn block_first(&self, at: u64) -> u64 {
        self.first + at * BLOCK_EVENTS
    }

    fn row_at(&self, at: u64) -> u64 {
        HEAD_BYTES as u64 + at * ROW_BYTES as u64
    }

    fn prints_at(&self, at: u64) -> u64 {
        self.row_at(self.rows()) + at * BLOCK_PRINTS as u64
    }

    fn file_bytes(&self) -> u64 {
        self.prints_at(0) + (self.size - self.first) * PRINT_BYTES as u64
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(BLOCK_EVENTS as u32).to_le_bytes());
        for number in [self.first, self.size, self.entries_bytes, self.slots.bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.slots.sha256);
        self.span.write(&mut out);
        // Room up to the sum; zero in this version.
        out.resize(HEAD_BYTES - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Parses the head; nothing if it is not whole, or of another version or block size.
    fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let (said, crc) = bytes.split_at(HEAD_BYTES - 4);
        let mut fields = Fields(said.strip_prefix(MAGIC)?);
        if crc32c::crc32c(said).to_le_bytes() != *crc || fields.u32() != VERSION || u64::from(fields.u32()) != BLOCK_EVENTS {
            return None;
        }
        let (first, size, entries_bytes, slots_bytes) = (fields.u64(), fields.u64(), fields.u64(), fields.u64());
        let slots = FileSum { bytes: slots_bytes, sha256: fields.bytes() };
        let head = Self { first, size, entries_bytes, slots, span: Span::read(&mut fields) };
        (1..=EVENTS_MAX).contains(&size.checked_sub(first)?).then_some(head)
    }
}
