//! A test disk that fails one chosen step, truly or only in what it reports.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Disk, DiskError, DiskFile, Lock, Open, Step};

/// How the chosen step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The step is not done, and says so.
    NotDone(io::ErrorKind),
    /// The step is done, and says it was not.
    DoneButFailed(io::ErrorKind),
    /// A write takes half of the bytes and then fails; any other step is not done.
    Short(io::ErrorKind),
}

/// A test disk that hands every step to another disk, except the one it fails.
///
/// Steps are counted from 0 over the disk and all files opened through it. From the failed step on, `sticky` disks fail
/// every further change with the same fault: a full disk stays full.
#[derive(Clone)]
pub struct LyingDisk {
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
}

struct Plan {
    next: AtomicU64,
    fail_at: u64,
    fault: Fault,
    sticky: bool,
}

impl LyingDisk {
    /// Fails step number `fail_at` of those that follow; `u64::MAX` fails none and only counts.
    pub fn new(disk: Arc<dyn Disk>, fail_at: u64, fault: Fault) -> Self {
        Self { disk, plan: Arc::new(Plan { next: AtomicU64::new(0), fail_at, fault, sticky: false }) }
    }

    /// Fails step number `fail_at` and every change after it.
    pub fn sticky(disk: Arc<dyn Disk>, fail_at: u64, fault: Fault) -> Self {
        Self { disk, plan: Arc::new(Plan { next: AtomicU64::new(0), fail_at, fault, sticky: true }) }
    }

    /// Returns how many steps were taken.
    pub fn steps(&self) -> u64 {
        self.plan.next.load(Ordering::SeqCst)
    }
}

impl Plan {
    /// Runs one step, or fails it.
    fn step<T>(&self, step: Step, path: &Path, run: impl FnOnce() -> Result<T, DiskError>) -> Result<T, DiskError> {
        match self.fault_now(step) {
            None => run(),
            Some(Fault::DoneButFailed(kind)) => {
                run()?;
                Err(DiskError::new(step, path, kind.into()))
            }
            Some(Fault::NotDone(kind) | Fault::Short(kind)) => Err(DiskError::new(step, path, kind.into())),
        }
    }

    fn fault_now(&self, step: Step) -> Option<Fault> {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        let reads = matches!(step, Step::Read | Step::Size | Step::List | Step::Open | Step::Lock);
        (n == self.fail_at || (self.sticky && n > self.fail_at && !reads)).then_some(self.fault)
    }
}

impl Disk for LyingDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.plan.step(Step::CreateDir, path, || self.disk.create_dir(path))
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        self.plan.step(Step::List, path, || self.disk.list(path))
    }

    fn size(&self, path: &Path) -> Result<Option<u64>, DiskError> {
        self.plan.step(Step::Size, path, || self.disk.size(path))
    }

    fn open(&self, path: &Path, how: Open) -> Result<Arc<dyn DiskFile>, DiskError> {
        let step = if how == Open::New { Step::Create } else { Step::Open };
        let file = self.plan.step(step, path, || self.disk.open(path, how))?;
        Ok(Arc::new(LyingFile { file, plan: self.plan.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.plan.step(Step::Rename, from, || self.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.plan.step(Step::Remove, path, || self.disk.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.plan.step(Step::Remove, path, || self.disk.remove_dir(path))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.plan.step(Step::SyncDir, path, || self.disk.sync_dir(path))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, DiskError> {
        self.plan.step(Step::Lock, path, || self.disk.lock(path))
    }
}

struct LyingFile {
    file: Arc<dyn DiskFile>,
    plan: Arc<Plan>,
}

impl DiskFile for LyingFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.plan.step(Step::Read, self.path(), || self.file.read_at(into, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, DiskError> {
        match self.plan.fault_now(Step::Write) {
            None => self.file.write_at(bytes, offset),
            Some(fault) => {
                let (taken, kind) = match fault {
                    Fault::NotDone(kind) => (0, kind),
                    Fault::Short(kind) => (bytes.len() / 2, kind),
                    Fault::DoneButFailed(kind) => (bytes.len(), kind),
                };
                if taken > 0 {
                    self.file.write_at(&bytes[..taken], offset)?;
                }
                Err(DiskError::new(Step::Write, self.path(), kind.into()))
            }
        }
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        self.plan.step(Step::Sync, self.path(), || self.file.sync_data())
    }

    fn allocate(&self, size: u64) -> Result<(), DiskError> {
        self.plan.step(Step::Allocate, self.path(), || self.file.allocate(size))
    }

    fn truncate(&self, size: u64) -> Result<(), DiskError> {
        self.plan.step(Step::Truncate, self.path(), || self.file.truncate(size))
    }

    fn size(&self) -> Result<u64, DiskError> {
        self.plan.step(Step::Size, self.path(), || self.file.size())
    }

    fn path(&self) -> &Path {
        self.file.path()
    }
}
