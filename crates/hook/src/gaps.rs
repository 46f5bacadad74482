//! Counting a loss, in place, in a file that already has its room.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use sealtrail_intake::{Class, GAP_BYTES, GapTable};

/// Counts one lost event. Failing to do so is the end of the road: nobody is left to tell.
pub(crate) fn count(home: &Path, class: Class, cause: &str, now_unix_ns: u64) {
    let _ = try_count(&home.join("spool/gaps"), class, cause, now_unix_ns);
}

fn try_count(path: &Path, class: Class, cause: &str, now_unix_ns: u64) -> io::Result<()> {
    let file = open(path)?;
    sealtrail_spool::lock(&file, Instant::now() + Duration::from_secs(2))?;
    let mut bytes = [0u8; GAP_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    let mut table = GapTable::from_bytes(&bytes);
    if let Some(changed) = table.count(class.as_str(), cause, 1, now_unix_ns) {
        file.write_all_at(&table.as_bytes()[changed.clone()], changed.start as u64)?;
    }
    file.sync_data()
}

/// Opens the table, which `sealtrail init` made; makes it when somebody removed it and there is room.
fn open(path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(no_follow).open(path)?;
    if file.metadata()?.len() < GAP_BYTES as u64 {
        file.set_len(GAP_BYTES as u64)?;
    }
    Ok(file)
}
