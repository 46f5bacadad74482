//! Walks over every segment, oldest or newest event first.

use std::sync::Arc;

use sealtrail_tlog::Seq;

use super::active::Active;
use super::segment::{Segment, SegmentEvents};
use super::{Place, ReadError, Reader, Stored};
use crate::line::EnvelopeLine;

impl Place {
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::Sealed(manifest) => manifest.first,
            Self::Active(active) => active.first(),
        }
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Sealed(manifest) => manifest.size,
            Self::Active(active) => active.size(),
        }
    }

    /// Returns the time of the last commit; nothing for a segment without one.
    pub(super) fn last_unix_ns(&self) -> Option<i128> {
        match self {
            Self::Sealed(manifest) => Some(manifest.last_t.unix_ns()),
            Self::Active(active) => active.last().map(crate::line::Time::unix_ns),
        }
    }

    /// Reads the events `from` to `to` of this place; `jump` pays for an index when only a few are wanted.
    pub(super) fn events(&self, reader: &Reader, from: u64, to: u64, jump: bool) -> Result<PlaceEvents, ReadError> {
        match self {
            Self::Sealed(manifest) => {
                let mut segment = Segment::open(&*reader.disk, &reader.dir, manifest)?;
                if jump {
                    segment.index()?;
                }
                Ok(PlaceEvents::Sealed(Box::new(segment.read(from, to))))
            }
            Self::Active(active) => Ok(PlaceEvents::Active(ActiveEvents {
                active: Arc::clone(active),
                batch: Vec::new().into_iter(),
                next: from,
                end: to.min(active.size()),
            })),
        }
    }

    pub(super) fn find(&self, reader: &Reader, pick: impl FnMut(&EnvelopeLine<'_>) -> bool) -> Result<Option<u64>, ReadError> {
        match self {
            Self::Sealed(manifest) => Segment::open(&*reader.disk, &reader.dir, manifest)?.find(pick),
            Self::Active(active) => active.find(pick),
        }
    }
}

/// Events of one place, in order.
pub(super) enum PlaceEvents {
    Sealed(Box<SegmentEvents>),
    Active(ActiveEvents),
}

pub(super) struct ActiveEvents {
    active: Arc<Active>,
    batch: std::vec::IntoIter<Stored>,
    next: u64,
    end: u64,
}

impl PlaceEvents {
    pub(super) fn next(&mut self) -> Result<Option<Stored>, ReadError> {
        match self {
            Self::Sealed(events) => events.next(),
            Self::Active(events) => events.next(),
        }
    }
}

impl ActiveEvents {
    fn next(&mut self) -> Result<Option<Stored>, ReadError> {
        if self.next >= self.end {
            return Ok(None);
        }
        loop {
            if self.batch.len() == 0 {
                self.batch = self.active.batch_of(self.next)?.into_iter();
            }
            match self.batch.next() {
                Some(event) if event.seq.0 == self.next => {
                    self.next += 1;
                    return Ok(Some(event));
                }
                // Of the same batch, before the one asked for.
                Some(event) if event.seq.0 < self.next => {}
                _ => return Err(ReadError::Missing { file: "wal".to_owned(), seq: self.next }),
            }
        }
    }
}

/// Events in order; ends after the first error.
pub struct Events<'a> {
    reader: &'a Reader,
    next: u64,
    now: Option<PlaceEvents>,
    failed: bool,
}

impl<'a> Events<'a> {
    pub(super) fn new(reader: &'a Reader, from: Seq) -> Self {
        Self { reader, next: from.0, now: None, failed: false }
    }

    fn step(&mut self) -> Result<Option<Stored>, ReadError> {
        loop {
            if let Some(now) = &mut self.now {
                if let Some(event) = now.next()? {
                    self.next = event.seq.0 + 1;
                    return Ok(Some(event));
                }
                self.now = None;
            }
            let Some(place) = self.reader.place_of(self.next)? else { return Ok(None) };
            self.now = Some(place.events(self.reader, self.next, place.size(), self.next > place.first())?);
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let event = self.step();
        self.failed = event.is_err();
        event.transpose()
    }
}

/// Events from the newest to the oldest; ends after the first error.
///
/// Holds one block at a time: 256 events of a sealed segment, or one batch of the active one.
pub struct EventsBack<'a> {
    reader: &'a Reader,
    /// Everything from here on was returned or is in `block`.
    to: u64,
    block: Vec<Stored>,
    segment: Option<(u64, Segment)>,
    failed: bool,
}

impl<'a> EventsBack<'a> {
    pub(super) fn new(reader: &'a Reader, to: Seq) -> Self {
        Self { reader, to: to.0.min(reader.size().0), block: Vec::new(), segment: None, failed: false }
    }

    fn step(&mut self) -> Result<Option<Stored>, ReadError> {
        while self.block.is_empty() {
            let Some(last) = self.to.checked_sub(1) else { return Ok(None) };
            let Some(place) = self.reader.place_of(last)? else { return Ok(None) };
            match place {
                Place::Sealed(manifest) => self.read_block(manifest.first, place)?,
                Place::Active(active) => {
                    let mut batch = active.batch_of(self.to - 1)?;
                    batch.retain(|event| event.seq.0 < self.to);
                    let Some(first) = batch.first() else {
                        return Err(ReadError::Missing { file: "wal".to_owned(), seq: self.to - 1 });
                    };
                    self.to = first.seq.0;
                    self.block = batch;
                }
            }
        }
        Ok(self.block.pop())
    }

    fn read_block(&mut self, first: u64, place: &Place) -> Result<(), ReadError> {
        if self.segment.as_ref().is_none_or(|(open, _)| *open != first)
            && let Place::Sealed(manifest) = place
        {
            let mut segment = Segment::open(&*self.reader.disk, &self.reader.dir, manifest)?;
            segment.index()?;
            self.segment = Some((first, segment));
        }
        let Some((_, segment)) = &self.segment else { return Ok(()) };
        let (start, mut events) = segment.read_block_before(self.to);
        while let Some(event) = events.next()? {
            self.block.push(event);
        }
        self.to = start;
        Ok(())
    }
}

impl Iterator for EventsBack<'_> {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let event = self.step();
        self.failed = event.is_err();
        event.transpose()
    }
}
