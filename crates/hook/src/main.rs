//! The tiny binary that Claude Code starts for each hook: standard input becomes one delivery, sealed by the recorder or spooled.
//!
//! It is **not** a judge or a redactor, and it knows nothing of events: it delivers bytes.
//!
//! Invariants:
//! - Standard output stays empty: the client writes a hook's output into its own transcript.
//! - The exit code is 0, except 2 (deny this tool call) when the recorder says so, or when the event can be recorded nowhere and the operator chose
//!   `block` for its class; and 64 for wrong arguments.
//! - When it exits, the event is sealed, or durable in the spool, or counted in the gap table; if even the count could not be written, nobody can know.

mod deliver;
mod gaps;
mod home;

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sealtrail_intake::{Answer, BODY_BYTES_MAX, Class, Delivery, FailMode, Frame, HookConf, Kind, hook_event_name};

const BLOCK: u8 = 2;
const USAGE: u8 = 64;

/// 600 ms: at the end of a session the client gives all hooks together 1.5 s; this leaves room for the spool.
const SESSION_END_MS: u32 = 600;

fn main() -> ExitCode {
    let home = match home::from_arguments() {
        Ok(home) => home,
        Err(home::Stop::Said) => return ExitCode::SUCCESS,
        Err(home::Stop::Wrong(what)) => {
            say(&format!("sealtrail-hook: {what}\nusage: sealtrail-hook [--home DIR] [--witness hook]\n"));
            return ExitCode::from(USAGE);
        }
    };
    let conf = std::fs::read_to_string(home.join("run/hook.conf")).map(|text| HookConf::parse(&text)).unwrap_or_default();
    if !conf.enabled {
        return ExitCode::SUCCESS;
    }
    let (body, seen) = read_bounded(&mut std::io::stdin().lock());
    let event = hook_event_name(&body).unwrap_or_default();
    let wait_ms = if event == "SessionEnd" { conf.deadline_ms.min(SESSION_END_MS) } else { conf.deadline_ms };
    let deadline = Instant::now() + Duration::from_millis(u64::from(wait_ms));
    let frame = frame(&body, seen);
    match deliver::deliver(&home, &frame, &body, deadline) {
        Some(Answer::Sealed(_) | Answer::Discarded) => ExitCode::SUCCESS,
        Some(Answer::Block(reason)) => {
            say(&reason);
            ExitCode::from(BLOCK)
        }
        Some(Answer::Retry | Answer::Status(_)) | None => without_recorder(&home, &conf, event, &frame, &body),
    }
}

/// Puts the delivery into the spool; when that fails too, counts the loss and does what the operator chose.
fn without_recorder(home: &Path, conf: &HookConf, event: &str, frame: &Frame, body: &[u8]) -> ExitCode {
    let Err(lost) = sealtrail_spool::append(home, frame, body) else { return ExitCode::SUCCESS };
    let class = Class::of(event);
    gaps::count(home, class, lost.cause, frame.received_unix_ns);
    if event == "PreToolUse" && conf.fail_mode(class) == FailMode::Block {
        say(&format!(
            "sealtrail: this tool call cannot be recorded ({}), and the audit policy denies what cannot be recorded. \
             Start `sealtrail daemon`, or make {} writable and free disk space, then try again.\n",
            lost.what,
            home.join("spool").display(),
        ));
        return ExitCode::from(BLOCK);
    }
    ExitCode::SUCCESS
}

/// Reads to the end, keeps what the limit allows and counts the rest. A read error ends the input: what came is still worth recording.
fn read_bounded(input: &mut impl Read) -> (Vec<u8>, u64) {
    let mut body = Vec::with_capacity(64 * 1024);
    // Nobody can act on a failed read here; the frame's counts say what came.
    let _ = input.take(BODY_BYTES_MAX as u64).read_to_end(&mut body);
    let mut seen = body.len() as u64;
    if body.len() == BODY_BYTES_MAX {
        seen += std::io::copy(input, &mut std::io::sink()).unwrap_or(0);
    }
    (body, seen)
}

fn frame(body: &[u8], seen: u64) -> Frame {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let mut entropy = [0u8; 10];
    if getrandom::fill(&mut entropy).is_err() {
        // Early boot without randomness: the process id and the clock keep deliveries of one machine apart.
        entropy[..4].copy_from_slice(&std::process::id().to_be_bytes());
        entropy[4..].copy_from_slice(&now.to_be_bytes()[2..]);
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Frame {
        kind: Kind::Hook,
        delivery: Delivery::new(now, entropy),
        received_unix_ns: now,
        uid: rustix::process::getuid().as_raw(),
        pid: std::process::id(),
        client_pid: number("CLAUDE_PID"),
        seen,
        body: body.len() as u32,
        client: std::env::var("AI_AGENT").unwrap_or_default(),
    }
}

/// Writes to standard error, which the client shows only when a hook blocks or fails.
fn say(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
