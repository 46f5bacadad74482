//! Integration tests of the tree, the notes and the proofs.
#![allow(clippy::unwrap_used, reason = "tests")]

mod checkpoints;
mod differential;
mod flips;
mod keys;
mod notes;
mod oracle;
mod proofs;
mod ranges;
mod rfc6962;
mod round_trips;
mod tiles;
