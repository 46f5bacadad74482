//! Showing a change of a settings file, and making it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::diff;
use crate::failure::Failure;
use jiff::Timestamp;

/// A change of one file that has not been made yet.
pub(crate) struct Change {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it holds; empty when it does not exist.
    pub(crate) old: String,
    /// What it will hold.
    pub(crate) new: String,
}

impl Change {
    /// Returns the change as a unified diff, safe to show, with coloured signs.
    pub(crate) fn diff(&self) -> String {
        let name = self.path.display().to_string();
        diff::painted(&diff::unified(&self.old, &self.new, &name, &name))
    }
}

/// Makes the change in one step and returns the backup of what was there before.
///
/// A link is followed, so that a settings file kept elsewhere stays where it is; owner-readable modes are kept.
/// A crash leaves the old file or the new one, and at worst a `.new` file beside it.
pub(crate) fn write(change: &Change, now: Timestamp) -> Result<Option<PathBuf>, Failure> {
    let path = fs::canonicalize(&change.path).unwrap_or_else(|_| change.path.clone());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::file("create folder", folder, &error))?;
    }
    let backup = if path.exists() {
        let backup = beside(&path, &format!(".{}.bak", now.strftime("%Y%m%dT%H%M%SZ")));
        fs::copy(&path, &backup).map_err(|error| Failure::file("back up to", &backup, &error))?;
        Some(backup)
    } else {
        None
    };
    let new = beside(&path, ".new");
    replace(&path, &new, change.new.as_bytes()).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(backup)
}

fn replace(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
