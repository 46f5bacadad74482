//! Hooks that come over the network: the same way as those of the socket, with what the collector knows of their sender in place of a process.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sealtrail_capture::Sender;
use sealtrail_intake::{Answer, Class, FailMode, Frame, HookConf, Kind, hook_event_name};

use crate::clock::{new_delivery, unix_ns};
use crate::gaps;
use crate::handle::Handle;
use crate::receive::{Arrival, Remote};

/// 2 s: a queue that is full for longer stays so; a client waits for its hooks.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks for room.
const ROOM_EVERY: Duration = Duration::from_millis(20);

/// No user of this machine: the kernel's own number for "nobody here".
const NO_UID: u32 = u32::MAX;

/// A hook that came over the network; its body goes beside it.
#[derive(Clone, Debug)]
pub struct RemoteHook {
    frame: Frame,
    remote: Remote,
}

impl RemoteHook {
    /// Takes note of a hook of `length` bytes that comes in now: who handed it in, the person and the machine as the client's settings say, and what
    /// the client says it is (`AI_AGENT`).
    pub fn new(length: usize, sender: Sender, user: Option<String>, host: Option<String>, client: String) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let frame = Frame {
            kind: Kind::Hook,
            delivery: new_delivery(),
            received_unix_ns: unix_ns(),
            uid: NO_UID,
            pid: 0,
            client_pid: 0,
            seen: u64::from(length),
            body: length,
            client,
        };
        Self { frame, remote: Remote { sender, user, host } }
    }

    fn arrival<'a>(&'a self, body: &'a [u8]) -> Arrival<'a> {
        Arrival {
            frame: &self.frame,
            body,
            uid: NO_UID,
            client_pid: None,
            side: Vec::new(),
            settings: None,
            late_ms: None,
            remote: Some(self.remote.clone()),
        }
    }
}

/// What became of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookFate {
    /// Durable, in the tree and signed; its first event has this number.
    Sealed(u64),
    /// Nothing is captured now, because the operator said so.
    Off,
    /// It cannot be sealed, which is counted; the operator chose that then the call must not run. Why, for the model.
    Denied(String),
    /// It cannot be sealed, which is counted.
    Later,
}

impl Handle {
    /// Hands in a hook without waiting for anything; `done` learns its number, or that it is not sealed, on the thread that seals. False if it is not
    /// taken now. Whatever is not sealed goes to [`Handle::hook`].
    pub fn try_hook(&self, hook: &RemoteHook, body: &[u8], done: impl FnOnce(Option<u64>) + Send + 'static) -> bool {
        self.0.enabled.load(Ordering::Relaxed) && self.0.accept_then(hook.arrival(body), done).is_ok()
    }

    /// Seals a hook, and waits for it. What cannot be sealed is counted as lost, as a hook of this machine does when it cannot even spool.
    pub fn hook(&self, hook: &RemoteHook, body: &[u8]) -> HookFate {
        let shared = &self.0;
        if !shared.enabled.load(Ordering::Relaxed) {
            return HookFate::Off;
        }
        let lost = |cause| self.lost(body, cause, hook.frame.received_unix_ns);
        let since = Instant::now();
        loop {
            // The same delivery each time: what is sealed late is recognised.
            match shared.accept(hook.arrival(body)).map_or_else(|answer| answer, |reply| shared.wait(&reply)) {
                Answer::Sealed(seq) => return HookFate::Sealed(seq),
                Answer::Retry if since.elapsed() < ROOM_PATIENCE && !shared.full.load(Ordering::SeqCst) => {
                    if shared.wait_for_stop(ROOM_EVERY) {
                        return lost("stopping");
                    }
                }
                Answer::Retry => return lost("no_room"),
                Answer::Discarded | Answer::Block(_) | Answer::Status(_) => return lost("rejected"),
            }
        }
    }

    /// Counts a loss, and tells what the operator chose for its class.
    fn lost(&self, body: &[u8], cause: &str, now_unix_ns: u64) -> HookFate {
        let event = hook_event_name(body).unwrap_or_default();
        let class = Class::of(event);
        gaps::count(&self.0, class, cause, now_unix_ns);
        let conf = std::fs::read_to_string(self.0.home.run().join("hook.conf"));
        let conf = conf.map(|text| HookConf::parse(&text)).unwrap_or_default();
        if event == "PreToolUse" && conf.fail_mode(class) == FailMode::Block {
            return HookFate::Denied(format!(
                "sealtrail: this tool call cannot be recorded ({cause}), and the audit policy denies what cannot be recorded"
            ));
        }
        HookFate::Later
    }
}
