//! The ledger: appends sealed events, reads them back, proves and verifies them, and forgets slots.
//!
//! It is **not** a queue, an index or a policy: it takes whole events in the order given, decides nothing about them, and has no
//! thread, clock or randomness of its own ([`Stamp`] and [`Entropy`] are arguments).
//!
//! Invariants:
//! - A [`Receipt`] exists only for an event that is durable, in the tree and under a signed commit.
//! - One process writes a log; after a failed sync it stops, and opening again decides what is there.
//! - A log that is behind anything that was ever published or noted about it is not signed any further.
//! - What is erased was covered by a `ledger.erase` before; nothing else ever leaves the files.

mod build;
mod create;
mod draft;
mod edge;
mod erase;
mod head;
mod hold;
mod job;
mod keys;
mod layout;
mod ledger;
pub mod line;
mod marker;
pub mod mirror;
mod open;
mod options;
mod own;
pub mod prove;
mod publish;
mod quarantine;
pub mod read;
mod recover;
pub mod report;
mod rewrite;
mod seal;
mod stamp;
mod track;
pub mod verify;
mod wal;
mod write;

pub use build::{Batch, BuildError, Builder, Receipt};
pub use create::{CreateError, last_known};
pub use draft::Reject;
pub use erase::{EraseDone, EraseError, EraseJob, EraseRequest, Erased};
pub use hold::{Hold, HoldRequest, HoldsError, RANGES_MAX};
pub use job::{Job, JobError, Outcome};
pub use keys::{KeyBackup, MacKey};
pub use ledger::{Ledger, TickError};
pub use open::{OpenError, Recovery};
pub use options::{CreateOptions, OpenOptions, SegmentLimits};
pub use own::{ForkOf, Gap};
pub use recover::RecoverError;
pub use seal::SealError;
pub use stamp::{Entropy, Stamp};
pub use track::TrackError;
pub use write::{AppendError, Committer};
