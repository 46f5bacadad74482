//! Whether a JSON value fits a field, and in what form it stands there.

use serde_json::Value;

use crate::fields::Kind;
use crate::id::Token;
use crate::kind::Phase;
use crate::words::{event_type_word, outcome_word, policy_word, severity_word};

/// Returns the form in which `value` stands in a field of the envelope; `None` when it does not fit.
pub(crate) fn fit(kind: Kind, value: &Value) -> Option<Value> {
    let word = |found: Option<&'static str>| found.map(Value::from);
    match (kind, value) {
        (Kind::Token | Kind::Class, Value::String(text)) => Token::parse(text).is_ok().then(|| value.clone()),
        (Kind::Time, Value::String(text)) => is_rfc3339(text).then(|| value.clone()),
        (Kind::EventType, Value::String(text)) if text.starts_with("ledger.") => None,
        (Kind::EventType, Value::String(text)) => word(event_type_word(text)).or_else(|| Token::parse(text).is_ok().then(|| value.clone())),
        (Kind::Severity, Value::String(text)) => word(severity_word(text).map(|found| found.as_str())),
        (Kind::Outcome, Value::String(text)) => word(outcome_word(text).map(|found| found.as_str())),
        (Kind::Phase, Value::String(text)) => word(Phase::parse(text).map(|found| found.as_str())),
        (Kind::PolicyResult, Value::String(text)) => word(policy_word(text).map(|found| found.as_str())),
        (Kind::Count, Value::Number(number)) => number.is_u64().then(|| value.clone()),
        (Kind::Money, Value::Number(number)) => number.as_f64().filter(|amount| amount.is_finite()).map(Value::from),
        (Kind::Flag, Value::Bool(_)) => Some(value.clone()),
        _ => None,
    }
}

/// Whether another name of a field may stand for it with this value (`user` for `user_id` only when it is a text).
pub(crate) fn suits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Text | Kind::Address => value.is_string(),
        Kind::List => value.is_array(),
        Kind::Any => true,
        kind => fit(kind, value).is_some(),
    }
}

/// Whether `text` has the form of an RFC 3339 time: `2026-03-16T14:32:47.123Z`, `2026-03-28T14:22:00+00:00`.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((head, mut tail)) = bytes.split_at_checked(19) else { return false };
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let matches = |bytes: &[u8], shape: &[u8]| bytes.iter().zip(shape).all(|(b, s)| if *s == b'd' { b.is_ascii_digit() } else { b == s });
    let number = |from: usize| u32::from(head[from] - b'0') * 10 + u32::from(head[from + 1] - b'0');
    if !matches(head, shape) || !(1..=12).contains(&number(5)) || !(1..=31).contains(&number(8)) {
        return false;
    }
    if number(11) > 23 || number(14) > 59 || number(17) > 60 {
        return false;
    }
    if let [b'.', fraction @ ..] = tail {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        tail = &fraction[digits..];
    }
    match tail {
        b"Z" => true,
        [b'+' | b'-', offset @ ..] => offset.len() == 5 && matches(offset, b"dd:dd") && &offset[..2] < b"24" && &offset[3..] < b"60",
        _ => false,
    }
}
