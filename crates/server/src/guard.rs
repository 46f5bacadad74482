//! Before a question is looked at: who asks, how often, and whether there is a place for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::archive::{Archive, Visitor};
use crate::grant::Grant;
use crate::rate::Rate;
use crate::refusal::Refusal;

/// Searches at once; each has a thread, and up to 48 MiB.
const SEARCHES_MAX: usize = 4;

/// 32 answers of up to about 4 MiB wait to be taken: 128 MiB.
const ANSWERS_MAX: usize = 32;

/// 2 s: who waits longer for a place does better to come again.
const PLACE_PATIENCE: Duration = Duration::from_secs(2);

/// What every request shares.
pub(crate) struct App {
    pub(crate) archive: Arc<Archive>,
    places: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    rate: Mutex<Rate>,
    per_second: u32,
    deadline: Duration,
}

/// A request that is let in: what it may see, and the place it has.
pub(crate) struct Admitted {
    pub(crate) app: Arc<App>,
    pub(crate) grant: Grant,
    pub(crate) visitor: Visitor,
}

/// A place for one search; it is free again, and the search ends, when this goes.
pub(crate) struct Place {
    pub(crate) cancel: Arc<AtomicBool>,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl App {
    pub(crate) fn new(archive: Archive, deadline: Duration, per_second: u32) -> Self {
        let burst = per_second.saturating_mul(4);
        let rate = Mutex::new(Rate::new(per_second, burst));
        Self {
            archive: Arc::new(archive),
            places: Arc::new(Semaphore::new(SEARCHES_MAX)),
            answers: Arc::new(Semaphore::new(ANSWERS_MAX)),
            rate,
            per_second,
            deadline,
        }
    }

    /// Lets a request in, or tells why not.
    pub(crate) async fn admit(self: &Arc<Self>, headers: &HeaderMap, from: Option<SocketAddr>) -> Result<Admitted, Refusal> {
        let visitor = Visitor { door: "api", source_ip: from.map(|from| plain(from.ip()).to_string()) };
        let secret = bearer(headers);
        let (archive, who) = (Arc::clone(&self.archive), visitor.clone());
        let admitted = tokio::task::spawn_blocking(move || archive.admit(secret.as_deref(), &who, Timestamp::now())).await;
        let grant = admitted.map_err(|error| Refusal::Unreadable(Box::new(error)))??;
        let taken = self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(&grant.name, Instant::now());
        taken.map_err(|_| Refusal::TooOften { per_second: self.per_second })?;
        Ok(Admitted { app: Arc::clone(self), grant, visitor })
    }

    /// Waits for a place.
    pub(crate) async fn place(&self) -> Result<Place, Refusal> {
        let waited = tokio::time::timeout(PLACE_PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(permit)) = waited else { return Err(Refusal::Busy { searches: SEARCHES_MAX }) };
        Ok(Place { cancel: Arc::default(), permit })
    }

    /// Waits for room for one more answer that nobody has taken yet.
    pub(crate) async fn hold(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let waited = tokio::time::timeout(PLACE_PATIENCE, Arc::clone(&self.answers).acquire_owned()).await;
        let Ok(Ok(permit)) = waited else { return Err(Refusal::Busy { searches: ANSWERS_MAX }) };
        Ok(permit)
    }

    /// Runs blocking work in a place, and stops it when it takes too long or when nobody waits any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<AtomicBool>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let Place { cancel, permit } = self.place().await?;
        let watch = Cancelled(Arc::clone(&cancel));
        let job = tokio::task::spawn_blocking(move || {
            let found = work(&cancel);
            drop(permit);
            found
        });
        tokio::pin!(job);
        let found = match tokio::time::timeout(self.deadline, &mut job).await {
            Ok(found) => found,
            Err(_) => {
                watch.0.store(true, Ordering::Relaxed);
                job.await
            }
        };
        found.map_err(|error| Refusal::Unreadable(Box::new(error)))?
    }
}

/// Ends a search when the request that asked for it goes away.
pub(crate) struct Cancelled(pub(crate) Arc<AtomicBool>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns the secret that a request shows.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim().to_owned())
}

/// Returns an address as people write it: an IPv4 address that came through an IPv6 socket becomes IPv4 again.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
