//! The server beside a real daemon, asked over a real connection.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod collector;
mod document;
mod fleet;
mod hooks;
mod hostile;
mod killed;
mod kit;
mod otlp;
mod pages;
mod tls;
mod tokens;
