//! The byte formats between a hook process and the recorder: frame, answer, spool record, gap table, `hook.conf`.
//!
//! It is **not** a transport, a store or a cipher; it has no I/O, no clock, no randomness and no dependency, so that the hook binary stays small.
//!
//! Invariants:
//! - Whatever is encoded here decodes here to the same value; `docs/format/intake.md` is the same in words.
//! - No input makes a decoder panic, and none makes it keep more than [`BODY_BYTES_MAX`] bytes.

mod answer;
mod class;
mod conf;
mod frame;
mod gaps;
mod record;

pub use answer::{ANSWER_HEAD_BYTES, Answer, REASON_BYTES_MAX, STATUS_BYTES_MAX};
pub use class::{Class, hook_event_name};
pub use conf::{FailMode, HookConf};
pub use frame::{CLIENT_BYTES_MAX, Delivery, Frame, FrameError, HEADER_BYTES, HEADER_BYTES_MAX, Kind, header_length};
pub use gaps::{GAP_BYTES, Gap, GapTable};
pub use record::{Piece, RECORD_HEAD_BYTES, RECORD_MAGIC, pieces, record_head};

/// 32 MiB: the most of one delivery that is kept. The largest hook input seen is about 1 MiB (a tool output of 30,000 characters and a file of
/// the same order); what is beyond is counted and disclosed.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
