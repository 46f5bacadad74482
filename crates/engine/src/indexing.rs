//! The daemon's thread that indexes what is sealed. The index is derived: its trouble is told and never stops anything else.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use sealtrail_index::{IndexError, Indexer, IndexerOptions};
use sealtrail_ledger::read::Reader;

use crate::finder::FEED_EVENTS;
use crate::shared::Shared;

/// A search looks at what is not indexed yet itself; after two seconds of a busy trail that is some ten thousand events.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After a failure it is tried again this much later.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// 16 MiB: the daemon stays small; more only makes fewer and larger pieces to merge.
const MEMORY_BYTES: usize = 16 << 20;
/// An indexer without work gives its memory back after this long.
const IDLE: Duration = Duration::from_secs(30);

/// A search looks at what is not indexed yet; a sender waits. So the threads of the index, which inherit this, go last.
const NICE: i32 = 10;

/// Follows the ledger until the daemon stops.
pub(crate) fn follow(shared: &Shared, mut reader: Reader) {
    // On Linux of this thread alone. Refused, it competes with the others.
    let _ = rustix::process::nice(NICE);
    let mut indexer: Option<Indexer> = None;
    let (mut worked, mut retry) = (Instant::now(), None::<Instant>);
    while !shared.wait_for_stop(LOOK_EVERY) {
        if retry.is_some_and(|at| Instant::now() < at) {
            continue;
        }
        match round(shared, &mut reader, &mut indexer) {
            Ok(events) => {
                *shared.index_trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                retry = None;
                if events > 0 {
                    worked = Instant::now();
                } else if worked.elapsed() > IDLE {
                    indexer = None;
                }
            }
            Err(error) => {
                // A new one looks at what is there with fresh eyes.
                indexer = None;
                retry = Some(Instant::now() + RETRY_AFTER);
                *shared.index_trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(told(&error));
            }
        }
    }
}

/// Indexes everything that is sealed by now; returns how many events that were.
fn round(shared: &Shared, reader: &mut Reader, indexer: &mut Option<Indexer>) -> Result<u64, IndexError> {
    reader.refresh()?;
    let size = reader.size().0;
    if indexer.as_ref().is_some_and(|indexer| indexer.indexed_to() >= size) {
        return Ok(0);
    }
    let indexer = match indexer {
        Some(indexer) => indexer,
        None => indexer.insert(Indexer::open(&shared.home.index(), reader.log(), &IndexerOptions { memory_bytes: MEMORY_BYTES })?),
    };
    let mut events = 0;
    loop {
        let fed = indexer.feed(reader, FEED_EVENTS)?;
        events += fed.events;
        if fed.indexed_to >= fed.size || shared.is_stopped() {
            return Ok(events);
        }
    }
}

fn told(error: &IndexError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
