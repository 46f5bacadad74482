//! The end of the log: all that is needed to append to it.

use std::sync::Arc;

use sealtrail_tlog::{Frontier, LeafHash, NodeHash, NodeId, Root, SigningKey};

use crate::keys::MacKey;
use crate::line::{CHAIN_LABEL, Time};
use crate::stamp::Stamp;

/// The state after a batch. Cheap to clone: a batch that fails is undone by going back to the last durable one.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) frontier: Frontier,
    pub(crate) chain: [u8; 32],
    pub(crate) epoch: u64,
    /// Size of the tree when the epoch began.
    pub(crate) epoch_first: u64,
    /// Clocks when the epoch began.
    pub(crate) epoch_began: Clocks,
    /// Clocks at the last batch.
    pub(crate) clocks: Clocks,
    /// Key of the epoch.
    pub(crate) key: Arc<SigningKey>,
    /// K_e, when the log has macs.
    pub(crate) mac: Option<MacKey>,
}

/// What a stamp said, in the form it has in commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clocks {
    pub(crate) time: Time,
    pub(crate) mono: u64,
    pub(crate) boot: Box<str>,
}

impl Clocks {
    pub(crate) fn of(stamp: &Stamp) -> Self {
        Self { time: Time::from_unix_ns(stamp.unix_ns), mono: stamp.mono_ns, boot: stamp.boot_word() }
    }

    /// Returns how far the wall clock moved against the monotonic one since `before`, in milliseconds; across a boot nobody knows.
    pub(crate) fn step_ms(&self, before: &Self) -> i64 {
        if self.boot != before.boot {
            return 0;
        }
        let wall = self.time.unix_ns() - before.time.unix_ns();
        let mono = i128::from(self.mono) - i128::from(before.mono);
        i64::try_from((wall - mono) / 1_000_000).unwrap_or(i64::MAX)
    }

    /// Returns the monotonic nanoseconds since `before`; another boot counts as for ever.
    pub(crate) fn since(&self, before: &Self) -> u64 {
        if self.boot == before.boot { self.mono.saturating_sub(before.mono) } else { u64::MAX }
    }
}

impl Head {
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size().0
    }

    pub(crate) fn root(&self) -> Root {
        self.frontier.root()
    }
}

/// Returns the chain before the first event.
pub(crate) fn chain_start(origin: &str) -> [u8; 32] {
    sha256(&[CHAIN_LABEL.as_bytes(), origin.as_bytes(), b"\n"].concat())
}

/// Returns the chain after an event.
pub(crate) fn chain_next(chain: &[u8; 32], leaf: &LeafHash) -> [u8; 32] {
    let mut text = [3; 65];
    text[1..33].copy_from_slice(chain);
    text[33..].copy_from_slice(&leaf.0);
    sha256(&text)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

/// The hashes of a frontier as they stand in manifests and marks.
pub(crate) fn frontier_bytes(frontier: &Frontier) -> Vec<[u8; 32]> {
    frontier.hashes().iter().map(|hash| hash.0).collect()
}

/// Takes a frontier from a manifest or a mark; nothing when it does not fit the size.
pub(crate) fn frontier_from(size: u64, hashes: &[[u8; 32]]) -> Option<Frontier> {
    Frontier::from_hashes(sealtrail_tlog::TreeSize(size), hashes.iter().map(|hash| NodeHash(*hash)).collect()).ok()
}

/// A subtree that a batch completed and that tiles hold.
pub(crate) type TileNode = (NodeId, NodeHash);
