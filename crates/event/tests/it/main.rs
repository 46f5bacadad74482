//! Tests of the event crate's public face.
#![allow(clippy::unwrap_used, reason = "tests")]

mod any_json;
mod generated;
mod parts;
mod random;
mod seeds;
mod strict;
