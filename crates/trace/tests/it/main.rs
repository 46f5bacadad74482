//! Tests of this crate from outside.
#![allow(clippy::unwrap_used, reason = "tests")]

mod coverage;
mod coverage_certificate;
mod coverage_losses;
mod coverage_page;
mod coverage_trail;
mod permission_client;
mod permission_rules;
mod usage;
