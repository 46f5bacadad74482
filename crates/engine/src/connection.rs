//! One connection: one frame in, one answer out, within limits of time, size and number.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sealtrail_intake::{Answer, Frame, HEADER_BYTES, Kind, header_length};

use crate::handover;
use crate::receive::Arrival;
use crate::shared::Shared;
use crate::side::{self, Client};
use crate::socket::{self, Peer};

/// 256 connections: one client runs perhaps 20 hooks at once; each costs a thread of 512 KiB of address space.
const CONNECTIONS_MAX: usize = 256;

/// 256 MiB: the bodies of all connections together; eight of the largest, or all connections with 1 MiB each.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// 3 seconds from connecting to the last byte: a hook has its whole input before it connects.
const READ_PATIENCE: Duration = Duration::from_secs(3);

/// 4 threads wait for the next connection beside the one that always does: a client runs a few hooks at once, and starting a thread costs as much as
/// the rest of an exchange.
const IDLE_MAX: usize = 4;

/// Accepts connections and serves them until the daemon stops and the listener is shut down.
///
/// Several threads do this side by side: who accepts also serves, after making sure that another thread waits for the next one.
pub(crate) fn accept_all(shared: &Arc<Shared>, listener: &Arc<UnixListener>) {
    shared.idle.fetch_add(1, Ordering::SeqCst);
    accept_until(shared, listener, |_| false);
}

fn accept_until(shared: &Arc<Shared>, listener: &Arc<UnixListener>, enough: impl Fn(&Shared) -> bool) {
    for stream in listener.incoming() {
        if shared.is_stopped() {
            return;
        }
        // A failed accept (too many open files) is over as soon as a connection ends; the sender waits or spools.
        let Ok(mut stream) = stream else { continue };
        let open = Open::new(shared);
        let others = shared.idle.fetch_sub(1, Ordering::SeqCst) - 1;
        if open.number < CONNECTIONS_MAX && (others > 0 || start_another(shared, listener).is_ok()) {
            serve(shared, &mut stream);
        } else {
            shared.sent_back.fetch_add(1, Ordering::Relaxed);
            // The sender spools whether or not it hears this.
            let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&Answer::Retry.encode()));
        }
        drop((stream, open));
        if enough(shared) {
            return;
        }
        shared.idle.fetch_add(1, Ordering::SeqCst);
    }
}

/// Starts a thread that waits for connections until enough others do.
fn start_another(shared: &Arc<Shared>, listener: &Arc<UnixListener>) -> io::Result<()> {
    let (own, its) = (Arc::clone(shared), Arc::clone(listener));
    // It counts from here on: whoever accepts next must not start one more.
    shared.idle.fetch_add(1, Ordering::SeqCst);
    let thread = std::thread::Builder::new().name("connection".into()).stack_size(512 * 1024);
    let started = thread.spawn(move || accept_until(&own, &its, |shared| shared.idle.load(Ordering::SeqCst) > IDLE_MAX));
    started.map(drop).inspect_err(|_| {
        shared.idle.fetch_sub(1, Ordering::SeqCst);
    })
}

fn serve(shared: &Shared, stream: &mut UnixStream) {
    // A broken exchange needs no answer: the sender spools.
    if let Ok(answer) = exchange(shared, stream) {
        let _ = stream.set_write_timeout(Some(READ_PATIENCE)).and_then(|()| stream.write_all(&answer.encode()));
    }
}

/// Counts a connection as long as it lives, also when its thread panics.
struct Open<'a> {
    shared: &'a Shared,
    /// How many there were before it.
    number: usize,
}

impl<'a> Open<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, number: shared.connections.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.disconnected();
    }
}

fn exchange(shared: &Shared, stream: &mut UnixStream) -> io::Result<Answer> {
    let deadline = Instant::now() + READ_PATIENCE;
    let peer = socket::peer(stream)?;
    let mut head = vec![0u8; HEADER_BYTES];
    read_exact(stream, &mut head, deadline)?;
    let Ok(length) = header_length(&head) else { return Ok(Answer::Discarded) };
    head.resize(length, 0);
    read_exact(stream, &mut head[HEADER_BYTES..], deadline)?;
    let Ok(frame) = Frame::parse(&head) else { return Ok(Answer::Discarded) };
    let owner = peer.uid == shared.own_uid || peer.uid == 0;
    match frame.kind {
        Kind::Status if owner => return Ok(Answer::Status(shared.status().to_json().to_string())),
        Kind::Status => return Ok(Answer::Discarded),
        Kind::Record if !owner => return Ok(Answer::Discarded),
        Kind::Hook if !shared.enabled.load(Ordering::Relaxed) => return Ok(Answer::Discarded),
        Kind::Record | Kind::Hook | Kind::Events => {}
    }
    let Some(_room) = Room::reserve(shared, frame.body as usize) else { return Ok(Answer::Retry) };
    let body = read_body(stream, frame.body as usize, deadline)?;
    if frame.kind == Kind::Events {
        return Ok(handover::take(shared, &body, peer.uid));
    }
    Ok(deliver(shared, &frame, &body, peer))
}

fn deliver(shared: &Shared, frame: &Frame, body: &[u8], peer: Peer) -> Answer {
    let reads = shared.side_files.load(Ordering::Relaxed);
    let wanted = if reads { sealtrail_capture::needs(body) } else { Vec::new() };
    if frame.kind == Kind::Hook {
        shared.transcripts.note(body, peer.uid);
    }
    let known = |session: &str| shared.receiver().sessions.folder(session).map(str::to_owned);
    // The sender's own number as the kernel sees it from here: if the two differ, so do their pid namespaces.
    let client_pid = Some(frame.client_pid).filter(|pid| *pid != 0 && peer.pid == frame.pid);
    let client = client_pid.map(|pid| Client { pid, seen_unix_ns: frame.received_unix_ns });
    let arrival = Arrival {
        frame,
        body,
        uid: peer.uid,
        client_pid,
        side: side::read(wanted, peer.uid),
        settings: if reads && frame.kind == Kind::Hook { shared.watch.look_with(body, peer.uid, client, known) } else { None },
        late_ms: None,
        remote: None,
    };
    shared.accept(arrival).map_or_else(|answer| answer, |reply| shared.wait(&reply))
}

/// Room for one body within what all bodies may take.
struct Room<'a> {
    shared: &'a Shared,
    bytes: usize,
}

impl<'a> Room<'a> {
    fn reserve(shared: &'a Shared, bytes: usize) -> Option<Self> {
        let room = Self { shared, bytes };
        let before = shared.body_bytes.fetch_add(bytes, Ordering::SeqCst);
        (before + bytes <= BODY_BYTES_MAX).then_some(room)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.shared.body_bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

/// Reads a body; memory grows with what comes, not with what was promised.
fn read_body(stream: &mut UnixStream, length: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < length {
        let from = body.len();
        body.resize(length.min(from + 256 * 1024), 0);
        read_exact(stream, &mut body[from..], deadline)?;
    }
    Ok(body)
}

fn read_exact(stream: &mut UnixStream, mut into: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !into.is_empty() {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        match stream.read(into) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => into = &mut into[got..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
