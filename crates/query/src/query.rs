//! Queries and selectors.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::QueryError;
use crate::parse::parse;
use crate::plan::Expr;

/// A checked plan that judges events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Query(Expr);

impl Query {
    /// Parses a query; times in it must mean the same at any moment.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse(text, None).map(Self)
    }

    /// Parses a query in which times may be relative to `now` (`timestamp > "2 weeks ago"`).
    pub fn parse_at(text: &str, now: Timestamp) -> Result<Self, QueryError> {
        parse(text, Some(now)).map(Self)
    }

    /// Makes a query of a plan.
    pub fn new(plan: Expr) -> Self {
        Self(plan)
    }

    /// Returns the query that every event matches.
    pub fn everything() -> Self {
        Self(Expr::And(Vec::new()))
    }

    /// Returns the plan.
    pub fn plan(&self) -> &Expr {
        &self.0
    }

    /// Whether an event (as `view` shows it) matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.0.holds(event)
    }

    /// Returns the query that matches what both match.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Expr::And(none), other) if none.is_empty() => Self(other),
            (this, Expr::And(none)) if none.is_empty() => Self(this),
            (this, other) => Self(Expr::And(vec![this, other])),
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;
    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

/// An event type with wildcards and, in brackets, a condition: `auth.user_login[status=fail]`, `data.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    text: String,
    query: Query,
}

impl Selector {
    /// Parses one selector.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let trimmed = text.trim();
        let bare = !trimmed.contains('[');
        let end = trimmed.find(|c: char| !crate::lex::is_word(c)).unwrap_or(trimmed.len());
        if end == 0 || bare && end < trimmed.len() || !bare && (!trimmed[end..].starts_with('[') || !trimmed.ends_with(']')) {
            let at = text.len() - text.trim_start().len() + end;
            return Err(
                QueryError::new(at, "a selector is an event type and, in brackets, a condition").hint("write auth.user_login[status=fail]")
            );
        }
        let query = if bare { Query::parse(&format!("{trimmed}[]")) } else { Query::parse(trimmed) };
        query.map(|query| Self { text: trimmed.to_owned(), query })
    }

    /// Returns the query that the selector means.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.query.matches(event)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Selector {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text)
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.text
    }
}
