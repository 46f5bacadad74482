//! Losses that hooks counted: taken to be sealed, and set to zero once they are.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags};
use sealtrail_intake::{Class, GAP_BYTES, Gap, GapTable};

use crate::home::Home;
use crate::shared::Shared;

/// 100 tries, 20 ms apart: the table is held while its losses are sealed, which takes a sync or two.
const TRIES: u32 = 100;
const TRY_EVERY: Duration = Duration::from_millis(20);

/// The counted losses, locked: no hook can count while this is held.
pub(crate) struct HeldGaps {
    file: File,
    /// Every loss.
    pub(crate) gaps: Vec<Gap>,
}

/// Returns the losses that are counted and not sealed yet.
pub fn gaps(home: &Home) -> io::Result<Vec<Gap>> {
    let mut bytes = [0u8; GAP_BYTES];
    match open(home) {
        Ok(file) => file.read_exact_at(&mut bytes, 0)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(GapTable::from_bytes(&bytes).gaps())
}

/// Counts events that a part of the daemon's process could not have sealed, so that the next round says how many. Failing to do so is the end of
/// the road: nobody is left to tell.
pub fn count_loss(home: &Home, class: &str, cause: &str, count: u64) {
    let counted = open(home).and_then(|file| {
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        let mut bytes = [0u8; GAP_BYTES];
        file.read_exact_at(&mut bytes, 0)?;
        let mut table = GapTable::from_bytes(&bytes);
        if let Some(changed) = table.count(class, cause, count, crate::clock::unix_ns()) {
            file.write_all_at(&table.as_bytes()[changed.clone()], changed.start as u64)?;
        }
        file.sync_data()
    });
    drop(counted);
}

/// Takes the losses and keeps the table locked; nothing when there are none, or when a hook is counting right now.
pub(crate) fn take(home: &Home) -> io::Result<Option<HeldGaps>> {
    if gaps(home)?.is_empty() {
        return Ok(None);
    }
    let file = open(home)?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let mut bytes = [0u8; GAP_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Some(HeldGaps { file, gaps: GapTable::from_bytes(&bytes).gaps() }))
}

/// Counts one lost event, as a hook does that can spool nothing. Failing to do so is the end of the road: nobody is left to tell.
pub(crate) fn count(shared: &Shared, class: Class, cause: &str, now_unix_ns: u64) {
    let _ = try_count(shared, class, cause, now_unix_ns);
}

fn try_count(shared: &Shared, class: Class, cause: &str, now_unix_ns: u64) -> io::Result<()> {
    let file = open(&shared.home)?;
    let mut tries = 0;
    while let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        tries += 1;
        if tries > TRIES {
            return Err(error.into());
        }
        // A daemon that stops waits no less: the loss is the last thing that it learns.
        let _ = shared.wait_for_stop(TRY_EVERY);
    }
    let mut bytes = [0u8; GAP_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    let mut table = GapTable::from_bytes(&bytes);
    if let Some(changed) = table.count(class.as_str(), cause, 1, now_unix_ns) {
        file.write_all_at(&table.as_bytes()[changed.clone()], changed.start as u64)?;
    }
    file.sync_data()
}

impl HeldGaps {
    /// Sets everything to zero. Called once the losses are sealed; a crash before this seals them twice.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.file.write_all_at(&[0u8; GAP_BYTES], 0)?;
        self.file.sync_data()
    }
}

fn open(home: &Home) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    File::options().read(true).write(true).custom_flags(flags).open(home.spool().join("gaps"))
}
