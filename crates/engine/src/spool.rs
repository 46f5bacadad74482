//! What hooks left in the spool: found, opened with the trail's key, and removed once it is sealed.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crypto_box::SecretKey;
use rustix::fs::{FlockOperation, OFlags};
use sealtrail_intake::{Frame, Piece, pieces};

/// 128 MiB: a hook closes a file at 64 MiB, and one more record has at most 32 MiB. A larger one is not of a hook's making.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// 1,024 files in one round; the next round takes the next ones.
const FILES_MAX: usize = 1_024;

/// One delivery out of a spool.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(crate) frame: Frame,
    pub(crate) body: Vec<u8>,
}

/// One file of the spool.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    path: PathBuf,
    file: File,
    /// Its owner: who sent what is in it, whatever that says of itself.
    pub(crate) uid: u32,
}

/// What stands in a file.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Deliveries in order.
    pub(crate) spooled: Vec<Spooled>,
    /// Places that hold something that is no delivery.
    pub(crate) torn: u64,
    /// The file is no spool at all.
    pub(crate) oversized: bool,
    /// Bytes that were looked at.
    length: u64,
}

/// What waits in the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolDepth {
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
    /// When the file that was left alone longest was last written to, nanoseconds since 1970.
    pub oldest_unix_ns: Option<u64>,
}

/// Returns the spool's files, the one that was left alone longest first.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<SpoolFile>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "spool") {
            if let Some(file) = SpoolFile::open(path) {
                found.push(file);
            }
            if found.len() == FILES_MAX {
                break;
            }
        }
    }
    found.sort_by_cached_key(|(modified, file)| (*modified, file.path.clone()));
    Ok(found.into_iter().map(|(_, file)| file).collect())
}

/// Counts what waits, without opening any box.
pub fn spool_depth(home: &crate::Home) -> io::Result<SpoolDepth> {
    let mut depth = SpoolDepth::default();
    for entry in std::fs::read_dir(home.spool())? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "spool") {
            continue;
        }
        let Some((modified, file)) = SpoolFile::open(path) else { continue };
        let bytes = file.bytes().unwrap_or_default();
        depth.files += 1;
        depth.bytes += bytes.len() as u64;
        depth.records += pieces(&bytes, |_| true).iter().filter(|(_, piece)| matches!(piece, Piece::Box(_))).count() as u64;
        depth.oldest_unix_ns = Some(depth.oldest_unix_ns.map_or(modified, |oldest| oldest.min(modified)));
    }
    Ok(depth)
}

impl SpoolFile {
    /// Opens a regular file; links, pipes and what cannot be read are no spool.
    fn open(path: PathBuf) -> Option<(u64, Self)> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let file = File::options().read(true).custom_flags(flags).open(&path).ok()?;
        let about = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let modified = u64::try_from(i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec())).unwrap_or(0);
        Some((modified, Self { path, file, uid: about.uid() }))
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // From its beginning: this may be the second look.
        let mut file = &self.file;
        io::Seek::rewind(&mut file)?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads everything that is there now.
    pub(crate) fn read(&self, key: &SecretKey) -> io::Result<Content> {
        let length = self.file.metadata()?.len();
        if length > FILE_BYTES_MAX {
            return Ok(Content { oversized: true, length, ..Content::default() });
        }
        let bytes = self.bytes()?;
        let mut content = Content { length: bytes.len() as u64, ..Content::default() };
        let found = pieces(&bytes, |sealed| match open_box(key, sealed) {
            Some(spooled) => {
                content.spooled.push(spooled);
                true
            }
            None => false,
        });
        content.torn = found.iter().filter(|(_, piece)| matches!(piece, Piece::Torn(_))).count() as u64;
        Ok(content)
    }

    /// Locks the file against hooks, if nothing was appended since `content` was read.
    pub(crate) fn hold(&self, content: &Content) -> io::Result<Option<Held<'_>>> {
        // Hooks hold this lock for one write; whoever holds it now has the next round to wait for.
        if rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let held = Held { file: self };
        let about = self.file.metadata()?;
        // A hook may have closed it under another name since it was opened; the name may now be a new file's.
        let named = std::fs::symlink_metadata(&self.path).is_ok_and(|named| (named.dev(), named.ino()) == (about.dev(), about.ino()));
        Ok((named && about.len() == content.length).then_some(held))
    }
}

/// A spool file that no hook can append to.
pub(crate) struct Held<'a> {
    file: &'a SpoolFile,
}

impl Held<'_> {
    /// Removes the file. A hook that waits for the lock notices and begins a new one.
    pub(crate) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.file.path)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Closing the file releases it as well.
        let _ = rustix::fs::flock(&self.file.file, FlockOperation::Unlock);
    }
}

fn open_box(key: &SecretKey, sealed: &[u8]) -> Option<Spooled> {
    let plain = key.unseal(sealed).ok()?;
    let (frame, body) = Frame::parse_whole(&plain).ok()?;
    Some(Spooled { frame, body: body.to_vec() })
}
