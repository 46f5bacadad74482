//! Random JSON, with the names and words that mean something to us as often as others.

use proptest::prelude::*;
use sealtrail_event::FIELDS;
use serde_json::{Map, Value};

/// Any JSON value.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from), members(inner).prop_map(Value::Object)]
    })
}

/// Any JSON object.
pub(crate) fn any_record() -> impl Strategy<Value = Value> {
    members(any_json()).prop_map(Value::Object)
}

fn members(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((name(), value), 0..9).prop_map(|members| members.into_iter().collect())
}

fn scalar() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        Just(Value::from("2026-03-16T14:32:47.123Z")),
        prop::sample::select(vec![
            "success",
            "fail",
            "denied",
            "low",
            "high",
            "data.file_read",
            "tool_invocation",
            "file_read",
            "203.0.113.42",
            "PUBLIC",
            "allowed"
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let known: Vec<&'static str> = FIELDS.iter().flat_map(|field| field.aliases.iter().copied().chain([field.path])).collect();
    let parts: Vec<String> = known.iter().flat_map(|name| name.split('.').chain([*name])).map(str::to_owned).collect();
    let more =
        ["as_sent", "not_sent", "v", "i", "s", "seq", "erased", "shape", "a/b", "a~b", "", "metadata", "resource"].map(str::to_owned);
    prop_oneof![6 => prop::sample::select(parts), 1 => prop::sample::select(more.to_vec()), 1 => ".{0,6}"]
}
