//! Tests of the query crate's public face.
#![allow(clippy::unwrap_used, reason = "tests")]

mod language;
mod limits;
mod page;
mod random;
mod search;
mod seeds;
mod times;
