//! Clients that are gone without a word: their sessions end as crashed, their open calls as unknown.

use std::collections::{HashMap, HashSet};

use sealtrail_capture::Close;

use crate::clock::{new_id, unix_ns};
use crate::sink::{NotSealed, Sink};

/// What is known of the clients' processes between two looks.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When each process started, in ticks since boot: another start time is another process.
    started: HashMap<u32, u64>,
    /// Sessions whose client was gone at the last look.
    missed: HashSet<String>,
}

/// How sure to be before a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Gone at two looks: a last hook of the client may still be on its way.
    TwoLooks,
    /// Gone now: nothing more is coming.
    Now,
}

impl Watch {
    /// Closes the sessions whose client is gone; returns how many events that gave.
    pub(crate) fn look(&mut self, sink: &mut dyn Sink, patience: Patience) -> Result<usize, NotSealed> {
        sink.conclude(&mut |receiver| {
            let live: Vec<(String, u32)> =
                receiver.sessions.live().filter_map(|live| live.client_pid.map(|pid| (live.session.to_owned(), pid))).collect();
            self.started.retain(|pid, _| live.iter().any(|(_, client)| client == pid));
            let gone: HashSet<String> = live.into_iter().filter(|(_, pid)| !self.is_alive(*pid)).map(|(session, _)| session).collect();
            let missed = std::mem::replace(&mut self.missed, gone.clone());
            let close = gone.into_iter().filter(|session| patience == Patience::Now || missed.contains(session));
            let mut close: Vec<String> = close.collect();
            close.sort();
            close.iter().flat_map(|session| receiver.sessions.close(session, Close::AgentLost, unix_ns(), &mut new_id)).collect()
        })
    }

    fn is_alive(&mut self, pid: u32) -> bool {
        match start_of(pid) {
            Some(start) => *self.started.entry(pid).or_insert(start) == start,
            None => false,
        }
    }
}

/// Returns when a process started, in ticks since boot; nothing when it does not run (any more).
pub(crate) fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is plain.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_ascii_whitespace().collect();
    let dead = matches!(fields.first(), Some(&"Z" | &"X"));
    if dead { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    /// Protects the detection of dead clients: this process runs, a process id that cannot exist does not.
    #[test]
    fn this_process_runs() {
        assert!(super::start_of(std::process::id()).is_some());
        assert_eq!(super::start_of(u32::MAX), None);
    }
}
