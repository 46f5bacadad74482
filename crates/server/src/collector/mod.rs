//! The collector: who holds a write key hands events in, and is answered when they are durable, in the tree and signed.
//!
//! Every way in is behind one door ([`key::keyed`]) and ends in one place ([`Collector::submit`]); a way in adds a route, and what it does between the two.

mod body;
pub(crate) mod events;
mod flight;
pub(crate) mod hooks;
mod items;
mod key;
mod metrics;
pub(crate) mod probes;
mod unpack;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sealtrail_capture::redact::Redactor;
use sealtrail_engine::{Handle, INGEST_EVENTS_MAX, Ingested};
use sealtrail_event::{AuditId, Event, Witness};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::archive::Archive;
use crate::fleet::Fleet;
use crate::problem::plain;
use crate::rate::Rate;

pub(crate) use body::Held;
pub(crate) use key::Certificate;

use flight::Flights;
use metrics::Metrics;

/// 30 s: a disk that does not answer a sync within them is as good as gone; a late success is recognised by its id.
const SEAL_PATIENCE: Duration = Duration::from_secs(30);

/// 4 bodies are understood at once: it is the processors' work, and as JSON a body may take ten times its bytes.
const PLACES: usize = 4;

/// What the collector takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one body, packed and unpacked.
    pub body_bytes: usize,
    /// Bytes of all bodies that are being taken in.
    pub flight_bytes: usize,
    /// Requests with one key in a second; four times as many in a burst.
    pub per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // 16 MiB is what one record may have; eight such bodies at once.
        Self { body_bytes: 16 << 20, flight_bytes: 128 << 20, per_second: 1_000 }
    }
}

/// What every delivery shares.
pub(crate) struct Collector {
    pub(crate) handle: Handle,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    /// The machines whose logs are copied and cosigned.
    pub(crate) fleet: Arc<Fleet>,
    archive: Arc<Archive>,
    flights: Arc<Flights>,
    /// Places for those that are being understood.
    places: Arc<Semaphore>,
    rate: Mutex<Rate>,
    /// When a seal last took longer than anybody waits.
    stalled: Mutex<Option<Instant>>,
}

/// Returns every way in, and the collector's own probes.
pub(crate) fn routes(collector: &Arc<Collector>) -> Router {
    let probes = Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .with_state(Arc::clone(collector));
    let own = Router::new()
        .route("/v1/events", post(events::post))
        .route("/v1/hooks/claude-code", post(hooks::claude_code))
        .with_state(Arc::clone(collector));
    // Another way in is one more `merge` here; the door is laid over all of them.
    let ways = Router::new().merge(own).merge(crate::otlp::routes(collector)).merge(crate::fleet::routes(collector));
    probes.merge(ways.route_layer(from_fn_with_state(Arc::clone(collector), key::keyed)))
}

/// Why a delivery is to come again, and when.
pub(crate) struct Later {
    pub(crate) status: StatusCode,
    pub(crate) name: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) seconds: &'static str,
}

/// Events on their way into the ledger.
pub(crate) struct Pending {
    witness: Witness,
    count: usize,
    parts: Vec<oneshot::Receiver<Vec<Ingested>>>,
    since: Instant,
}

impl Collector {
    pub(crate) fn new(handle: Handle, archive: Arc<Archive>, limits: Limits) -> Self {
        let rate = Mutex::new(Rate::new(limits.per_second, limits.per_second.saturating_mul(4)));
        let flights = Flights::new(limits.flight_bytes);
        Self {
            fleet: Arc::new(Fleet::new(handle.clone())),
            handle,
            redactor: Arc::new(Redactor::new()),
            limits,
            metrics: Metrics::new(),
            archive,
            flights,
            places: Arc::new(Semaphore::new(PLACES)),
            rate,
            stalled: Mutex::new(None),
        }
    }

    /// Waits for a place to understand a body in.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Hands events to the daemon. It may read the ledger for old ids, so it is called on a thread that may wait.
    pub(crate) fn submit(&self, witness: Witness, events: Vec<Event>) -> Pending {
        let mut pending = Pending { witness, count: events.len(), parts: Vec::new(), since: Instant::now() };
        let mut events = events.into_iter();
        loop {
            let part: Vec<Event> = events.by_ref().take(INGEST_EVENTS_MAX).collect();
            if part.is_empty() {
                return pending;
            }
            let (told, answer) = oneshot::channel();
            // Who asked may have gone; the events are sealed all the same.
            self.handle.submit(part, move |fates| drop(told.send(fates)));
            pending.parts.push(answer);
        }
    }

    /// Waits until the events are sealed, or are known not to be; one fate each, in order.
    pub(crate) async fn settled(&self, pending: Pending) -> Vec<Ingested> {
        let Pending { witness, count, parts, since } = pending;
        let mut fates = Vec::with_capacity(count);
        for part in parts {
            let left = SEAL_PATIENCE.saturating_sub(since.elapsed());
            match tokio::time::timeout(left, part).await {
                Ok(Ok(part)) => fates.extend(part),
                // The daemon is gone.
                Ok(Err(_)) => break,
                Err(_) => {
                    *self.stalled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                    break;
                }
            }
        }
        fates.resize(count, Ingested::Later);
        self.metrics.sealed(witness, &fates, since.elapsed());
        fates
    }

    /// Seals events; one fate each, in order.
    pub(crate) async fn seal(self: &Arc<Self>, witness: Witness, events: Vec<Event>) -> Vec<Ingested> {
        let (own, count) = (Arc::clone(self), events.len());
        match tokio::task::spawn_blocking(move || own.submit(witness, events)).await {
            Ok(pending) => self.settled(pending).await,
            Err(_) => vec![Ingested::Later; count],
        }
    }

    /// Tells whether nothing can be sealed because the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        self.handle.status().full
    }

    /// Returns why a delivery is to come again: who cannot seal says so, and is not taken for one to whom too much is sent.
    pub(crate) fn why_later(&self) -> Later {
        let stalled = *self.stalled.lock().unwrap_or_else(PoisonError::into_inner);
        let unavailable = |name, detail| Later { status: StatusCode::SERVICE_UNAVAILABLE, name, detail, seconds: "10" };
        let why = if self.is_full() {
            unavailable("disk-full", "the disk of the trail is full: nothing can be sealed now")
        } else if self.handle.is_stopping() {
            unavailable("stopping", "the daemon stops, or its disk failed: nothing can be sealed now")
        } else if stalled.is_some_and(|since| since.elapsed() < SEAL_PATIENCE) {
            unavailable("disk-stalled", "the disk of the trail does not answer: nothing can be sealed now")
        } else {
            let detail = "more is coming in than can be sealed: send it again later";
            Later { status: StatusCode::TOO_MANY_REQUESTS, name: "queue-full", detail, seconds: "1" }
        };
        self.metrics.refused(why.name);
        why
    }

    /// Makes the answer of a delivery that is to come again.
    pub(crate) fn later(&self) -> Response {
        let Later { status, name, detail, seconds } = self.why_later();
        let mut response = plain(status, name, detail).into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        response
    }

    /// Returns nanoseconds since 1970.
    pub(crate) fn now_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Makes an id of now.
    pub(crate) fn new_id(&self) -> AuditId {
        let mut tail = [0u8; 10];
        getrandom::fill(&mut tail).expect("the kernel has randomness once a server listens");
        AuditId::new(self.now_ns() / 1_000_000, tail)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};

    use super::*;

    /// Protects senders from a disk that does not answer: after the patience, which passes here at once, they are told so and when to come again.
    #[test]
    fn a_disk_that_does_not_answer_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
        let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
        let archive = Archive::new(home, Box::new(daemon.handle()), 1);
        let collector = Collector::new(daemon.handle(), Arc::new(archive), Limits::default());
        let (_seal, never) = oneshot::channel();
        let pending = Pending { witness: Witness::Api, count: 2, parts: vec![never], since: Instant::now() };
        let paused = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        assert_eq!(collector.why_later().name, "queue-full");
        assert_eq!(paused.block_on(collector.settled(pending)), [Ingested::Later; 2]);
        let why = collector.why_later();
        assert_eq!((why.status, why.name), (StatusCode::SERVICE_UNAVAILABLE, "disk-stalled"));
        daemon.stop().unwrap();
    }
}
