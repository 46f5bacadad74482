//! One request from its bytes to sealed events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use sealtrail_capture::Sender;
use sealtrail_capture::otel::{Encoding, Heard, Made, Making, OtelError, Signal, decode, unparsed};
use sealtrail_engine::Ingested;
use sealtrail_event::{Event, Witness};
use tokio::sync::OwnedSemaphorePermit;

use super::Otlp;

/// 1,024 records are made into events and sealed at a time: a request is never in memory as events as a whole.
const PART: usize = 1_024;

/// 10 s: who waits longer for its turn does better to come again.
const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// What became of a request that was taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Records that were not taken as such.
    pub(super) rejected: u64,
    /// Why, of the first one.
    pub(super) why: String,
}

/// Why a request was not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// It was not understood; its first bytes are sealed.
    Malformed(OtelError),
    /// Not everything is sealed: it is to be sent again, and what is sealed already will be known.
    Later,
}

/// A thread that worked on a request died: nobody knows what is sealed, so it is to be sent again.
fn gone<E>(_: E) -> Refused {
    Refused::Later
}

impl Otlp {
    /// Waits for the turn of a body of `bytes`.
    pub(super) async fn turn(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, super::UNDERSTOOD_KIB_MAX as u32);
        let turn = Arc::clone(&self.places).acquire_many_owned(kib);
        tokio::time::timeout(TURN_PATIENCE, turn).await.map_err(gone)?.map_err(gone)
    }

    /// Understands a body and seals its events; returns when they are durable.
    pub(super) async fn take(
        self: &Arc<Self>,
        sender: &Arc<Sender>,
        signal: Signal,
        encoding: Encoding,
        body: Bytes,
    ) -> Result<Taken, Refused> {
        self.listen();
        let begun = {
            let (otlp, sender) = (Arc::clone(self), Arc::clone(sender));
            tokio::task::spawn_blocking(move || otlp.begin(&sender, signal, encoding, &body)).await.map_err(gone)??
        };
        let mut making = match begun {
            Begun::Making(making) => making,
            Begun::Malformed(error, event) => {
                let fates = self.collector.seal(Witness::Otel, vec![*event]).await;
                return Err(if fates.contains(&Ingested::Later) { Refused::Later } else { Refused::Malformed(error) });
            }
        };
        let mut taken = Taken::default();
        loop {
            let sender = Arc::clone(sender);
            let made = tokio::task::spawn_blocking(move || {
                let part = making.part(&sender);
                (making, part)
            });
            let (rest, part) = made.await.map_err(gone)?;
            making = rest;
            if part.events.is_empty() {
                return Ok(taken);
            }
            let fates = self.collector.seal(Witness::Otel, part.events).await;
            self.hear(&part.heard, &fates).await?;
            if fates.contains(&Ingested::Later) {
                return Err(Refused::Later);
            }
            taken.count(&part.refused, &fates);
        }
    }

    fn begin(&self, sender: &Sender, signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Begun, Refused> {
        let arrival = self.arrival().ok_or(Refused::Later)?;
        Ok(match decode(signal, encoding, body) {
            Ok(export) => Begun::Making(Box::new(Parts(export.events(arrival)))),
            Err(error) => {
                let mut event = unparsed(body, &error, &arrival);
                sender.stamp(&mut event);
                Begun::Malformed(error, Box::new(event))
            }
        })
    }

    /// Notes which numbers of which process are sealed now; what is missing among them is kept before the sender is answered.
    async fn hear(self: &Arc<Self>, heard: &[Option<Heard>], fates: &[Ingested]) -> Result<(), Refused> {
        let now = self.collector.now_ns();
        {
            let mut sequences = self.sequences();
            for (heard, fate) in heard.iter().zip(fates) {
                if let (Some(heard), false) = (heard, *fate == Ingested::Later) {
                    sequences.hear(heard, !matches!(fate, Ingested::Known { .. }), now);
                }
            }
            if !sequences.has_changed() {
                return Ok(());
            }
        }
        let otlp = Arc::clone(self);
        tokio::task::spawn_blocking(move || otlp.kept.follow(&otlp.sequences)).await.map_err(gone)
    }
}

enum Begun {
    Making(Box<Parts>),
    Malformed(OtelError, Box<Event>),
}

/// The events of a request, some at a time.
struct Parts(Making);

#[derive(Default)]
struct Part {
    events: Vec<Event>,
    heard: Vec<Option<Heard>>,
    refused: Vec<String>,
}

impl Parts {
    fn part(&mut self, sender: &Sender) -> Part {
        let mut part = Part::default();
        for Made { mut event, heard, refused } in self.0.by_ref().take(PART) {
            sender.stamp(&mut event);
            part.events.push(event);
            part.heard.push(heard);
            part.refused.extend(refused);
        }
        part
    }
}

impl Taken {
    fn count(&mut self, refused: &[String], fates: &[Ingested]) {
        let by_ledger = fates.iter().filter(|fate| **fate == Ingested::Rejected).count();
        if self.why.is_empty() {
            let by_ledger = (by_ledger > 0).then(|| "an event is over the limits of the ledger".to_owned());
            self.why = refused.first().cloned().or(by_ledger).unwrap_or_default();
        }
        self.rejected += (refused.len() + by_ledger) as u64;
    }
}
