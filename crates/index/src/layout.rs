//! The folder of the index: which partitions there are, and of which log.
//!
//! ```text
//! index.json          which log, which version of the format
//! lock                held by the one writer
//! forget.json         an erasure that the partitions must follow; gone when they did
//! p<first>-<n>/       a partition: positions from <first>; of several <n> the largest counts
//! p<first>-<n>.new/   one that is being made
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, replace};
use sealtrail_ledger::line::LogInfo;
use serde::{Deserialize, Serialize};

use crate::files::Files;

/// 524,288 positions: a set of them has 64 KiB, and a year of 700 million events has 1,336 partitions. Unit tests fill smaller ones.
pub(crate) const SPAN: u64 = if cfg!(test) { 1 << 6 } else { 1 << 19 };

/// Rises with every change of what is indexed or how; an index of another version is made anew.
const VERSION: u32 = 1;

/// What `index.json` says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    format: String,
    version: u32,
    origin: String,
    log_id: String,
}

/// What `forget.json` says: positions whose partitions must be made anew.
#[derive(Debug, Serialize, Deserialize)]
struct ToForget {
    ranges: Vec<(u64, u64)>,
}

/// Whether an index can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is none.
    Missing,
    /// It is of another log or another version; the writer will make it anew.
    Foreign,
    /// It can.
    Ready,
}

/// The folder of an index.
#[derive(Clone)]
pub(crate) struct Layout {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

/// A partition that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) generation: u32,
    pub(crate) dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(files: Arc<dyn Files>, dir: &Path) -> Self {
        Self { files, dir: dir.to_owned() }
    }

    pub(crate) fn files(&self) -> &dyn Files {
        &*self.files
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.files.disk()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// Returns whether the index is one of `log`.
    pub(crate) fn state(&self, log: &LogInfo) -> Result<State, DiskError> {
        let bytes = match self.disk().read(&self.dir.join("index.json")) {
            Err(error) if error.is_missing() => return Ok(State::Missing),
            other => other?,
        };
        let ours = serde_json::from_slice::<About>(&bytes).is_ok_and(|about| about == About::of(log));
        Ok(if ours { State::Ready } else { State::Foreign })
    }

    /// Says that the index is one of `log`.
    pub(crate) fn write(&self, log: &LogInfo) -> Result<(), DiskError> {
        let json = serde_json::to_string(&About::of(log)).unwrap_or_default();
        replace(self.disk(), &self.dir.join("index.json"), format!("{json}\n").as_bytes())
    }

    /// Returns the partitions by their first position: of each the newest.
    pub(crate) fn partitions(&self) -> Result<BTreeMap<u64, Found>, DiskError> {
        let mut found = BTreeMap::new();
        for name in self.names()? {
            let Some((first, generation)) = parse(&name) else { continue };
            let this = Found { generation, dir: self.dir.join(&name) };
            let newest = found.entry(first).or_insert_with(|| this.clone());
            if newest.generation < generation {
                *newest = this;
            }
        }
        Ok(found)
    }

    /// Returns the folder of a partition, and the one in which it is made.
    pub(crate) fn partition(&self, first: u64, generation: u32) -> (PathBuf, PathBuf) {
        let name = format!("p{first:012}-{generation:04}");
        (self.dir.join(&name), self.dir.join(format!("{name}.new")))
    }

    /// Removes half made and replaced partitions; all of them when `all`.
    pub(crate) fn clean(&self, all: bool) -> Result<(), DiskError> {
        let newest = self.partitions()?;
        for name in self.names()? {
            let kept = |found: &Found| !all && found.dir.file_name().is_some_and(|kept| kept == name.as_str());
            let ours = name.strip_suffix(".new").unwrap_or(&name);
            if let Some((first, _)) = parse(ours)
                && !newest.get(&first).is_some_and(kept)
            {
                remove_tree(self.disk(), &self.dir.join(&name))?;
            }
        }
        Ok(())
    }

    /// Notes that the partitions of these positions must be made anew.
    pub(crate) fn forget(&self, ranges: &[(u64, u64)]) -> Result<(), DiskError> {
        let json = serde_json::to_string(&ToForget { ranges: ranges.to_vec() }).unwrap_or_default();
        replace(self.disk(), &self.dir.join("forget.json"), json.as_bytes())
    }

    /// Returns the positions whose partitions must be made anew.
    pub(crate) fn to_forget(&self) -> Result<Vec<(u64, u64)>, DiskError> {
        let bytes = match self.disk().read(&self.dir.join("forget.json")) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            other => other?,
        };
        // The file is replaced as a whole; one that cannot be read was damaged, and then everything is made anew.
        Ok(serde_json::from_slice::<ToForget>(&bytes).map_or_else(|_| vec![(0, u64::MAX)], |note| note.ranges))
    }

    /// Says that they were made anew.
    pub(crate) fn forgotten(&self) -> Result<(), DiskError> {
        match self.disk().remove(&self.dir.join("forget.json")) {
            Err(error) if error.is_missing() => Ok(()),
            other => other,
        }
    }

    /// Returns the bytes of all files.
    pub(crate) fn bytes(&self) -> Result<u64, DiskError> {
        let mut sum = 0;
        for found in self.partitions()?.values() {
            for name in self.disk().list(&found.dir)? {
                sum += self.disk().size(&found.dir.join(name))?.unwrap_or(0);
            }
        }
        Ok(sum)
    }

    fn names(&self) -> Result<Vec<String>, DiskError> {
        match self.disk().list(&self.dir) {
            Err(error) if error.is_missing() => Ok(Vec::new()),
            other => other,
        }
    }
}

impl About {
    fn of(log: &LogInfo) -> Self {
        Self { format: "sealtrail-index".to_owned(), version: VERSION, origin: log.origin.clone(), log_id: log.log_id.clone() }
    }
}

fn parse(name: &str) -> Option<(u64, u32)> {
    let (first, generation) = name.strip_prefix('p')?.split_once('-')?;
    let (first, generation) = (first.parse().ok()?, generation.parse().ok()?);
    (format!("p{first:012}-{generation:04}") == name).then_some((first, generation))
}

/// Removes a folder of files; what is gone already is no error.
pub(crate) fn remove_tree(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    let gone = |result: Result<(), DiskError>| match result {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    };
    let names = match disk.list(dir) {
        Err(error) if error.is_missing() => return Ok(()),
        other => other?,
    };
    for name in names {
        gone(disk.remove(&dir.join(name)))?;
    }
    gone(disk.remove_dir(dir))
}
