//! Records of other systems become events that somebody asserts: AWS CloudTrail, Anthropic's activity feed, and any JSON that a mapping describes.
//!
//! It is **not** a reader of files and knows no trail: rows come in; which of the session ids that a row may carry is one of ours, the caller finds
//! out.

mod cloudtrail;
mod compliance;
mod mapping;
mod row;

pub use cloudtrail::cloudtrail;
pub use compliance::compliance;
pub use mapping::{Mapping, MappingError};
pub use row::{Candidate, Row, RowError};
