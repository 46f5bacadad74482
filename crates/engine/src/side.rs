//! Files beside a hook: read at once, because the client may delete them, and only if they belong to the sender.

mod instructions;
mod launch;
mod settings;

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use sealtrail_capture::{Side, SideFile};

pub(crate) use launch::Client;
pub(crate) use settings::Watch;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::symlink;

    use sealtrail_capture::{SideFile, SideKind};

    /// Protects files that the sender may not read: only a regular file of the sender is taken, no link, no folder, no pipe, no other's; and it is bounded.
    #[test]
    fn only_the_senders_own_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let own = rustix::process::getuid().as_raw();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let wanted = |path: String| vec![SideFile { kind: SideKind::ToolOutput, path, bytes_max: 4 }];
        std::fs::write(path("file"), "content").unwrap();
        symlink(path("file"), path("link")).unwrap();
        let side = super::read(wanted(path("file")), own);
        assert_eq!((side[0].bytes.as_slice(), side[0].size_bytes), (&b"cont"[..], 7));
        assert!(super::read(wanted(path("file")), own + 1).is_empty());
        for name in ["link", "", "missing"] {
            assert!(super::read(wanted(path(name)), own).is_empty(), "{name}");
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).unwrap();
        assert!(super::read(wanted(path("pipe")), own).is_empty());
    }
}
