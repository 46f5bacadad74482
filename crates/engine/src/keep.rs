//! Events of a process that does not wait for the ledger: sealed by the daemon, or durable in the spool until somebody opens the trail.

use std::path::PathBuf;
use std::time::Duration;

use sealtrail_event::Event;
use sealtrail_intake::{Frame, Kind};
use sealtrail_spool::Lost;

use crate::client::{ClientError, record_frame};
use crate::handover::{encode, hand_over_within};
use crate::home::Home;
use crate::ingest::Ingested;

/// What became of an event that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Durable, in the tree and signed.
    Sealed,
    /// Durable in the spool; whoever opens the trail next seals it, marked late.
    Spooled,
    /// The ledger takes no such event, now or later.
    Rejected,
}

/// Why events could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no trail that could be delivered to.
    #[error("there is no trail in {}", path.display())]
    Missing {
        /// The home.
        path: PathBuf,
    },
    /// The daemon does not take them, now or later.
    #[error("the daemon did not take the events")]
    Refused(#[source] ClientError),
    /// No daemon took them, and the spool did not either.
    #[error("no daemon took the events, and they could not be spooled")]
    Spool(#[from] Lost),
}

impl KeepError {
    /// Tells whether trying again is in vain.
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Refused(_) => true,
            Self::Spool(lost) => lost.cause == "oversized",
        }
    }
}

/// Has the daemon seal events, each once by its id; what it does not take within `patience` is made durable in the spool. Returns what became of each,
/// in order.
///
/// After an error some of them may be kept all the same: handing them over again does no harm.
pub fn keep_events(home: &Home, events: &[Event], patience: Duration) -> Result<Vec<Kept>, KeepError> {
    if !home.takes_deliveries() {
        return Err(KeepError::Missing { path: home.path().to_owned() });
    }
    let fates = match hand_over_within(home, events, patience) {
        Ok(fates) => fates,
        Err(refused @ ClientError::Refused { .. }) => return Err(KeepError::Refused(refused)),
        // It may have sealed some of them by now; these are recognised when the spool is drained.
        Err(ClientError::NoDaemon { .. } | ClientError::Broken { .. } | ClientError::Later) => return spool_events(home, events),
    };
    let later: Vec<Event> =
        events.iter().zip(&fates).filter(|(_, fate)| **fate == Ingested::Later).map(|(event, _)| event.clone()).collect();
    spool_events(home, &later)?;
    Ok(fates.into_iter().map(Kept::from).collect())
}

/// Makes events durable in the spool, without asking for a daemon; returns what became of each.
pub fn spool_events(home: &Home, events: &[Event]) -> Result<Vec<Kept>, KeepError> {
    let mut rest = events;
    while !rest.is_empty() {
        let (body, count) = encode(rest);
        let frame = Frame { kind: Kind::Events, ..record_frame(&body) };
        sealtrail_spool::append(home.path(), &frame, &body)?;
        rest = &rest[count..];
    }
    Ok(vec![Kept::Spooled; events.len()])
}

impl From<Ingested> for Kept {
    fn from(fate: Ingested) -> Self {
        match fate {
            Ingested::Sealed(_) | Ingested::Known { .. } => Self::Sealed,
            Ingested::Rejected => Self::Rejected,
            Ingested::Later => Self::Spooled,
        }
    }
}
