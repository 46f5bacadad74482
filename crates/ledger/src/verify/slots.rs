//! Slots against the commitments of their envelopes: right, missing, altered or nobody's.

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_event::SlotName;

use super::fold::Fold;
use super::own::bit;
use crate::line::{Commitments, SLOT_LABEL, SlotLine};
use crate::report::Finding;

const PREFIX_BYTES: usize = SLOT_LABEL.len() + 16;

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
        let message = [&prefix(&slot.salt) as &[u8], slot.value].concat();
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &message).as_ref());
        Self { seq: slot.seq, name: slot.name, bytes: slot.value.len(), hash }
    }
}

/// Returns what stands before the value in the bytes that are committed to.
pub(super) fn prefix(salt: &[u8; 16]) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    prefix[..SLOT_LABEL.len()].copy_from_slice(SLOT_LABEL.as_bytes());
    prefix[SLOT_LABEL.len()..].copy_from_slice(salt);
    prefix
}

/// Checks slots of one event at a time.
pub(super) struct SlotCheck {
    file: String,
    seq: u64,
    wanted: Commitments,
    /// The slots still to come, as bits.
    open: u8,
}

impl SlotCheck {
    pub(super) fn new(file: String) -> Self {
        Self { file, seq: 0, wanted: Commitments::default(), open: 0 }
    }

    /// Starts with the slots that event `seq` commits to.
    pub(super) fn begin(&mut self, seq: u64, wanted: Commitments) {
        self.seq = seq;
        self.open = wanted.iter().fold(0, |bits, commitment| bits | bit(commitment.name));
        self.wanted = wanted;
    }

    /// Takes a slot line of the event; those of an event come in the order of their names.
    pub(super) fn slot(&mut self, fold: &mut Fold<'_>, slot: &Found, line_bytes: usize) {
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
        if commitment.bytes != slot.bytes as u64 || commitment.hash != slot.hash {
            let detail = format!("slot {} is not what the envelope commits to", slot.name.as_str());
            fold.add(Finding::fail("slot-altered", self.file.clone(), detail).at(slot.seq));
        }
        self.miss(fold, skipped);
    }

    /// Reports a slot line that no envelope commits to.
    pub(super) fn extra(&self, fold: &mut Fold<'_>, slot: &Found) {
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
}
