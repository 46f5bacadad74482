//! The one language in which events are chosen: text becomes a checked plan, and the plan judges one event.
//!
//! It is **not** an index and not a store; it has no I/O, no clock (`now` is an argument) and no randomness.
//!
//! Invariants:
//! - A [`Query`] and a [`Search`] are data: they can be serialised, and what they display parses to the same plan.
//! - [`Query::matches`] is pure and total: no event makes it fail, none makes it slow beyond its own size.
//! - [`Sequencer`] and [`Aggregator`] give one answer whatever way the events came in parts; it is whole, or an error with a limit.
//! - Everything has a limit: text, depth, lists, patterns, regular expressions, steps, stages, groups, bytes.
//! - An error points at the character and, where it can, says what to write instead.

mod aggregate;
mod error;
mod eval;
mod field;
mod filter;
mod glob;
mod hit;
mod interval;
mod key;
mod lex;
mod literals;
mod operand;
mod parse;
mod parse_search;
mod parse_value;
mod plan;
mod query;
mod search;
mod sequence;
mod sequencer;
mod stage;
mod table;
mod time;
mod track;

pub use aggregate::{AggregateError, Aggregator, Limits};
pub use error::QueryError;
pub use eval::TEXT_FIELDS;
pub use field::FieldPath;
pub use filter::Filter;
pub use hit::{Hit, Match};
pub use interval::{Interval, parse_span};
pub use key::KeyValue;
pub use literals::{Required, fold};
pub use operand::{Operand, OperandView};
pub use plan::{Bound, Expr, Numeral, Order, Pattern, Test};
pub use query::{Query, Selector};
pub use search::{Search, Source};
pub use sequence::{Sequence, Step};
pub use sequencer::{SequenceError, SequenceLimits, Sequencer};
pub use stage::{SortBy, Stage};
pub use table::{Column, ColumnKind, Table, Truncated};
pub use time::{TimeError, parse_time, parse_time_in};
