//! Tests of this crate from outside.
#![allow(clippy::unwrap_used, reason = "tests")]

mod permission_client;
mod permission_rules;
