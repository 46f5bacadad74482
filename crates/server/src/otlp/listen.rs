//! Numbers that processes gave their events: what is missing for too long becomes an event.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sealtrail_capture::otel::{Missing, Sequences, gap};
use sealtrail_engine::Ingested;
use sealtrail_event::Witness;

use super::Otlp;

/// 5 s between two looks: a gap is told within 35 s.
const LOOK: Duration = Duration::from_secs(5);

impl Otlp {
    pub(super) fn sequences(&self) -> MutexGuard<'_, Sequences> {
        // Whoever panicked with it left numbers that are each valid; at worst a gap is told that is none, or the other way round.
        self.sequences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look for gaps, once.
    pub(super) fn listen(self: &Arc<Self>) {
        if !self.listening.swap(true, Ordering::SeqCst) {
            tokio::spawn(look(Arc::downgrade(self)));
        }
    }

    async fn tell(self: &Arc<Self>) {
        let missing = self.sequences().due(self.collector.now_ns());
        let Some(arrival) = self.arrival().filter(|_| !missing.is_empty()) else { return self.sequences().restore(missing) };
        let events = missing.iter().map(|missing| gap(missing, &arrival)).collect();
        let fates = self.collector.seal(Witness::Otel, events).await;
        let untold = missing.into_iter().zip(fates).filter(|(_, fate)| *fate == Ingested::Later);
        let untold: Vec<Missing> = untold.map(|(missing, _)| missing).collect();
        self.sequences().restore(untold);
        // After they are sealed: a kill before this tells them again, as the same events.
        let otlp = Arc::clone(self);
        let followed = tokio::task::spawn_blocking(move || otlp.kept.follow(&otlp.sequences)).await;
        // It ends with the server only; the file then tells too much, and the same events are known.
        drop(followed);
    }
}

/// Looks from time to time, as long as the server is there.
async fn look(otlp: Weak<Otlp>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(otlp) = otlp.upgrade() else { return };
        otlp.tell().await;
    }
}

impl Drop for Otlp {
    /// Hands in what is still missing: the daemon stops after the server. What it does not take any more is told by the next server.
    fn drop(&mut self) {
        let missing = self.sequences().end();
        if let Some(arrival) = self.arrival().filter(|_| !missing.is_empty()) {
            let kept = Arc::clone(&self.kept);
            let events = missing.iter().map(|missing| gap(missing, &arrival)).collect();
            self.collector.handle.submit(events, move |fates| {
                if !fates.contains(&Ingested::Later) {
                    kept.write(&[]);
                }
            });
        }
    }
}
