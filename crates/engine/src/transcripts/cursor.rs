//! How far each transcript is sealed, kept in the home: one small file for each, replaced in one step after its lines are sealed.
//!
//! A crash between sealing and replacing leaves a cursor that is too early: the lines are read again, and their events are known by their ids.

use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_disk::{Disk, DiskError, RealDisk, replace};
use serde_json::{Value, json};

use crate::transcripts::prefix::hex;

/// 1 MiB: a cursor of a transcript of 3 GiB.
const CURSOR_BYTES_MAX: u64 = 1024 * 1024;

/// 20,000 transcripts: 30 days of a busy machine have some thousands.
pub(crate) const FILES_MAX: usize = 20_000;

/// Which file, as the file system knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Inode {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

/// How far a file is sealed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cursor {
    pub(crate) path: PathBuf,
    pub(crate) inode: Inode,
    pub(crate) uid: u32,
    /// Bytes that are sealed: always whole lines.
    pub(crate) offset: u64,
    pub(crate) lines: u64,
    pub(crate) sha256: String,
    pub(crate) blocks: Vec<String>,
    /// The last sealed bytes: how many, and their SHA-256.
    pub(crate) tail: (u64, String),
    /// When the file last changed as far as this cursor knows, in nanoseconds: nobody can set it.
    pub(crate) ctime_ns: i128,
    /// When it was last read.
    pub(crate) read_unix_ns: u64,
}

impl Cursor {
    fn to_json(&self) -> Value {
        json!({
            "version": 1, "path": self.path.to_string_lossy(), "dev": self.inode.dev, "ino": self.inode.ino, "uid": self.uid,
            "offset": self.offset, "lines": self.lines, "sha256": self.sha256, "blocks": self.blocks.concat(),
            "tail_bytes": self.tail.0, "tail_sha256": self.tail.1,
            "ctime_ns": self.ctime_ns.to_string(), "read_unix_ns": self.read_unix_ns,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if number("version") != Some(1) {
            return None;
        }
        let blocks = text("blocks")?;
        Some(Self {
            path: text("path")?.into(),
            inode: Inode { dev: number("dev")?, ino: number("ino")? },
            uid: u32::try_from(number("uid")?).ok()?,
            offset: number("offset")?,
            lines: number("lines")?,
            sha256: text("sha256")?.to_owned(),
            blocks: blocks.as_bytes().chunks(16).map(|print| String::from_utf8_lossy(print).into_owned()).collect(),
            tail: (number("tail_bytes")?, text("tail_sha256")?.to_owned()),
            ctime_ns: text("ctime_ns")?.parse().ok()?,
            read_unix_ns: number("read_unix_ns")?,
        })
    }
}

/// The folder of the cursors.
pub(crate) struct Cursors {
    folder: PathBuf,
}

impl Cursors {
    pub(crate) fn new(home: &Path) -> Self {
        Self { folder: home.join("transcripts") }
    }

    /// Reads every cursor. One that is damaged is left out: its file is read from its beginning, and its events are known.
    pub(crate) fn load(&self) -> Vec<Cursor> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let wanted = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).take(FILES_MAX);
        wanted.filter_map(|path| read(&path).ok()).filter_map(|value| Cursor::from_json(&value)).collect()
    }

    /// Keeps a cursor; durable when this returns.
    pub(crate) fn keep(&self, cursor: &Cursor) -> Result<(), DiskError> {
        if !self.folder.is_dir() {
            RealDisk.create_dir(&self.folder)?;
            // In a home that others may enter, it tells them nothing. A folder that stays open to them is no reason to stop.
            let _ = std::fs::set_permissions(&self.folder, Permissions::from_mode(0o700));
        }
        replace(&RealDisk, &self.place(&cursor.path), cursor.to_json().to_string().as_bytes())
    }

    /// Forgets the cursor of a path.
    pub(crate) fn forget(&self, path: &Path) {
        // Left behind, it tells the same end of the file once more, under the same id.
        let _ = std::fs::remove_file(self.place(path));
    }

    fn place(&self, path: &Path) -> PathBuf {
        let hash = digest(&SHA256, path.as_os_str().as_encoded_bytes());
        self.folder.join(format!("{}.json", hex(&hash.as_ref()[..16])))
    }
}

fn read(path: &Path) -> io::Result<Value> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(CURSOR_BYTES_MAX).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Protects what is known after a restart: a cursor comes back as it was kept, and a damaged one does not come back at all.
    #[test]
    fn a_cursor_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let cursors = Cursors::new(folder.path());
        assert_eq!(cursors.load(), []);
        let cursor = Cursor {
            path: "/home/dev/p/s.jsonl".into(),
            inode: Inode { dev: 7, ino: u64::MAX },
            uid: 1000,
            offset: 12,
            lines: 2,
            sha256: "ab".repeat(32),
            blocks: vec!["0123456789abcdef".into(), "fedcba9876543210".into()],
            tail: (5, "cd".repeat(32)),
            ctime_ns: -3,
            read_unix_ns: 9,
        };
        cursors.keep(&cursor).unwrap();
        assert_eq!(cursors.load(), std::slice::from_ref(&cursor));
        std::fs::write(folder.path().join("transcripts/x.json"), "{\"version\":1").unwrap();
        assert_eq!(cursors.load().len(), 1);
        cursors.forget(&cursor.path);
        assert_eq!(cursors.load(), []);
    }
}
