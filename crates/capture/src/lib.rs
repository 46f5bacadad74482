//! Bytes of a witness in, redacted events out: what the client's hooks say, understood and paired.
//!
//! It is **not** a reader of files, a daemon, a policy or a store: it has no I/O, no clock and no randomness; times and ids are arguments.
//!
//! Invariants:
//! - Nothing leaves that did not go through redaction: content enters an event only as [`Redacted`].
//! - No member of a hook is lost, whether this version knows it or not; bytes that cannot be understood are kept as bytes.
//! - No member of a hook can take the place of a member of the event.
//! - Of all events of one tool call exactly one has the phase `outcome`.
//! - The pairing state is bounded, and replaying the trail gives it back.

mod agents;
pub mod api;
mod batch;
mod calls;
mod canary;
mod close;
pub mod command;
mod cut;
mod draft;
pub mod gateway;
mod hash;
mod hook;
pub mod import;
mod intake;
pub mod mcp;
mod measure;
pub mod otel;
mod outcome;
mod parse;
mod path;
mod place;
pub mod provenance;
mod raw;
pub mod redact;
mod redacted;
mod sender;
mod sessions;
pub mod settings;
mod step;
mod table;
mod tools;
pub mod transcript;
mod views;

pub use close::Close;
pub use hook::{Captured, hook};
pub use intake::{Intake, Side, SideFile, SideKind, client_version, needs};
pub use parse::ParseError;
pub use raw::RAW_BYTES_MAX;
pub use redacted::Redacted;
pub use sender::Sender;
pub use sessions::{CALLS_MAX, CALLS_PER_SESSION_MAX, Live, SESSIONS_MAX, Sessions};
pub use table::{COMMON_FIELDS, HOOKS, HookRow, UNKNOWN_HOOK, row_of};
