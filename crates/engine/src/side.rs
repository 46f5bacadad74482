//! Files beside a hook: read at once, because the client may delete them, and only if they belong to the sender.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use sealtrail_capture::{Side, SideFile};

/// Reads the files that can be read; what is missing, too strange or somebody else's is left out.
pub(crate) fn read(wanted: Vec<SideFile>, uid: u32) -> Vec<Side> {
    wanted.into_iter().filter_map(|file| read_one(file, uid)).collect()
}

fn read_one(wanted: SideFile, uid: u32) -> Option<Side> {
    // Not following a link and not waiting for a pipe: the path is the sender's choice.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(&wanted.path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.uid() != uid {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(wanted.bytes_max).read_to_end(&mut bytes).ok()?;
    Some(Side { path: wanted.path, bytes, size_bytes: about.len() })
}
