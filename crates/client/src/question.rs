//! What is asked.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// A question: everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Question {
    /// A query: conditions, a sequence, a pipe of stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Conditions on fields.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Values>,
    /// Events that must follow one another; not together with `query`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// From this time on: `2026-03-01`, `2 weeks ago`, `24h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Until this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// At most this many events; of [`iterate`](crate::AuditTrailClient::iterate), so many a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// In which order events come: as recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// `timestamp desc`, `timestamp asc`: by the time that the event itself tells. Not together with `order`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// Only these members of each event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Whether each event carries the seal that proves it anywhere.
    pub proof: bool,
    /// Whether the ledger's own starts, stops and epochs are shown.
    pub bookkeeping: bool,
}

/// The order in which events were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The last recorded one first.
    Newest,
    /// The first recorded one first.
    Oldest,
}

/// Values that a field must have, and those that it must not have. In texts, `*` and `?` are wildcards and `203.0.113.0/24` is a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Values {
    /// One of these; of none, any.
    #[serde(rename = "in", skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Value>,
    /// None of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_in: Vec<Value>,
}

/// A sequence in the notation of `search --sequence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sequence {
    /// The steps: `auth.user_login[status=fail] auth.user_login[status=success]`.
    pub steps: String,
    /// Fields that all events of a sequence have in common.
    pub by: Vec<String>,
    /// Longest time from the first to the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_seconds: Option<u64>,
}

impl Question {
    /// Asks for everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks a query of the language: `tool_name=Bash and outcome!=success`, `event_type=auth.* | count by user_id`.
    #[must_use]
    pub fn query(self, text: impl Into<String>) -> Self {
        Self { query: Some(text.into()), ..self }
    }

    /// The field must have this value.
    #[must_use]
    pub fn is(self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.any_of(field, [value])
    }

    /// The field must have one of these values.
    #[must_use]
    pub fn any_of<T: Into<Value>>(mut self, field: impl Into<String>, values: impl IntoIterator<Item = T>) -> Self {
        self.conditions.entry(field.into()).or_default().any.extend(values.into_iter().map(Into::into));
        self
    }

    /// The field must have none of these values.
    #[must_use]
    pub fn none_of<T: Into<Value>>(mut self, field: impl Into<String>, values: impl IntoIterator<Item = T>) -> Self {
        self.conditions.entry(field.into()).or_default().not_in.extend(values.into_iter().map(Into::into));
        self
    }

    /// Asks for events that follow one another, which have the fields of `by` in common.
    #[must_use]
    pub fn sequence(self, steps: impl Into<String>, by: &[&str], within_seconds: Option<u64>) -> Self {
        let by = by.iter().map(|name| (*name).to_owned()).collect();
        Self { sequence: Some(Sequence { steps: steps.into(), by, within_seconds }), ..self }
    }

    /// From this time on; a timestamp in RFC 3339, or `2 weeks ago`.
    #[must_use]
    pub fn since(self, time: impl ToString) -> Self {
        Self { since: Some(time.to_string()), ..self }
    }

    /// Until this time.
    #[must_use]
    pub fn until(self, time: impl ToString) -> Self {
        Self { until: Some(time.to_string()), ..self }
    }

    /// At most this many events.
    #[must_use]
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// In the order in which events were recorded.
    #[must_use]
    pub fn order(self, order: Order) -> Self {
        Self { order: Some(order), ..self }
    }

    /// By the time that the event itself tells: `timestamp desc`.
    #[must_use]
    pub fn order_by(self, order: impl Into<String>) -> Self {
        Self { order_by: Some(order.into()), ..self }
    }

    /// Only these members of each event.
    #[must_use]
    pub fn fields(self, names: &[&str]) -> Self {
        Self { fields: names.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }

    /// Each event carries the seal that proves it anywhere.
    #[must_use]
    pub fn proof(self) -> Self {
        Self { proof: true, ..self }
    }
}
