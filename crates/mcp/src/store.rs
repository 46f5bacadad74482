//! Where the proxy's events go: to the daemon, or durably into the spool of the trail.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sealtrail_engine::{Home, KeepError, Kept, keep_events, spool_events};
use sealtrail_event::Event;

use crate::sink::{NotSealed, chain};

/// 5 s: a daemon that did not answer in time is not waited for again at once; meanwhile the spool takes everything.
const UNWELL: Duration = Duration::from_secs(5);

/// Keeps events durably.
pub trait Store: Send + Sync {
    /// Keeps events, each once by its id; returns what became of each, in order.
    fn keep(&self, events: &[Event]) -> Result<Vec<Kept>, NotSealed>;
}

/// The trail of a home, whose daemon runs in another process or not at all.
#[derive(Debug)]
pub struct HomeStore {
    home: Home,
    patience: Duration,
    /// Since when the daemon is known to answer late or not at all.
    unwell: Mutex<Option<Instant>>,
}

impl HomeStore {
    /// Names the trail; its daemon gets `patience` to answer.
    pub fn new(home: Home, patience: Duration) -> Self {
        Self { home, patience, unwell: Mutex::new(None) }
    }
}

impl Store for HomeStore {
    fn keep(&self, events: &[Event]) -> Result<Vec<Kept>, NotSealed> {
        let mut unwell = self.unwell.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = if unwell.is_some_and(|since| since.elapsed() < UNWELL) {
            spool_events(&self.home, events)
        } else {
            let asked = Instant::now();
            let kept = keep_events(&self.home, events, self.patience);
            *unwell = Some(Instant::now()).filter(|_| asked.elapsed() >= self.patience);
            kept
        };
        kept.map_err(|error: KeepError| match error.is_refused() {
            true => NotSealed::Never(chain(&error)),
            false => NotSealed::Later(chain(&error)),
        })
    }
}
