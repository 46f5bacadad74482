//! An active segment: its batches, found once and remembered.

use std::sync::Arc;

use sealtrail_disk::DiskFile;
use sealtrail_event::AuditId;
use sealtrail_tlog::Seq;

use super::ids::id_in;
use super::wal::Batches;
use super::{ReadError, Stored, StoredSlot};
use crate::line::{EnvelopeLine, Line, Time};

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
}

impl Active {
    /// Finds the whole batches of `file`; of the same file `known` before, only what came after is read.
    pub(super) fn scan(first: u64, file: Arc<dyn DiskFile>, known: Option<&Self>) -> Result<Self, ReadError> {
        let mut active = Self { first, file, batches: Vec::new(), end: 0, last: None };
        if let Some(known) = known {
            active.batches.clone_from(&known.batches);
            (active.end, active.last) = (known.end, known.last);
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
    pub(super) fn find(&self, id: &AuditId) -> Result<Option<Stored>, ReadError> {
        let finder = memchr::memmem::Finder::new(id.as_str());
        let mut batches = Batches::new(Arc::clone(&self.file), 0);
        while let Some(batch) = batches.next()?.filter(|batch| batch.end <= self.end) {
            if finder.find(batch.lines).is_none() {
                continue;
            }
            for line in batch.lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"v\":")) {
                let envelope = EnvelopeLine::parse(line).map_err(|source| ReadError::Line { file: self.name(), source })?;
                if id_in(envelope.members) == Some(id.as_str().as_bytes()) {
                    return self.event(envelope.seq).map(Some);
                }
            }
        }
        Ok(None)
    }

    pub(super) fn name(&self) -> String {
        format!("wal/{:012}.wal", self.first)
    }
}
