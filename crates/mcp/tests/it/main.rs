//! Tests of the proxy and the collector against servers of their own.
#![allow(clippy::unwrap_used, reason = "tests")]

mod check;
mod http;
mod kit;
mod lines;
mod recorder;
mod stdio;
