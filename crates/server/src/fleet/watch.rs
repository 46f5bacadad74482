//! The timer: a machine that is silent for longer than its threshold is told once, and what could not be told before is tried again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::fleet::Fleet;

/// 5 s: two small files of each machine are read; a threshold has whole seconds.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks again and again.
pub(crate) async fn watch(fleet: Arc<Fleet>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let fleet = Arc::clone(&fleet);
        // A thread that panicked is tried again like a disk that refused.
        let _ = tokio::task::spawn_blocking(move || fleet.look(Timestamp::now())).await;
    }
}

impl Fleet {
    /// Looks at every machine once.
    fn look(&self, now: Timestamp) {
        // A list that cannot be read now is read again; requests say why.
        for machine in self.machines.list().unwrap_or_default() {
            let Ok(live) = self.live_of(machine) else { continue };
            // Who is being worked on is not silent.
            let Ok(mut live) = live.try_lock().or_else(|error| match error {
                std::sync::TryLockError::Poisoned(poisoned) => Ok::<_, ()>(PoisonError::into_inner(poisoned)),
                std::sync::TryLockError::WouldBlock => Err(()),
            }) else {
                continue;
            };
            let silent = live.state.silent_since(&live.machine, now);
            if let Some(since) = silent.filter(|_| !live.state.silent)
                && self.tell(
                    &live,
                    "fleet.machine_silent",
                    "high",
                    json!({ "silent_since": since, "threshold_s": live.machine.silent_after_s }),
                )
            {
                live.state.silent = true;
                // Not durable, it is told once more after a restart.
                let _ = self.keep(&mut live);
            }
            let _ = self.tell_trouble(&mut live);
        }
    }
}
