//! A running daemon as other parts of its process see it: they may hand in events, read one of them back and leave notes, and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sealtrail_event::{Event, EventError, FromContext, Grade, SlotName, Witness};
use sealtrail_intake::Answer;
use serde_json::{Value, json};

use crate::client::{ClientError, DaemonStatus};
use crate::clock::{new_id, time_token, unix_ns};
use crate::home::Home;
use crate::ingest::Ingested;
use crate::queue::What;
use crate::settings::one;
use crate::shared::Shared;

/// A running daemon; it may be kept longer than the daemon runs.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

impl Handle {
    /// Returns the home of the trail.
    pub fn home(&self) -> &Home {
        &self.0.home
    }

    /// Seals events of another witness, each for itself and once by its id; `done` learns the fate of each, in order.
    ///
    /// It may read the ledger for ids that are old, and never waits for a write. `done` runs on the thread that seals, so it must not wait for
    /// anything. At most [`INGEST_EVENTS_MAX`](crate::INGEST_EVENTS_MAX) events; of more none is taken.
    pub fn submit(&self, events: Vec<Event>, done: impl FnOnce(Vec<Ingested>) + Send + 'static) {
        self.0.ingest(events, done);
    }

    /// As [`Handle::submit`], and waits until they are sealed, at most 30 seconds.
    pub fn ingest(&self, events: Vec<Event>) -> Vec<Ingested> {
        self.0.ingest_and_wait(events)
    }

    /// Returns the view of a sealed event, if it can be read now.
    pub fn sealed(&self, seq: u64) -> Option<Value> {
        self.0.sealed(seq)
    }

    /// Returns how the daemon is.
    pub fn status(&self) -> DaemonStatus {
        self.0.status()
    }

    /// Tells whether the daemon takes nothing in any more: it was told to stop, or its disk failed.
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopped()
    }

    /// Seals one event of Sealtrail itself (`{"event_type":"system.audit_log_accessed", …}`); returns its number.
    pub fn note(&self, record: &Value) -> Result<u64, ClientError> {
        let mut event = own(record).map_err(|error| ClientError::Refused { reason: error.to_string() })?;
        let reply = {
            // Under the lock of the state, as every delivery: then a queue that had room still has it.
            let receiver = self.0.receiver();
            if self.0.is_stopped() || self.0.full.load(Ordering::SeqCst) || !self.0.queue.has_room() {
                return Err(ClientError::Later);
            }
            if let Some(host) = receiver.people.host() {
                event.put(SlotName::Identity, one("host", json!(host)));
            }
            self.0.push(What::Own(vec![event]))
        };
        match self.0.wait(&reply) {
            Answer::Sealed(seq) => Ok(seq),
            Answer::Discarded => Err(ClientError::Refused { reason: "the ledger does not take such an event".to_owned() }),
            _ => Err(ClientError::Later),
        }
    }
}

/// Makes an event of Sealtrail itself.
pub(crate) fn own(record: &Value) -> Result<Event, EventError> {
    let recorded_at = time_token(unix_ns()).or_else(|| time_token(0)).expect("1970 can be written");
    Event::from_json(
        record,
        &FromContext { audit_id_if_missing: new_id(), recorded_at, witness: Witness::Recorder, grade: Grade::Observed },
    )
}
