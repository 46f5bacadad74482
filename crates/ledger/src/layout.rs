//! Where everything lies below the folder of a log and the folder of its keys.

use std::path::{Path, PathBuf};

/// The paths of one log.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    pub(crate) keys: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path, keys: &Path) -> Self {
        Self { dir: dir.to_owned(), keys: keys.to_owned() }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("log.json")
    }

    pub(crate) fn vkey(&self) -> PathBuf {
        self.dir.join("log.vkey")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(crate) fn wal_dir(&self) -> PathBuf {
        self.dir.join("wal")
    }

    pub(crate) fn wal_name(first: u64) -> String {
        format!("{first:012}.wal")
    }

    pub(crate) fn wal(&self, first: u64) -> PathBuf {
        self.wal_dir().join(Self::wal_name(first))
    }

    /// The newest segment of a copy whose slots are not all there; see `mirror`.
    pub(crate) fn part(&self, first: u64) -> PathBuf {
        self.wal_dir().join(format!("{first:012}.part"))
    }

    /// Returns the position in the name of a WAL or of a manifest; other names have none.
    pub(crate) fn first_of(name: &str, suffix: &str) -> Option<u64> {
        let digits = name.strip_suffix(suffix)?;
        let first = (digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())??;
        (format!("{first:012}") == digits).then_some(first)
    }

    pub(crate) fn seg_dir(&self) -> PathBuf {
        self.dir.join("seg")
    }

    pub(crate) fn manifest(&self, first: u64) -> PathBuf {
        self.seg_dir().join(format!("{first:012}.json"))
    }

    /// Returns the path of one of the three files of a segment; `what` is `entries`, `slots` or `commits`.
    pub(crate) fn segment(&self, first: u64, what: &str, suffix: &str) -> PathBuf {
        self.seg_dir().join(format!("{first:012}.{what}.jsonl{suffix}"))
    }

    /// The side file of a segment.
    pub(crate) fn blocks(&self, first: u64) -> PathBuf {
        self.dir.join(crate::read::parts::blocks_path(first))
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    pub(crate) fn notes(&self) -> PathBuf {
        self.dir.join("checkpoints.notes")
    }

    pub(crate) fn highwater(&self) -> PathBuf {
        self.dir.join("highwater")
    }

    pub(crate) fn quarantine_dir(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    pub(crate) fn reserve(&self) -> PathBuf {
        self.dir.join("reserve")
    }

    pub(crate) fn erasing(&self) -> PathBuf {
        self.dir.join("erasing")
    }

    pub(crate) fn log_key(&self) -> PathBuf {
        self.keys.join("log.key")
    }

    pub(crate) fn epoch_key(&self) -> PathBuf {
        self.keys.join("epoch.key")
    }

    /// The key of the epoch that is being announced: durable before its announcement, renamed to `epoch.key` after it.
    pub(crate) fn next_epoch_key(&self) -> PathBuf {
        self.keys.join("epoch.next")
    }

    pub(crate) fn mac_key(&self) -> PathBuf {
        self.keys.join("mac.key")
    }
}
