//! Where the files of an index are kept: the disk, and its folders as the search library opens them.

use std::path::Path;

use sealtrail_disk::{Disk, RealDisk};
use tantivy::TantivyError;
use tantivy::directory::{Directory, MmapDirectory};

/// The files of indexes. Tests keep them on a disk that fails.
pub(crate) trait Files: Send + Sync {
    /// Returns the disk.
    fn disk(&self) -> &dyn Disk;

    /// Opens a folder of the disk.
    fn folder(&self, dir: &Path) -> Result<Box<dyn Directory>, TantivyError>;
}

/// Files of the machine; those of partitions are mapped.
pub(crate) struct RealFiles;

impl Files for RealFiles {
    fn disk(&self) -> &dyn Disk {
        &RealDisk
    }

    fn folder(&self, dir: &Path) -> Result<Box<dyn Directory>, TantivyError> {
        Ok(Box::new(MmapDirectory::open(dir)?))
    }
}
