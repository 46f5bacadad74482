//! What can go wrong.

use std::path::{Path, PathBuf};

use sealtrail_disk::DiskError;
use sealtrail_ledger::read::ReadError;
use sealtrail_query::{AggregateError, SequenceError};
use tantivy::TantivyError;

/// Why the index cannot be written or asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The disk refused.
    #[error("cannot use the files of the index")]
    Disk(#[from] DiskError),
    /// The ledger cannot be read.
    #[error("cannot read the events")]
    Read(#[from] ReadError),
    /// The search library failed on a partition.
    #[error("cannot {what} the index in {dir}: delete the folder, it grows back")]
    Partition {
        /// What was tried.
        what: &'static str,
        /// The partition's folder.
        dir: PathBuf,
        /// Why not.
        source: Box<TantivyError>,
    },
    /// A file of the index cannot be read.
    #[error("cannot read the index in {dir}: delete the folder, it grows back")]
    File {
        /// The partition's folder.
        dir: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A report would be too large.
    #[error("cannot make the report")]
    Report(#[from] AggregateError),
    /// A sequence has too much open.
    #[error("cannot find the sequence")]
    Sequence(#[from] SequenceError),
    /// The steps of a sequence take too many events.
    #[error("the steps of the sequence take more than {events} events, too many for {limit} bytes; narrow the steps or the time")]
    TooManySteps {
        /// Events so far.
        events: usize,
        /// The limit.
        limit: usize,
    },
    /// The events of the matches of a sequence take too much memory.
    #[error("the events of more than {shown} matches take more than {limit} bytes; ask for fewer with a limit, or count them")]
    TooManyMatches {
        /// Matches so far.
        shown: usize,
        /// The limit.
        limit: usize,
    },
    /// The caller set the flag.
    #[error("the search was cancelled")]
    Cancelled,
}

impl IndexError {
    /// Whether another process writes the index.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_locked())
    }

    /// Returns a function that says what failed where.
    pub(crate) fn on(what: &'static str, dir: &Path) -> impl FnOnce(TantivyError) -> Self {
        let dir = dir.to_owned();
        move |source| Self::Partition { what, dir, source: Box::new(source) }
    }
}
