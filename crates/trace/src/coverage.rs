//! Which witness saw which action, and what is missing. Pure: views of events go in, session by session, a report comes out.
//!
//! Invariants:
//! - The order in which witnesses told something changes nothing, nor does an event that comes twice.
//! - What a witness can never see is no gap ([`SIGHTS`]); what it should have seen and did not is one, whoever's fault it is.
//! - No single figure stands for all: there is one for each class of actions and witness.
//! - Everything has a bound; what is left out of a list is counted in its totals.

mod action;
mod cause;
mod certificate;
mod finding;
mod gap;
mod judge;
mod loose;
mod matrix;
mod moment;
mod report;
mod runs;
mod session;
mod sight;
mod told;
mod words;

pub use cause::Cause;
pub use certificate::{FORMAT, Issued, NOT_PROVEN, canonical, certificate};
pub use finding::{Finding, Kind};
pub use gap::{Gap, Item, Loss};
pub use loose::{LOOSE_MAX, Loose};
pub use matrix::Tally;
pub use report::{Off, Report, Verdict};
pub use session::{ACTIONS_MAX, Session};
pub use sight::{SIGHTS, Sight, sight};
pub use words::{Class, Phases, Witness};
