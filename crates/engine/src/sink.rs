//! Where deliveries, conclusions and losses go: straight into the ledger ([`crate::Trail`]), or through the daemon's queue.

use sealtrail_event::Event;
use sealtrail_intake::Answer;
use sealtrail_ledger::Gap;

use crate::ingest::Ingested;
use crate::receive::{Arrival, Receiver};

/// It was not sealed; it may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSealed;

/// Something that seals.
pub(crate) trait Sink {
    /// Seals deliveries in order and returns what became of each.
    fn deliver(&mut self, arrivals: Vec<Arrival<'_>>) -> Vec<Answer>;

    /// Seals events that another process made, each for itself and once by its id; returns the fate of each, in order.
    fn ingest(&mut self, events: Vec<Event>) -> Vec<Ingested>;

    /// Works on the state: for questions, not for changes.
    fn look(&mut self, work: &mut dyn FnMut(&mut Receiver));

    /// Seals what `make` concludes from the state, and returns how many events that was.
    fn conclude(&mut self, make: &mut dyn FnMut(&mut Receiver) -> Vec<Event>) -> Result<usize, NotSealed>;

    /// Seals a record of losses.
    fn gap(&mut self, gap: Gap) -> Result<(), NotSealed>;
}
