//! The engine from outside: homes, the daemon on its socket, the spool, losses, crashes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod clients;
mod crash;
mod daemon;
mod handover;
mod ingest;
mod instructions;
mod kit;
mod settings;
mod trail;
mod transcripts;
