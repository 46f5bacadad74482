//! The plan on one event.

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;
use sealtrail_event::{Kind, Outcome, Severity, class_step, event_type_word, outcome_word, severity_word};
use serde_json::Value;

use crate::field::FieldPath;
use crate::operand::{Form, Operand};
use crate::plan::{Bound, Expr, Test};

/// Members in which free text is searched: what was asked, done and touched; not what came back.
pub const TEXT_FIELDS: &[&str] = &[
    "event_type",
    "tool_name",
    "mcp_server",
    "resource",
    "operation",
    "cwd",
    "old_cwd",
    "new_cwd",
    "file_path",
    "directory",
    "worktree_path",
    "url",
    "command",
    "command_args",
    "input",
    "tool_input",
    "tool_calls",
    "prompt",
    "custom_instructions",
    "actions",
    "details",
    "error",
    "message",
    "policy_rule",
    "change_type",
    "instructions_delta",
    "skill",
    "decision",
    "hook",
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
    let meaning = wanted.text().and_then(|text| Meaning::of(field, text));
    let means = |value: &Value| meaning.as_ref().is_some_and(|meaning| value.as_str().is_some_and(|found| meaning.is(found)));
    if field.any(event, &mut |value| wanted.equals(value) || means(value)) {
        return true;
    }
    // A status that no record said still has its meaning in the outcome.
    let outcome = event.get("outcome").and_then(Value::as_str);
    matches!(field.canonical(), "status" | "result.status") && outcome.is_some_and(|found| meaning.is_some_and(|meaning| meaning.is(found)))
}

/// What a word means in a field of words; other words in that field may mean the same.
enum Meaning<'a> {
    Outcome(Outcome),
    Severity(Severity),
    Class(u8),
    EventType(&'a str),
    Address(IpAddr),
}

impl Meaning<'_> {
    fn of(field: &FieldPath, text: &str) -> Option<Self> {
        if field.is_status() {
            return outcome_word(text).map(Self::Outcome);
        }
        match field.kind()? {
            Kind::Severity => severity_word(text).map(Self::Severity),
            Kind::Class => class_step(text).map(Self::Class),
            Kind::EventType => event_type_word(text).map(Self::EventType),
            Kind::Address => text.parse().ok().map(Self::Address),
            _ => None,
        }
    }

    /// Whether another word means the same.
    fn is(&self, found: &str) -> bool {
        match self {
            Self::Outcome(meant) => outcome_word(found) == Some(*meant),
            Self::Severity(meant) => severity_word(found) == Some(*meant),
            Self::Class(meant) => class_step(found) == Some(*meant),
            Self::EventType(meant) => found == *meant,
            Self::Address(meant) => found.parse() == Ok(*meant),
        }
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
