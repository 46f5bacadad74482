//! What can go wrong.

use std::path::{Path, PathBuf};

use sealtrail_disk::DiskError;
use sealtrail_ledger::read::ReadError;
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
