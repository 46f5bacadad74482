//! The active segment: one preallocated file, written at the end of its data.

use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open, write_all_at};

use crate::layout::Layout;
use crate::line::Time;
use crate::write::remove_if_there;

/// The file that batches go to.
pub(crate) struct Wal {
    file: Arc<dyn DiskFile>,
    /// Position of its first event.
    pub(crate) first: u64,
    /// End of the last durable batch.
    pub(crate) end: u64,
    room: u64,
    /// Time of its first commit.
    pub(crate) since: Option<Time>,
}

impl Wal {
    /// Creates the file, empty, with room for the first batches; durable when this returns.
    ///
    /// A file of that name can only be one that a crash left before its first batch was durable: it is replaced.
    pub(crate) fn create(disk: &dyn Disk, layout: &Layout, first: u64, step: u64) -> Result<Self, DiskError> {
        let path = layout.wal(first);
        remove_if_there(disk, &path)?;
        let file = disk.open(&path, Open::New)?;
        file.allocate(step)?;
        file.sync_data()?;
        disk.sync_dir(&layout.wal_dir())?;
        Ok(Self { file, first, end: 0, room: step, since: None })
    }

    /// Takes up a file whose data ends at `end`.
    pub(crate) fn resume(disk: &dyn Disk, layout: &Layout, first: u64, end: u64, since: Option<Time>) -> Result<Self, DiskError> {
        let file = disk.open(&layout.wal(first), Open::Write)?;
        let room = file.size()?;
        Ok(Self { file, first, end, room, since })
    }

    /// Takes up a file that is open, whose data ends at `end`.
    pub(crate) fn of_file(file: Arc<dyn DiskFile>, first: u64, end: u64, since: Option<Time>) -> Result<Self, DiskError> {
        let room = file.size()?;
        Ok(Self { file, first, end, room, since })
    }

    /// Makes sure that `bytes` more fit, in steps; the room becomes durable with the next batch.
    pub(crate) fn reserve(&mut self, bytes: u64, step: u64) -> Result<(), DiskError> {
        let need = self.end + bytes;
        if need > self.room {
            let room = need.next_multiple_of(step.max(1));
            self.file.allocate(room)?;
            self.room = room;
        }
        Ok(())
    }

    /// Writes a batch after the last durable one. Nothing counts before [`Wal::sync`].
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), DiskError> {
        write_all_at(&*self.file, bytes, self.end)
    }

    /// Makes the `bytes` that were written durable.
    pub(crate) fn sync(&mut self, bytes: u64) -> Result<(), DiskError> {
        self.file.sync_data()?;
        self.end += bytes;
        Ok(())
    }

    /// Takes back what was written after the last durable batch and never synced.
    pub(crate) fn take_back(&mut self) -> Result<(), DiskError> {
        self.file.truncate(self.end)?;
        self.room = self.end;
        Ok(())
    }
}
