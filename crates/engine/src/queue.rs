//! The bounded queue between those who make events and the one who seals them.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use sealtrail_event::{AuditId, Event};
use sealtrail_intake::Answer;
use sealtrail_ledger::{Gap, Outcome};

use crate::sealer::Fate;

/// 8,192 events: two batches of the ledger. Who finds it full spools, so it only smooths bursts.
const EVENTS_MAX: usize = 8_192;

/// 64 MiB of slot text: eight of the largest slots.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Something to seal, and who waits for it.
pub(crate) struct Work {
    pub(crate) what: What,
    /// Told once it is durable and signed, or cannot be.
    pub(crate) reply: Reply,
}

/// Who waits.
pub(crate) enum Reply {
    /// One answer for all of it.
    Answer(SyncSender<Answer>),
    /// The fate of each part; it must not wait for anything.
    Each(Box<dyn FnOnce(Vec<Fate>) + Send>),
}

/// What is to be sealed.
pub(crate) enum What {
    /// The events of one delivery, the first under its id.
    Delivery(AuditId, Vec<Event>),
    /// Events that the recorder concluded.
    Own(Vec<Event>),
    /// Events that another witness saw; each is sealed or not by itself.
    Many(Vec<Event>),
    /// A record of losses.
    Gap(Box<Gap>),
}

/// What the sealing thread finds.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) works: Vec<Work>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) stop: bool,
}

#[derive(Default)]
struct Inner {
    works: VecDeque<Work>,
    outcomes: Vec<Outcome>,
    events: usize,
    bytes: usize,
    stop: bool,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
}

impl Queue {
    /// Tells whether there is room for one more delivery. Who adds one holds the receiver's lock, so the answer stays true.
    pub(crate) fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.events < EVENTS_MAX && inner.bytes < BYTES_MAX && !inner.stop
    }

    /// Returns how many events wait.
    pub(crate) fn depth(&self) -> usize {
        self.lock().events
    }

    /// Adds work; one delivery may go over the limits, the next one then finds no room.
    pub(crate) fn push(&self, work: Work) {
        let mut inner = self.lock();
        let (events, bytes) = work.what.size();
        inner.events += events;
        inner.bytes += bytes;
        inner.works.push_back(work);
        self.filled.notify_one();
    }

    /// Hands what came of a background job to the sealing thread.
    pub(crate) fn push_outcome(&self, outcome: Outcome) {
        self.lock().outcomes.push(outcome);
        self.filled.notify_one();
    }

    /// Lets the sealing thread end after what is queued.
    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        self.filled.notify_one();
    }

    /// Waits for work, at most `patience`, and takes all there is.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let idle = |inner: &mut Inner| inner.works.is_empty() && inner.outcomes.is_empty() && !inner.stop;
        let waited = self.filled.wait_timeout_while(self.lock(), patience, idle);
        let mut inner = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(inner, _)| inner);
        (inner.events, inner.bytes) = (0, 0);
        Taken { works: inner.works.drain(..).collect(), outcomes: std::mem::take(&mut inner.outcomes), stop: inner.stop }
    }

    /// A thread that panicked while it held the lock left counters and lists that are each still valid.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Work {
    /// Returns how many parts have a fate of their own.
    pub(crate) fn parts(&self) -> usize {
        if let What::Many(events) = &self.what { events.len() } else { 1 }
    }

    /// Tells who waits what became of it.
    pub(crate) fn answer(self, fates: &[Fate]) {
        match self.reply {
            // Who does not wait any longer has spooled; its id makes that harmless.
            Reply::Answer(reply) => drop(reply.try_send(fates.first().map_or(Answer::Retry, |fate| fate.answer()))),
            Reply::Each(done) => done(fates.to_vec()),
        }
    }

    /// Sends it back.
    pub(crate) fn send_back(self) {
        let fates = vec![Fate::Later; self.parts()];
        self.answer(&fates);
    }
}

impl What {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Delivery(_, events) | Self::Own(events) | Self::Many(events) => {
                (events.len(), events.iter().flat_map(|event| &event.slots).map(|slot| slot.json.len()).sum())
            }
            Self::Gap(_) => (1, 0),
        }
    }
}
