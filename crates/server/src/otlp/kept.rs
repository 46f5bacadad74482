//! Holes that wait, in a file: a server that was killed tells them after its next start.
//!
//! Written only when they change, which is when something is missing. A kill between a request and this file loses what that request showed to be
//! missing, and tells nothing false.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sealtrail_capture::otel::{Missing, Sequences};
use sealtrail_disk::{Disk, RealDisk, replace};
use sealtrail_engine::Home;

/// 1,024 holes of about 250 bytes: who loses more has trouble enough to be told of.
const HOLES_MAX: usize = 1_024;

/// Where they lie.
pub(super) struct Kept {
    path: PathBuf,
    /// Held while the file is written, so that the last one to write knows the most.
    writing: Mutex<()>,
}

impl Kept {
    pub(super) fn of(home: &Home) -> Arc<Self> {
        Arc::new(Self { path: home.path().join("otel-missing.json"), writing: Mutex::default() })
    }

    /// Returns what an earlier server left; nothing when it cannot be read.
    pub(super) fn read(&self) -> Vec<Missing> {
        let found = RealDisk.read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut found: Vec<Missing> = found.unwrap_or_default();
        found.truncate(HOLES_MAX);
        found
    }

    /// Writes the holes down if they changed.
    pub(super) fn follow(&self, sequences: &Mutex<Sequences>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = sequences.lock().unwrap_or_else(PoisonError::into_inner).changed();
        if let Some(holes) = changed {
            self.write(&holes);
        }
    }

    /// Writes the holes down. A failure costs them only if the server is killed as well: they are still in memory.
    pub(super) fn write(&self, holes: &[Missing]) {
        let bytes = serde_json::to_vec(&holes[..holes.len().min(HOLES_MAX)]).unwrap_or_default();
        let _ = replace(&RealDisk, &self.path, &bytes);
    }
}
