//! Why a question is not answered, for every way in which it can be asked.

use sealtrail_index::IndexError;
use sealtrail_ledger::prove::ProveError;
use sealtrail_ledger::read::ReadError;
use sealtrail_query::{QueryError, TimeError};

use crate::token::TokenError;

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody asks.
    #[error("no token: send `Authorization: Bearer …`; make one with `sealtrail token create`")]
    NoToken,
    /// The token opens nothing.
    #[error("the token is not known, has expired or was revoked")]
    UnknownToken,
    /// The token is for something else.
    #[error("the token {name} may only write: reading needs a read token")]
    WriteToken {
        /// Its name.
        name: String,
    },
    /// The token is for something else.
    #[error("the token {name} may only read: handing events in needs a write key")]
    ReadToken {
        /// Its name.
        name: String,
    },
    /// As much is being taken in as may be at once.
    #[error("more is coming in at once than is taken: send it again later")]
    Crowded,
    /// The token's own filter is damaged.
    #[error("cannot use the filter of the token {name}: {why}")]
    Token {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The question is about what the token does not show.
    #[error("this token shows no content, so a search cannot name {what}")]
    Content {
        /// What it named.
        what: String,
    },
    /// The query cannot be understood.
    #[error("cannot understand the query: {error}")]
    Query {
        /// The parameter that holds it.
        parameter: String,
        /// The text.
        text: String,
        /// What is wrong, and where.
        error: QueryError,
    },
    /// A time cannot be understood.
    #[error("cannot understand {parameter}: {error}")]
    Time {
        /// The parameter.
        parameter: &'static str,
        /// What is wrong.
        error: TimeError,
    },
    /// A parameter has no such value, or does not exist.
    #[error("cannot use {parameter}: {why}")]
    Parameter {
        /// The parameter.
        parameter: String,
        /// What is wrong.
        why: String,
    },
    /// The cursor is of another question.
    #[error("cannot use the cursor: {why}")]
    Cursor {
        /// What is wrong.
        why: &'static str,
    },
    /// There is nothing of that name that the token may see.
    #[error("no {what} {name} that this token may see")]
    Missing {
        /// What was asked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The answer would be too large.
    #[error("{0}")]
    TooMuch(String),
    /// It took too long.
    #[error("the search was stopped after {seconds} s: narrow it, or ask for less with limit")]
    TooLong {
        /// The limit.
        seconds: u64,
    },
    /// Too many questions.
    #[error("too many requests with this token: at most {per_second} in a second")]
    TooOften {
        /// The limit.
        per_second: u32,
    },
    /// All places are taken.
    #[error("the server is busy: {searches} searches run already")]
    Busy {
        /// The limit.
        searches: usize,
    },
    /// The reading cannot be sealed.
    #[error("the reading cannot be recorded now, so nothing is answered: {why}")]
    NotRecorded {
        /// Why not.
        why: String,
    },
    /// No checkpoint covers the event yet.
    #[error("no checkpoint covers the event yet: ask again in a second")]
    NotPublished,
    /// The trail cannot be read.
    #[error("cannot read the trail")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(Box::new(error))
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::Unreadable(Box::new(error))
    }
}

impl From<ProveError> for Refusal {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::NotPublished { .. } => Self::NotPublished,
            other => Self::Unreadable(Box::new(other)),
        }
    }
}

impl Refusal {
    /// Makes the refusal of a search that broke off; `seconds` is its limit.
    pub(crate) fn of_index(error: IndexError, seconds: u64) -> Self {
        match error {
            IndexError::Cancelled => Self::TooLong { seconds },
            IndexError::Report(inner) => Self::TooMuch(inner.to_string()),
            IndexError::Sequence(inner) => Self::TooMuch(inner.to_string()),
            error @ (IndexError::TooManySteps { .. } | IndexError::TooManyMatches { .. }) => Self::TooMuch(error.to_string()),
            error => Self::Unreadable(Box::new(error)),
        }
    }
}
