//! The client against the real server, and against the document of the API.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod document;
mod kit;
mod refusals;
