//! The index beside a ledger.
#![allow(clippy::unwrap_used, reason = "tests")]

mod kit;
#[path = "../../src/random.rs"]
mod random;
mod reports;
mod search;
