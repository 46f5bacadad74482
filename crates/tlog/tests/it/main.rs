//! Integration tests of the tree, the notes and the proofs.
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;
mod proofs;
mod rfc6962;
