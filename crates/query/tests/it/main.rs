//! Tests of the query crate's public face.
#![allow(clippy::unwrap_used, reason = "tests")]

mod language;
mod limits;
mod literals;
mod page;
mod random;
mod search;
mod seeds;
mod sequences;
mod tables;
mod times;
