//! What the daemon's threads share, and the one way in which deliveries reach the queue.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Replies, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sealtrail_event::Event;
use sealtrail_intake::Answer;
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::{AppendError, Gap};

use crate::client::DaemonStatus;
use crate::home::Home;
use crate::ingest::Ingested;
use crate::lookup::Lookup;
use crate::queue::{Queue, Reply, What, Work};
use crate::receive::{Arrival, Received, Receiver};
use crate::sealer::Fate;
use crate::side::Watch;
use crate::sink::{NotSealed, Sink};
use crate::transcripts::Transcripts;

/// 30 seconds: a disk that does not answer a sync within them is as good as gone; the sender spools, and a late success is recognised by its id.
pub(crate) const SEAL_PATIENCE: Duration = Duration::from_secs(30);

/// 3 s: a full disk gets another try every second; between two tries it is not said to have room.
const FULL_FOR: Duration = Duration::from_secs(3);

/// A status has 1 KiB.
const INDEX_TROUBLE_CHARS: usize = 150;

/// State of a running daemon.
pub(crate) struct Shared {
    pub(crate) home: Home,
    pub(crate) own_uid: u32,
    pub(crate) started_unix_ns: u64,
    pub(crate) queue: Queue,
    /// The disk is full: everything is sent back until the next try.
    pub(crate) full: AtomicBool,
    /// When a try last found it full.
    full_since: Mutex<Option<Instant>>,
    pub(crate) enabled: AtomicBool,
    pub(crate) side_files: AtomicBool,
    /// The clients' settings files.
    pub(crate) watch: Watch,
    /// The clients' transcripts.
    pub(crate) transcripts: Transcripts,
    pub(crate) connections: AtomicUsize,
    /// Threads that wait for the next connection.
    pub(crate) idle: AtomicUsize,
    /// Bytes of bodies that are being read or held.
    pub(crate) body_bytes: AtomicUsize,
    pub(crate) size: AtomicU64,
    pub(crate) last_seal_unix_ns: AtomicU64,
    pub(crate) sent_back: AtomicU64,
    receiver: Mutex<Receiver>,
    /// Finds events that are older than what the receiver remembers.
    pub(crate) lookup: Mutex<Lookup>,
    stopping: Mutex<bool>,
    changed: Condvar,
    trouble: Mutex<Option<AppendError>>,
    /// Why the index does not follow, in words.
    pub(crate) index_trouble: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn new(home: Home, receiver: Receiver, reader: Reader, size: u64) -> Self {
        let own_uid = rustix::process::getuid().as_raw();
        Self {
            home,
            own_uid,
            watch: Watch::new(own_uid),
            transcripts: Transcripts::default(),
            started_unix_ns: crate::clock::unix_ns(),
            queue: Queue::default(),
            full: AtomicBool::new(false),
            full_since: Mutex::new(None),
            enabled: AtomicBool::new(true),
            side_files: AtomicBool::new(true),
            connections: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            body_bytes: AtomicUsize::new(0),
            size: AtomicU64::new(size),
            last_seal_unix_ns: AtomicU64::new(0),
            sent_back: AtomicU64::new(0),
            receiver: Mutex::new(receiver),
            lookup: Mutex::new(Lookup::new(reader)),
            stopping: Mutex::new(false),
            changed: Condvar::new(),
            trouble: Mutex::new(None),
            index_trouble: Mutex::new(None),
        }
    }

    /// Takes the state that deliveries change. A thread that panicked in it may have left half a step: then it must not be believed,
    /// and the daemon stops.
    pub(crate) fn receiver(&self) -> MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(|poisoned| {
            self.stop();
            poisoned.into_inner()
        })
    }

    /// Captures a delivery and queues it; returns the answer, or where it will come.
    pub(crate) fn accept(&self, arrival: Arrival<'_>) -> Result<Replies<Answer>, Answer> {
        if self.is_stopped() {
            return Err(Answer::Retry);
        }
        self.accept_even_late(arrival)
    }

    /// As [`Shared::accept`]; `done` learns the number of the first event, if it is sealed, on the thread that seals.
    pub(crate) fn accept_then(&self, arrival: Arrival<'_>, done: impl FnOnce(Option<u64>) + Send + 'static) -> Result<(), Answer> {
        if self.is_stopped() {
            return Err(Answer::Retry);
        }
        let told = |fates: Vec<Fate>| done(fates.first().and_then(|fate| fate.seq()));
        self.capture(arrival, |what| self.queue.push(Work { what, reply: Reply::Each(Box::new(told)) }))
    }

    /// As [`Shared::accept`], also while the daemon stops: for its own last round.
    fn accept_even_late(&self, arrival: Arrival<'_>) -> Result<Replies<Answer>, Answer> {
        self.capture(arrival, |what| self.push(what))
    }

    fn capture<T>(&self, arrival: Arrival<'_>, push: impl FnOnce(What) -> T) -> Result<T, Answer> {
        // Capture and queue under one lock: the order of the state is the order of the ledger.
        let mut receiver = self.receiver();
        if self.full.load(Ordering::SeqCst) || !self.queue.has_room() {
            return Err(Answer::Retry);
        }
        match receiver.receive(arrival) {
            Received::Known(seq) => Err(Answer::Sealed(seq)),
            Received::InFlight => Err(Answer::Retry),
            Received::Refused(error) => Err(Answer::Block(error.to_string())),
            Received::Fresh(id, events) => Ok(push(What::Delivery(id, events))),
        }
    }

    /// Waits for the answer to queued work.
    pub(crate) fn wait(&self, reply: &Replies<Answer>) -> Answer {
        let answer = reply.recv_timeout(SEAL_PATIENCE).unwrap_or(Answer::Retry);
        if answer == Answer::Retry {
            self.sent_back.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    pub(crate) fn push(&self, what: What) -> Replies<Answer> {
        let (reply, answer) = sync_channel(1);
        self.queue.push(Work { what, reply: Reply::Answer(reply) });
        answer
    }

    pub(crate) fn status(&self) -> DaemonStatus {
        DaemonStatus {
            pid: std::process::id(),
            started_unix_ns: self.started_unix_ns,
            size: self.size.load(Ordering::Relaxed),
            queue: self.queue.depth() as u64,
            connections: self.connections.load(Ordering::Relaxed) as u64,
            last_seal_unix_ns: self.last_seal_unix_ns.load(Ordering::Relaxed),
            sent_back: self.sent_back.load(Ordering::Relaxed),
            full: self.was_full(),
            enabled: self.enabled.load(Ordering::Relaxed),
            index_trouble: self.index_trouble(),
        }
    }

    /// Returns why the index does not follow; cut to what fits into an answer.
    fn index_trouble(&self) -> String {
        let told = self.index_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().flat_map(|text| text.chars()).take(INDEX_TROUBLE_CHARS).collect()
    }

    /// Sends everything back until the next try, because the disk is full.
    pub(crate) fn fill(&self) {
        *self.full_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.full.store(true, Ordering::SeqCst);
    }

    /// Tells whether the disk is full, or was when it was tried last.
    fn was_full(&self) -> bool {
        let since = *self.full_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.full.load(Ordering::SeqCst) || since.is_some_and(|since| since.elapsed() < FULL_FOR)
    }

    /// Stops the daemon.
    pub(crate) fn stop(&self) {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Stops the daemon because the ledger cannot go on.
    pub(crate) fn fail(&self, error: AppendError) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop();
    }

    /// Returns why the ledger could not go on, once.
    pub(crate) fn take_trouble(&self) -> Option<AppendError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the daemon stops, at most `patience`; tells whether it does.
    pub(crate) fn wait_for_stop(&self, patience: Duration) -> bool {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopping, patience, |stopping| !*stopping);
        waited.map_or(true, |(stopping, _)| *stopping)
    }

    /// Waits until no connection is open, at most `patience`.
    pub(crate) fn wait_for_connections(&self, patience: Duration) {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |_: &mut bool| self.connections.load(Ordering::SeqCst) > 0;
        // Who is still there after that gets no answer and spools.
        let _ = self.changed.wait_timeout_while(stopping, patience, busy);
    }

    /// Notes that a connection ended.
    pub(crate) fn disconnected(&self) {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        self.connections.fetch_sub(1, Ordering::SeqCst);
        // Only a daemon that stops waits for this; at any other time waking its threads would cost the next hook a processor.
        if *stopping {
            self.changed.notify_all();
        }
    }
}

/// The daemon's queue as a place to seal, for its own rounds.
pub(crate) struct Queued<'a>(pub(crate) &'a Shared);

impl Queued<'_> {
    fn own(&self, what: What) -> Result<(), NotSealed> {
        if self.0.full.load(Ordering::SeqCst) {
            return Err(NotSealed);
        }
        let reply = self.0.push(what);
        match self.0.wait(&reply) {
            Answer::Sealed(_) => Ok(()),
            _ => Err(NotSealed),
        }
    }
}

impl Sink for Queued<'_> {
    fn deliver(&mut self, arrivals: Vec<Arrival<'_>>) -> Vec<Answer> {
        let accepted: Vec<_> = arrivals.into_iter().map(|arrival| self.0.accept_even_late(arrival)).collect();
        accepted.into_iter().map(|accepted| accepted.map_or_else(|answer| answer, |reply| self.0.wait(&reply))).collect()
    }

    fn ingest(&mut self, events: Vec<Event>) -> Vec<Ingested> {
        self.0.ingest_even_late(events)
    }

    fn look(&mut self, work: &mut dyn FnMut(&mut Receiver)) {
        work(&mut self.0.receiver());
    }

    fn conclude(&mut self, make: &mut dyn FnMut(&mut Receiver) -> Vec<Event>) -> Result<usize, NotSealed> {
        let (count, reply) = {
            let mut receiver = self.0.receiver();
            if self.0.full.load(Ordering::SeqCst) {
                return Err(NotSealed);
            }
            let events = make(&mut receiver);
            if events.is_empty() {
                return Ok(0);
            }
            (events.len(), self.0.push(What::Own(events)))
        };
        match self.0.wait(&reply) {
            Answer::Sealed(_) => Ok(count),
            _ => Err(NotSealed),
        }
    }

    fn gap(&mut self, gap: Gap) -> Result<(), NotSealed> {
        self.own(What::Gap(Box::new(gap)))
    }
}
