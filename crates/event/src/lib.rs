//! What happened: the event of the audit trail, its schema, ids and vocabularies.
//!
//! It is **not** a store, a parser of any witness's format, or a redactor; it has no I/O, no clock and no randomness.
//!
//! Invariants:
//! - An [`Event`] is an [`Envelope`] (hashed into the ledger, never secret, never personal, at most
//!   [`ENVELOPE_BYTES_MAX`]) plus [`Slot`]s (content and identity, erasable one by one).
//! - Every string of an envelope is a [`Token`] or a member of a closed vocabulary.
//! - [`export_as`] of the view of what [`Event::from_json`] made of a record gives that record back, with nothing lost and nothing added.

mod check;
mod envelope;
mod event;
mod export;
mod fields;
mod fit;
mod from_json;
mod id;
mod kind;
mod place;
mod schema;
mod set;
mod shape;
mod slot;
mod strict;
mod words;
mod write;

pub use check::EnvelopeError;
pub use envelope::{Envelope, Operation, OperationResult, Resource};
pub use event::{Event, view};
pub use export::export_as;
pub use fields::{FIELDS, Field, Kind, Place, canonical, field, known};
pub use from_json::{EventError, FromContext};
pub use id::{AuditId, IdError, Token};
pub use kind::{Category, Domain, Grade, Outcome, Phase, PolicyResult, SettingsScope, Severity, Witness, domain_of};
pub use schema::schema;
pub use shape::Shape;
pub use slot::{Slot, SlotName};
pub use strict::{Strict, StrictError, parse_strict};
pub use words::{category_of, class_step, event_type_word, outcome_of, outcome_word, policy_word, severity_of, severity_word};

/// Version of the event schema that this crate writes (`schema_version` of every event).
pub const SCHEMA_VERSION: u32 = 1;

/// 8 KiB: the envelope limit of the ledger format; C2SP entry bundles allow 65,535 bytes, so eight of ours fit in one.
pub const ENVELOPE_BYTES_MAX: usize = 8 * 1024;

/// 8 MiB: one slot's JSON text. A longer value is cut by the capturer, which discloses the full size and hash.
pub const SLOT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// 64: levels of objects and lists in a record; JSON readers commonly stop at 128, and `as_sent` adds one.
pub const DEPTH_MAX: usize = 64;

/// 16 MiB: the bytes of one record that [`parse_strict`] reads; its members may fill two slots.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
