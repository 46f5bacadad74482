//! What servers described, kept from one connection to the next: one file a server name, replaced in one step.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_capture::mcp::Known;
use sealtrail_disk::{Disk, DiskError, RealDisk, replace};
use sealtrail_engine::Home;

/// The file of one server. A crash leaves the old content or the new one; the trail holds every change in any case.
#[derive(Clone, Debug)]
pub struct Keeper {
    path: PathBuf,
}

impl Keeper {
    /// Names the file of the server `name` in a home.
    pub fn new(home: &Home, name: &str) -> Self {
        let plain: String = name.chars().take(48).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let hash: String = digest(&SHA256, name.as_bytes()).as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { path: home.path().join("mcp").join(format!("{plain}-{hash}.json")) }
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what is known; nothing when there is no file, or none that can be understood.
    pub fn read(&self) -> Known {
        RealDisk.read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps what is known now.
    pub(crate) fn keep(&self, known: &Known) -> Result<(), DiskError> {
        if let Some(folder) = self.path.parent() {
            RealDisk.create_dir(folder)?;
        }
        replace(&RealDisk, &self.path, &serde_json::to_vec(known).unwrap_or_default())
    }
}
