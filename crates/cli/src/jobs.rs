//! Searches in the background: one folder each, and a process of its own that outlives the shell.
//!
//! `<home>/jobs/<id>/job.json` says what is searched and how far it is; `result.ndjson` holds what was found. Events are held as
//! positions in the ledger, never as content, so that an erasure reaches them; only the rows of a report are values, and these are
//! forgotten when something is erased. The worker holds `lock`; a job that claims to run and whose lock is free has lost its worker
//! and is continued from the last whole line of its result.

mod store;
mod work;

pub(crate) use store::{Job, Kind, State, Store, new_id, pause};
pub(crate) use work::work;
