//! Copies of foreign logs: what the owner sends away, and what the keeper believes of it.
//!
//! The keeper takes whole batches only, each followed as [`crate::verify`] would: every leaf, the chain, the epochs, every signature, every slot
//! against its commitment; and nothing is stored before the whole piece is the beginning of a checkpoint that the log's key signed. A copy lies in the
//! ledger's own files, so that everything that reads or verifies a ledger reads and verifies a copy.

mod batch;
mod keep;
mod outgoing;
mod part;

use sealtrail_disk::DiskError;
use sealtrail_tlog::proof::VerifyError;
use sealtrail_tlog::{CheckpointError, NodeHash};

use crate::erase::EraseError;
use crate::line::LineError;
use crate::read::ReadError;
use crate::recover::RecoverError;
use crate::seal::SealError;
use crate::track::TrackError;

pub use keep::Mirror;
pub use outgoing::{CHUNK_BYTES, OutChunk, Outgoing, OutgoingError};

/// 96 MiB: one event with seven slots of 8 MiB, its macs, and a piece before it.
pub const CHUNK_BYTES_MAX: usize = 96 * 1024 * 1024;

/// One piece of a log, as its owner sent it.
#[derive(Clone, Debug)]
pub struct Chunk<'a> {
    /// First position of the file that the batches are in on the owner's side: the copy has the same files.
    pub segment: u64,
    /// Size of the log before the first batch.
    pub old: u64,
    /// `log.json`; needed only with the first piece.
    pub log: Option<&'a str>,
    /// Whole batches, as in a WAL; slots may be missing.
    pub batches: &'a [u8],
    /// A signed checkpoint that covers the batches.
    pub note: &'a str,
    /// The proof that the log after the batches is the beginning of that checkpoint's.
    pub proof: &'a [NodeHash],
}

/// Why a piece is not taken, or a copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The piece does not begin where the copy ends.
    #[error("cannot take a piece that begins at {found}: the copy ends at {size}")]
    Elsewhere {
        /// Where it begins.
        found: u64,
        /// Size of the copy.
        size: u64,
    },
    /// The piece is of another file than the one that follows.
    #[error("cannot take a piece of the segment {found}: the copy is in segment {wanted} and has {size} events")]
    Segment {
        /// First position of the segment of the piece.
        found: u64,
        /// First position of the copy's newest segment.
        wanted: u64,
        /// Size of the copy.
        size: u64,
    },
    /// The piece is not whole batches.
    #[error("cannot take a piece: {what} at byte {at} of it")]
    Batch {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A batch is not the next one of the log.
    #[error("cannot take a piece: a batch is not the next one of the log")]
    Track(#[from] TrackError),
    /// `log.json` is missing, damaged or of another log.
    #[error("cannot take the first piece of a log: {what}")]
    Log {
        /// What is wrong.
        what: &'static str,
    },
    /// The checkpoint is refused.
    #[error("cannot take a piece: its checkpoint is refused")]
    Checkpoint(#[from] CheckpointError),
    /// The log after the piece is not the beginning of the checkpoint's.
    #[error("cannot take a piece: the log after it is not the beginning of what its checkpoint signs")]
    Consistency(#[from] VerifyError),
    /// The disk refused.
    #[error("cannot keep the copy")]
    Disk(#[from] DiskError),
    /// A file of the copy is damaged.
    #[error("cannot use the copy: its log.json is damaged")]
    Damaged(#[from] LineError),
    /// The end of the copy cannot be found.
    #[error("cannot use the copy")]
    Recover(#[from] RecoverError),
    /// The copy ends before what was noted of it.
    #[error("cannot use the copy: it ends at {size} events and was noted to have {noted}")]
    Behind {
        /// Events found.
        size: u64,
        /// Events noted.
        noted: u64,
    },
    /// A segment cannot be sealed.
    #[error("cannot keep the copy: a segment could not be sealed")]
    Seal(#[from] SealError),
    /// An erasure that the log records could not be followed.
    #[error("cannot follow an erasure of the log")]
    Erase(#[from] EraseError),
    /// The order of an erasure cannot be read.
    #[error("cannot follow an erasure of the log: its order cannot be read")]
    Read(#[from] ReadError),
    /// An earlier write failed.
    #[error("cannot keep the copy: an earlier write failed; open it again")]
    Poisoned,
}

impl MirrorError {
    /// Tells whether the sender is wrong; otherwise the keeper is in trouble, and the piece may come again.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Elsewhere { .. }
                | Self::Segment { .. }
                | Self::Batch { .. }
                | Self::Track(_)
                | Self::Log { .. }
                | Self::Checkpoint(_)
                | Self::Consistency(_)
        )
    }
}
