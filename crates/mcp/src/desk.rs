//! Where messages are looked at: one watch, its recorder, and the terms under which a call goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sealtrail_capture::mcp::{End, Link, Now, Seen, Watch, Way, Whole};
use sealtrail_event::Event;
use serde_json::{Value, json};

use crate::clock::{new_id, unix_ns};
use crate::lines::Passed;
use crate::recorder::Recorder;

/// What happens to a call that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether it is refused; otherwise it goes on, and its intent is recorded as soon as that is possible.
    pub block: bool,
    /// How long the record of its intent is waited for.
    pub patience: Duration,
}

/// What is to be done with a message to the server.
#[derive(Debug, PartialEq)]
pub enum Held {
    /// It goes on.
    Pass,
    /// It does not; the client gets these answers.
    Refuse(Vec<Value>),
}

/// One watched connection.
pub struct Desk {
    watch: Mutex<Watch>,
    recorder: Arc<Recorder>,
    terms: Terms,
}

impl Desk {
    /// Starts.
    pub fn new(watch: Watch, recorder: Arc<Recorder>, terms: Terms) -> Self {
        Self { watch: Mutex::new(watch), recorder, terms }
    }

    /// Looks at a message to the server, and says whether it goes on.
    pub fn to_server(&self, scope: u64, bytes: &[u8]) -> Held {
        let seen = self.with(|watch, now| watch.see(Way::ToServer, scope, bytes, now));
        self.gate(scope, seen)
    }

    /// Looks at the beginning of a message to the server that is too long to be held.
    pub fn large_to_server(&self, scope: u64, head: &[u8]) -> Held {
        let seen = self.with(|watch, now| watch.large_begins(scope, head, now));
        self.gate(scope, seen)
    }

    /// Looks at a message to the client. Its end goes on after this: then the outcome of a call is kept before anybody can have read its answer.
    pub fn to_client(&self, scope: u64, bytes: &[u8]) {
        let seen = self.with(|watch, now| watch.see(Way::ToClient, scope, bytes, now));
        self.keep(seen);
    }

    /// Looks at a message that was too long to be held and has gone on, but for its end.
    pub fn large_passed(&self, way: Way, scope: u64, passed: &Passed) {
        let whole = Whole { head: &passed.head, tail: &passed.tail, size_bytes: passed.size_bytes, sha256: passed.sha256 };
        let seen = self.with(|watch, now| watch.large_ends(way, scope, &whole, now));
        self.keep(seen);
    }

    /// An exchange ended without an answer.
    pub fn broke_off(&self, scope: u64, status: Option<u16>, why: &'static str) {
        let events = self.with(|watch, now| watch.broke_off(scope, status, why, now));
        self.keep(Seen { hold: !events.is_empty(), events, ..Seen::default() });
    }

    /// The connection ended.
    pub fn ended(&self, end: &End) {
        let end = End { lost: self.recorder.lost(), ..*end };
        let events = self.with(|watch, now| watch.ended_with(&end, now));
        self.recorder.tell(events, None);
    }

    /// Returns what is known of the connection.
    pub fn link(&self) -> Link {
        self.lock().link().clone()
    }

    /// Has events recorded. What happened already goes on whatever becomes of its record.
    fn keep(&self, seen: Seen) {
        if seen.hold {
            self.recorder.keep(seen.events, seen.known, self.terms.patience);
        } else {
            self.recorder.tell(seen.events, seen.known);
        }
    }

    fn gate(&self, scope: u64, seen: Seen) -> Held {
        let Seen { events, hold, asked, known } = seen;
        if !hold {
            self.recorder.tell(events, known);
            return Held::Pass;
        }
        if self.recorder.keep(events, known, self.terms.patience) || !self.terms.block {
            return Held::Pass;
        }
        let events: Vec<Event> = self.with(|watch, now| watch.held_back(scope, &asked, now));
        self.recorder.tell(events, None);
        Held::Refuse(asked.iter().map(refusal).collect())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Watch, &mut Now<'_>) -> T) -> T {
        let mut watch = self.lock();
        // Under the lock, so that times and events have one order.
        let mut ids = new_id;
        work(&mut watch, &mut Now { unix_ns: unix_ns(), ids: &mut ids })
    }

    /// A thread that panicked in it left lists and counters that are each still valid.
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a call that could not be recorded.
fn refusal(id: &Value) -> Value {
    let message = "refused: this call could not be recorded, and calls that are not recorded do not go on";
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32_000, "message": message, "data": {"reason": "not_recorded"}}})
}
