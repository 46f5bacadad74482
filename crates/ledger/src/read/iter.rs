//! Walks over events: all of them, oldest or newest first, or those of a list.

use std::sync::Arc;

use sealtrail_tlog::Seq;

use super::active::Active;
use super::cache::key;
use super::segment::{Decoded, Segment};
use super::{Place, ReadError, Reader, Stored};

/// Where a walk is: the segment or the batch that it read last.
enum Here {
    Sealed {
        first: u64,
        size: u64,
        segment: Arc<Segment>,
        decoded: Box<Decoded>,
    },
    /// Events of one batch, in order; none when single ones are wanted.
    Active {
        active: Arc<Active>,
        batch: Vec<Stored>,
    },
}

/// Reads one event after another, near the last one without doing again what was done for it.
struct Walk<'a> {
    reader: &'a Reader,
    here: Option<Here>,
    /// Whether neighbours follow, so that whole blocks are wanted.
    whole: bool,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader, whole: bool) -> Self {
        Self { reader, here: None, whole }
    }

    /// Returns the event at `seq`, or nothing past the end.
    fn event(&mut self, seq: u64) -> Result<Option<Stored>, ReadError> {
        if !self.is_here(seq) {
            self.leave();
            let Some(place) = self.reader.place_of(seq)? else { return Ok(None) };
            self.here = Some(self.reader.enter(place, seq, self.whole)?);
        }
        match &mut self.here {
            Some(Here::Sealed { segment, decoded, .. }) => segment.event(decoded, seq).map(Some),
            Some(Here::Active { active, .. }) if !self.whole => active.event(seq).map(Some),
            Some(Here::Active { active, batch }) => {
                let at = batch.first().and_then(|first| usize::try_from(seq.checked_sub(first.seq.0)?).ok());
                let event = at.and_then(|at| batch.get(at)).filter(|event| event.seq.0 == seq);
                event.cloned().map(Some).ok_or_else(|| ReadError::Missing { file: active.name(), seq })
            }
            None => Ok(None),
        }
    }

    fn is_here(&self, seq: u64) -> bool {
        match &self.here {
            Some(Here::Sealed { first, size, .. }) => (*first..*size).contains(&seq),
            Some(Here::Active { active, .. }) if !self.whole => (active.first()..active.size()).contains(&seq),
            Some(Here::Active { batch, .. }) => {
                batch.first().is_some_and(|first| first.seq.0 <= seq) && batch.last().is_some_and(|last| seq <= last.seq.0)
            }
            None => false,
        }
    }

    fn leave(&mut self) {
        if let Some(Here::Sealed { decoded, .. }) = self.here.take() {
            self.reader.cache.give_back(*decoded);
        }
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Reader {
    fn enter(&self, place: &Place, seq: u64, whole: bool) -> Result<Here, ReadError> {
        let manifest = match place {
            Place::Sealed(manifest) => manifest,
            Place::Active(active) => {
                let batch = if whole { active.batch_of(seq)? } else { Vec::new() };
                return Ok(Here::Active { active: Arc::clone(active), batch });
            }
        };
        let segment = self.cache.segment(&*self.disk, &self.dir, manifest)?;
        let mut decoded = Box::new(self.cache.buffers(key(manifest)));
        decoded.whole = whole;
        Ok(Here::Sealed { first: manifest.first, size: manifest.size, segment, decoded })
    }
}

/// Events in order; ends after the first error.
pub struct Events<'a> {
    walk: Walk<'a>,
    next: u64,
    failed: bool,
}

impl<'a> Events<'a> {
    pub(super) fn new(reader: &'a Reader, from: Seq) -> Self {
        Self { walk: Walk::new(reader, true), next: from.0, failed: false }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let event = self.walk.event(self.next);
        self.failed = event.is_err();
        self.next = self.next.saturating_add(1);
        event.transpose()
    }
}

/// Events from the newest to the oldest; ends after the first error.
///
/// Holds one block at a time: 32 events of a sealed segment, or one batch of the active one.
pub struct EventsBack<'a> {
    walk: Walk<'a>,
    /// Everything from here on was returned or is in `block`.
    to: u64,
    block: Vec<Stored>,
    failed: bool,
}

impl<'a> EventsBack<'a> {
    pub(super) fn new(reader: &'a Reader, to: Seq) -> Self {
        Self { walk: Walk::new(reader, true), to: to.0.min(reader.size().0), block: Vec::new(), failed: false }
    }

    fn step(&mut self) -> Result<Option<Stored>, ReadError> {
        if let Some(event) = self.block.pop() {
            return Ok(Some(event));
        }
        let Some(last) = self.to.checked_sub(1) else { return Ok(None) };
        // Enters the place of the last event; the block before it is read forward, as it is stored.
        let Some(event) = self.walk.event(last)? else { return Ok(None) };
        let from = match &self.walk.here {
            Some(Here::Sealed { segment, .. }) => segment.block_of(last),
            Some(Here::Active { batch, .. }) => batch.first().map_or(last, |first| first.seq.0),
            None => last,
        };
        for seq in from..last {
            self.block.extend(self.walk.event(seq)?);
        }
        self.to = from;
        Ok(Some(event))
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

/// The events at the positions of a list, in its order.
pub struct Picked<'a, I> {
    walk: Walk<'a>,
    wanted: I,
}

impl<'a, I> Picked<'a, I> {
    pub(super) fn new(reader: &'a Reader, wanted: I) -> Self {
        Self { walk: Walk::new(reader, false), wanted }
    }
}

impl<I: Iterator<Item = Seq>> Iterator for Picked<'_, I> {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let seq = self.wanted.next()?;
        let missing = || ReadError::Missing { file: "log".to_owned(), seq: seq.0 };
        Some(self.walk.event(seq.0).and_then(|event| event.ok_or_else(missing)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.wanted.size_hint()
    }
}
