//! Events that capture made of another witness's bytes: each is sealed once, and its sender learns what became of it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;

use sealtrail_event::{AuditId, Event};
use sealtrail_ledger::Receipt;

use crate::queue::{Reply, What, Work};
use crate::recent::Known;
use crate::sealer::Fate;
use crate::shared::Shared;

/// 4,096 events: one batch of the ledger, and half of the queue.
pub const INGEST_EVENTS_MAX: usize = 4_096;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingested {
    /// Durable, in the tree and signed.
    Sealed(Receipt),
    /// The trail has an event of this id already, under this number.
    Known {
        /// Its number.
        seq: u64,
    },
    /// The ledger takes no such event, now or later: its envelope or a slot is over the limits of the format.
    Rejected,
    /// Not sealed, and nothing of it is kept: the disk or the queue is full, the daemon stops, or the same event is on its way. To be sent again.
    Later,
}

impl Shared {
    /// Seals events, each for itself; `done` learns the fate of each, in order, on the thread that seals: it must not wait for anything.
    pub(crate) fn ingest(&self, events: Vec<Event>, done: impl FnOnce(Vec<Ingested>) + Send + 'static) {
        self.take(events, self.is_stopped(), done);
    }

    /// As [`Shared::ingest`]; `stops` lets in nothing new.
    fn take(&self, events: Vec<Event>, stops: bool, done: impl FnOnce(Vec<Ingested>) + Send + 'static) {
        if events.len() > INGEST_EVENTS_MAX {
            return done(vec![Ingested::Later; events.len()]);
        }
        let old = self.look_back(&events);
        let mut answers = Vec::with_capacity(events.len());
        let mut fresh = Vec::with_capacity(events.len());
        let mut receiver = self.receiver();
        receiver.remember(old);
        // Under the lock of the state, as every delivery: then a queue that had room still has it.
        let closed = stops || self.full.load(Ordering::SeqCst) || !self.queue.has_room();
        for event in events {
            answers.push(match receiver.recent.get(&event.envelope.audit_id) {
                Some(Known::Sealed(seq)) => Some(Ingested::Known { seq }),
                Some(Known::InFlight) => Some(Ingested::Later),
                None if closed => Some(Ingested::Later),
                None => {
                    receiver.recent.put(event.envelope.audit_id.clone(), Known::InFlight);
                    fresh.push(event);
                    None
                }
            });
        }
        if fresh.is_empty() {
            drop(receiver);
            return done(answers.into_iter().map(|answer| answer.unwrap_or(Ingested::Later)).collect());
        }
        let told = move |fates: Vec<Fate>| {
            let mut fates = fates.into_iter();
            done(
                answers.into_iter().map(|answer| answer.or_else(|| fates.next().map(Ingested::from)).unwrap_or(Ingested::Later)).collect(),
            );
        };
        self.queue.push(Work { what: What::Many(fresh), reply: Reply::Each(Box::new(told)) });
    }

    /// Finds in the ledger those events that may have been sealed before everything that is remembered.
    fn look_back(&self, events: &[Event]) -> Vec<(AuditId, u64)> {
        let receiver = self.receiver();
        let may_be_old = |id: &&AuditId| receiver.recent.may_be_forgotten(id);
        let wanted: HashSet<&AuditId> = events.iter().map(|event| &event.envelope.audit_id).filter(may_be_old).collect();
        drop(receiver);
        self.look_up(&wanted.into_iter().cloned().collect::<Vec<_>>())
    }

    /// As [`Shared::ingest`], and waits for it.
    pub(crate) fn ingest_and_wait(&self, events: Vec<Event>) -> Vec<Ingested> {
        self.take_and_wait(events, self.is_stopped())
    }

    /// As [`Shared::ingest_and_wait`], also while the daemon stops: for its own last round.
    pub(crate) fn ingest_even_late(&self, events: Vec<Event>) -> Vec<Ingested> {
        self.take_and_wait(events, false)
    }

    fn take_and_wait(&self, events: Vec<Event>, stops: bool) -> Vec<Ingested> {
        let count = events.len();
        let (told, answer) = sync_channel(1);
        // Who waited too long finds the event known when it comes again.
        self.take(events, stops, move |answers| drop(told.try_send(answers)));
        answer.recv_timeout(crate::shared::SEAL_PATIENCE).unwrap_or_else(|_| vec![Ingested::Later; count])
    }
}

impl From<Fate> for Ingested {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Sealed(receipt) => Self::Sealed(receipt),
            Fate::Own(seq) => Self::Known { seq },
            Fate::Rejected => Self::Rejected,
            Fate::Later => Self::Later,
        }
    }
}
