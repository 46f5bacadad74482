//! A question as it is asked: parameters of a URL, members of a body, arguments of a tool; and what it means.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealtrail_query::{Expr, FieldPath, Filter, Query, QueryError, Search, Sequence, Source};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{Schema, SchemaType};
use utoipa::openapi::{ObjectBuilder, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::cursor::{Cursor, question};
use crate::grant::Grant;
use crate::page::{Ask, Ordering, SequenceAsk};
use crate::refusal::Refusal;

/// Events by which the ledger keeps its books.
const BOOKKEEPING: &str = "not event_type in (ledger.start, ledger.stop, ledger.epoch)";

/// 100 events, as on the command line.
const LIMIT: u64 = 100;

/// 10,000 events: a page also ends at its limit of bytes.
pub(crate) const LIMIT_MAX: u64 = 10_000;

/// 64 conditions, and 1,000 values in each: more than anybody writes, less than takes long.
const CONDITIONS_MAX: usize = 64;
const VALUES_MAX: usize = 1_000;
/// 16,384 characters: some hundred conditions.
const TEXT_MAX: usize = 16_384;
/// 128 columns.
const FIELDS_MAX: usize = 128;

/// A question; everything that is given must hold. What is null is not given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Question)]
pub struct Question {
    /// A query: conditions, a sequence, a pipe of stages.
    #[schema(example = "tool_name=Bash and outcome!=success", max_length = 16384)]
    pub query: Option<String>,
    /// Conditions on fields: one value, several of which one must match, or those that must not.
    #[serde(rename = "where")]
    pub conditions: BTreeMap<String, Condition>,
    /// Events that must follow one another; not together with `query`.
    #[serde(deserialize_with = "object")]
    pub sequence: Option<SequenceAsk>,
    /// From this time on: `2026-03-01`, `2 weeks ago`, `24h`.
    #[schema(example = "24h", max_length = 128)]
    pub since: Option<String>,
    /// Until this time.
    #[schema(max_length = 128)]
    pub until: Option<String>,
    /// At most this many events.
    #[schema(minimum = 1, maximum = 10000)]
    pub limit: Option<u64>,
    /// Where the last page ended; everything else must be as it was.
    #[schema(max_length = 200)]
    pub cursor: Option<String>,
    /// In which order events come: as recorded, the last first unless asked otherwise.
    pub order: Option<Order>,
    /// `timestamp desc`, `timestamp asc`: by the time that the event itself tells. Not together with `order`.
    #[schema(pattern = "^timestamp( asc| desc)?$")]
    pub order_by: Option<String>,
    /// Only these members of each event.
    #[schema(max_items = 128)]
    pub fields: Vec<String>,
    /// Whether each event carries the `seal` that proves it anywhere.
    pub proof: bool,
    /// Whether the ledger's own starts, stops and epochs are shown.
    pub bookkeeping: bool,
}

/// The order in which events were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The last recorded one first.
    Newest,
    /// The first recorded one first.
    Oldest,
}

/// What a field must be. In texts, `*` and `?` are wildcards and `203.0.113.0/24` is a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Condition {
    /// This value.
    One(Scalar),
    /// One of these values.
    Any(Vec<Scalar>),
    /// One of the values of `in`, none of `not_in`.
    Both(#[serde(deserialize_with = "object")] InOut),
}

/// Values that a field must have, and those that it must not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InOut {
    /// One of these; of none, any.
    #[serde(rename = "in")]
    #[schema(max_items = 1000)]
    pub any: Vec<Scalar>,
    /// None of these.
    #[schema(max_items = 1000)]
    pub not_in: Vec<Scalar>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number.
    Real(f64),
    /// A truth value.
    Bool(bool),
}

impl ToSchema for Scalar {}

/// By hand: made of the variants, a whole number would be two of them at once, and so none.
impl PartialSchema for Scalar {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::Array(vec![Type::String, Type::Number, Type::Boolean]);
        ObjectBuilder::new().schema_type(types).description(Some("One value: a text, a number or a truth value.")).into()
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Bool(word) => word.fmt(f),
        }
    }
}

impl Question {
    /// Returns what the question means to the holder of `grant` at `now`; a cursor brings its own moment.
    pub fn resolve(&self, grant: &Grant, now: Timestamp) -> Result<Ask, Refusal> {
        let cursor = self.cursor.as_deref().map(Cursor::parse).transpose()?;
        let asked = cursor.map_or(now, |cursor| cursor.asked);
        let ordering = self.ordering()?;
        self.check_lengths()?;
        let search = self.search(asked)?;
        if self.proof && !self.fields.is_empty() {
            return Err(wrong("proof", "a seal proves whole events: proof and fields exclude each other"));
        }
        if self.fields.len() > FIELDS_MAX {
            return Err(wrong("fields", format!("at most {FIELDS_MAX} fields")));
        }
        if self.limit.is_some_and(|limit| !(1..=LIMIT_MAX).contains(&limit)) {
            return Err(wrong("limit", format!("it must be 1 to {LIMIT_MAX}")));
        }
        let text = search.to_string();
        let bound = question(&[&grant.name, &text, ordering.as_str()]);
        if cursor.is_some_and(|cursor| cursor.question != bound) {
            return Err(Refusal::Cursor { why: "it is of another question: send what the first page was asked with" });
        }
        if cursor.is_some() && !is_list(&search) {
            return Err(Refusal::Cursor { why: "only a list of events has pages" });
        }
        Ok(Ask {
            search: grant.narrowed(search)?,
            text,
            bound,
            asked,
            cursor,
            ordering,
            limit: self.limit,
            limit_default: LIMIT,
            fields: self.fields.clone(),
            proof: self.proof,
        })
    }

    fn check_lengths(&self) -> Result<(), Refusal> {
        let steps = self.sequence.as_ref().map(|sequence| sequence.steps.as_str());
        for (name, text) in [("query", self.query.as_deref()), ("sequence.steps", steps)] {
            if text.is_some_and(|text| text.chars().nth(TEXT_MAX).is_some()) {
                return Err(wrong(name, format!("at most {TEXT_MAX} characters")));
            }
        }
        Ok(())
    }

    fn ordering(&self) -> Result<Ordering, Refusal> {
        match (self.order, self.order_by.as_deref()) {
            (Some(_), Some(_)) => Err(wrong("order_by", "order and order_by exclude each other")),
            (Some(Order::Oldest), None) => Ok(Ordering::Oldest),
            (Some(Order::Newest) | None, None) => Ok(Ordering::Newest),
            (None, Some(text)) => match text.split_whitespace().collect::<Vec<_>>()[..] {
                ["timestamp"] | ["timestamp", "asc"] => Ok(Ordering::TimeUp),
                ["timestamp", "desc"] => Ok(Ordering::TimeDown),
                _ => Err(wrong("order_by", "write `timestamp desc` or `timestamp asc`")),
            },
        }
    }

    fn search(&self, now: Timestamp) -> Result<Search, Refusal> {
        let text = self.query.as_deref().unwrap_or_default();
        let search = match &self.sequence {
            None => Search::parse_at(text, now).map_err(|error| in_query("query", text, error))?,
            Some(_) if !text.trim().is_empty() => return Err(wrong("sequence", "a sequence and a query exclude each other")),
            Some(sequence) => sequence_of(sequence)?,
        };
        let narrow = self.narrow(now)?;
        let named = self.conditions.keys().any(|name| name == "event_type") || text.contains("ledger");
        let search = search.narrowed(narrow);
        if self.bookkeeping || named || !is_list(&search) {
            return Ok(search);
        }
        let books = Query::parse(BOOKKEEPING).map_err(|error| in_query("query", BOOKKEEPING, error))?;
        Ok(match search.source {
            Source::Events(query) => Search::from(query.and(books)),
            sequence => Search { source: sequence, pipe: search.pipe },
        })
    }

    fn narrow(&self, now: Timestamp) -> Result<Query, Refusal> {
        if self.conditions.len() > CONDITIONS_MAX {
            return Err(wrong("where", format!("at most {CONDITIONS_MAX} conditions")));
        }
        let mut filter = Filter::new(now);
        let mut not = Vec::new();
        for (name, condition) in &self.conditions {
            let (any, none) = condition.values();
            if any.len() + none.len() > VALUES_MAX {
                return Err(wrong(name, format!("at most {VALUES_MAX} values")));
            }
            let any: Vec<String> = any.iter().map(ToString::to_string).collect();
            let none: Vec<String> = none.iter().map(ToString::to_string).collect();
            let fail = |error: QueryError| in_query(name, name, error);
            filter.any_of(name, any.iter().map(String::as_str)).map_err(fail)?;
            if !none.is_empty() {
                let mut own = Filter::new(now);
                own.any_of(name, none.iter().map(String::as_str)).map_err(fail)?;
                not.push(Query::new(Expr::Not(Box::new(own.build().plan().clone()))));
            }
        }
        if let Some(since) = &self.since {
            filter.since(since).map_err(|error| Refusal::Time { parameter: "since", error })?;
        }
        if let Some(until) = &self.until {
            filter.until(until).map_err(|error| Refusal::Time { parameter: "until", error })?;
        }
        Ok(not.into_iter().fold(filter.build(), Query::and))
    }
}

impl Condition {
    fn values(&self) -> (&[Scalar], &[Scalar]) {
        match self {
            Self::One(one) => (std::slice::from_ref(one), &[]),
            Self::Any(any) => (any, &[]),
            Self::Both(both) => (&both.any, &both.not_in),
        }
    }
}

/// Whether the answer is a list of events that has pages.
pub(crate) fn is_list(search: &Search) -> bool {
    matches!(search.source, Source::Events(_)) && search.pipe.is_empty()
}

/// Reads what must be an object, or nothing: a list would be taken for the members in their order.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<T, D::Error> {
    let members = Option::<Map<String, Value>>::deserialize(from)?;
    T::deserialize(members.map_or(Value::Null, Value::Object)).map_err(serde::de::Error::custom)
}

fn sequence_of(ask: &SequenceAsk) -> Result<Search, Refusal> {
    let by = ask.by.iter().map(|name| FieldPath::parse(name).map_err(|error| in_query("sequence.by", name, error)));
    let by = by.collect::<Result<Vec<_>, _>>()?;
    let within_ms = ask.within_seconds.map(|seconds| seconds.saturating_mul(1_000));
    let sequence = Sequence::from_selectors(&ask.steps, by, within_ms);
    sequence.map(Search::from).map_err(|error| in_query("sequence.steps", &ask.steps, error))
}

/// Makes the refusal of a parameter.
pub(crate) fn wrong(parameter: &str, why: impl Into<String>) -> Refusal {
    Refusal::Parameter { parameter: parameter.to_owned(), why: why.into() }
}

fn in_query(parameter: &str, text: &str, error: QueryError) -> Refusal {
    Refusal::Query { parameter: parameter.to_owned(), text: text.to_owned(), error }
}
