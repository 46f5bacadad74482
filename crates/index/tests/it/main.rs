//! The index beside a ledger.
#![allow(clippy::unwrap_used, reason = "tests")]

mod kit;
mod search;
