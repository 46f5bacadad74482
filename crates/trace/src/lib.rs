//! Who led to what and who saw it: the story of a session, the chain around one event, the coverage by witnesses, from events that somebody else found.
//!
//! It is **not** a search and reads nothing: views of events go in, in the order of the ledger, links come out.
//!
//! Invariants:
//! - What no witness told is never filled in: it is listed as missing, in words.
//! - Damaged data makes no loop and no panic; chains have a largest depth.

pub mod answers;
pub mod chain;
pub mod coverage;
pub mod field;
pub mod permission;
pub mod provenance;
pub mod story;
pub mod usage;
