//! Deliveries that were seen lately: so that one that comes twice is sealed once.

use std::collections::{HashMap, VecDeque};

use sealtrail_event::AuditId;

/// 65,536 ids of about 100 bytes: 7 MB. A retry comes within seconds; even at 10,000 events a second this remembers 6 s, and the drain after a
/// crash comes before anything else.
const RECENT_MAX: usize = 65_536;

/// What is known of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is on its way to the ledger.
    InFlight,
    /// It is sealed; its first event has this number.
    Sealed(u64),
}

/// The newest deliveries, by the id of their first event.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    known: HashMap<AuditId, Known>,
    order: VecDeque<AuditId>,
    /// No id of a later time was ever forgotten; milliseconds since 1970.
    forgotten_ms: u64,
}

impl Recent {
    /// Remembers nothing yet, of a trail that may hold ids up to this time.
    pub(crate) fn after(forgotten_ms: u64) -> Self {
        Self { forgotten_ms, ..Self::default() }
    }

    /// Tells whether the trail may have an id that is not remembered. Ids of other witnesses are of any time and come in any order, so it is not
    /// the age of what is remembered that tells.
    pub(crate) fn may_be_forgotten(&self, id: &AuditId) -> bool {
        !self.known.contains_key(id) && id.unix_ms().is_none_or(|ms| ms <= self.forgotten_ms)
    }

    /// Returns what is known of a delivery.
    pub(crate) fn get(&self, id: &AuditId) -> Option<Known> {
        self.known.get(id).copied()
    }

    /// Notes a delivery; the oldest one is forgotten when there are too many.
    pub(crate) fn put(&mut self, id: AuditId, known: Known) {
        if self.known.insert(id.clone(), known).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > RECENT_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
                self.forgotten_ms = self.forgotten_ms.max(oldest.unix_ms().unwrap_or(0));
            }
        }
    }

    /// Forgets a delivery that did not reach the ledger.
    pub(crate) fn forget(&mut self, id: &AuditId) {
        // Its place in the order stays until it is the oldest; until then it counts twice when it comes again, which only shortens the memory.
        self.known.remove(id);
    }

    /// Returns the milliseconds since 1970 of the oldest id that is remembered, or nothing when there is none.
    pub(crate) fn oldest_unix_ms(&self) -> Option<u64> {
        self.order.front().and_then(AuditId::unix_ms)
    }
}
