//! The files beside the log itself: names nobody knows, and what was put into quarantine.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use sealtrail_disk::{Disk, DiskError, FileReader, Open};
use std::io::Read as _;

use super::warn;
use crate::read::parts::names;
use crate::report::Finding;

/// Everything that may lie in a ledger's folder.
const KNOWN: [&str; 12] = [
    "log.json",
    "log.vkey",
    "lock",
    "wal",
    "seg",
    "tile",
    "checkpoint",
    "checkpoints.notes",
    "highwater",
    "quarantine",
    "reserve",
    "erasing",
];

/// Reports unknown names and everything in quarantine.
pub(super) fn judge(disk: &dyn Disk, dir: &Path, findings: &mut Vec<Finding>) -> Result<(), DiskError> {
    for name in disk.list(dir)? {
        if !KNOWN.contains(&name.as_str()) {
            findings.push(unknown(name));
        }
    }
    for name in names(disk, &dir.join("quarantine"))? {
        let path = format!("quarantine/{name}");
        // `.pending` until the event that mentions it is sealed.
        let stem = name.strip_suffix(".torn").or_else(|| name.strip_suffix(".pending"));
        let parsed = stem.and_then(|stem| stem.split_once('-'));
        let Some((_, sha256)) = parsed.filter(|(ms, hex)| ms.bytes().all(|b| b.is_ascii_digit()) && hex.len() == 64) else {
            findings.push(unknown(path));
            continue;
        };
        match sum(disk, &dir.join(&path)) {
            Ok((bytes, found)) if found == sha256 => {
                findings.push(Finding::note(
                    "quarantine",
                    path,
                    format!("{bytes} bytes of an unfinished batch were set aside at a recovery"),
                ));
            }
            Ok(_) => {
                findings.push(Finding::fail("quarantine-differs", path, "the content is not the one that the name states the hash of"))
            }
            Err(error) => findings.push(Finding::fail("unreadable", path, error.to_string())),
        }
    }
    Ok(())
}

/// Reports a name that is none of the ledger's; one that a crash leaves behind is worth a note only.
pub(super) fn unknown(path: String) -> Finding {
    if path.ends_with(".new") {
        return Finding::note("unfinished-file", path, "a file that a crash left before it got its name");
    }
    warn("unknown-file", path, "the file is none of the ledger's")
}

fn sum(disk: &dyn Disk, path: &Path) -> std::io::Result<(u64, String)> {
    let file = disk.open(path, Open::Read).map_err(std::io::Error::other)?;
    let (mut reader, mut digest, mut buffer) = (FileReader::new(file, 0), Context::new(&SHA256), vec![0; 64 * 1024]);
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        digest.update(&buffer[..n]);
    }
    let mut hex = Vec::new();
    crate::line::push_hex(&mut hex, digest.finish().as_ref());
    Ok((reader.offset(), String::from_utf8_lossy(&hex).into_owned()))
}
