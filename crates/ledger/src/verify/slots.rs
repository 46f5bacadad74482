//! Slots against the commitments of their envelopes: right, missing, altered or nobody's.

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_event::SlotName;

use super::fold::Fold;
use super::own::bit;
use crate::line::{Commitment, Commitments, SLOT_LABEL, SlotLine};
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

/// Checks slots of one event at a time.
pub(super) struct SlotCheck {
    file: String,
    message: Vec<u8>,
    seq: u64,
    wanted: Commitments,
    /// The slots still to come, as bits.
    open: u8,
}

impl SlotCheck {
    pub(super) fn new(file: String) -> Self {
        Self { file, message: Vec::new(), seq: 0, wanted: Commitments::default(), open: 0 }
    }

    /// Starts with the slots that event `seq` commits to.
    pub(super) fn begin(&mut self, seq: u64, wanted: Commitments) {
        self.seq = seq;
        self.open = wanted.iter().fold(0, |bits, commitment| bits | bit(commitment.name));
        self.wanted = wanted;
    }

    /// Takes a slot line of the event; those of an event come in the order of their names.
    pub(super) fn slot(&mut self, fold: &mut Fold<'_>, slot: &SlotLine<'_>, line_bytes: usize) {
        fold.batch_bytes += line_bytes as u64 + 1;
        let bits = bit(slot.name);
        let open = self.open & bits != 0 && slot.seq == self.seq;
        let Some(commitment) = self.wanted.get(slot.name).filter(|_| open) else {
            return self.extra(fold, slot);
        };
        // The slots before it in the order cannot come any more.
        let skipped = self.open & (bits - 1);
        self.open &= !(bits | skipped);
        fold.out.slots += 1;
        if !self.matches(slot, *commitment) {
            let detail = format!("slot {} is not what the envelope commits to", slot.name.as_str());
            fold.add(Finding::fail("slot-altered", self.file.clone(), detail).at(slot.seq));
        }
        self.miss(fold, skipped);
    }

    /// Reports a slot line that no envelope commits to.
    pub(super) fn extra(&self, fold: &mut Fold<'_>, slot: &SlotLine<'_>) {
        fold.batch_whole = false;
        let detail = format!("there is a slot {} that no envelope commits to at this place", slot.name.as_str());
        fold.add(Finding::fail("slot-extra", self.file.clone(), detail).at(slot.seq));
    }

    /// Notes the slots that did not come.
    pub(super) fn end(&mut self, fold: &mut Fold<'_>) {
        let open = std::mem::take(&mut self.open);
        self.miss(fold, open);
    }

    fn miss(&self, fold: &mut Fold<'_>, bits: u8) {
        if bits == 0 {
            return;
        }
        fold.batch_whole = false;
        for name in SlotName::ALL.iter().filter(|name| bits & bit(**name) != 0) {
            fold.out.missing.add(self.seq, *name);
        }
    }

    fn matches(&mut self, slot: &SlotLine<'_>, commitment: Commitment) -> bool {
        self.message.clear();
        self.message.extend_from_slice(SLOT_LABEL.as_bytes());
        self.message.extend_from_slice(&slot.salt);
        self.message.extend_from_slice(slot.value);
        commitment.bytes == slot.value.len() as u64 && digest(&SHA256, &self.message).as_ref() == commitment.hash
    }
}
