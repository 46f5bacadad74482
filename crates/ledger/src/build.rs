//! Builds signed batches in memory. It has no disk, so the next batch can be built while the last one is being synced.

use std::borrow::Borrow;
use std::sync::{Arc, Mutex};

use sealtrail_event::Event;
use sealtrail_tlog::{KeyError, LeafHash, Seq, SigningKey, TreeSize};

use crate::draft::{Draft, Reject};
use crate::head::{Clocks, Head, TileNode};
use crate::keys::{KeyChange, epoch_name, new_key};
use crate::line::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Commit, CommitLine, KeyKind};
use crate::own::{Gap, Own};
use crate::stamp::{Entropy, Stamp};

/// 10 minutes of monotonic time: the longest epoch.
const EPOCH_NS_MAX: u64 = 600 * 1_000_000_000;
/// 1 second: the smallest step of the wall clock that is written down.
const CLOCK_STEP_MS: u64 = 1_000;
/// 4 KiB: room in a batch for the events the ledger adds by itself (a clock step and an epoch, each under 1.5 KiB).
const OWN_BYTES: usize = 4 * 1024;
/// 8 KiB: a batch of a few usual events fits without growing.
const BUFFER_BYTES: usize = 8 * 1024;
/// Buffers kept for the next batches: one being built, one being synced.
const BUFFERS: usize = 2;

/// The proof that an event is recorded: durable, in the tree, signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Position in the log.
    pub seq: Seq,
    /// Hash of its envelope line.
    pub leaf_hash: LeafHash,
    /// Size of the first signed tree that holds it.
    pub tree_size: TreeSize,
}

/// Why a batch cannot be built. The builder is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// One event cannot be sealed; the caller may leave it out and try again.
    #[error("cannot seal event {index} of the batch")]
    Rejected {
        /// Its place among the events given.
        index: usize,
        /// Why.
        source: Reject,
    },
    /// A key could not be made.
    #[error("cannot make the key of the next epoch")]
    Key {
        /// Why.
        #[from]
        source: KeyError,
    },
}

impl BuildError {
    /// Counts the rejected event from the front of a longer list, of which `done` are sealed.
    pub(crate) fn after(self, done: usize) -> Self {
        match self {
            Self::Rejected { index, source } => Self::Rejected { index: index + done, source },
            other => other,
        }
    }
}

/// A batch of events as it will be written: lines, macs, signed commit.
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) first: u64,
    pub(crate) nodes: Vec<TileNode>,
    pub(crate) after: Head,
    pub(crate) key_change: Option<KeyChange>,
    /// Whether the reserve may be spent on it: it only says what happened to the ledger.
    pub(crate) own: bool,
    last_own: Seq,
    receipts: Vec<Receipt>,
}

impl Batch {
    /// Returns the position of the last event of the ledger itself that it was asked to hold.
    pub(crate) fn last_own(&self) -> Seq {
        self.last_own
    }

    /// Returns how many bytes the batch takes in the WAL.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the number of bytes that it writes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns how many of the events given to [`Builder::build`] are in the batch, from the first; the rest needs another batch.
    pub fn taken(&self) -> usize {
        self.receipts.len()
    }

    /// Returns the receipts of those events. They mean nothing before the batch is committed.
    pub(crate) fn into_receipts(self) -> (Vec<Receipt>, Vec<u8>) {
        (self.receipts, self.bytes)
    }
}

/// Limits that tests make small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EpochLimits {
    pub(crate) events: u64,
}

/// Turns events into batches, one after the other.
pub struct Builder {
    pub(crate) head: Head,
    pub(crate) origin: Arc<str>,
    pub(crate) log_key: Arc<SigningKey>,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) limits: EpochLimits,
    pub(crate) buffers: Buffers,
    pub(crate) scratch: Vec<u8>,
    pub(crate) salts: Vec<[u8; 16]>,
}

/// Buffers that go round between builder and committer.
pub(crate) type Buffers = Arc<Mutex<Vec<Vec<u8>>>>;

/// Gives a buffer back; a large one is let go.
pub(crate) fn give_back(buffers: &Buffers, buffer: Vec<u8>) {
    if let Ok(mut kept) = buffers.lock()
        && kept.len() < BUFFERS
        && buffer.capacity() <= BATCH_BYTES_MAX
    {
        kept.push(buffer);
    }
}

/// What else goes into a batch.
#[derive(Default)]
pub(crate) struct Extra<'a> {
    /// Events of the ledger itself, before all others.
    pub(crate) own: Vec<Event>,
    /// A change of epoch at the end, and why.
    pub(crate) epoch: Option<&'a str>,
    /// The epoch whose key is lost: the commit is signed by the log key.
    pub(crate) lost: bool,
}

impl Builder {
    /// Builds the next batch from as many of `events` as fit, in order; see [`Batch::taken`].
    ///
    /// Adds a `ledger.clock` when the wall clock stepped and a `ledger.epoch` when the epoch has lasted its time.
    pub fn build<E: Borrow<Event>>(&mut self, events: &[E], stamp: &Stamp) -> Result<Batch, BuildError> {
        let events: Vec<&Event> = events.iter().take(BATCH_EVENTS_MAX).map(Borrow::borrow).collect();
        for (index, event) in events.iter().enumerate() {
            let envelope = &event.envelope;
            if envelope.ledger.is_some() || envelope.event_type.as_str().starts_with("ledger.") {
                let found = envelope.event_type.to_string();
                return Err(BuildError::Rejected { index, source: Reject::Reserved { found } });
            }
        }
        self.assemble(&events, stamp, Extra::default())
    }

    /// Builds the heartbeat: a batch with the next epoch, when the current one has lasted its time.
    pub fn tick(&mut self, stamp: &Stamp) -> Result<Option<Batch>, BuildError> {
        match self.epoch_due(&Clocks::of(stamp), self.head.size()) {
            Some(_) => self.assemble(&[], stamp, Extra::default()).map(Some),
            None => Ok(None),
        }
    }

    /// Builds a batch with a `ledger.gap`, which may be written even to a full disk.
    pub fn gap(&mut self, gap: &Gap, stamp: &Stamp) -> Result<Batch, BuildError> {
        let own = self.own(stamp).gap(gap).into_iter().collect();
        self.assemble(&[], stamp, Extra { own, ..Extra::default() })
    }

    /// Returns the size of the tree after everything that was built.
    pub fn size(&self) -> TreeSize {
        self.head.frontier.size()
    }

    pub(crate) fn own<'a>(&'a mut self, stamp: &'a Stamp) -> Own<'a> {
        Own { stamp, entropy: &mut *self.entropy }
    }

    /// Builds one batch: own events, the caller's, the change of epoch; then macs and commit.
    pub(crate) fn assemble(&mut self, events: &[&Event], stamp: &Stamp, mut extra: Extra<'_>) -> Result<Batch, BuildError> {
        let clocks = Clocks::of(stamp);
        let step_ms = clocks.step_ms(&self.head.clocks);
        if step_ms.unsigned_abs() > CLOCK_STEP_MS {
            extra.own.splice(0..0, self.own(stamp).clock(step_ms));
        }
        // An event too large to share a batch waits until the ledger's own events are written in one before it.
        let alone = events.first().is_some_and(|event| Draft::bytes_at_most(event) + OWN_BYTES > BATCH_BYTES_MAX);
        let events = if alone && !extra.own.is_empty() { &[] } else { &events[..events.len().min(BATCH_EVENTS_MAX - 8)] };
        let next_key = match extra.epoch.or(self.epoch_due(&clocks, self.head.size() + events.len() as u64)) {
            Some(why) if !alone => Some((why, new_key(&epoch_name(&self.origin, self.head.epoch + 1), &mut *self.entropy)?)),
            _ => None,
        };
        self.shake_salts(extra.own.iter().chain(events.iter().copied()).map(|event| event.slots.len()).sum());

        let first = self.head.size();
        let buffer = self.buffers.lock().ok().and_then(|mut kept| kept.pop()).unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES));
        let mut draft = Draft::new(self.head.clone(), buffer, &mut self.scratch);
        let mut salts = &self.salts[..];
        let own_only = events.is_empty();
        for event in &extra.own {
            draft.add(event, &mut salts).map_err(|source| BuildError::Rejected { index: 0, source })?;
        }
        let last_own = Seq(draft.head.size().saturating_sub(1));
        let mut receipts = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            if draft.events > 0 && draft.out.len() + Draft::bytes_at_most(event) + OWN_BYTES > BATCH_BYTES_MAX {
                break;
            }
            let seq = Seq(draft.head.size());
            let leaf_hash = draft.add(event, &mut salts).map_err(|source| BuildError::Rejected { index, source })?;
            receipts.push(Receipt { seq, leaf_hash, tree_size: TreeSize(0) });
        }
        if let Some((why, key)) = &next_key {
            let lost = extra.lost.then_some(draft.head.epoch);
            let mut own = Own { stamp, entropy: &mut *self.entropy };
            if let Some(event) = own.epoch(draft.head.epoch + 1, &key.verifier().to_string(), why, lost) {
                draft.add(&event, &mut salts).map_err(|source| BuildError::Rejected { index: events.len(), source })?;
            }
        }
        draft.write_macs();
        draft.head.clocks = clocks;
        let signer = if extra.lost { (&*self.log_key, KeyKind::Log) } else { (&*self.head.key, KeyKind::Epoch) };
        write_commit(&mut draft.out, &draft.head, &self.origin, signer);

        let Draft { mut head, out: bytes, nodes, .. } = draft;
        for receipt in &mut receipts {
            receipt.tree_size = head.frontier.size();
        }
        let key_change = next_key.map(|(_, key)| enter_epoch(&mut head, key));
        self.head = head.clone();
        Ok(Batch { bytes, first, nodes, after: head, key_change, own: own_only, last_own, receipts })
    }

    /// Tells why the epoch has to end with a batch that brings the tree to `size`, if it has to.
    fn epoch_due(&self, now: &Clocks, size: u64) -> Option<&'static str> {
        if size + BATCH_EVENTS_MAX.min(self.limits.events as usize / 2) as u64 >= self.head.epoch_first + self.limits.events {
            return Some("count");
        }
        (now.since(&self.head.epoch_began) >= EPOCH_NS_MAX).then_some("interval")
    }

    /// Takes the salts of a whole batch from one call for entropy.
    fn shake_salts(&mut self, n: usize) {
        self.salts.resize(n, [0; 16]);
        self.entropy.fill(self.salts.as_flattened_mut());
    }
}

/// Appends the signed commit line; `len` and `crc` cover everything before it.
fn write_commit(out: &mut Vec<u8>, head: &Head, origin: &str, (key, kind): (&SigningKey, KeyKind)) {
    let commit = Commit {
        size: head.size(),
        root: head.root().0,
        chain: head.chain,
        len: out.len() as u64,
        crc: crc32c::crc32c(out),
        time: head.clocks.time,
        mono: head.clocks.mono,
        boot: head.clocks.boot.clone(),
        epoch: head.epoch,
        key: kind,
    };
    let mut body = Vec::with_capacity(512);
    commit.write_body(&mut body);
    let sig = key.sign_raw(&Commit::signed_text(origin, &body));
    CommitLine::write(out, &body, &sig);
    out.push(b'\n');
}

/// Moves the head into the next epoch.
fn enter_epoch(head: &mut Head, key: SigningKey) -> KeyChange {
    head.epoch += 1;
    head.epoch_first = head.size();
    head.epoch_began = head.clocks.clone();
    head.mac = head.mac.as_ref().map(|mac| mac.evolve());
    let change = KeyChange { epoch_key: key.to_text(), mac_key: head.mac.as_ref().map(|mac| mac.to_text()) };
    head.key = Arc::new(key);
    change
}
