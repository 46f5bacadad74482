//! Steps that are only durable together, in the one order that survives a crash.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskError, DiskFile, Open, Step};

/// Replaces `path` by `bytes` in one step: after a crash it has the old content or the new one, nothing between.
///
/// Writes `<name>.new`, syncs it, renames it, syncs the folder. A `.new` file that a crash left is overwritten.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let new = beside(path);
    match disk.remove(&new) {
        Err(error) if !error.is_missing() => return Err(error),
        _ => {}
    }
    let file = disk.open(&new, Open::New)?;
    write_all_at(&*file, bytes, 0)?;
    file.sync_data()?;
    disk.rename(&new, path)?;
    disk.sync_dir(folder(path))
}

/// Creates a file that must not exist, with its whole content, durably.
///
/// It goes through [`replace`], so a crash leaves no file or the whole one.
pub fn create_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    if disk.size(path)?.is_some() {
        return Err(DiskError::new(Step::Create, path, io::ErrorKind::AlreadyExists.into()));
    }
    replace(disk, path, bytes)
}

/// Writes all of `bytes` at `offset`, however many calls the disk needs for it.
pub fn write_all_at(file: &dyn DiskFile, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64)? {
            0 => return Err(DiskError::new(Step::Write, file.path(), io::ErrorKind::WriteZero.into())),
            n => done += n,
        }
    }
    Ok(())
}

/// Fills `into` from `offset`; an early end of the file is an error.
pub fn read_exact_at(file: &dyn DiskFile, into: &mut [u8], offset: u64) -> Result<(), DiskError> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], offset + done as u64)? {
            0 => return Err(DiskError::new(Step::Read, file.path(), io::ErrorKind::UnexpectedEof.into())),
            n => done += n,
        }
    }
    Ok(())
}

/// Reads an open file from one position to its end, for decoders that want [`Read`].
pub struct FileReader {
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl FileReader {
    /// Starts at `offset`.
    pub fn new(file: Arc<dyn DiskFile>, offset: u64) -> Self {
        Self { file, offset }
    }

    /// Returns the position of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl Read for FileReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(into, self.offset).map_err(io::Error::other)?;
        self.offset += n as u64;
        Ok(n)
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Returns the folder of `path`; the current one for a bare name.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
