//! An active segment: its batches, found once and remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sealtrail_disk::{DiskFile, read_exact_at};
use sealtrail_event::AuditId;
use sealtrail_tlog::Seq;

use super::ids::{Span as IdSpan, Wanted};
use super::segment::has_id;
use super::wal::{Batches, whole_batch};
use super::{ReadError, Stored, StoredSlot};
use crate::line::{Kind, Line, Time};

/// One batch in the file.
#[derive(Clone, Copy)]
struct Span {
    size: u64,
    offset: u64,
}

/// The committed part of a file in `wal/`.
pub(super) struct Active {
    first: u64,
    file: Arc<dyn DiskFile>,
    batches: Vec<Span>,
    end: u64,
    last: Option<Time>,
    /// What is known of the batches that were looked at, by their number; shared with what was known of the file before.
    known: Arc<Mutex<HashMap<usize, Arc<Known>>>>,
}

/// What is known of the events of one batch, six bytes an event.
struct Known {
    ids: IdSpan,
    /// Fingerprints of the ids, in order.
    prints: Vec<u16>,
    /// Where each event starts in the batch, and where the last one ends.
    starts: Vec<u32>,
}

impl Active {
    /// Finds the whole batches of `file`; of the same file `known` before, only what came after is read.
    pub(super) fn scan(first: u64, file: Arc<dyn DiskFile>, known: Option<&Self>) -> Result<Self, ReadError> {
        let mut active = Self { first, file, batches: Vec::new(), end: 0, last: None, known: Arc::default() };
        if let Some(known) = known {
            active.batches.clone_from(&known.batches);
            (active.end, active.last) = (known.end, known.last);
            active.known = Arc::clone(&known.known);
        }
        let mut batches = Batches::new(Arc::clone(&active.file), active.end);
        while let Some(batch) = batches.next()? {
            if batch.commit.commit.size <= active.size() {
                break;
            }
            active.batches.push(Span { size: batch.commit.commit.size, offset: batch.offset });
            (active.end, active.last) = (batch.end, Some(batch.commit.commit.time));
        }
        Ok(active)
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn size(&self) -> u64 {
        self.batches.last().map_or(self.first, |span| span.size)
    }

    pub(super) fn last(&self) -> Option<Time> {
        self.last
    }

    /// Returns the events of the batch that `seq` lies in.
    pub(super) fn batch_of(&self, seq: u64) -> Result<Vec<Stored>, ReadError> {
        let at = self.number_of(seq)?;
        let bytes = self.bytes(at)?;
        self.events(whole_batch(&bytes).ok_or_else(|| self.missing(seq))?)
    }

    /// Returns one event.
    pub(super) fn event(&self, seq: u64) -> Result<Stored, ReadError> {
        let at = self.number_of(seq)?;
        let (known, nth) = (self.known(at)?, usize::try_from(seq - self.first_of(at)).unwrap_or(usize::MAX));
        let (Some(from), Some(to)) = (known.starts.get(nth), known.starts.get(nth.saturating_add(1))) else {
            return Err(self.missing(seq));
        };
        let mut bytes = vec![0; (to - from) as usize];
        read_exact_at(&*self.file, &mut bytes, self.batches[at].offset + u64::from(*from))?;
        let event = self.events(&bytes)?.pop();
        event.filter(|event| event.seq.0 == seq).ok_or_else(|| self.missing(seq))
    }

    /// Finds an event by its id.
    pub(super) fn find(&self, id: &AuditId, wanted: Wanted) -> Result<Option<Stored>, ReadError> {
        for at in 0..self.batches.len() {
            let known = self.known(at)?;
            if !known.ids.may_hold(wanted) {
                continue;
            }
            for (seq, _) in (self.first_of(at)..).zip(&known.prints).filter(|(_, print)| **print == wanted.print) {
                let event = self.event(seq)?;
                if has_id(&event.envelope, id) {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    /// Returns the number of the batch that `seq` lies in.
    fn number_of(&self, seq: u64) -> Result<usize, ReadError> {
        let at = self.batches.partition_point(|span| span.size <= seq);
        if at < self.batches.len() && seq >= self.first { Ok(at) } else { Err(self.missing(seq)) }
    }

    fn first_of(&self, at: usize) -> u64 {
        at.checked_sub(1).map_or(self.first, |before| self.batches[before].size)
    }

    /// Reads a batch with its commit line.
    fn bytes(&self, at: usize) -> Result<Vec<u8>, ReadError> {
        let from = self.batches[at].offset;
        let to = self.batches.get(at + 1).map_or(self.end, |next| next.offset);
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
        read_exact_at(&*self.file, &mut bytes, from)?;
        Ok(bytes)
    }

    /// Returns what is known of a batch; looks through it the first time.
    fn known(&self, at: usize) -> Result<Arc<Known>, ReadError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&at) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.bytes(at)?;
        let lines = whole_batch(&bytes).ok_or_else(|| self.missing(self.first_of(at)))?;
        let mut known = Known { ids: IdSpan::EMPTY, prints: Vec::new(), starts: Vec::new() };
        let mut from = 0;
        for to in memchr::memchr_iter(b'\n', lines) {
            let line = &lines[from..to];
            if Line::kind(line) == Some(Kind::Envelope) {
                let wanted = Wanted::in_line(line);
                known.ids.add(wanted);
                known.prints.push(wanted.print);
                known.starts.push(u32::try_from(from).unwrap_or(u32::MAX));
            }
            from = to + 1;
        }
        known.starts.push(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let known = Arc::new(known);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(at, Arc::clone(&known));
        Ok(known)
    }

    /// Parses the lines of events.
    fn events(&self, lines: &[u8]) -> Result<Vec<Stored>, ReadError> {
        let mut events: Vec<Stored> = Vec::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match Line::parse(line).map_err(|source| ReadError::Line { file: self.name(), source })? {
                Line::Envelope(envelope) => {
                    events.push(Stored { seq: Seq(envelope.seq), envelope: line.to_vec(), slots: Vec::new() });
                }
                Line::Slot(slot) => {
                    let event = events.last_mut().filter(|event| event.seq.0 == slot.seq);
                    event.ok_or_else(|| self.missing(slot.seq))?.slots.push(StoredSlot::new(&slot, &self.name())?);
                }
                Line::Mac(_) | Line::Commit(_) => {}
            }
        }
        Ok(events)
    }

    fn missing(&self, seq: u64) -> ReadError {
        ReadError::Missing { file: self.name(), seq }
    }

    pub(super) fn name(&self) -> String {
        format!("wal/{:012}.wal", self.first)
    }
}
