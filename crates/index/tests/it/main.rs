//! The index beside a ledger.
#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;
mod erase;
mod explain;
mod kit;
#[path = "../../src/random.rs"]
mod random;
mod reports;
mod search;
#[path = "../../src/world.rs"]
mod world;
