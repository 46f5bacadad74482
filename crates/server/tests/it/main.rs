//! The server beside a real daemon, asked over a real connection.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod document;
mod hostile;
mod kit;
mod pages;
mod tokens;
