//! An active segment: its batches, found once and remembered.

use std::sync::{Arc, Mutex, PoisonError};

use sealtrail_disk::DiskFile;
use sealtrail_event::AuditId;
use sealtrail_tlog::Seq;

use super::ids::{Span as IdSpan, Wanted};
use super::segment::has_id;
use super::wal::Batches;
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
    /// Ids of the first batches, as far as somebody asked for one; shared with what was known of the file before.
    ids: Arc<Mutex<Vec<BatchIds>>>,
}

/// What is known of the ids of one batch.
struct BatchIds {
    span: IdSpan,
    /// Their fingerprints, in order.
    prints: Vec<u16>,
}

impl Active {
    /// Finds the whole batches of `file`; of the same file `known` before, only what came after is read.
    pub(super) fn scan(first: u64, file: Arc<dyn DiskFile>, known: Option<&Self>) -> Result<Self, ReadError> {
        let mut active = Self { first, file, batches: Vec::new(), end: 0, last: None, ids: Arc::default() };
        if let Some(known) = known {
            active.batches.clone_from(&known.batches);
            (active.end, active.last) = (known.end, known.last);
            active.ids = Arc::clone(&known.ids);
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
        let at = self.batches.partition_point(|span| span.size <= seq);
        let missing = || ReadError::Missing { file: self.name(), seq };
        let span = self.batches.get(at).ok_or_else(missing)?;
        let mut batches = Batches::new(Arc::clone(&self.file), span.offset);
        let batch = batches.next()?.ok_or_else(missing)?;
        let mut events: Vec<Stored> = Vec::new();
        for line in batch.lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match Line::parse(line).map_err(|source| ReadError::Line { file: self.name(), source })? {
                Line::Envelope(envelope) => {
                    events.push(Stored { seq: Seq(envelope.seq), envelope: line.to_vec(), slots: Vec::new() });
                }
                Line::Slot(slot) => {
                    let event = events.last_mut().filter(|event| event.seq.0 == slot.seq);
                    event.ok_or_else(missing)?.slots.push(StoredSlot::new(&slot, &self.name())?);
                }
                Line::Mac(_) | Line::Commit(_) => {}
            }
        }
        Ok(events)
    }

    /// Returns one event.
    pub(super) fn event(&self, seq: u64) -> Result<Stored, ReadError> {
        let missing = || ReadError::Missing { file: self.name(), seq };
        self.batch_of(seq)?.into_iter().find(|event| event.seq.0 == seq).ok_or_else(missing)
    }

    /// Finds an event by its id.
    pub(super) fn find(&self, id: &AuditId, wanted: Wanted) -> Result<Option<Stored>, ReadError> {
        for seq in self.candidates(wanted)? {
            let event = self.event(seq)?;
            if has_id(&event.envelope, id) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Returns the positions that may be the wanted id's.
    fn candidates(&self, wanted: Wanted) -> Result<Vec<u64>, ReadError> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        for span in self.batches.iter().skip(ids.len()) {
            ids.push(self.ids_of(span)?);
        }
        let firsts = std::iter::once(self.first).chain(self.batches.iter().map(|span| span.size));
        let mut found = Vec::new();
        for (first, batch) in firsts.zip(ids.iter()).filter(|(_, batch)| batch.span.may_hold(wanted)) {
            let alike = (first..).zip(&batch.prints).filter(|(_, print)| **print == wanted.print);
            found.extend(alike.map(|(seq, _)| seq));
        }
        Ok(found)
    }

    fn ids_of(&self, span: &Span) -> Result<BatchIds, ReadError> {
        let mut ids = BatchIds { span: IdSpan::EMPTY, prints: Vec::new() };
        let mut batches = Batches::new(Arc::clone(&self.file), span.offset);
        let missing = || ReadError::Missing { file: self.name(), seq: span.size - 1 };
        let batch = batches.next()?.ok_or_else(missing)?;
        for line in batch.lines.split(|byte| *byte == b'\n').filter(|line| Line::kind(line) == Some(Kind::Envelope)) {
            let wanted = Wanted::in_line(line);
            ids.span.add(wanted);
            ids.prints.push(wanted.print);
        }
        Ok(ids)
    }

    pub(super) fn name(&self) -> String {
        format!("wal/{:012}.wal", self.first)
    }
}
