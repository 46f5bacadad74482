//! Which numbers of which process were heard: a number that is missing is an event that never came.

use std::collections::HashMap;
use std::ops::Range;

use sealtrail_event::Token;
use serde::{Deserialize, Serialize};

use crate::hash::Hash;

/// 4,096 processes of about 200 bytes each; the one that was silent longest is forgotten first.
pub const PROCESSES_MAX: usize = 4_096;

/// 64 holes of one process are waited for; the oldest is told first.
pub const RANGES_MAX: usize = 64;

/// 30 seconds: exporters send a batch that was refused again within them, so a hole that is older stays one.
pub const PATIENCE_NS: u64 = 30_000_000_000;

/// One number of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Fingerprint of session and resource.
    pub process: Hash,
    /// The session.
    pub session: Token,
    /// The number.
    pub number: u64,
    /// When the event happened.
    pub unix_ns: u64,
}

/// Events of one process that never came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Fingerprint of session and resource.
    pub process: Hash,
    /// The session.
    pub session: Token,
    /// The numbers.
    pub numbers: Range<u64>,
    /// When the last event before them happened.
    pub since_unix_ns: u64,
    /// When the first event after them happened.
    pub until_unix_ns: u64,
}

/// Which numbers were heard of each process since this began. The first number of a process is its beginning, so a restart tells no gap.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    processes: HashMap<Hash, Process>,
    due: Vec<Missing>,
    /// Whether the holes are others than when this was asked last.
    changed: bool,
}

#[derive(Clone, Debug)]
struct Process {
    /// One after the highest number.
    next: u64,
    /// Only its holes are known from before: how far it went on since then is not.
    resumed: bool,
    last_unix_ns: u64,
    heard_unix_ns: u64,
    holes: Vec<Hole>,
}

#[derive(Clone, Debug)]
struct Hole {
    missing: Missing,
    seen_unix_ns: u64,
}

impl Sequences {
    /// Takes note of an event that is sealed; `fresh` tells that it was not sealed before, `now_unix_ns` when it came.
    pub fn hear(&mut self, heard: &Heard, fresh: bool, now_unix_ns: u64) {
        let Some(process) = self.processes.get_mut(&heard.process) else {
            self.make_room();
            let process = Process {
                next: heard.number.saturating_add(1),
                resumed: false,
                last_unix_ns: heard.unix_ns,
                heard_unix_ns: now_unix_ns,
                holes: Vec::new(),
            };
            self.processes.insert(heard.process, process);
            return;
        };
        process.heard_unix_ns = now_unix_ns;
        if heard.number >= process.next {
            self.changed |= process.jump(heard, now_unix_ns);
        } else if process.fill(heard.number) {
            self.changed = true;
        } else if fresh && heard.unix_ns > process.last_unix_ns {
            // A new process in the same session counts from the beginning again.
            self.due.extend(process.holes.drain(..).map(|hole| hole.missing));
            (process.next, process.last_unix_ns) = (heard.number.saturating_add(1), heard.unix_ns);
        }
        if process.holes.len() > RANGES_MAX {
            self.due.push(process.holes.remove(0).missing);
        }
    }

    /// Takes out the holes that were waited for long enough.
    pub fn due(&mut self, now_unix_ns: u64) -> Vec<Missing> {
        let mut due = std::mem::take(&mut self.due);
        for process in self.processes.values_mut() {
            let waited = |hole: &Hole| hole.seen_unix_ns.saturating_add(PATIENCE_NS) <= now_unix_ns;
            due.extend(process.holes.extract_if(.., |hole| waited(hole)).map(|hole| hole.missing));
        }
        due.sort_by_key(|missing| (missing.until_unix_ns, missing.numbers.start));
        self.changed |= !due.is_empty();
        due
    }

    /// Tells whether [`Self::changed`] has something to return.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// Returns every hole that is waited for or not told yet, if they are others than when this was asked last.
    pub fn changed(&mut self) -> Option<Vec<Missing>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let waiting = self.processes.values().flat_map(|process| &process.holes).map(|hole| &hole.missing);
        Some(self.due.iter().chain(waiting).cloned().collect())
    }

    /// Takes up the holes that an earlier run knew: they are waited for once more. Of nothing else from before is a gap told.
    pub fn resume(&mut self, missing: Vec<Missing>, now_unix_ns: u64) {
        for missing in missing {
            let process = self.processes.entry(missing.process).or_insert_with(|| Process {
                next: 0,
                resumed: true,
                last_unix_ns: 0,
                heard_unix_ns: now_unix_ns,
                holes: Vec::new(),
            });
            process.next = process.next.max(missing.numbers.end);
            process.last_unix_ns = process.last_unix_ns.max(missing.until_unix_ns);
            process.holes.push(Hole { missing, seen_unix_ns: now_unix_ns });
        }
    }

    /// Takes out every hole: nobody will wait any longer.
    pub fn end(&mut self) -> Vec<Missing> {
        self.due(u64::MAX)
    }

    /// Puts back holes that could not be told.
    pub fn restore(&mut self, missing: Vec<Missing>) {
        self.changed |= !missing.is_empty();
        self.due.extend(missing);
    }

    fn make_room(&mut self) {
        if self.processes.len() < PROCESSES_MAX {
            return;
        }
        let silent = self.processes.iter().min_by_key(|(_, process)| process.heard_unix_ns).map(|(key, _)| *key);
        if let Some(process) = silent.and_then(|key| self.processes.remove(&key)) {
            self.due.extend(process.holes.into_iter().map(|hole| hole.missing));
        }
    }
}

impl Process {
    /// Goes on to a number that was not heard yet; those between are a hole. Tells whether there is one.
    fn jump(&mut self, heard: &Heard, now_unix_ns: u64) -> bool {
        let jumps = !std::mem::take(&mut self.resumed) && heard.number > self.next;
        if jumps {
            let missing = Missing {
                process: heard.process,
                session: heard.session.clone(),
                numbers: self.next..heard.number,
                since_unix_ns: self.last_unix_ns,
                until_unix_ns: heard.unix_ns,
            };
            self.holes.push(Hole { missing, seen_unix_ns: now_unix_ns });
        }
        self.next = heard.number.saturating_add(1);
        self.last_unix_ns = self.last_unix_ns.max(heard.unix_ns);
        jumps
    }

    /// Takes a number out of the hole that it is in; tells whether there was one.
    fn fill(&mut self, number: u64) -> bool {
        let Some(at) = self.holes.iter().position(|hole| hole.missing.numbers.contains(&number)) else { return false };
        let hole = self.holes.remove(at);
        let parts = [hole.missing.numbers.start..number, number + 1..hole.missing.numbers.end];
        for numbers in parts.into_iter().rev().filter(|numbers| !numbers.is_empty()) {
            let missing = Missing { numbers, ..hole.missing.clone() };
            self.holes.insert(at, Hole { missing, seen_unix_ns: hole.seen_unix_ns });
        }
        true
    }
}
