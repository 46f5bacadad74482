//! A test disk in memory that remembers every change in order, so that a crash can be played at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskError, DiskFile, Lock, Open, Step};
use crate::replay::Replay;

/// 4 KiB: the unit in which file content is shared between images.
const PAGE: u64 = 4096;

/// A test disk in memory. Clones share the same content.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    base: Tree,
    now: Tree,
    log: Vec<Op>,
    locks: BTreeSet<PathBuf>,
}

/// Names and contents at one moment.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    pub(crate) folders: BTreeSet<PathBuf>,
    pub(crate) names: BTreeMap<PathBuf, usize>,
    pub(crate) files: Vec<Content>,
}

/// One change of the disk.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    CreateDir(PathBuf),
    RemoveDir(PathBuf),
    Create(PathBuf, usize),
    Write(usize, u64, Arc<[u8]>),
    Allocate(usize, u64),
    Truncate(usize, u64),
    Sync(usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
}

/// Bytes of a file; pages of zeros are not stored, and clones share pages.
#[derive(Clone, Default)]
pub(crate) struct Content {
    pages: BTreeMap<u64, Arc<[u8]>>,
    pub(crate) size: u64,
}

impl Content {
    pub(crate) fn write(&mut self, mut offset: u64, mut bytes: &[u8]) {
        self.size = self.size.max(offset + bytes.len() as u64);
        while !bytes.is_empty() {
            let start = (offset % PAGE) as usize;
            let n = bytes.len().min(PAGE as usize - start);
            let page = self.pages.entry(offset / PAGE).or_insert_with(|| vec![0; PAGE as usize].into());
            Arc::make_mut(page)[start..start + n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            offset += n as u64;
        }
    }

    pub(crate) fn resize(&mut self, size: u64) {
        if size < self.size {
            self.pages.retain(|page, _| page * PAGE < size);
            if let Some(page) = self.pages.get_mut(&(size / PAGE)) {
                Arc::make_mut(page)[(size % PAGE) as usize..].fill(0);
            }
        }
        self.size = size;
    }

    fn read(&self, into: &mut [u8], offset: u64) -> usize {
        let want = self.size.saturating_sub(offset).min(into.len() as u64) as usize;
        let mut done = 0;
        while done < want {
            let at = offset + done as u64;
            let start = (at % PAGE) as usize;
            let n = (want - done).min(PAGE as usize - start);
            match self.pages.get(&(at / PAGE)) {
                Some(page) => into[done..done + n].copy_from_slice(&page[start..start + n]),
                None => into[done..done + n].fill(0),
            }
            done += n;
        }
        want
    }
}

impl Tree {
    /// Applies one change; syncs change nothing that can be read.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::CreateDir(path) => {
                self.folders.extend(path.ancestors().map(Path::to_owned));
            }
            Op::RemoveDir(path) => {
                self.folders.remove(path);
                // A name whose removal did not reach the disk goes with its folder.
                self.names.retain(|name, _| !name.starts_with(path));
            }
            Op::Create(path, file) => {
                if self.files.len() <= *file {
                    self.files.resize(*file + 1, Content::default());
                }
                self.names.insert(path.clone(), *file);
            }
            Op::Write(file, offset, bytes) => self.files[*file].write(*offset, bytes),
            Op::Allocate(file, size) => {
                let size = self.files[*file].size.max(*size);
                self.files[*file].resize(size);
            }
            Op::Truncate(file, size) => self.files[*file].resize(*size),
            Op::Rename(from, to) => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                } else if self.folders.contains(from) {
                    self.folders = std::mem::take(&mut self.folders).into_iter().map(|name| moved(&name, from, to)).collect();
                    self.names = std::mem::take(&mut self.names).into_iter().map(|(name, file)| (moved(&name, from, to), file)).collect();
                }
            }
            Op::Remove(path) => {
                self.names.remove(path);
            }
            Op::Sync(_) | Op::SyncDir(_) => {}
        }
    }
}

/// Returns the name that `path` has when the folder `from` becomes `to`.
pub(crate) fn moved(path: &Path, from: &Path, to: &Path) -> PathBuf {
    match path.strip_prefix(from) {
        Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
        Ok(rest) => to.join(rest),
        Err(_) => path.to_owned(),
    }
}

impl SimDisk {
    /// Makes an empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn from_tree(tree: Tree) -> Self {
        let state = State { now: tree.clone(), base: tree, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns how many changes were made so far.
    pub fn changes(&self) -> usize {
        self.state().log.len()
    }

    /// Starts a replay of the changes made so far, from the state this disk began with.
    pub fn replay(&self) -> Replay {
        let state = self.state();
        Replay::new(state.base.clone(), state.log.clone())
    }

    /// Returns a disk with the same content and no history: what a copy of the files would be.
    pub fn copy(&self) -> Self {
        Self::from_tree(self.state().now.clone())
    }

    /// Returns the paths of all files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn state(&self) -> Guard<'_> {
        // A test thread that panicked while it held the lock left whole operations only.
        Guard(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Guard<'a>(MutexGuard<'a, State>);

impl std::ops::Deref for Guard<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.0
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl std::ops::Deref for State {
    type Target = Tree;
    fn deref(&self) -> &Tree {
        &self.now
    }
}

impl State {
    fn run(&mut self, op: Op) {
        self.now.apply(&op);
        self.log.push(op);
    }

    fn need_folder(&self, step: Step, path: &Path) -> Result<(), DiskError> {
        match path.parent() {
            Some(parent) if self.folders.contains(parent) => Ok(()),
            _ => Err(DiskError::new(step, path, io::ErrorKind::NotFound.into())),
        }
    }

    fn need_file(&self, step: Step, path: &Path) -> Result<usize, DiskError> {
        self.names.get(path).copied().ok_or_else(|| DiskError::new(step, path, io::ErrorKind::NotFound.into()))
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        if !state.folders.contains(path) {
            state.run(Op::CreateDir(path.to_owned()));
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        let state = self.state();
        if !state.folders.contains(path) {
            return Err(DiskError::new(Step::List, path, io::ErrorKind::NotFound.into()));
        }
        let inside = state.names.keys().chain(&state.folders).filter(|name| name.parent() == Some(path));
        let mut names: Vec<String> = inside.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect();
        names.sort();
        Ok(names)
    }

    fn size(&self, path: &Path) -> Result<Option<u64>, DiskError> {
        let state = self.state();
        Ok(state.names.get(path).map(|file| state.files[*file].size))
    }

    fn open(&self, path: &Path, how: Open) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut state = self.state();
        let file = if how == Open::New {
            state.need_folder(Step::Create, path)?;
            if state.names.contains_key(path) {
                return Err(DiskError::new(Step::Create, path, io::ErrorKind::AlreadyExists.into()));
            }
            let file = state.files.len();
            state.run(Op::Create(path.to_owned(), file));
            file
        } else {
            state.need_file(Step::Open, path)?
        };
        Ok(Arc::new(SimFile { disk: self.clone(), file, path: path.to_owned(), writable: how != Open::Read }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        if state.folders.contains(from) {
            // As a system does it: a folder takes the name of an empty one, or of none.
            if state.names.contains_key(to) || state.names.keys().chain(&state.folders).any(|name| name.parent() == Some(to)) {
                return Err(DiskError::new(Step::Rename, from, io::ErrorKind::DirectoryNotEmpty.into()));
            }
        } else {
            state.need_file(Step::Rename, from)?;
        }
        state.need_folder(Step::Rename, to)?;
        state.run(Op::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        state.need_file(Step::Remove, path)?;
        state.run(Op::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        let full = state.names.keys().chain(&state.folders).any(|name| name.parent() == Some(path));
        if full || !state.folders.contains(path) {
            return Err(DiskError::new(Step::Remove, path, io::ErrorKind::DirectoryNotEmpty.into()));
        }
        state.run(Op::RemoveDir(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.state().run(Op::SyncDir(path.to_owned()));
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, DiskError> {
        let mut state = self.state();
        state.need_folder(Step::Lock, path)?;
        if !state.names.contains_key(path) {
            let file = state.files.len();
            state.run(Op::Create(path.to_owned(), file));
        }
        if !state.locks.insert(path.to_owned()) {
            return Err(DiskError::new(Step::Lock, path, io::ErrorKind::WouldBlock.into()));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
    path: PathBuf,
    writable: bool,
}

impl SimFile {
    fn change(&self, step: Step, op: Op) -> Result<(), DiskError> {
        if !self.writable {
            return Err(DiskError::new(step, &self.path, io::ErrorKind::PermissionDenied.into()));
        }
        self.disk.state().run(op);
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        Ok(self.disk.state().files[self.file].read(into, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, DiskError> {
        self.change(Step::Write, Op::Write(self.file, offset, bytes.into()))?;
        Ok(bytes.len())
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        self.change(Step::Sync, Op::Sync(self.file))
    }

    fn allocate(&self, size: u64) -> Result<(), DiskError> {
        if size <= self.size()? {
            return Ok(());
        }
        self.change(Step::Allocate, Op::Allocate(self.file, size))
    }

    fn truncate(&self, size: u64) -> Result<(), DiskError> {
        self.change(Step::Truncate, Op::Truncate(self.file, size))
    }

    fn size(&self) -> Result<u64, DiskError> {
        Ok(self.disk.state().files[self.file].size)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
