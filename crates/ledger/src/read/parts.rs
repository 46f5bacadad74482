//! Which files hold which events: sealed segments and active ones, found without a lock while a writer works.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open};

use crate::line::{Compression, LineError, Manifest};

/// A name can vanish between listing and opening when the writer seals a segment; each time means a whole segment was filled or a
/// midnight passed, so a few tries are plenty.
const TRIES: usize = 8;

/// The files of one segment, by the position in their names.
#[derive(Default)]
pub(crate) struct Part {
    /// The manifest, if there is one.
    pub(crate) manifest: Option<Result<Manifest, LineError>>,
    /// The names in `seg/` other than the manifest.
    pub(crate) sealed: Vec<String>,
    /// The file in `wal/`, held open: the writer may remove its name at any time.
    pub(crate) wal: Option<Arc<dyn DiskFile>>,
}

/// Every segment of a ledger, and every name that belongs to none.
pub(crate) struct Parts {
    pub(crate) found: BTreeMap<u64, Part>,
    /// Paths below the ledger's folder.
    pub(crate) unknown: Vec<String>,
}

/// What a name in `seg/` or `wal/` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Wal(u64),
    Manifest(u64),
    Sealed(u64),
    Blocks(u64),
    Unknown,
}

impl Parts {
    /// Lists the ledger in `dir` and opens its active segments.
    pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Self, DiskError> {
        let mut tries = 0;
        loop {
            match Self::list_once(disk, dir) {
                Err(error) if error.is_missing() && tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    fn list_once(disk: &dyn Disk, dir: &Path) -> Result<Self, DiskError> {
        let mut parts = Self { found: BTreeMap::new(), unknown: Vec::new() };
        // The active segments first: what is sealed after this line is still held open.
        for name in names(disk, &dir.join("wal"))? {
            match parse_name("wal", &name) {
                Name::Wal(first) => {
                    let file = disk.open(&dir.join("wal").join(&name), Open::Read)?;
                    parts.found.entry(first).or_default().wal = Some(file);
                }
                _ => parts.unknown.push(format!("wal/{name}")),
            }
        }
        let mut side = Vec::new();
        for name in names(disk, &dir.join("seg"))? {
            match parse_name("seg", &name) {
                Name::Manifest(first) => {
                    let bytes = disk.read(&dir.join("seg").join(&name))?;
                    parts.found.entry(first).or_default().manifest = Some(Manifest::parse(&bytes));
                }
                Name::Blocks(first) => side.push((first, name)),
                Name::Sealed(first) => parts.found.entry(first).or_default().sealed.push(name),
                _ => parts.unknown.push(format!("seg/{name}")),
            }
        }
        // A side file makes no segment.
        let stray = side.into_iter().filter(|(first, _)| !parts.found.contains_key(first));
        parts.unknown.extend(stray.map(|(_, name)| format!("seg/{name}")));
        Ok(parts)
    }
}

/// Returns the path of a segment's file below the ledger's folder.
pub(crate) fn sealed_path(first: u64, what: &str, compression: Compression) -> String {
    format!("seg/{first:012}.{what}.jsonl{}", compression.suffix())
}

/// Returns the path of a segment's side file below the ledger's folder.
pub(crate) fn blocks_path(first: u64) -> String {
    format!("seg/{first:012}.blocks")
}

/// Lists a folder; one that does not exist is empty.
pub(crate) fn names(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, DiskError> {
    match disk.list(dir) {
        Err(error) if error.is_missing() => Ok(Vec::new()),
        other => other,
    }
}

fn parse_name(folder: &str, name: &str) -> Name {
    let Some((digits, rest)) = name.split_once('.') else { return Name::Unknown };
    // 12 digits, and more once a log has passed 10^12 events.
    let Ok(first) = digits.parse::<u64>() else { return Name::Unknown };
    if format!("{first:012}") != digits {
        return Name::Unknown;
    }
    match (folder, rest) {
        ("wal", "wal") => Name::Wal(first),
        ("seg", "json") => Name::Manifest(first),
        ("seg", "blocks") => Name::Blocks(first),
        ("seg", rest) if ["entries", "slots", "commits"].contains(&rest.trim_end_matches(".gz").trim_end_matches(".jsonl")) => {
            let known = [".jsonl", ".jsonl.gz"].iter().any(|end| rest.ends_with(end));
            if known && rest.matches('.').count() <= 2 { Name::Sealed(first) } else { Name::Unknown }
        }
        _ => Name::Unknown,
    }
}
