//! What a crash left after the last whole batch: set aside, named by its hash, never dropped.

use std::path::{Path, PathBuf};

use sealtrail_disk::{Disk, DiskError, Open, create_whole, read_exact_at, replace};

use crate::head::sha256;
use crate::layout::Layout;
use crate::recover::WalEnd;
use crate::stamp::Stamp;

/// How a torn tail is named until a `ledger.start` that mentions it is durable.
const PENDING: &str = ".pending";
const TORN: &str = ".torn";

/// Torn tails that no `ledger.start` mentions yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    files: Vec<PathBuf>,
    pub(crate) bytes: u64,
    /// SHA-256 (hex) of the newest.
    pub(crate) sha256: Option<String>,
}

/// Copies what follows the end of the WAL into quarantine, durably, and only then cuts it off.
///
/// A crash between the two does both again; the name is that of the content, so nothing is doubled.
pub(crate) fn set_aside(disk: &dyn Disk, layout: &Layout, wal: &WalEnd, stamp: &Stamp) -> Result<(), DiskError> {
    if wal.torn == 0 {
        return Ok(());
    }
    let file = disk.open(&layout.wal(wal.first), Open::Write)?;
    let mut bytes = vec![0; usize::try_from(wal.torn).unwrap_or(usize::MAX)];
    read_exact_at(&*file, &mut bytes, wal.end)?;
    let hash = hex(&sha256(&bytes));
    let dir = layout.quarantine_dir();
    disk.create_dir(&dir)?;
    if !disk.list(&dir)?.iter().any(|name| name.ends_with(&format!("-{hash}{PENDING}"))) {
        create_whole(disk, &dir.join(format!("{}-{hash}{PENDING}", stamp.unix_ns / 1_000_000)), &bytes)?;
    }
    file.truncate(wal.end)?;
    file.sync_data()
}

/// Lists the tails that no `ledger.start` mentions yet.
pub(crate) fn pending(disk: &dyn Disk, layout: &Layout) -> Result<Pending, DiskError> {
    let dir = layout.quarantine_dir();
    let mut pending = Pending::default();
    let names = match disk.list(&dir) {
        Err(error) if error.is_missing() => return Ok(pending),
        other => other?,
    };
    for name in names {
        let Some(stem) = name.strip_suffix(PENDING) else { continue };
        pending.sha256 = stem.rsplit_once('-').map(|(_, hash)| hash.to_owned());
        pending.bytes += disk.size(&dir.join(&name))?.unwrap_or(0);
        pending.files.push(dir.join(name));
    }
    Ok(pending)
}

impl Pending {
    /// Gives the tails their final names, once a durable `ledger.start` mentions them.
    pub(crate) fn settle(&self, disk: &dyn Disk, layout: &Layout) -> Result<(), DiskError> {
        for path in &self.files {
            disk.rename(path, &path.with_extension(&TORN[1..]))?;
        }
        if self.files.is_empty() { Ok(()) } else { disk.sync_dir(&layout.quarantine_dir()) }
    }
}

/// Overwrites every copy of `values` in torn tails by an empty object and spaces; such a tail is named by its new hash.
///
/// A torn tail holds lines of events that were never acknowledged; when their sender tried again, the same content is in the log
/// under another salt, and an erasure there has to reach the copy here too.
pub(crate) fn scrub(disk: &dyn Disk, dir: &Path, values: &[Vec<u8>]) -> Result<(), DiskError> {
    if values.is_empty() {
        return Ok(());
    }
    for name in crate::read::parts::names(disk, dir)? {
        let mut bytes = disk.read(&dir.join(&name))?;
        if !blank(&mut bytes, values) {
            continue;
        }
        let time = name.split('-').next().unwrap_or_default();
        let end = if name.ends_with(PENDING) { PENDING } else { TORN };
        replace(disk, &dir.join(format!("{time}-{}{end}", hex(&sha256(&bytes)))), &bytes)?;
        disk.remove(&dir.join(&name))?;
        disk.sync_dir(dir)?;
    }
    Ok(())
}

/// Blanks every copy of a value; returns whether there was one.
fn blank(bytes: &mut [u8], values: &[Vec<u8>]) -> bool {
    let mut found = false;
    // An empty object says nothing, and is what a blanked value looks like.
    for value in values.iter().filter(|value| value.len() > 2) {
        while let Some(at) = memchr::memmem::find(bytes, value) {
            let copy = &mut bytes[at..at + value.len()];
            copy.fill(b' ');
            copy[..2].copy_from_slice(b"{}");
            found = true;
        }
    }
    found
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
