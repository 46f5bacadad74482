//! What answers look like: the types of the client, and what only the server writes.

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use sealtrail_client::{
    Agent, Answer, Authority, Chain, Checkpoint, Column, Custody, Event, Events, Execution, Leaf, Link, Match, Matches, Report, Session,
    Step, Table, Touch, Truncated,
};

/// Whether the server is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: String,
    /// Version of the program.
    pub(crate) version: String,
}

/// Why there is no answer (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A name of this kind of problem that does not change: `urn:sealtrail:problem:query`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The kind of problem in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What was wrong with this request.
    pub(crate) detail: String,
    /// The parameter or member that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// The character of its text at which it stops making sense, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<usize>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}
