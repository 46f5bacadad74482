//! The client's transcript files, line by line: what the client wrote down of a session becomes redacted events of the witness `transcript`.
//!
//! It is **not** a reader of files: lines come in, in their order, from the first one of a file on; where a reader began again in the middle, it
//! reads the lines before that once more and lets the events go ([`Reading::read`] always gives the same events for the same lines).

mod call;
mod canonical;
mod line;
mod message;
mod notice;
mod place;
mod reading;
mod request;
mod rewritten;

pub use notice::{Changed, FileFacts, changed, deleted, refused};
pub use place::{Role, hook_transcript, meta_path, role_of};
pub use reading::{Origin, Reading};
pub use rewritten::rewritten;

/// 16 MiB: the longest line that is understood, as for every record; of longer ones the beginning is kept.
pub const LINE_BYTES_MAX: usize = sealtrail_event::RECORD_BYTES_MAX;
