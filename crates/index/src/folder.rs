//! A test folder for the search library: its files lie on a disk that can fail, as ours do.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskFile, Open, replace, write_all_at};
use tantivy::TantivyError;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite, WatchCallback, WatchHandle, WritePtr,
};

use crate::files::Files;

/// Files of indexes on any disk.
pub(crate) struct FilesOn(pub(crate) Arc<dyn Disk>);

impl Files for FilesOn {
    fn disk(&self) -> &dyn Disk {
        &*self.0
    }

    fn folder(&self, dir: &Path) -> Result<Box<dyn Directory>, TantivyError> {
        Ok(Box::new(Folder { disk: Arc::clone(&self.0), dir: dir.to_owned() }))
    }
}

#[derive(Clone)]
struct Folder {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.dir.display())
    }
}

impl Directory for Folder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(OwnedBytes::new(self.atomic_read(path)?)))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.disk.remove(&self.dir.join(path)).map_err(|error| match error.is_missing() {
            true => DeleteError::FileDoesNotExist(path.to_owned()),
            false => DeleteError::IoError { io_error: Arc::new(io::Error::other(error)), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        let size = self.disk.size(&self.dir.join(path));
        size.map(|size| size.is_some()).map_err(|error| OpenReadError::wrap_io_error(io::Error::other(error), path.to_owned()))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = self.disk.open(&self.dir.join(path), Open::New).map_err(|error| match error.source.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::wrap_io_error(io::Error::other(error), path.to_owned()),
        })?;
        Ok(BufWriter::new(Box::new(Writer { file, at: 0 })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.disk.read(&self.dir.join(path)).map_err(|error| match error.is_missing() {
            true => OpenReadError::FileDoesNotExist(path.to_owned()),
            false => OpenReadError::wrap_io_error(io::Error::other(error), path.to_owned()),
        })
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        replace(&*self.disk, &self.dir.join(path), data).map_err(io::Error::other)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_dir(&self.dir).map_err(io::Error::other)
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        loop {
            match self.disk.lock(&self.dir.join(&lock.filepath)) {
                Ok(held) => return Ok(DirectoryLock::from(Box::new(Held(held)))),
                // Another thread holds it for as long as it looks at a list of names.
                Err(error) if error.is_locked() && lock.is_blocking => std::thread::yield_now(),
                Err(error) if error.is_locked() => return Err(LockError::LockBusy),
                Err(error) => return Err(LockError::wrap_io_error(io::Error::other(error))),
            }
        }
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

struct Held(#[expect(dead_code, reason = "held until it is dropped")] Box<dyn sealtrail_disk::Lock>);

struct Writer {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all_at(&*self.file, bytes, self.at).map_err(io::Error::other)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Writer {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.file.sync_data().map_err(io::Error::other)
    }
}
