//! What the tests of OTLP share: the captured requests, and events as views.

use std::fs;
use std::sync::{Arc, LazyLock};

use sealtrail_capture::otel::{Arrival, Encoding, Made, Signal, decode};
use sealtrail_capture::redact::Redactor;
use serde_json::{Value, json};

use crate::kit::fixtures;

pub(crate) const NOW: u64 = 1_795_229_200_000_000_000;

/// What stands beside the bytes in every test.
pub(crate) fn arrival() -> Arrival {
    static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(|| Arc::new(Redactor::new()));
    Arrival { recorded_unix_ns: NOW, redactor: Arc::clone(&REDACTOR), id_key: [7; 32] }
}

/// Returns the requests of the captured sessions, in order, with their names and signals.
pub(crate) fn requests() -> Vec<(String, Signal, Vec<u8>)> {
    let mut found: Vec<_> = files("otlp").filter(|(name, _)| name.ends_with(".json") && !name.contains(".meta.")).collect();
    found.sort();
    found.into_iter().map(|(name, bytes)| (name.clone(), signal_of(&name), bytes)).collect()
}

/// Returns the captured protobuf messages.
pub(crate) fn messages() -> Vec<(String, Signal, Vec<u8>)> {
    let mut found: Vec<_> = files("otlp").filter(|(name, _)| name.ends_with(".bin")).collect();
    found.sort();
    found.into_iter().map(|(name, bytes)| (name.clone(), signal_of(&name), bytes)).collect()
}

/// Returns a request for each kind of log record and span, by file name.
pub(crate) fn samples() -> Vec<(String, Signal, Value)> {
    let mut found: Vec<_> = files("otlp/events").chain(files("otlp/spans")).collect();
    found.sort();
    found
        .into_iter()
        .map(|(name, bytes)| {
            let sample: Value = serde_json::from_slice(&bytes).unwrap();
            match sample.get("span") {
                Some(span) => (name, Signal::Traces, request(Signal::Traces, &sample["resource"], &sample["scope"], span)),
                None => (name, Signal::Logs, request(Signal::Logs, &sample["resource"], &sample["scope"], &sample["logRecord"])),
            }
        })
        .collect()
}

/// Makes a request with one record.
pub(crate) fn request(signal: Signal, resource: &Value, scope: &Value, record: &Value) -> Value {
    match signal {
        Signal::Logs => json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": [record]}]}]}),
        Signal::Metrics => json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": scope, "metrics": [record]}]}]}),
        Signal::Traces => json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [record]}]}]}),
    }
}

fn files(folder: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(fixtures().join(folder)).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file()).map(read)
}

fn signal_of(name: &str) -> Signal {
    match name {
        name if name.contains("metrics") => Signal::Metrics,
        name if name.contains("traces") => Signal::Traces,
        _ => Signal::Logs,
    }
}

pub(crate) fn made(signal: Signal, encoding: Encoding, bytes: &[u8]) -> Vec<Made> {
    decode(signal, encoding, bytes).unwrap().events(arrival()).collect()
}

pub(crate) fn views(signal: Signal, encoding: Encoding, bytes: &[u8]) -> Vec<Value> {
    made(signal, encoding, bytes).iter().map(|made| made.event.to_json()).collect()
}

/// Makes the view of one record in JSON.
pub(crate) fn view(signal: Signal, request: &Value) -> Value {
    let mut views = views(signal, Encoding::Json, request.to_string().as_bytes());
    assert_eq!(views.len(), 1);
    views.remove(0)
}

/// Adds the scalars of a value, as texts.
pub(crate) fn scalars(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| scalars(item, into)),
        Value::Object(members) => members.values().for_each(|item| scalars(item, into)),
        Value::String(text) => into.push(text.clone()),
        Value::Null => {}
        other => into.push(other.to_string()),
    }
}
