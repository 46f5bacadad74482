//! The record of calls: what they share, and what happens to events that cannot be sealed at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sealtrail_capture::gateway::{Scribe, State};
use sealtrail_engine::Ingested;
use sealtrail_event::{AuditId, Event};
use tokio::sync::{Notify, oneshot};

use crate::budget::Budgets;
use crate::seal::Seal;

/// 32,768 events wait for a ledger that is full for a while, or slower than the results of a batch come; further ones are counted as lost. About 1 KiB each
/// beside their slots: 32 MiB.
const WAITING_MAX: usize = 32_768;

/// 64 MiB of slots among them.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// 1,024 events in one go; the daemon takes four times as many.
const AT_ONCE: usize = 1_024;

/// 30 s, as the daemon's own patience with the disk.
const SEAL_PATIENCE: Duration = Duration::from_secs(30);

/// 60 calls without a token in a minute are told, two events each; the next one that is told says how many were not.
const DENIALS_PER_MINUTE: u32 = 60;

/// What all calls share.
pub(crate) struct Desk {
    pub(crate) scribe: Scribe,
    seal: Arc<dyn Seal>,
    state: Mutex<State>,
    budgets: Mutex<Budgets>,
    waiting: Arc<Mutex<Waiting>>,
    /// There is room again for what waits.
    room: Arc<Notify>,
    stopping: AtomicBool,
    denials: Mutex<Denials>,
}

/// How many calls without a token were told in this minute, and how many were not since the last one that was.
#[derive(Default)]
struct Denials {
    minute: u64,
    told: u32,
    untold: u64,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    bytes: usize,
    lost: AtomicU64,
}

impl Desk {
    pub(crate) fn new(scribe: Scribe, seal: Arc<dyn Seal>, state: State, budgets: Budgets) -> Self {
        Self {
            scribe,
            seal,
            state: Mutex::new(state),
            budgets: Mutex::new(budgets),
            waiting: Arc::default(),
            room: Arc::default(),
            stopping: AtomicBool::new(false),
            denials: Mutex::default(),
        }
    }

    /// Takes what is remembered between calls. Whoever panicked in it left lists that are each still valid.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether one more call without a token is told, and how many were not before it.
    pub(crate) fn may_tell_denial(&self) -> Option<u64> {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = unix_ns() / 60_000_000_000;
        if minute != denials.minute {
            (denials.minute, denials.told) = (minute, 0);
        }
        if denials.told >= DENIALS_PER_MINUTE {
            denials.untold += 1;
            return None;
        }
        denials.told += 1;
        Some(std::mem::take(&mut denials.untold))
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Seals events that must be sealed before something happens; tells whether the first of them is, or nothing when the ledger does not answer.
    /// The others are tried again if need be.
    pub(crate) async fn seal_first(&self, events: Vec<Event>) -> Option<bool> {
        let (tell, told) = oneshot::channel();
        let (kept, waiting) = (events.clone(), Arc::clone(&self.waiting));
        let done = move |fates: Vec<Ingested>| {
            let sealed = fates.first().is_some_and(is_sealed);
            // The results that came with it are facts of the past, whether it leaves or not; it itself is told by whoever lets it go on.
            keep(&waiting, kept.into_iter().skip(1).collect(), fates.get(1..).unwrap_or_default());
            // Nobody waits any more when the client left.
            let _ = tell.send(sealed);
        };
        self.seal.submit(events, Box::new(done));
        tokio::time::timeout(SEAL_PATIENCE, told).await.ok()?.ok()
    }

    /// Seals events of something that happened already; what cannot be sealed now is tried again.
    pub(crate) fn seal_later(&self, events: Vec<Event>) {
        let (kept, waiting) = (events.clone(), Arc::clone(&self.waiting));
        self.seal.submit(events, Box::new(move |fates| keep(&waiting, kept, &fates)));
    }

    /// Counts a call that left without its record.
    pub(crate) async fn lose(&self, count: u64) {
        let seal = Arc::clone(&self.seal);
        // A panic in there has nobody to tell.
        let _ = tokio::task::spawn_blocking(move || seal.lost(count)).await;
    }

    /// Returns when what waits may be tried again at once.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }

    /// Tries again what waits, and counts what had no place to wait.
    pub(crate) fn try_again(&self) {
        let (events, lost) = {
            let mut waiting = lock(&self.waiting);
            let count = waiting.events.len().min(AT_ONCE);
            let events: Vec<Event> = waiting.events.drain(..count).collect();
            waiting.bytes -= events.iter().map(bytes_of).sum::<usize>();
            (events, waiting.lost.swap(0, Ordering::Relaxed))
        };
        if !events.is_empty() {
            let (kept, waiting, room) = (events.clone(), Arc::clone(&self.waiting), Arc::clone(&self.room));
            let done = move |fates: Vec<Ingested>| {
                let whole = fates.iter().all(is_sealed);
                keep(&waiting, kept, &fates);
                if whole {
                    room.notify_one();
                }
            };
            self.seal.submit(events, Box::new(done));
        }
        if lost > 0 {
            self.seal.lost(lost);
        }
    }

    /// Ends: what still waits is tried once more, and counted if that fails.
    pub(crate) fn close(&self) {
        let rest: Vec<Event> = lock(&self.waiting).events.drain(..).collect();
        for events in rest.chunks(AT_ONCE) {
            let (tell, told) = std::sync::mpsc::channel();
            let done = move |fates: Vec<Ingested>| {
                // Who waited too long has counted all of them.
                let _ = tell.send(fates.iter().filter(|fate| !is_sealed(fate)).count());
            };
            self.seal.submit(events.to_vec(), Box::new(done));
            let lost = told.recv_timeout(SEAL_PATIENCE).unwrap_or(events.len());
            lock(&self.waiting).lost.fetch_add(lost as u64, Ordering::Relaxed);
        }
        let lost = lock(&self.waiting).lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.seal.lost(lost);
        }
    }
}

fn is_sealed(fate: &Ingested) -> bool {
    matches!(fate, Ingested::Sealed(_) | Ingested::Known { .. })
}

/// Keeps what may be sealed later; what never will be is lost.
fn keep(waiting: &Mutex<Waiting>, events: Vec<Event>, fates: &[Ingested]) {
    let mut waiting = lock(waiting);
    for (n, event) in events.into_iter().enumerate() {
        match fates.get(n) {
            Some(Ingested::Sealed(_) | Ingested::Known { .. }) => {}
            Some(Ingested::Later) | None if waiting.events.len() < WAITING_MAX && waiting.bytes + bytes_of(&event) < WAITING_BYTES_MAX => {
                waiting.bytes += bytes_of(&event);
                waiting.events.push_back(event);
            }
            _ => drop(waiting.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

fn bytes_of(event: &Event) -> usize {
    event.slots.iter().map(|slot| slot.json.len()).sum()
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns nanoseconds since 1970.
pub(crate) fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Makes a new id of now.
pub(crate) fn new_id() -> AuditId {
    let mut tail = [0; 10];
    getrandom::fill(&mut tail).expect("the kernel has randomness once processes of users run");
    AuditId::new(unix_ns() / 1_000_000, tail)
}
