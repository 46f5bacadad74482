//! The unix socket of a home, also where its path is too long for a socket address.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::fs::OFlags;
use sealtrail_config::SocketAccess;

use crate::home::Home;

/// 107 bytes fit into a socket address beside its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Listens on the home's socket. Whoever holds the ledger's lock may replace a socket that an earlier daemon left.
pub(crate) fn listen(home: &Home, access: SocketAccess) -> io::Result<UnixListener> {
    let path = home.socket();
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = with_short_path(home, UnixListener::bind)?;
    let mode = match access {
        SocketAccess::Everyone => 0o666,
        SocketAccess::Group => 0o660,
        SocketAccess::Owner => 0o600,
    };
    std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Connects to the home's socket.
pub(crate) fn connect(home: &Home) -> io::Result<UnixStream> {
    with_short_path(home, UnixStream::connect)
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) uid: u32,
    /// 0 when its number means nothing here (another pid namespace).
    pub(crate) pid: u32,
}

/// Asks the kernel who connected.
pub(crate) fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let peer = getsockopt(stream, PeerCredentials)?;
    Ok(Peer { uid: peer.uid(), pid: u32::try_from(peer.pid()).unwrap_or(0) })
}

fn with_short_path<T>(home: &Home, work: impl Fn(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let path = home.socket();
    if path.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES_MAX {
        return work(path);
    }
    let flags = (OFlags::PATH | OFlags::DIRECTORY).bits() as i32;
    let folder = File::options().read(true).custom_flags(flags).open(home.run())?;
    work(format!("/proc/self/fd/{}/sealtrail.sock", folder.as_raw_fd()).into())
}
