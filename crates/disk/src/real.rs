//! The disk of the machine.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskError, DiskFile, Lock, Open, Step};

/// The file system of the machine. Files are created 0600, folders 0700.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.create_dir(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(DiskError::new(Step::CreateDir, path, error)),
            _ => self.sync_dir(parent.unwrap_or(Path::new("."))),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        let failed = |error| DiskError::new(Step::List, path, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            // A name that is no UTF-8 cannot be one of ours; it is shown with replacement characters.
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn size(&self, path: &Path) -> Result<Option<u64>, DiskError> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(meta.is_file().then_some(meta.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::new(Step::Size, path, error)),
        }
    }

    fn open(&self, path: &Path, how: Open) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        let step = match how {
            Open::Read => Step::Open,
            Open::Write => {
                options.write(true);
                Step::Open
            }
            Open::New => {
                options.write(true).create_new(true);
                Step::Create
            }
        };
        let file = options.open(path).map_err(|error| DiskError::new(step, path, error))?;
        Ok(Arc::new(RealFile { file, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        std::fs::rename(from, to).map_err(|error| DiskError::new(Step::Rename, from, error))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        std::fs::remove_file(path).map_err(|error| DiskError::new(Step::Remove, path, error))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        std::fs::remove_dir(path).map_err(|error| DiskError::new(Step::Remove, path, error))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| DiskError::new(Step::SyncDir, path, error))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, DiskError> {
        let failed = |error| DiskError::new(Step::Lock, path, error);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock(file))),
            Err(TryLockError::WouldBlock) => Err(failed(io::ErrorKind::WouldBlock.into())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// The lock lives as long as the file is open.
struct RealLock(#[expect(dead_code, reason = "held, never read: closing it is what releases the lock")] File);

impl Lock for RealLock {}

struct RealFile {
    file: File,
    path: PathBuf,
}

impl RealFile {
    fn failed(&self, step: Step) -> impl FnOnce(io::Error) -> DiskError + '_ {
        move |error| DiskError::new(step, &self.path, error)
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        loop {
            match self.file.read_at(into, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(self.failed(Step::Read)),
            }
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, DiskError> {
        loop {
            match self.file.write_at(bytes, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(self.failed(Step::Write)),
            }
        }
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(self.failed(Step::Sync))
    }

    fn allocate(&self, size: u64) -> Result<(), DiskError> {
        let old = self.size()?;
        if size <= old {
            return Ok(());
        }
        allocate(&self.file, old, size).map_err(self.failed(Step::Allocate))
    }

    fn truncate(&self, size: u64) -> Result<(), DiskError> {
        self.file.set_len(size).map_err(self.failed(Step::Truncate))
    }

    fn size(&self) -> Result<u64, DiskError> {
        Ok(self.file.metadata().map_err(self.failed(Step::Size))?.len())
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Reserves blocks where the file system can; elsewhere only the length grows, and a write may still find the disk full.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File, old: u64, size: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), old, size - old) {
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(size),
        other => Ok(other?),
    }
}

/// Reserves nothing on this system: only the length grows, and a write may still find the disk full.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(file: &File, _old: u64, size: u64) -> io::Result<()> {
    file.set_len(size)
}
