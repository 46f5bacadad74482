//! The newest segment of a copy when slots of it are missing: it cannot be a WAL, whose commit lines count every byte, and lies beside it as
//! `wal/<first>.part` until it is sealed.

use std::sync::Arc;

use sealtrail_disk::{Disk, Open};

use super::MirrorError;
use super::batch::check_slots;
use crate::layout::Layout;
use crate::read::parts::names;
use crate::read::wal::Batches;
use crate::recover::{RecoverError, WalEnd};
use crate::track::Tracker;

/// Follows the part that begins where `tracker` ends, if there is one; one that was sealed already is removed.
pub(super) fn follow(disk: &dyn Disk, layout: &Layout, tracker: &mut Tracker) -> Result<Option<WalEnd>, MirrorError> {
    let mut found = None;
    for name in names(disk, &layout.wal_dir())? {
        let Some(first) = Layout::first_of(&name, ".part") else { continue };
        if first < tracker.size() {
            disk.remove(&layout.part(first))?;
            continue;
        }
        let path = layout.part(first);
        if first != tracker.size() || found.is_some() {
            return Err(RecoverError::Hole { from: tracker.size(), next: first, path }.into());
        }
        let file = disk.open(&path, Open::Read)?;
        let mut batches = Batches::lenient(Arc::clone(&file), 0);
        let (mut last_batch, mut since) = (0, None);
        while let Some(batch) = batches.next()? {
            // What cannot be believed here was damaged after it was taken.
            let at = usize::try_from(batch.offset).unwrap_or(usize::MAX);
            check_slots(batch.lines).map_err(|what| MirrorError::Batch { what, at })?;
            tracker.batch(&batch)?;
            since.get_or_insert(batch.commit.commit.time);
            last_batch = batch.offset;
        }
        let end = batches.offset();
        found = Some(WalEnd { first, end, torn: batches.tail()?.bytes, last_batch, since });
        if end == 0 {
            disk.remove(&path)?;
            found = None;
        }
    }
    Ok(found)
}
