//! Crash images: what a disk may hold when the power goes between two changes.
//!
//! The model is the pessimistic one: until a file is synced, any subset of its written blocks may be on the disk, in any
//! order; until a folder is synced, only a first part of its changed names may be, whether or not the data behind a
//! name is there (a rename may arrive before the data of the renamed file). Creating a folder is durable at once,
//! because [`crate::Disk::create_dir`] syncs the parents itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sim::{Op, SimDisk, Tree, moved};

/// Plays the changes of a [`SimDisk`] one by one and makes crash images between them.
#[derive(Clone)]
pub struct Replay {
    log: Vec<Op>,
    next: usize,
    durable: Tree,
    data: Vec<Op>,
    names: Vec<Op>,
}

/// What a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Of the data that was not synced.
    pub data: Data,
    /// Of the names whose folder was not synced.
    pub names: Names,
}

/// Which unsynced blocks are on the disk after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// All of them.
    Kept,
    /// None of them.
    Dropped,
    /// Those whose bit is set; a block is `block` bytes, or one change of the size. Blocks from 64 on are dropped.
    Mask {
        /// Size of a block: 512 or 4,096.
        block: u64,
        /// One bit a block, in the order of writing.
        mask: u64,
    },
    /// About half of them, chosen by the seed.
    Random {
        /// Size of a block: 512 or 4,096.
        block: u64,
        /// Decides which.
        seed: u64,
    },
}

/// Which unsynced names are on the disk after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// All of them.
    Kept,
    /// None of them.
    Dropped,
    /// The first so many changes.
    First(usize),
}

impl Replay {
    pub(crate) fn new(base: Tree, log: Vec<Op>) -> Self {
        Self { log, next: 0, durable: base, data: Vec::new(), names: Vec::new() }
    }

    /// Plays the next change; returns whether there was one.
    pub fn advance(&mut self) -> bool {
        let Some(op) = self.log.get(self.next).cloned() else { return false };
        self.next += 1;
        match op {
            Op::CreateDir(ref path) => {
                path.parent().into_iter().for_each(|folder| self.sync_names(folder));
                self.durable.apply(&op);
            }
            Op::Create(_, file) => {
                if self.durable.files.len() <= file {
                    self.durable.files.resize(file + 1, Default::default());
                }
                self.names.push(op);
            }
            Op::Rename(..) | Op::Remove(_) | Op::RemoveDir(_) => self.names.push(op),
            Op::Write(..) | Op::Allocate(..) | Op::Truncate(..) => self.data.push(op),
            Op::Sync(file) => {
                for op in self.data.extract_if(.., |op| file_of(op) == Some(file)) {
                    self.durable.apply(&op);
                }
            }
            Op::SyncDir(folder) => self.sync_names(&folder),
        }
        true
    }

    /// Makes the changed names of a folder durable.
    fn sync_names(&mut self, folder: &Path) {
        let synced: Vec<Op> = self.names.extract_if(.., |op| folder_of(op).as_deref() == Some(folder)).collect();
        for op in synced {
            if let Op::Rename(from, to) = &op
                && self.durable.folders.contains(from)
            {
                self.names.iter_mut().for_each(|op| rename_folder(op, from, to));
            }
            self.durable.apply(&op);
        }
    }

    /// Returns how many changes were played.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Returns how many unsynced blocks of `block` bytes there are now.
    pub fn blocks(&self, block: u64) -> usize {
        self.pieces(block).len()
    }

    /// Returns how many unsynced changes of names there are now.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// Returns the disk that a crash at this point leaves.
    pub fn image(&self, crash: Crash) -> SimDisk {
        let mut tree = self.durable.clone();
        let names = match crash.names {
            Names::Kept => self.names.len(),
            Names::Dropped => 0,
            Names::First(n) => n.min(self.names.len()),
        };
        for op in &self.names[..names] {
            tree.apply(op);
        }
        match crash.data {
            Data::Kept => self.data.iter().for_each(|op| tree.apply(op)),
            Data::Dropped => {}
            Data::Mask { block, mask } => self.some(&mut tree, block, |n| n < 64 && mask >> n & 1 == 1),
            Data::Random { block, seed } => self.some(&mut tree, block, |n| mix(seed, n as u64) & 1 == 1),
        }
        SimDisk::from_tree(tree)
    }

    fn some(&self, tree: &mut Tree, block: u64, keep: impl Fn(usize) -> bool) {
        for (n, piece) in self.pieces(block).iter().enumerate() {
            if keep(n) {
                tree.apply(piece);
            }
        }
    }

    /// Cuts the unsynced writes at multiples of `block`.
    fn pieces(&self, block: u64) -> Vec<Op> {
        let mut pieces = Vec::new();
        for op in &self.data {
            let Op::Write(file, offset, bytes) = op else {
                pieces.push(op.clone());
                continue;
            };
            let mut done = 0;
            while done < bytes.len() {
                let at = offset + done as u64;
                let n = (bytes.len() - done).min((block - at % block) as usize);
                pieces.push(Op::Write(*file, at, Arc::from(&bytes[done..done + n])));
                done += n;
            }
        }
        pieces
    }
}

fn file_of(op: &Op) -> Option<usize> {
    match op {
        Op::Write(file, ..) | Op::Allocate(file, _) | Op::Truncate(file, _) => Some(*file),
        _ => None,
    }
}

fn folder_of(op: &Op) -> Option<PathBuf> {
    match op {
        Op::Create(path, _) | Op::Rename(path, _) | Op::Remove(path) | Op::RemoveDir(path) => path.parent().map(Into::into),
        _ => None,
    }
}

/// What happened in a folder happened in the one that it became.
fn rename_folder(op: &mut Op, from: &Path, to: &Path) {
    match op {
        Op::Create(path, _) | Op::Remove(path) | Op::RemoveDir(path) => *path = moved(path, from, to),
        Op::Rename(old, new) => (*old, *new) = (moved(old, from, to), moved(new, from, to)),
        _ => {}
    }
}

/// One step of SplitMix64 over both numbers.
fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
