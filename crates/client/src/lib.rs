//! The Rust client of a trail: asks the query API with a read token, and hands events in with a write key.
//!
//! It is **not** a buffer: what is not acknowledged is the caller's to send again. It is no verifier either: a seal is checked by `sealtrail-ledger`.
//! It blocks the thread that calls it, so it is not for the threads of an asynchronous runtime.
//!
//! ```no_run
//! use sealtrail_client::{AuditTrailClient, Config, Question};
//!
//! let client = AuditTrailClient::new(Config::new("http://127.0.0.1:8787", "stk_…"))?;
//! let failed = Question::new().is("event_type", "auth.user_login").none_of("status", ["success"]).since("1 hour ago");
//! for event in client.iterate(failed) {
//!     println!("{}", event?.text("audit_id").unwrap_or_default());
//! }
//! # Ok::<(), sealtrail_client::ClientError>(())
//! ```
//!
//! Invariants:
//! - The secret goes to the one server that was named, by no redirect elsewhere, and stands in no error and no `Debug`.
//! - Every request has a limit in time, every answer one in size.
//! - What became of events is told one by one: an error means that nothing is known of any of them.

mod answer;
#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod error;
mod event;
#[cfg(feature = "http")]
mod every;
mod question;
mod receipt;

pub use answer::{
    Agent, Answer, Authority, Chain, Checkpoint, Column, Custody, Events, Execution, Leaf, Link, Match, Matches, Report, Session, Step,
    Table, Touch, Truncated,
};
#[cfg(feature = "http")]
pub use client::{AuditTrailClient, Config, EVENTS_MAX};
#[cfg(feature = "http")]
pub use error::{ClientError, Problem};
pub use event::Event;
#[cfg(feature = "http")]
pub use every::Every;
pub use question::{Order, Question, Sequence, Values};
pub use receipt::{Fate, Receipt, Receipts, Status};
