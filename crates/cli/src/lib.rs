//! The command line of Sealtrail: arguments in, text out, exit codes.
//!
//! It is **not** where anything is decided: it parses, calls the crates below, and shows what they answer.
//!
//! Invariants:
//! - Data goes to standard output, talk to standard error; a reader that goes away is a success.
//! - Everything that comes from an event passes [`visible`](visible::visible) before it reaches a terminal.
//! - Every failure is one [`Failure`](failure::Failure), shown by one renderer; no usage error exits with 2, which would
//!   make the client block an agent.
//! - A settings file is changed only by showing the difference first, and keeps everything that is not ours.

mod access;
mod args;
mod cmd;
mod config;
mod diff;
mod exit;
mod failure;
mod field;
mod filter;
mod home;
mod host;
mod jobs;
mod progress;
mod record;
mod reference;
mod rows;
mod run;
mod saved;
mod screen;
mod settings;
mod shim;
mod table;
mod theme;
mod timeline;
mod trail;
mod visible;
mod when;

pub use reference::reference;
pub use run::main;
