//! The binary, run as a user runs it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod arguments;
mod coverage;
mod fleet;
mod fleet_tls;
mod imports;
mod jobs;
mod mcp;
mod permission;
mod provenance;
mod reference;
mod run;
mod saved;
mod search;
mod settings;
mod shim;
mod token;
mod trail;
mod tutorial;
