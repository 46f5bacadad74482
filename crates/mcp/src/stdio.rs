//! The proxy for a server on standard input and output: the client starts us, we start the server, and lines pass both ways.
//!
//! A line to the server is held until it is whole and, if it is a call, until its intent is durable. Bytes to the client go on as they come, looked at on
//! a copy; only those that end the answer of a call wait until its outcome is durable. When this process is killed, the server's standard input ends;
//! calls that were answered have their outcome, intents of the others stay without one.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealtrail_capture::mcp::{End, Way};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::{Handle as SignalsHandle, Signals};

use crate::desk::{Desk, Held};
use crate::lines::{LINE_BYTES_MAX, Lines, Piece};

/// 64 KiB: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// 2 s for the rest of what a server wrote that has exited: a child of its own may keep the pipe open for ever.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// What is passed on to the server.
const SIGNALS: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// One exchange: a pipe has no others.
const SCOPE: u64 = 0;

/// Why a server could not be run.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// It could not be started.
    #[error("cannot start the server {}", command.display())]
    Start {
        /// Its command.
        command: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// No thread, no signal handler, or the server could not be waited for.
    #[error("cannot watch over the server")]
    Watch(#[source] io::Error),
}

/// Runs the server until it exits, with `input` and `output` as its standard input and output; returns its exit code as a shell would.
///
/// Its standard error is ours, untouched.
pub fn run(
    command: &OsString,
    args: &[OsString],
    desk: &Arc<Desk>,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<i32, StdioError> {
    // Before the server is there, so that no signal is missed.
    let signals = Signals::new(SIGNALS).map_err(StdioError::Watch)?;
    let started = Command::new(command).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = started.map_err(|source| {
        desk.ended(&End { reason: "not_started", ..End::default() });
        StdioError::Start { command: command.clone(), source }
    })?;
    let (watching, state) = forward_signals(signals, &child).map_err(StdioError::Watch)?;
    let (Some(to_server), Some(from_server)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(StdioError::Watch(io::ErrorKind::BrokenPipe.into()));
    };
    let out = Arc::new(Mutex::new(Out { writer: Box::new(output), line_start: true, waiting: Vec::new() }));
    let (own, its) = (Arc::clone(desk), Arc::clone(&out));
    // It ends with the client's input, or with this process.
    spawn("up", move || up(input, to_server, &own, &its))?;
    let own = Arc::clone(desk);
    let (drained, end) = sync_channel(1);
    spawn("down", move || {
        down(from_server, &own, &out);
        // Nobody waits any more when the time is over.
        let _ = drained.send(());
    })?;
    let status = wait(&mut child, &state).map_err(StdioError::Watch)?;
    watching.close();
    finish(desk, status, &end, &state);
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// What the signal thread must know of the server.
#[derive(Debug)]
struct Server {
    /// Its process; nothing once it was waited for, because the number may then be another's.
    pid: Option<rustix::process::Pid>,
    /// Whether a signal asked it to stop.
    stopped: bool,
}

type Shared = Arc<Mutex<Server>>;

fn forward_signals(mut signals: Signals, child: &Child) -> io::Result<(SignalsHandle, Shared)> {
    let state = Arc::new(Mutex::new(Server { pid: Some(rustix::process::Pid::from_child(child)), stopped: false }));
    let (handle, own) = (signals.handle(), Arc::clone(&state));
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for number in signals.forever() {
            let mut server = own.lock().unwrap_or_else(PoisonError::into_inner);
            server.stopped |= number != SIGUSR1 && number != SIGUSR2;
            if let (Some(pid), Some(signal)) = (server.pid, rustix::process::Signal::from_named_raw(number)) {
                // A server that is gone needs no signal.
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    })?;
    Ok((handle, state))
}

fn wait(child: &mut Child, state: &Shared) -> io::Result<ExitStatus> {
    // Without reaping it first, so that its number is still its own while signals may be passed on.
    let pid = rustix::process::Pid::from_child(child);
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    while let Err(error) = rustix::process::waitid(rustix::process::WaitId::Pid(pid), options) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    state.lock().unwrap_or_else(PoisonError::into_inner).pid = None;
    child.wait()
}

fn finish(desk: &Desk, status: ExitStatus, drained: &Receiver<()>, state: &Shared) {
    // What the server wrote before it exited is passed on and told first.
    let _ = drained.recv_timeout(DRAIN_PATIENCE);
    let stopped = state.lock().unwrap_or_else(PoisonError::into_inner).stopped;
    let reason = if stopped { "stopped" } else { "server_exited" };
    desk.ended(&End { reason, exit_code: status.code(), signal: status.signal(), lost: 0 });
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StdioError> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(StdioError::Watch)
}

/// The client's side: what the server writes, and between its lines what is said in its place.
struct Out {
    writer: Box<dyn Write + Send>,
    line_start: bool,
    waiting: Vec<Vec<u8>>,
}

impl Out {
    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.line_start = bytes.last().map_or(self.line_start, |last| *last == b'\n');
        self.between_lines()
    }

    fn say(&mut self, line: Vec<u8>) -> io::Result<()> {
        self.waiting.push(line);
        self.between_lines()
    }

    fn between_lines(&mut self) -> io::Result<()> {
        if self.line_start {
            for line in self.waiting.drain(..) {
                self.writer.write_all(&line)?;
            }
        }
        self.writer.flush()
    }
}

/// Passes lines from the client to the server.
fn up(mut input: impl Read, mut to_server: ChildStdin, desk: &Desk, out: &Mutex<Out>) {
    let mut lines = Lines::new(LINE_BYTES_MAX);
    let mut chunk = vec![0; CHUNK_BYTES];
    // Whether the rest of a long line that was refused is left out.
    let mut skipping = false;
    let mut broken = false;
    let mut take = |piece: Piece<'_>| {
        if broken {
            return;
        }
        let (bytes, held) = match piece {
            Piece::Line(line) => (line, desk.to_server(SCOPE, line)),
            Piece::Begins(head) => (head, desk.large_to_server(SCOPE, head)),
            Piece::More(more) | Piece::Ends(more, _) => (more, if skipping { Held::Refuse(Vec::new()) } else { Held::Pass }),
        };
        skipping = held != Held::Pass && matches!(piece, Piece::Begins(_) | Piece::More(_));
        if let Piece::Ends(_, passed) = piece
            && held == Held::Pass
        {
            desk.large_passed(Way::ToServer, SCOPE, passed);
        }
        match held {
            Held::Pass => broken = to_server.write_all(bytes).and_then(|()| to_server.flush()).is_err(),
            Held::Refuse(answers) => {
                let line = match answers.as_slice() {
                    [] => return,
                    [one] => format!("{one}\n"),
                    many => format!("{}\n", serde_json::Value::from(many.to_vec())),
                };
                broken = out.lock().unwrap_or_else(PoisonError::into_inner).say(line.into_bytes()).is_err();
            }
        }
    };
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(got) => lines.push(&chunk[..got], &mut take),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    lines.finish(&mut take);
    // Here the server's standard input ends.
}

/// Passes bytes from the server to the client, after a look at them.
fn down(mut from_server: ChildStdout, desk: &Desk, out: &Mutex<Out>) {
    let mut lines = Lines::new(LINE_BYTES_MAX);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut look = |piece: Piece<'_>| match piece {
        Piece::Line(line) => desk.to_client(SCOPE, line),
        Piece::Ends(_, passed) => desk.large_passed(Way::ToClient, SCOPE, passed),
        Piece::Begins(_) | Piece::More(_) => {}
    };
    loop {
        match from_server.read(&mut chunk) {
            Ok(0) => break,
            Ok(got) => {
                lines.push(&chunk[..got], &mut look);
                if out.lock().unwrap_or_else(PoisonError::into_inner).pass(&chunk[..got]).is_err() {
                    // The client is gone: a server that goes on writing sees a closed pipe, as it would without us.
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    lines.finish(&mut look);
}
