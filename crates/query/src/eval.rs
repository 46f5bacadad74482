//! The plan on one event.

use std::cmp::Ordering;

use jiff::Timestamp;
use sealtrail_event::{Kind, class_step, event_type_word, outcome_word, severity_word};
use serde_json::Value;

use crate::field::FieldPath;
use crate::operand::{Form, Operand};
use crate::plan::{Bound, Expr, Test};

/// Where free text is searched: what was asked, done and touched; not what came back.
pub(crate) const TEXT_FIELDS: &[&str] = &[
    "event_type",
    "tool_name",
    "mcp_server",
    "resource",
    "operation",
    "cwd",
    "command",
    "input",
    "tool_input",
    "prompt",
    "details",
    "error",
    "policy_rule",
    "change_type",
    "instructions_delta",
    "skill",
    "decision",
];

impl Expr {
    /// Whether the condition holds for an event; pure, and linear in the event for each part of the plan.
    pub(crate) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Not(inner) => !inner.holds(event),
            Self::Field(field, test) => test.holds(field, event),
            Self::Text(text) => TEXT_FIELDS.iter().filter_map(|name| event.get(name)).any(|value| text_in(text, value)),
        }
    }
}

impl Test {
    fn holds(&self, field: &FieldPath, event: &Value) -> bool {
        match self {
            Self::Exists => field.any(event, &mut |value| !value.is_null()),
            Self::Is(wanted) => equals(field, wanted, event),
            Self::In(list) => list.iter().any(|wanted| equals(field, wanted, event)),
            Self::Has(wanted) => equals(field, wanted, event) || field.any(event, &mut |value| wanted.within(value)),
            Self::Matches(pattern) => field.any(event, &mut |value| match value {
                Value::String(text) => pattern.0.is_match(text),
                Value::Number(number) => pattern.0.is_match(&number.to_string()),
                _ => false,
            }),
            Self::Compare(order, bound) => field.any(event, &mut |value| compare(bound, value).is_some_and(|found| order.holds(found))),
        }
    }
}

/// Whether a value of the field is what was wanted, by the meaning of its words.
fn equals(field: &FieldPath, wanted: &Operand, event: &Value) -> bool {
    let by_word: Option<Box<dyn Fn(&str) -> bool>> = wanted.text().and_then(|text| same_word(field, text));
    let found = field.any(event, &mut |value| {
        wanted.equals(value) || by_word.as_ref().is_some_and(|same| value.as_str().is_some_and(|found| same(found)))
    });
    // A status that no record said still has its meaning in the outcome.
    let by_outcome = || {
        let meant = wanted.text().and_then(outcome_word);
        matches!(field.canonical(), "status" | "result.status")
            && meant.is_some_and(|meant| event.get("outcome").and_then(Value::as_str) == Some(meant.as_str()))
    };
    found || by_outcome()
}

/// Returns the comparison by meaning for a field of words, when `text` is one of them.
fn same_word<'a>(field: &FieldPath, text: &'a str) -> Option<Box<dyn Fn(&str) -> bool + 'a>> {
    if field.is_status() {
        return outcome_word(text)
            .map(|meant| Box::new(move |found: &str| outcome_word(found) == Some(meant)) as Box<dyn Fn(&str) -> bool>);
    }
    match field.kind()? {
        Kind::Severity => severity_word(text).map(|meant| Box::new(move |found: &str| severity_word(found) == Some(meant)) as _),
        Kind::Class => class_step(text).map(|meant| Box::new(move |found: &str| class_step(found) == Some(meant)) as _),
        Kind::EventType => event_type_word(text).map(|meant| Box::new(move |found: &str| found == meant) as _),
        Kind::Address => text.parse::<std::net::IpAddr>().ok().map(|meant| Box::new(move |found: &str| found.parse() == Ok(meant)) as _),
        _ => None,
    }
}

/// Orders a value against a bound; `None` when they cannot be compared.
fn compare(bound: &Bound, value: &Value) -> Option<Ordering> {
    match (bound, value) {
        (Bound::Number(wanted), Value::Number(found)) => wanted.number.compare(found),
        (Bound::Number(wanted), Value::String(found)) => {
            let found: serde_json::Number = found.parse().ok()?;
            wanted.number.compare(&found)
        }
        (Bound::Time(wanted), Value::String(found)) => found.parse::<Timestamp>().ok().map(|found| found.cmp(wanted)),
        (Bound::Severity(wanted), Value::String(found)) => severity_word(found).map(|found| found.cmp(wanted)),
        (Bound::Class(wanted), Value::String(found)) => class_step(found).map(|found| found.cmp(wanted)),
        (Bound::Text(wanted), Value::String(found)) => Some(found.as_str().cmp(wanted)),
        _ => None,
    }
}

/// Whether a text stands anywhere in the texts of a value.
fn text_in(wanted: &Operand, value: &Value) -> bool {
    match value {
        Value::String(text) => match &wanted.form {
            Form::Glob { lower, .. } => lower.clone().anywhere().matches(&text.to_lowercase()),
            _ => wanted.text().is_some_and(|wanted| text.to_lowercase().contains(&wanted.to_lowercase())),
        },
        Value::Array(items) => items.iter().any(|item| text_in(wanted, item)),
        Value::Object(members) => members.values().any(|member| text_in(wanted, member)),
        _ => false,
    }
}
