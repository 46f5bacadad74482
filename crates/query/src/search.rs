//! A search: where events come from, and the pipe they go through.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::parse_search::parse_search;
use crate::query::Query;
use crate::sequence::Sequence;
use crate::stage::{Stage, check_pipe};

/// A checked plan: a query or a sequence, and stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Data", into = "Data")]
pub struct Search {
    /// What is found.
    pub source: Source,
    /// What becomes of it.
    pub pipe: Vec<Stage>,
}

/// What is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Every event that matches.
    Events(Query),
    /// Every match of a sequence.
    Sequence(Sequence),
}

/// A search as it is stored, before it is checked.
#[derive(Serialize, Deserialize)]
struct Data {
    source: Source,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pipe: Vec<Stage>,
}

impl Search {
    /// Parses a search; times in it must mean the same at any moment.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse_search(text, None)
    }

    /// Parses a search in which times may be relative to `now`.
    pub fn parse_at(text: &str, now: Timestamp) -> Result<Self, QueryError> {
        parse_search(text, Some(now))
    }

    /// Makes a search; says what is wrong with its pipe.
    pub fn new(source: Source, pipe: Vec<Stage>) -> Result<Self, QueryError> {
        check_pipe(&pipe)?;
        Ok(Self { source, pipe })
    }

    /// Returns the search in which every event of the source must match `query`, too.
    #[must_use]
    pub fn narrowed(self, query: Query) -> Self {
        let source = match self.source {
            Source::Events(found) => Source::Events(query.and(found)),
            Source::Sequence(sequence) => Source::Sequence(sequence.narrowed(&query)),
        };
        Self { source, ..self }
    }
}

impl From<Query> for Search {
    fn from(query: Query) -> Self {
        Self { source: Source::Events(query), pipe: Vec::new() }
    }
}

impl From<Sequence> for Search {
    fn from(sequence: Sequence) -> Self {
        Self { source: Source::Sequence(sequence), pipe: Vec::new() }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Events(query) => query.to_string(),
            Source::Sequence(sequence) => sequence.to_string(),
        };
        f.write_str(&source)?;
        for (index, stage) in self.pipe.iter().enumerate() {
            write!(f, "{}| {stage}", if index == 0 && source.is_empty() { "" } else { " " })?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Search {
    type Err = QueryError;
    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

impl TryFrom<Data> for Search {
    type Error = QueryError;
    fn try_from(data: Data) -> Result<Self, QueryError> {
        Self::new(data.source, data.pipe)
    }
}

impl From<Search> for Data {
    fn from(search: Search) -> Self {
        Self { source: search.source, pipe: search.pipe }
    }
}
