//! One batch in the making: events become lines, leaves, chain and macs.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use sealtrail_event::{ENVELOPE_BYTES_MAX, Event, SLOT_BYTES_MAX, Slot};
use sealtrail_tlog::{LeafHash, leaf_hash};

use crate::head::{Head, TileNode, chain_next, sha256};
use crate::keys::mac;
use crate::line::{Commitment, MacLine, write_envelope, write_slot};

const SLOT_LABEL: &[u8] = b"sealtrail/slot/v1\n";

/// Why an event cannot be sealed; the event is at fault, not the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Reject {
    /// The envelope line is too long.
    #[error("its envelope line has {found} bytes, the limit is {ENVELOPE_BYTES_MAX}")]
    EnvelopeTooLong {
        /// Bytes found.
        found: usize,
    },
    /// A number that JSON cannot say.
    #[error("its cost_usd is no finite number")]
    Cost,
    /// A string of the envelope holds a quote or a backslash.
    #[error("a string of its envelope holds a quote, a backslash or a control character")]
    Escape,
    /// Only the ledger writes `ledger.*` events.
    #[error("its type {found} is reserved for the ledger itself")]
    Reserved {
        /// Type found.
        found: String,
    },
    /// A slot is no compact JSON object within the limit.
    #[error("its slot {slot} has {found} bytes and must be one JSON object on one line of at most {SLOT_BYTES_MAX}")]
    Slot {
        /// Name of the slot.
        slot: &'static str,
        /// Bytes found.
        found: usize,
    },
    /// Slots are out of order or doubled.
    #[error("its slot {slot} is out of order or there twice")]
    SlotOrder {
        /// Name of the slot.
        slot: &'static str,
    },
}

/// A batch that grows event by event; the head it started from is untouched until it is done.
pub(crate) struct Draft<'a> {
    pub(crate) head: Head,
    pub(crate) out: Vec<u8>,
    pub(crate) nodes: Vec<TileNode>,
    pub(crate) events: usize,
    scratch: &'a mut Vec<u8>,
    mac: Option<hmac::Key>,
    macs: Vec<[u8; 32]>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(head: Head, mut out: Vec<u8>, scratch: &'a mut Vec<u8>) -> Self {
        out.clear();
        let mac = head.mac.as_ref().map(|key| key.prepare());
        Self { head, out, nodes: Vec::new(), events: 0, scratch, mac, macs: Vec::new() }
    }

    /// Returns the most bytes that an event can add to a batch.
    pub(crate) fn bytes_at_most(event: &Event) -> usize {
        ENVELOPE_BYTES_MAX + event.slots.iter().map(|slot| slot.json.len() + 128).sum::<usize>()
    }

    /// Adds one event; its slots take their salts from the front of `salts`. Nothing is added when it is rejected.
    pub(crate) fn add(&mut self, event: &Event, salts: &mut &[[u8; 16]]) -> Result<LeafHash, Reject> {
        let start = self.out.len();
        let added = self.write(event, salts);
        if added.is_err() {
            self.out.truncate(start);
        }
        added
    }

    fn write(&mut self, event: &Event, all_salts: &mut &[[u8; 16]]) -> Result<LeafHash, Reject> {
        const NONE: Commitment = Commitment { name: sealtrail_event::SlotName::Raw, hash: [0; 32], bytes: 0 };
        let seq = self.head.size();
        check_slots(&event.slots)?;
        // The builder drew one salt for each slot of the batch.
        let (salts, rest) = all_salts.split_at(event.slots.len().min(all_salts.len()));
        *all_salts = rest;
        let mut commitments = [NONE; sealtrail_event::SlotName::ALL.len()];
        for ((slot, salt), commitment) in event.slots.iter().zip(salts).zip(&mut commitments) {
            *commitment = Commitment { name: slot.name, hash: commit(salt, slot.json.as_bytes()), bytes: slot.json.len() as u64 };
        }
        let commitments = &commitments[..event.slots.len().min(salts.len())];

        self.scratch.clear();
        if event.envelope.cost_usd.is_some_and(|cost| !cost.is_finite()) {
            return Err(Reject::Cost);
        }
        event.envelope.write_members_to(self.scratch);
        if memchr::memchr(b'\\', self.scratch).is_some() {
            return Err(Reject::Escape);
        }
        let start = self.out.len();
        write_envelope(&mut self.out, seq, self.scratch, commitments);
        let line = self.out.len() - start;
        if line > ENVELOPE_BYTES_MAX {
            return Err(Reject::EnvelopeTooLong { found: line });
        }
        let leaf = leaf_hash(&self.out[start..]);
        self.out.push(b'\n');
        for (slot, salt) in event.slots.iter().zip(salts) {
            write_slot(&mut self.out, seq, slot.name, salt, slot.json.as_bytes());
            self.out.push(b'\n');
        }
        self.grow(seq, leaf);
        Ok(leaf)
    }

    fn grow(&mut self, seq: u64, leaf: LeafHash) {
        let nodes = &mut self.nodes;
        self.head.frontier.push_with(leaf, |id, hash| {
            if id.level.is_multiple_of(sealtrail_tlog::tile::TILE_HEIGHT) {
                nodes.push((id, hash));
            }
        });
        self.head.chain = chain_next(&self.head.chain, &leaf);
        if let Some(key) = &self.mac {
            self.macs.push(mac(key, seq, &self.head.chain));
        }
        self.events += 1;
    }

    /// Closes the batch with the mac line.
    pub(crate) fn write_macs(&mut self) {
        if self.mac.is_some() {
            MacLine::new(&self.macs).write(&mut self.out);
            self.out.push(b'\n');
        }
    }
}

fn check_slots(slots: &[Slot]) -> Result<(), Reject> {
    for (at, slot) in slots.iter().enumerate() {
        let json = slot.json.as_bytes();
        let object = matches!(json, [b'{', .., b'}']) && json.len() <= SLOT_BYTES_MAX && memchr::memchr(b'\n', json).is_none();
        if !object {
            return Err(Reject::Slot { slot: slot.name.as_str(), found: json.len() });
        }
        if at > 0 && slots[at - 1].name >= slot.name {
            return Err(Reject::SlotOrder { slot: slot.name.as_str() });
        }
    }
    Ok(())
}

/// Returns the commitment to a slot value.
///
/// One call over one buffer for small values: a digest context costs an allocation, a copy does not.
pub(crate) fn commit(salt: &[u8; 16], value: &[u8]) -> [u8; 32] {
    match value.len() {
        0..=200 => commit_on_stack::<256>(salt, value),
        201..=900 => commit_on_stack::<1024>(salt, value),
        _ => {
            let mut context = Context::new(&SHA256);
            context.update(SLOT_LABEL);
            context.update(salt);
            context.update(value);
            let mut out = [0; 32];
            out.copy_from_slice(context.finish().as_ref());
            out
        }
    }
}

fn commit_on_stack<const N: usize>(salt: &[u8; 16], value: &[u8]) -> [u8; 32] {
    const HEAD: usize = SLOT_LABEL.len() + 16;
    let mut buffer = [0; N];
    buffer[..SLOT_LABEL.len()].copy_from_slice(SLOT_LABEL);
    buffer[SLOT_LABEL.len()..HEAD].copy_from_slice(salt);
    buffer[HEAD..HEAD + value.len()].copy_from_slice(value);
    sha256(&buffer[..HEAD + value.len()])
}
