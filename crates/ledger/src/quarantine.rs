//! What a crash left after the last whole batch: set aside, named by its hash, never dropped.

use std::path::PathBuf;

use sealtrail_disk::{Disk, DiskError, Open, create_whole, read_exact_at};

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

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
