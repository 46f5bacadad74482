//! Writes batches: one write, one sync, then the receipts. Owns every file that changes while the log grows.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, Lock, Open, write_all_at};
use sealtrail_tlog::{SigningKey, TreeSize};

use crate::build::{Batch, Buffers, BuildError, Receipt, give_back};
use crate::edge::Edge;
use crate::head::{Clocks, Head};
use crate::job::Published;
use crate::layout::Layout;
use crate::line::LogInfo;
use crate::options::OpenOptions;
use crate::wal::Wal;

/// 1 MiB: room for every record that a full disk calls for (a gap, an epoch, a stop: under 4 KiB each).
pub(crate) const RESERVE_BYTES: u64 = 1024 * 1024;
/// 64 KiB: how the file grows when there is no room for a whole step.
const SMALL_STEP: u64 = 64 * 1024;

/// Why events were not recorded.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The batch could not be built; nothing was written and the ledger goes on.
    #[error("cannot build a batch")]
    Build {
        /// Why.
        #[from]
        source: BuildError,
    },
    /// No room. Nothing was recorded, and the ledger goes on: it can still record a gap, and everything once there is room.
    #[error("cannot append {bytes} bytes: the disk is full")]
    Full {
        /// Bytes of the batch.
        bytes: u64,
        /// What the disk said.
        source: DiskError,
    },
    /// The disk failed. Whether the batch is durable is unknown; the ledger must be opened again.
    #[error("cannot append: the disk failed, and only opening the ledger again can tell what is durable")]
    Failed {
        /// What the disk said.
        source: DiskError,
    },
    /// The disk failed before.
    #[error("cannot append: an earlier write or sync failed; open the ledger again")]
    Poisoned,
    /// The batch was not built on the last committed one.
    #[error("cannot commit a batch that starts at {found}: the ledger ends at {size}")]
    OutOfOrder {
        /// First position of the batch.
        found: u64,
        /// Size of the ledger.
        size: u64,
    },
}

/// Writes the batches of a [`crate::Builder`], in order, and hands out the jobs that follow from them.
pub struct Committer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) layout: Layout,
    pub(crate) options: OpenOptions,
    pub(crate) info: LogInfo,
    pub(crate) log_key: Arc<SigningKey>,
    pub(crate) durable: Head,
    pub(crate) wal: Wal,
    pub(crate) closed: VecDeque<u64>,
    pub(crate) edge: Edge,
    pub(crate) published: Published,
    pub(crate) busy: bool,
    pub(crate) rotate: bool,
    pub(crate) reserve: bool,
    pub(crate) poisoned: bool,
    pub(crate) buffers: Buffers,
    /// Held as long as this lives: one writer.
    pub(crate) _lock: Box<dyn Lock>,
}

impl Committer {
    /// Writes one batch and returns the receipts of its events once it is durable.
    ///
    /// After [`AppendError::Full`] the batches built since are void; [`crate::Ledger`] goes back by itself, the owner of two halves
    /// calls [`Committer::rewind`].
    pub fn commit(&mut self, batch: Batch) -> Result<Vec<Receipt>, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        if batch.first != self.durable.size() {
            return Err(AppendError::OutOfOrder { found: batch.first, size: self.durable.size() });
        }
        let bytes = batch.bytes.len() as u64;
        if let Err(source) = self.make_room(&batch) {
            return Err(self.refused(bytes, source));
        }
        if let Err(source) = self.wal.write(&batch.bytes) {
            return Err(self.refused(bytes, source));
        }
        if let Err(source) = self.wal.sync(bytes) {
            self.poisoned = true;
            return Err(AppendError::Failed { source });
        }
        // From here on the batch is durable and acknowledged, whatever else fails.
        if let Some(change) = &batch.key_change
            && change.finish(&*self.disk, &self.layout).is_err()
        {
            // The keys are where opening looks for them; this process no longer knows which file is current.
            self.poisoned = true;
        }
        self.wal.since.get_or_insert(batch.after.clocks.time);
        for (id, hash) in &batch.nodes {
            self.edge.push(*id, *hash);
        }
        self.durable = batch.after.clone();
        let (receipts, buffer) = batch.into_receipts();
        give_back(&self.buffers, buffer);
        Ok(receipts)
    }

    /// Returns the size of the durable tree.
    pub fn size(&self) -> TreeSize {
        self.durable.frontier.size()
    }

    /// Tells whether a disk failure stopped this ledger for good.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Makes `builder` forget what it built and was not committed.
    pub fn rewind(&self, builder: &mut crate::Builder) {
        builder.head = self.durable.clone();
    }

    /// Everything that can find the disk full before a byte of the batch is written.
    fn make_room(&mut self, batch: &Batch) -> Result<(), DiskError> {
        let is_full = |done: &Result<(), DiskError>| matches!(done, Err(error) if error.is_full());
        let mut done = self.try_room(batch, self.options.preallocate);
        if is_full(&done) {
            // What is left may be less than a whole step and still enough for this batch.
            done = self.try_room(batch, SMALL_STEP);
        }
        if is_full(&done) && batch.own && self.reserve {
            self.disk.remove(&self.layout.reserve())?;
            self.disk.sync_dir(&self.layout.dir)?;
            self.reserve = false;
            done = self.try_room(batch, SMALL_STEP);
        }
        done
    }

    fn try_room(&mut self, batch: &Batch, step: u64) -> Result<(), DiskError> {
        if self.rotation_due(batch) {
            let first = self.durable.size();
            let wal = Wal::create(&*self.disk, &self.layout, first, step).or_else(|error| {
                // The next try may start elsewhere: a smaller batch can still fit the current file.
                remove_if_there(&*self.disk, &self.layout.wal(first)).and(Err(error))
            })?;
            self.closed.push_back(self.wal.first);
            self.wal = wal;
            self.rotate = false;
        }
        self.wal.reserve(batch.bytes.len() as u64, step)?;
        match &batch.key_change {
            Some(change) => change.prepare(&*self.disk, &self.layout),
            None => Ok(()),
        }
    }

    fn rotation_due(&self, batch: &Batch) -> bool {
        if self.wal.first == self.durable.size() {
            return false;
        }
        let limits = &self.options.segment;
        let day = |clocks: &Clocks| clocks.time.unix_ns().div_euclid(86_400_000_000_000);
        let since = self.wal.since.map(|time| time.unix_ns().div_euclid(86_400_000_000_000));
        self.rotate
            || batch.after.size() - self.wal.first > limits.events
            || self.wal.end + batch.bytes.len() as u64 > limits.bytes
            || since.is_some_and(|since| day(&batch.after.clocks) > since)
    }

    /// Decides what a refused step means: a full disk before any sync can be undone, anything else cannot.
    fn refused(&mut self, bytes: u64, source: DiskError) -> AppendError {
        if source.is_full() && self.wal.take_back().is_ok() {
            return AppendError::Full { bytes, source };
        }
        self.poisoned = true;
        AppendError::Failed { source }
    }

    /// Lays the reserve back, once there is room again.
    pub(crate) fn restore_reserve(&mut self) {
        if self.reserve || self.poisoned {
            return;
        }
        // A disk that is still full leaves it for the next tick; half a reserve is removed again.
        self.reserve = lay_reserve(&*self.disk, &self.layout).is_ok();
        if !self.reserve {
            let _ = self.disk.remove(&self.layout.reserve());
        }
    }
}

/// Writes the reserve: real bytes, because a hole reserves nothing.
pub(crate) fn lay_reserve(disk: &dyn Disk, layout: &Layout) -> Result<(), DiskError> {
    let path = layout.reserve();
    if disk.size(&path)? == Some(RESERVE_BYTES) {
        return Ok(());
    }
    remove_if_there(disk, &path)?;
    let file = disk.open(&path, Open::New)?;
    file.allocate(RESERVE_BYTES)?;
    let block = [0x20; 64 * 1024];
    for at in (0..RESERVE_BYTES).step_by(block.len()) {
        write_all_at(&*file, &block, at)?;
    }
    file.sync_data()?;
    disk.sync_dir(&layout.dir)
}

/// Removes a file that may not exist.
pub(crate) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
    match disk.remove(path) {
        Err(error) if !error.is_missing() => Err(error),
        _ => Ok(()),
    }
}
