//! One delivery over the recorder's socket, within a deadline.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use sealtrail_intake::{ANSWER_HEAD_BYTES, Answer, Frame};

/// 107 bytes fit into a socket address beside its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Sends the frame and waits for the answer; nothing when no recorder answers in time.
pub(crate) fn deliver(home: &Path, frame: &Frame, body: &[u8], deadline: Instant) -> Option<Answer> {
    let mut socket = connect(&home.join("run"), deadline).ok()?;
    // One buffer, so that a usual event is one write.
    let whole = [frame.header().as_slice(), body].concat();
    let mut rest = whole.as_slice();
    while !rest.is_empty() {
        socket.set_write_timeout(Some(left(deadline)?)).ok()?;
        let sent = socket.write(rest).ok().filter(|sent| *sent > 0)?;
        rest = &rest[sent..];
    }
    let mut head = [0u8; ANSWER_HEAD_BYTES];
    read_all(&mut socket, &mut head, deadline)?;
    let mut reason = vec![0u8; Answer::reason_bytes(&head)];
    read_all(&mut socket, &mut reason, deadline)?;
    Some(Answer::parse(&head, &reason))
}

fn connect(run: &Path, deadline: Instant) -> rustix::io::Result<UnixStream> {
    let path = run.join("sealtrail.sock");
    let folder;
    let address = if path.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES_MAX {
        SocketAddrUnix::new(&path)?
    } else {
        // A long path is reached through the open folder.
        folder = rustix::fs::open(run, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        SocketAddrUnix::new(format!("/proc/self/fd/{}/sealtrail.sock", std::os::fd::AsRawFd::as_raw_fd(&folder)))?
    };
    let socket: OwnedFd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // On a unix socket the send timeout also bounds the wait for a full backlog.
    let wait = left(deadline).ok_or(rustix::io::Errno::TIMEDOUT)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(wait))?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

fn read_all(socket: &mut UnixStream, mut into: &mut [u8], deadline: Instant) -> Option<()> {
    while !into.is_empty() {
        socket.set_read_timeout(Some(left(deadline)?)).ok()?;
        let got = socket.read(into).ok().filter(|got| *got > 0)?;
        into = &mut into[got..];
    }
    Some(())
}

/// Returns the time left, or nothing when the deadline is over.
fn left(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}
