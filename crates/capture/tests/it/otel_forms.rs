//! Requests of any application, in every form that OTLP allows, and in forms that it does not.

use proptest::prelude::*;
use sealtrail_capture::otel::{ATTRIBUTES_MAX, Encoding, OtelError, RECORDS_MAX, Signal, answer, decode, refusal, unparsed};
use sealtrail_event::{ENVELOPE_BYTES_MAX, SLOT_BYTES_MAX};
use serde_json::{Value, json};

use crate::otel_kit::{arrival, messages, request, requests, view};

/// Protects values of every kind: each becomes plain JSON and none is lost, also where a key is there twice or a list has gaps.
#[test]
fn values_are_plain() {
    let attributes = json!([
        {"key": "text", "value": {"stringValue": "a"}}, {"key": "flag", "value": {"boolValue": true}},
        {"key": "whole", "value": {"intValue": "-9223372036854775808"}}, {"key": "short", "value": {"intValue": 7}},
        {"key": "double", "value": {"doubleValue": 2}}, {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "bytes", "value": {"bytesValue": "_-8="}}, {"key": "empty", "value": {}}, {"key": "none"},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {}, {"arrayValue": {}}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": false}}]}}},
        {"key": "text", "value": {"stringValue": "b"}}, {"key": "new", "value": {"someValue": 1}},
    ]);
    let log = json!({"observedTimeUnixNano": 1795229088670000000u64, "attributes": attributes, "flags": 1, "unheardOf": {"x": 1}});
    let view = view(Signal::Logs, &request(Signal::Logs, &json!({}), &json!({"name": "s", "version": "1"}), &log));
    let expected = json!({
        "text": "a", "flag": true, "whole": i64::MIN, "short": 7, "double": 2.0, "nan": "NaN", "bytes": {"bytesValue": "/+8="}, "empty": null, "none": null,
        "list": [1, null, []], "map": {"a": false}, "text#2": "b", "new": {"someValue": 1},
    });
    assert_eq!(view["attributes"], expected);
    assert_eq!(
        view["otel"],
        json!({"signal": "log", "scope": {"name": "s", "version": "1"}, "observedTimeUnixNano": 1795229088670000000u64, "flags": 1, "unheardOf": {"x": 1}})
    );
    assert_eq!((&view["event_type"], &view["timestamp"]), (&json!("otel.log"), &json!("2026-11-21T02:44:48.670000000Z")));
}

/// Protects other applications: their logs, spans and metrics are events under their own names, with what the conventions of generative AI say.
#[test]
fn any_application_is_heard() {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "billing"}}]});
    let span = json!({"traceId": "f1ce109066c2cd0c3d8d5d2f397281d6", "spanId": "7425c700e6c82138", "name": "chat gpt/x", "kind": 3,
    "startTimeUnixNano": "1795229088000000000", "endTimeUnixNano": "1795229088250000000", "status": {"code": 2, "message": "no"},
    "attributes": [
        {"key": "gen_ai.request.model", "value": {"stringValue": "m-1"}}, {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "3"}}, {"key": "gen_ai.conversation.id", "value": {"stringValue": "c-1"}},
    ]});
    let seen = view(Signal::Traces, &request(Signal::Traces, &resource, &json!({}), &span));
    let expected = json!(["otel.chat_gpt/x", "billing", "m-1", 12, 3, "c-1", 250, "error", "warning", "chat gpt/x"]);
    let fields =
        ["event_type", "application_id", "model", "input_tokens", "output_tokens", "session_id", "duration_ms", "outcome", "severity"];
    let mut got: Vec<Value> = fields.iter().map(|field| seen[field].clone()).collect();
    got.push(seen["otel"]["name"].clone());
    assert_eq!(Value::Array(got), expected);
    assert_eq!((&seen["otel"]["traceId"], &seen["otel"]["status"]["message"]), (&json!("f1ce109066c2cd0c3d8d5d2f397281d6"), &json!("no")));

    let metric =
        json!({"name": "queue.length", "unit": "1", "gauge": {"dataPoints": [{"timeUnixNano": "1795229088000000000", "asInt": "0"}]}});
    let seen = view(Signal::Metrics, &request(Signal::Metrics, &resource, &json!({}), &metric));
    assert_eq!(seen["metric"], json!({"name": "queue.length", "unit": "1", "kind": "gauge", "value": 0}));
    let histogram = json!({"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [
        {"timeUnixNano": "1795229088000000000", "count": "3", "sum": 0.0, "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}]}});
    let seen = view(Signal::Metrics, &request(Signal::Metrics, &resource, &json!({}), &histogram));
    assert_eq!(seen["otel"]["bucketCounts"], json!([1, 2]));
    assert_eq!((&seen["otel"]["count"], &seen["otel"]["sum"], &seen["metric"]["kind"]), (&json!(3), &json!(0.0), &json!("histogram")));
    let future = json!({"name": "f", "sketch": {"buckets": [1]}});
    let seen = view(Signal::Metrics, &request(Signal::Metrics, &resource, &json!({}), &future));
    assert_eq!(seen["metric"], json!({"name": "f", "sketch": {"buckets": [1]}}));
}

/// Protects the sender from silence: what is no request is refused with the reason, and its bytes are in the trail.
#[test]
fn what_is_no_request_is_kept() {
    let deep = format!("{{\"resourceLogs\":{}{}}}", "[".repeat(70), "]".repeat(70));
    let cases: &[(&[u8], Encoding, &str)] = &[
        (b"", Encoding::Json, "not_json"),
        (b"{", Encoding::Json, "not_json"),
        (b"[]", Encoding::Json, "not_otlp"),
        (b"{\"resource_logs\":[]}", Encoding::Json, "not_otlp"),
        (b"{\"resourceLogs\":{}}", Encoding::Json, "not_otlp"),
        (b"{\"resourceLogs\":[1]}", Encoding::Json, "not_otlp"),
        (b"{\"resourceLogs\":[],\"resourceLogs\":[]}", Encoding::Json, "duplicate_key"),
        (b"\xff", Encoding::Json, "not_utf8"),
        (b"\xff\xff", Encoding::Protobuf, "not_protobuf"),
        (deep.as_bytes(), Encoding::Json, "too_deep"),
    ];
    for (bytes, encoding, reason) in cases {
        let error = decode(Signal::Logs, *encoding, bytes).unwrap_err();
        assert_eq!(error.reason(), *reason, "{error}");
        let event = unparsed(bytes, &error, &arrival());
        let view = event.to_json();
        assert_eq!((&view["event_type"], &view["reason"], &view["witness"]), (&json!("system.unparsed"), &json!(reason), &json!("otel")));
        assert_eq!(view["raw"]["size_bytes"], json!(bytes.len()));
    }
    assert_eq!(decode(Signal::Logs, Encoding::Json, b"{}").unwrap().records(), 0);
    assert_eq!(decode(Signal::Traces, Encoding::Protobuf, b"").unwrap().records(), 0);
}

/// Protects the memory: many records, a large resource for each of many records, deep values and a record with too many attributes stop at limits.
#[test]
fn limits_hold() {
    let logs = |count: usize, resource: &str| {
        let records = vec!["{}"; count].join(",");
        format!("{{\"resourceLogs\":[{{\"resource\":{resource},\"scopeLogs\":[{{\"logRecords\":[{records}]}}]}}]}}")
    };
    let decoded = |text: &str| decode(Signal::Logs, Encoding::Json, text.as_bytes());
    assert_eq!(decoded(&logs(RECORDS_MAX, "{}")).unwrap().records(), RECORDS_MAX);
    assert_eq!(decoded(&logs(RECORDS_MAX + 1, "{}")).unwrap_err(), OtelError::TooMany { found: RECORDS_MAX + 1 });
    let large = format!("{{\"attributes\":[{{\"key\":\"a\",\"value\":{{\"stringValue\":\"{}\"}}}}]}}", "x".repeat(1 << 20));
    assert!(matches!(decoded(&logs(40, &large)).unwrap_err(), OtelError::TooLarge { .. }));

    let nested = (0..17).fold(json!({"intValue": 1}), |inner, _| json!({"arrayValue": {"values": [inner]}}));
    let log = json!({"attributes": [{"key": "deep", "value": nested}]});
    let request_of = |log: &Value| request(Signal::Logs, &json!({}), &json!({}), log).to_string();
    assert_eq!(decoded(&request_of(&log)).unwrap_err(), OtelError::TooDeep);

    let many: Vec<Value> = (0..=ATTRIBUTES_MAX).map(|n| json!({"key": n.to_string(), "value": {"intValue": n}})).collect();
    let log = json!({"timeUnixNano": 1795229088670000000u64, "attributes": many});
    let made = decoded(&request_of(&log)).unwrap().events(arrival()).next().unwrap();
    assert_eq!(made.refused.as_deref(), Some("a record has 1025 attributes, at most 1024 are taken"));
    assert!(made.event.to_json()["raw"]["text"].as_str().unwrap().contains("\"1024\":1024"));
}

/// Protects exporters: both encodings say how many records were not taken, and why, in the members that the protocol has for it.
#[test]
fn answers_are_of_the_protocol() {
    assert_eq!(answer(Signal::Logs, Encoding::Json, 0, ""), b"{}");
    assert_eq!(answer(Signal::Traces, Encoding::Protobuf, 0, ""), b"");
    let told: Value = serde_json::from_slice(&answer(Signal::Metrics, Encoding::Json, 2, "why")).unwrap();
    assert_eq!(told, json!({"partialSuccess": {"rejectedDataPoints": "2", "errorMessage": "why"}}));
    assert_eq!(answer(Signal::Logs, Encoding::Protobuf, 2, "why"), b"\x0a\x07\x08\x02\x12\x03why");
    assert_eq!(refusal(Encoding::Protobuf, 3, "why"), b"\x08\x03\x12\x03why");
    let told: Value = serde_json::from_slice(&refusal(Encoding::Json, 3, "why")).unwrap();
    assert_eq!(told, json!({"code": 3, "message": "why"}));
}

fn check(signal: Signal, encoding: Encoding, bytes: &[u8]) {
    match decode(signal, encoding, bytes) {
        Ok(export) => {
            let count = export.records();
            let made: Vec<_> = export.events(arrival()).collect();
            assert_eq!(made.len(), count);
            for made in made {
                let envelope = serde_json::to_vec(&made.event.envelope).unwrap();
                assert!(made.event.envelope.check().is_ok() && envelope.len() < ENVELOPE_BYTES_MAX);
                assert!(made.event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
            }
        }
        Err(error) => assert!(unparsed(bytes, &error, &arrival()).envelope.check().is_ok()),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = [
        "resourceLogs",
        "resourceSpans",
        "resourceMetrics",
        "scopeLogs",
        "scopeSpans",
        "scopeMetrics",
        "logRecords",
        "spans",
        "metrics",
        "resource",
        "scope",
        "attributes",
        "key",
        "value",
        "stringValue",
        "intValue",
        "arrayValue",
        "kvlistValue",
        "values",
        "sum",
        "dataPoints",
        "name",
        "timeUnixNano",
        "events",
        "status",
        "body",
        "metadata",
        "event.name",
        "tool_input",
        "asInt",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("tool_result")),
        Just(json!("service.name")),
        Just(json!("claude-code"))
    ];
    leaf.prop_recursive(10, 96, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((proptest::sample::select(names.to_vec()), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Protects the server from hostile bytes: whatever comes, nothing panics, and every event is within the limits of the format.
    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        for signal in Signal::ALL {
            check(*signal, Encoding::Protobuf, &bytes);
            check(*signal, Encoding::Json, &bytes);
        }
    }

    /// Protects the server from JSON of almost the right form.
    #[test]
    fn almost_requests_are_borne(inner in any_json()) {
        let text = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [inner]}], "resource": inner}], "resourceSpans": inner, "resourceMetrics": [{"scopeMetrics": [{"metrics": inner}]}]}).to_string();
        for signal in Signal::ALL {
            check(*signal, Encoding::Json, text.as_bytes());
        }
    }

    /// Protects the server from damaged messages of the real client.
    #[test]
    fn damaged_messages_are_borne(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let messages = messages();
        let (_, signal, mut bytes) = messages[which.index(messages.len())].clone();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        check(signal, Encoding::Protobuf, &bytes);
        check(signal, Encoding::Protobuf, &bytes[..cut.index(bytes.len())]);
    }
}

/// Protects the captured requests from an attribute that says something else than it should: each one replaced by each kind of value is borne.
#[test]
fn attributes_of_any_kind_are_borne() {
    let odd = [
        json!({"arrayValue": {"values": [{"stringValue": "x"}]}}),
        json!({"boolValue": true}),
        json!({"doubleValue": -0.5}),
        json!({"stringValue": "\u{0}\"\\ ü"}),
        Value::Null,
    ];
    let (_, signal, bytes) = requests().into_iter().find(|(name, ..)| name == "tour.logs.02.json").unwrap();
    let sent: Value = serde_json::from_slice(&bytes).unwrap();
    for value in odd {
        let mut changed = sent.clone();
        for record in changed["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array_mut().unwrap() {
            for attribute in record["attributes"].as_array_mut().unwrap() {
                if attribute["key"] != "event.name" {
                    attribute["value"] = value.clone();
                }
            }
        }
        check(signal, Encoding::Json, changed.to_string().as_bytes());
    }
}
