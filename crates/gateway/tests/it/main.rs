//! Tests of the gateway between a raw client and a scripted API, on real sockets of this machine.
#![allow(clippy::unwrap_used, reason = "tests")]

mod batches;
mod budgets;
mod ends;
mod kit;
mod passes;
mod records;
mod resumes;
mod sealed;
mod seals;
mod tls;
