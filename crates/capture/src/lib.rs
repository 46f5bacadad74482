//! Skeleton.

pub mod command;
pub mod redact;
