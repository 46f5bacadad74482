//! The side file of a sealed segment: where each block of 64 events starts, and which ids are in it.
//!
//! It is derived: everything in it can be made again from the segment, and a reader checks each line that it was led to. What it
//! saves is decoding a whole segment for one event (`docs/format/ledger.md`, section 3.2).

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open, read_exact_at};
use sealtrail_event::AuditId;

use super::parts::blocks_path;
use crate::line::{EnvelopeLine, FileSum, Manifest};

/// 64 events: one gzip member of entries and of slots, and what is decoded for one event.
pub(crate) const BLOCK_EVENTS: u64 = 64;
/// 69,632 events: the largest segment, 65,536 and a last batch of 4,096.
const EVENTS_MAX: u64 = 65_536 + 4_096;

const MAGIC: &[u8; 8] = b"STBLOCKS";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 112;
const ROW_BYTES: usize = 40;
const PRINT_BYTES: usize = 2;
/// Flag: some ids were not made by us and tell no time.
const FOREIGN: u32 = 1;

/// Which ids may be somewhere, as far as times tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    oldest_ms: u64,
    newest_ms: u64,
    foreign: bool,
}

impl Span {
    pub(crate) const EMPTY: Self = Self { oldest_ms: u64::MAX, newest_ms: 0, foreign: false };

    fn add(&mut self, wanted: Wanted) {
        match wanted.unix_ms {
            Some(ms) => (self.oldest_ms, self.newest_ms) = (self.oldest_ms.min(ms), self.newest_ms.max(ms)),
            None => self.foreign = true,
        }
    }

    fn join(&mut self, other: Self) {
        self.oldest_ms = self.oldest_ms.min(other.oldest_ms);
        self.newest_ms = self.newest_ms.max(other.newest_ms);
        self.foreign |= other.foreign;
    }

    /// Tells whether an id can be here.
    pub(crate) fn may_hold(self, wanted: Wanted) -> bool {
        wanted.unix_ms.map_or(self.foreign, |ms| (self.oldest_ms..=self.newest_ms).contains(&ms))
    }
}

/// What the side file knows of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Milliseconds since 1970 in an id that Sealtrail made.
    unix_ms: Option<u64>,
    print: u16,
}

impl Wanted {
    pub(crate) fn of(id: &AuditId) -> Self {
        Self { unix_ms: id.unix_ms(), print: print_of(id.as_str().as_bytes()) }
    }

    /// Describes the id in an envelope line; one without an id counts as foreign.
    fn in_line(line: &[u8]) -> Self {
        let members = line.strip_prefix(b"{\"v\":1,\"i\":").and_then(|rest| rest.get(memchr::memchr(b',', rest)? + 1..));
        let id = members.and_then(id_in).unwrap_or_default();
        // Only an id with our prefix can tell a time; the others need no second look.
        let ours = id.starts_with(AuditId::PREFIX.as_bytes()).then(|| std::str::from_utf8(id).ok()).flatten();
        let unix_ms = ours.and_then(|id| AuditId::parse(id).ok()).and_then(|id| id.unix_ms());
        Self { unix_ms, print: print_of(id) }
    }
}

/// Returns the fingerprint of an id: both halves of its CRC-32C, folded.
fn print_of(id: &[u8]) -> u16 {
    let crc = crc32c::crc32c(id);
    (crc ^ crc >> 16) as u16
}

/// Returns the id in the members of an envelope: it is the first of them, wherever else the text may stand.
pub(crate) fn id_in(members: &[u8]) -> Option<&[u8]> {
    match members.strip_prefix(b"\"audit_id\":\"") {
        Some(rest) => rest.get(..memchr::memchr(b'"', rest)?),
        None => EnvelopeLine { seq: 0, members, slots: Default::default() }.string_member("audit_id").map(str::as_bytes),
    }
}

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where the entries of the block start in their file: at a gzip member, or at a line.
    pub(crate) entries: u64,
    /// Where its slots start.
    pub(crate) slots: u64,
    span: Span,
    /// CRC-32C of its fingerprints.
    crc: u32,
}

/// The rows of a side file that fits its segment.
#[derive(Debug)]
pub(crate) struct Blocks {
    first: u64,
    size: u64,
    entries_bytes: u64,
    slots: FileSum,
    pub(crate) rows: Vec<Row>,
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

    /// Starts a block at these places of the two files.
    pub(crate) fn block(&mut self, entries: u64, slots: u64) {
        self.seal_row();
        self.rows.push(Row { entries, slots, span: Span::EMPTY, crc: 0 });
    }

    /// Adds the event of an envelope line to the block.
    pub(crate) fn event(&mut self, line: &[u8]) {
        let wanted = Wanted::in_line(line);
        if let Some(row) = self.rows.last_mut() {
            row.span.add(wanted);
        }
        self.prints.extend_from_slice(&wanted.print.to_le_bytes());
    }

    /// Returns how many events there are.
    pub(crate) fn events(&self) -> u64 {
        (self.prints.len() / PRINT_BYTES) as u64
    }

    fn seal_row(&mut self) {
        if let Some(at) = self.rows.len().checked_sub(1) {
            let from = at * BLOCK_EVENTS as usize * PRINT_BYTES;
            self.rows[at].crc = crc32c::crc32c(self.prints.get(from..).unwrap_or_default());
        }
    }

    /// Returns the bytes of the file; the sums are those of the entries and slots files.
    pub(crate) fn encode(mut self, entries: &FileSum, slots: &FileSum) -> Vec<u8> {
        self.seal_row();
        let blocks =
            Blocks { first: self.first, size: self.first + self.events(), entries_bytes: entries.bytes, slots: *slots, rows: self.rows };
        blocks.encode(&self.prints)
    }
}

impl Blocks {
    /// Reads the rows of a segment's side file; nothing if there is none that is whole and of this segment.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Option<(Self, Arc<dyn DiskFile>)> {
        let file = disk.open(&dir.join(blocks_path(manifest.first)), Open::Read).ok()?;
        let blocks = Self::read(&*file).ok()??;
        ((blocks.first, blocks.size) == (manifest.first, manifest.size)).then_some((blocks, file))
    }

    /// Tells whether the places in it are those of files of these lengths.
    pub(crate) fn fits(&self, entries_bytes: u64, slots_bytes: u64) -> bool {
        (self.entries_bytes, self.slots.bytes) == (entries_bytes, slots_bytes)
    }

    /// Reads the start of a segment's side file: which ids the segment may hold.
    pub(crate) fn span(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Option<Span> {
        let file = disk.open(&dir.join(blocks_path(manifest.first)), Open::Read).ok()?;
        let mut head = [0; HEAD_BYTES];
        read_exact_at(&*file, &mut head, 0).ok()?;
        let head = Head::parse(&head)?;
        ((head.first, head.size) == (manifest.first, manifest.size)).then_some(head.span)
    }

    /// Reads head and rows; nothing if they are damaged or the file has another length than they say.
    fn read(file: &dyn DiskFile) -> Result<Option<Self>, DiskError> {
        let length = file.size()?;
        let mut bytes = [0; HEAD_BYTES];
        if length < HEAD_BYTES as u64 {
            return Ok(None);
        }
        read_exact_at(file, &mut bytes, 0)?;
        let Some(head) = Head::parse(&bytes).filter(|head| head.file_bytes() == length) else { return Ok(None) };
        let mut bytes = vec![0; head.rows() * ROW_BYTES];
        read_exact_at(file, &mut bytes, HEAD_BYTES as u64)?;
        if crc32c::crc32c(&bytes) != head.rows_crc {
            return Ok(None);
        }
        let rows = bytes.chunks_exact(ROW_BYTES).map(Row::parse).collect();
        Ok(Some(Self { first: head.first, size: head.size, entries_bytes: head.entries_bytes, slots: head.slots, rows }))
    }

    /// Reads the fingerprints of a whole file; nothing if one block's are damaged.
    pub(crate) fn prints(&self, file: &dyn DiskFile) -> Result<Option<Vec<u8>>, DiskError> {
        let mut prints = vec![0; (self.size - self.first) as usize * PRINT_BYTES];
        read_exact_at(file, &mut prints, self.prints_at(0))?;
        let whole = |(row, prints): (&Row, &[u8])| crc32c::crc32c(prints) == row.crc;
        let blocks = prints.chunks(BLOCK_EVENTS as usize * PRINT_BYTES);
        Ok(self.rows.iter().zip(blocks).all(whole).then_some(prints))
    }

    /// Tells whether the places in it are those of this entries file; it never changes.
    pub(crate) fn is_of(&self, entries: &FileSum) -> bool {
        self.entries_bytes == entries.bytes
    }

    /// Returns the same file for rewritten slots, of which `at` is where those of each block start.
    pub(crate) fn with_slots(mut self, slots: &FileSum, at: &[u64], prints: &[u8]) -> Vec<u8> {
        for (row, at) in self.rows.iter_mut().zip(at) {
            row.slots = *at;
        }
        self.slots = *slots;
        self.encode(prints)
    }

    /// Returns the positions in block `at` that may be the wanted id's; every one of the block if its fingerprints are damaged.
    pub(crate) fn candidates(&self, file: &dyn DiskFile, at: usize, wanted: Wanted) -> Vec<u64> {
        let Some(row) = self.rows.get(at).filter(|row| row.span.may_hold(wanted)) else { return Vec::new() };
        let first = self.first + at as u64 * BLOCK_EVENTS;
        let events = (self.size - first).min(BLOCK_EVENTS) as usize;
        let mut bytes = [0; BLOCK_EVENTS as usize * PRINT_BYTES];
        let prints = &mut bytes[..events * PRINT_BYTES];
        let read = read_exact_at(file, prints, self.prints_at(at));
        if read.is_err() || crc32c::crc32c(prints) != row.crc {
            return (first..first + events as u64).collect();
        }
        let alike = prints.chunks_exact(PRINT_BYTES).zip(first..).filter(|(print, _)| *print == wanted.print.to_le_bytes());
        alike.map(|(_, seq)| seq).collect()
    }

    fn prints_at(&self, block: usize) -> u64 {
        (HEAD_BYTES + self.rows.len() * ROW_BYTES + block * BLOCK_EVENTS as usize * PRINT_BYTES) as u64
    }

    fn encode(&self, prints: &[u8]) -> Vec<u8> {
        let mut rows = Vec::with_capacity(self.rows.len() * ROW_BYTES);
        let mut span = Span::EMPTY;
        for row in &self.rows {
            row.write(&mut rows);
            span.join(row.span);
        }
        let rows_crc = crc32c::crc32c(&rows);
        let head = Head { first: self.first, size: self.size, entries_bytes: self.entries_bytes, slots: self.slots, span, rows_crc };
        let mut out = head.encode();
        out.extend_from_slice(&rows);
        out.extend_from_slice(prints);
        out
    }
}

impl Row {
    fn write(&self, out: &mut Vec<u8>) {
        for number in [self.entries, self.slots, self.span.oldest_ms, self.span.newest_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&flags(self.span).to_le_bytes());
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut fields = Fields(bytes);
        let (entries, slots) = (fields.u64(), fields.u64());
        let (oldest_ms, newest_ms) = (fields.u64(), fields.u64());
        let crc = fields.u32();
        Self { entries, slots, span: Span { oldest_ms, newest_ms, foreign: fields.u32() & FOREIGN != 0 }, crc }
    }
}

fn flags(span: Span) -> u32 {
    if span.foreign { FOREIGN } else { 0 }
}

/// The fixed start of the file.
struct Head {
    first: u64,
    size: u64,
    entries_bytes: u64,
    slots: FileSum,
    span: Span,
    rows_crc: u32,
}

impl Head {
    fn rows(&self) -> usize {
        (self.size - self.first).div_ceil(BLOCK_EVENTS) as usize
    }

    fn file_bytes(&self) -> u64 {
        (HEAD_BYTES + self.rows() * ROW_BYTES) as u64 + (self.size - self.first) * PRINT_BYTES as u64
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(BLOCK_EVENTS as u32).to_le_bytes());
        for number in [self.first, self.size, self.entries_bytes, self.slots.bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.slots.sha256);
        out.extend_from_slice(&self.span.oldest_ms.to_le_bytes());
        out.extend_from_slice(&self.span.newest_ms.to_le_bytes());
        out.extend_from_slice(&flags(self.span).to_le_bytes());
        out.extend_from_slice(&self.rows_crc.to_le_bytes());
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
        let sha256 = fields.bytes();
        let (oldest_ms, newest_ms) = (fields.u64(), fields.u64());
        let span = Span { oldest_ms, newest_ms, foreign: fields.u32() & FOREIGN != 0 };
        let rows_crc = fields.u32();
        let events = size.checked_sub(first)?;
        let head = Self { first, size, entries_bytes, slots: FileSum { bytes: slots_bytes, sha256 }, span, rows_crc };
        (1..=EVENTS_MAX).contains(&events).then_some(head)
    }
}

/// Takes little-endian fields off bytes; past the end they are zero.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        if let Some((head, rest)) = self.0.split_at_checked(N) {
            taken.copy_from_slice(head);
            self.0 = rest;
        }
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}
