//! Why there is no answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What went wrong, as the server tells it (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A name of this kind of problem that does not change: `urn:sealtrail:problem:query`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this request.
    pub detail: String,
    /// The parameter or member that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The character of its text at which it stops making sense, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none of a server.
    #[error("cannot use {url}: it is no http or https URL")]
    Url {
        /// What was given.
        url: String,
    },
    /// The certificates, the secret or the system's TLS cannot be used.
    #[error("cannot set up the connection to {url}")]
    Setup {
        /// The server.
        url: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The secret holds bytes that no header can carry.
    #[error("cannot use the token or key: it has characters that a header cannot carry")]
    Secret,
    /// Nobody answers, or not in time. Of events that were handed in nothing is known: they may come again, by their ids each is sealed once.
    #[error("cannot ask {path}: the server does not answer")]
    Unreachable {
        /// What was asked.
        path: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server refused.
    #[error("cannot ask {path}: {} ({})", problem.detail, problem.status)]
    Refused {
        /// What was asked.
        path: String,
        /// The server's own words.
        problem: Box<Problem>,
        /// When to come again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than any that this client knows.
    #[error("cannot read the answer to {path}: it has more than {limit} bytes")]
    TooLarge {
        /// What was asked.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// The answer is none of this API.
    #[error("cannot understand the answer to {path}")]
    Answer {
        /// What was asked.
        path: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// The question has an answer of another kind than was asked for.
    #[error("the answer is {found}, not {wanted}: ask with `search`")]
    Kind {
        /// What was wanted.
        wanted: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The events cannot be written as JSON.
    #[error("cannot write what is sent to {path} as JSON")]
    Body {
        /// Where it was to go.
        path: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// More events than one delivery has.
    #[error("cannot hand in {found} events at once: a delivery has at most {limit}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// The limit.
        limit: usize,
    },
}
