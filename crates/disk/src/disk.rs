//! What a disk is: the two traits that everything above writes through.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A disk: names and folders.
pub trait Disk: Send + Sync {
    /// Creates a folder (0700) and its missing parents, durably; one that exists is fine.
    fn create_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Returns the names in a folder, sorted.
    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError>;
    /// Returns the size of a file, or nothing when there is no such file.
    fn size(&self, path: &Path) -> Result<Option<u64>, DiskError>;
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Renames a file within its folder, replacing what had the name; or a folder, replacing none but an empty one. Durable after
    /// [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes a folder, which must be empty.
    fn remove_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes the names of a folder durable.
    fn sync_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Takes the exclusive lock on a file, which is created when missing; fails at once when another holds it
    /// ([`DiskError::is_locked`]). Released when dropped.
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, DiskError>;

    /// Reads a whole file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        let file = self.open(path, Open::Read)?;
        let mut bytes = vec![0; usize::try_from(file.size()?).unwrap_or(usize::MAX)];
        let mut have = 0;
        while have < bytes.len() {
            match file.read_at(&mut bytes[have..], have as u64)? {
                0 => break,
                n => have += n,
            }
        }
        bytes.truncate(have);
        Ok(bytes)
    }
}

/// An open file. Positions are explicit, so one handle serves several threads.
pub trait DiskFile: Send + Sync {
    /// Reads at `offset`; returns how many bytes, 0 at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError>;
    /// Writes at `offset`; returns how many bytes were taken, which may be fewer than given.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, DiskError>;
    /// Makes the bytes and the size durable.
    fn sync_data(&self) -> Result<(), DiskError>;
    /// Reserves room so that the file is at least `size` bytes long; what is new reads as zeros.
    fn allocate(&self, size: u64) -> Result<(), DiskError>;
    /// Cuts the file to `size` bytes.
    fn truncate(&self, size: u64) -> Result<(), DiskError>;
    /// Returns the size.
    fn size(&self) -> Result<u64, DiskError>;
    /// Returns the path it was opened by.
    fn path(&self) -> &Path;
}

/// A held lock; dropping it releases it.
pub trait Lock: Send + Sync {}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A file that must not exist yet, to read and write.
    New,
}

/// What was tried on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creating a folder.
    CreateDir,
    /// Listing a folder.
    List,
    /// Asking for a size.
    Size,
    /// Opening a file.
    Open,
    /// Creating a file.
    Create,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Syncing a file.
    Sync,
    /// Reserving room.
    Allocate,
    /// Cutting a file.
    Truncate,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
    /// Syncing a folder.
    SyncDir,
    /// Locking.
    Lock,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateDir => "create folder",
            Self::List => "list folder",
            Self::Size => "look at",
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write to",
            Self::Sync => "sync",
            Self::Allocate => "reserve room in",
            Self::Truncate => "cut",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDir => "sync folder",
            Self::Lock => "lock",
        })
    }
}

/// A step that the disk refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}", path.display())]
pub struct DiskError {
    /// What was tried.
    pub step: Step,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Makes the error of one step.
    pub fn new(step: Step, path: &Path, source: io::Error) -> Self {
        Self { step, path: path.to_owned(), source }
    }

    /// Tells whether the file or folder does not exist.
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Tells whether another process holds the lock.
    pub fn is_locked(&self) -> bool {
        self.step == Step::Lock && self.source.kind() == io::ErrorKind::WouldBlock
    }

    /// Tells whether there is no room: disk full, quota, or file too large.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self.source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }
}
