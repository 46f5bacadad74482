//! Slots against the commitments of their envelopes: right, missing, altered or nobody's.

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_event::SlotName;

use super::fold::Fold;
use super::own::bit;
use crate::line::{Commitments, SLOT_LABEL, SlotLine, SlotParts, slot_head};
use crate::report::Finding;

/// Which slots of which events are not there: one byte an event, from the first to the last that misses one.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing {
    first: u64,
    bits: Vec<u8>,
}

impl Missing {
    pub(super) fn new(first: u64) -> Self {
        Self { first, bits: Vec::new() }
    }

    pub(super) fn add(&mut self, seq: u64, name: SlotName) {
        let at = (seq - self.first) as usize;
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        self.bits[at] |= bit(name);
    }

    /// Yields the events that miss a slot, with the bits of the slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u8)> {
        self.bits.iter().zip(self.first..).filter(|(bits, _)| **bits != 0).map(|(bits, seq)| (seq, *bits))
    }
}

/// A slot line, as far as it is judged.
pub(super) struct Found {
    pub(super) seq: u64,
    pub(super) name: SlotName,
    /// Bytes of the value.
    pub(super) bytes: usize,
    /// Hash of label, salt and value.
    pub(super) hash: [u8; 32],
}

impl Found {
    /// Hashes a slot line.
    pub(super) fn of(slot: &SlotLine<'_>) -> Self {
        let message = [SLOT_LABEL.as_bytes(), &slot.salt, slot.value].concat();
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &message).as_ref());
        Self { seq: slot.seq, name: slot.name, bytes: slot.value.len(), hash }
    }
}

/// Checks slots of one event at a time, in the order of its commitments.
pub(super) struct SlotCheck {
    file: String,
    seq: u64,
    /// What the event commits to; parsed into here.
    pub(super) wanted: Commitments,
    /// How many of those have come, or cannot come any more.
    done: usize,
    /// How every slot line of the event starts.
    head: Vec<u8>,
}

impl SlotCheck {
    pub(super) fn new(file: String) -> Self {
        Self { file, seq: 0, wanted: Commitments::default(), done: 0, head: Vec::new() }
    }

    /// Starts with event `seq`, whose commitments are in `wanted`.
    pub(super) fn begin(&mut self, seq: u64) {
        (self.seq, self.done) = (seq, 0);
        slot_head(&mut self.head, seq);
    }

    /// Tells that every slot has come and that `line` is of another event.
    pub(super) fn is_over(&self, line: &[u8]) -> bool {
        self.wanted.nth(self.done).is_none() && !line.starts_with(&self.head)
    }

    /// Takes the parts of a slot line of the event.
    #[inline(always)]
    pub(super) fn parts(&self, line: &[u8]) -> Option<SlotParts> {
        SlotParts::of(line, &self.head)
    }

    /// Takes a slot line of the event; those of an event come in the order of their names.
    #[inline]
    pub(super) fn slot(&mut self, fold: &mut Fold<'_>, slot: &Found, line_bytes: usize) {
        match self.wanted.nth(self.done).filter(|next| slot.seq == self.seq && next.name == slot.name) {
            Some(next) if next.bytes == slot.bytes as u64 && next.hash == slot.hash => {
                fold.batch_bytes += line_bytes as u64 + 1;
                fold.out.slots += 1;
                self.done += 1;
            }
            _ => self.judge(fold, slot, line_bytes),
        }
    }

    /// Judges a slot line that is not what the next commitment says.
    #[cold]
    fn judge(&mut self, fold: &mut Fold<'_>, slot: &Found, line_bytes: usize) {
        fold.batch_bytes += line_bytes as u64 + 1;
        let mut at = self.done;
        while slot.seq == self.seq && self.wanted.nth(at).is_some_and(|next| next.name < slot.name) {
            at += 1;
        }
        let Some(commitment) = self.wanted.nth(at).filter(|next| slot.seq == self.seq && next.name == slot.name) else {
            return self.extra(fold, slot);
        };
        let good = commitment.bytes == slot.bytes as u64 && commitment.hash == slot.hash;
        self.miss(fold, at);
        self.done = at + 1;
        fold.out.slots += 1;
        if !good {
            let detail = format!("slot {} is not what the envelope commits to", slot.name.as_str());
            fold.add(Finding::fail("slot-altered", self.file.clone(), detail).at(slot.seq));
        }
    }

    /// Reports a slot line that no envelope commits to.
    pub(super) fn extra(&self, fold: &mut Fold<'_>, slot: &Found) {
        fold.batch_whole = false;
        let detail = format!("there is a slot {} that no envelope commits to at this place", slot.name.as_str());
        fold.add(Finding::fail("slot-extra", self.file.clone(), detail).at(slot.seq));
    }

    /// Notes the slots that did not come.
    pub(super) fn end(&mut self, fold: &mut Fold<'_>) {
        self.miss(fold, usize::MAX);
        self.wanted.clear();
        self.done = 0;
    }

    /// Notes the slots from the first that is still awaited up to the one at `to`.
    fn miss(&self, fold: &mut Fold<'_>, to: usize) {
        let mut at = self.done;
        while let Some(missed) = self.wanted.nth(at).filter(|_| at < to) {
            fold.batch_whole = false;
            fold.out.missing.add(self.seq, missed.name);
            at += 1;
        }
    }
}
