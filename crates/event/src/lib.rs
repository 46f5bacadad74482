//! What happened: the event of the audit trail, its schema, ids and vocabularies.
//!
//! It is **not** a store, a parser of any witness's format, or a redactor; it has no I/O, no clock and no randomness.
//!
//! Invariants:
//! - An [`Event`] is an [`Envelope`] (hashed into the ledger, never secret, never personal, at most
//!   [`ENVELOPE_BYTES_MAX`]) plus [`Slot`]s (content and identity, erasable one by one).
//! - Every string of an envelope is a [`Token`] or a member of a closed vocabulary.
//! - [`view`] of what [`Event::from_json`] made of a record gives that record back with nothing lost.

mod envelope;
mod event;
mod id;
mod kind;
mod slot;

pub use envelope::{Envelope, Operation, OperationResult, Resource};
pub use event::{Event, view};
pub use id::{AuditId, IdError, Token};
pub use kind::{Category, Domain, Grade, Outcome, Phase, PolicyResult, Severity, Witness, domain_of};
pub use slot::{Slot, SlotName};

/// Version of the event schema that this crate writes (`schema_version` of every event).
pub const SCHEMA_VERSION: u32 = 1;

/// 8 KiB: the envelope limit of the ledger format; C2SP entry bundles allow 65,535 bytes, so eight of ours fit in one.
pub const ENVELOPE_BYTES_MAX: usize = 8 * 1024;

/// 8 MiB: one slot's JSON text. A longer value is cut by the capturer, which discloses the full size and hash.
pub const SLOT_BYTES_MAX: usize = 8 * 1024 * 1024;
