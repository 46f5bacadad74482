//! The index: answers a search without looking at every event.
//!
//! It is **not** a store: it holds no event, only terms, columns and trigrams that point to positions of the ledger. Delete its folder and
//! it grows back. It is not the truth either: every event that it finds is read from the ledger and judged again.
//!
//! Invariants:
//! - With the index a search gives what it gives without it. What the index does not know for certain it calls a candidate.
//! - A value is judged by the evaluator of the language, never by rules of this crate.
//! - A crash anywhere loses only what was not committed; that is fed again. No event is in it twice.
//! - What the ledger erased is in no file of the index once the erasure was fed.
//! - One process writes. Readers take no lock and never wait.

mod bits;
mod class;
mod counts;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod differential;
mod doc;
mod error;
mod explain;
mod extract;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod faults;
mod files;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod fill;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod folder;
mod found;
mod grams;
mod hits;
mod index;
mod indexer;
mod judge;
mod layout;
mod leaf;
mod literals;
mod numbers;
mod open;
mod partition;
mod picks;
mod places;
mod plan;
#[cfg(test)]
mod random;
mod report;
mod run;
mod segment;
mod sequences;
mod sweep;
mod term;
mod time;
mod values;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod world;

pub use error::IndexError;
pub use explain::{By, Explain, ExplainCondition, ExplainQuery, explain};
pub use hits::Hits;
pub use index::{Index, Stats};
pub use indexer::{Fed, Indexer, IndexerOptions};
pub use layout::State;
pub use run::{Answer, Hit, Options, Order, Progress, SequenceMatch, run};
