//! Follows the client's transcript files: what is new in them is sealed before the place up to which they were read moves on.
//!
//! One thread looks at the files again and again. It holds no lock while it reads, and what it cannot seal now it keeps for the next round.

mod cursor;
mod file;
mod find;
mod lines;
mod prefix;
mod round;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sealtrail_config::Transcripts as Settings;

use crate::shared::Shared;
use round::Follower;

/// 4,096 transcripts that hooks named since the last round.
const SEEN_MAX: usize = 4_096;

/// What the thread is told by others.
#[derive(Default)]
pub(crate) struct Transcripts {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    settings: Settings,
    /// Transcripts that hooks named, with the user who sent the hook.
    seen: HashMap<PathBuf, u32>,
    finish: bool,
}

impl Transcripts {
    /// Takes over a configuration.
    pub(crate) fn apply(&self, settings: &Settings) {
        self.lock().settings = settings.clone();
        self.changed.notify_all();
    }

    /// Notes which transcript a hook named. Reads nothing.
    pub(crate) fn note(&self, body: &[u8], uid: u32) {
        if !self.lock().settings.enabled {
            return;
        }
        let Some(path) = sealtrail_capture::transcript::hook_transcript(body) else { return };
        let mut inner = self.lock();
        if inner.seen.len() < SEEN_MAX {
            inner.seen.insert(path.into(), uid);
        }
    }

    /// Lets the thread look a last time and end.
    pub(crate) fn finish(&self) {
        self.lock().finish = true;
        self.changed.notify_all();
    }

    /// Tells whether the last round is due.
    fn is_finishing(&self) -> bool {
        self.lock().finish
    }

    /// Waits for the next round; returns what to do in it, and whether it is the last.
    fn next(&self, patience: Duration) -> (Settings, HashMap<PathBuf, u32>, bool) {
        let waited = self.changed.wait_timeout_while(self.lock(), patience, |inner| !inner.finish);
        let mut inner = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(inner, _)| inner);
        (inner.settings.clone(), std::mem::take(&mut inner.seen), inner.finish)
    }

    /// A thread that panicked while it held the lock left values that are each still valid.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread: looks until it is told to finish, or until the daemon stops because the ledger did.
pub(crate) fn follow(shared: &Shared) {
    let mut follower = Follower::new(shared);
    let mut patience = Duration::ZERO;
    loop {
        let (settings, seen, last) = shared.transcripts.next(patience);
        patience = Duration::from_millis(u64::from(settings.poll_ms.max(1)));
        // A trail that is switched off takes nothing from transcripts either.
        if settings.enabled && shared.enabled.load(Ordering::Relaxed) {
            follower.round(&settings, seen, last);
        } else {
            follower.forget();
        }
        if last || shared.is_stopped() {
            return;
        }
    }
}
