//! Telemetry of the real client in, events out.

use std::collections::BTreeSet;

use insta::{assert_json_snapshot, assert_snapshot};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use sealtrail_capture::otel::{Encoding, Signal};
use serde_json::{Value, json};

use crate::otel_kit::{made, messages, request, requests, samples, scalars, view, views};

/// Protects every value of the captured requests: whatever a resource, a scope, a record or one of its attributes says stands in an event.
#[test]
fn nothing_is_lost() {
    for (name, signal, bytes) in requests() {
        let sent: Value = serde_json::from_slice(&bytes).unwrap();
        let views = views(signal, Encoding::Json, &bytes);
        assert!(!views.is_empty(), "{name}");
        let mut found = Vec::new();
        views.iter().for_each(|view| scalars(view, &mut found));
        let found: BTreeSet<String> = found.into_iter().collect();
        let times: BTreeSet<u64> = views.iter().filter_map(|view| nanoseconds(view["timestamp"].as_str()?)).collect();
        let redacted = views.iter().any(|view| view.get("redactions").is_some());
        for (path, text) in said(&sent) {
            let there = found.contains(&text)
                || text.parse().is_ok_and(|number: f64| found.contains(&json!(number).to_string()))
                || text.parse().is_ok_and(|time: u64| times.contains(&time))
                || text == path.rsplit('/').next().unwrap_or_default()
                || opened(&text).is_some_and(|leaves| leaves.iter().all(|leaf| found.contains(leaf)))
                || matches!(text.as_str(), "0" | "false" | "")
                || (redacted && text.len() > 1_000);
            assert!(there, "{name}: {path} = {text:.200}");
        }
    }
}

/// Returns the scalars of a request with where they stand; the keys of attributes are names, not values.
fn said(value: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, path: &str, into: &mut Vec<(String, String)>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members.iter().filter(|(name, _)| *name != "key") {
                    walk(value, &format!("{path}/{name}"), into);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, path, into)),
            Value::String(text) => into.push((path.to_owned(), text.clone())),
            Value::Null => {}
            other => into.push((path.to_owned(), other.to_string())),
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Returns the scalars of JSON that stands in a text.
fn opened(text: &str) -> Option<Vec<String>> {
    let value: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let mut found = Vec::new();
    scalars(&value, &mut found);
    Some(found)
}

fn nanoseconds(time: &str) -> Option<u64> {
    u64::try_from(time.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

/// Protects what each kind of record becomes: type, phase, end, verdict and join keys, in the words that hooks have.
#[test]
fn every_kind_has_its_type() {
    let lines: Vec<String> = samples().iter().map(|(name, signal, sample)| line(name, &view(*signal, sample))).collect();
    assert_snapshot!(lines.join("\n"));
}

/// Protects what each metric of the client becomes.
#[test]
fn every_metric_has_its_type() {
    let metrics = requests().into_iter().filter(|(_, signal, _)| *signal == Signal::Metrics);
    let views = metrics.flat_map(|(_, signal, bytes)| views(signal, Encoding::Json, &bytes));
    let lines: BTreeSet<String> = views
        .map(|view| {
            let metric = &view["metric"];
            format!(
                "{} {} {} {} {}",
                text(&view["event_type"]),
                text(&metric["name"]),
                metric["value"],
                view["cost_usd"],
                view["attributes"]["type"]
            )
        })
        .collect();
    assert_snapshot!(lines.into_iter().collect::<Vec<_>>().join("\n"));
}

fn line(name: &str, view: &Value) -> String {
    let fields = [
        "phase",
        "outcome",
        "policy_result",
        "severity",
        "tool_name",
        "tool_use_id",
        "request_id",
        "agent_id",
        "model",
        "duration_ms",
        "status",
        "reason",
        "source",
        "mcp_server",
        "cost_usd",
        "command",
    ];
    let said: Vec<String> = fields.iter().filter_map(|field| Some(format!("{field}={}", text(view.get(*field)?)))).collect();
    format!("{name}: {} {}", text(&view["event_type"]), said.join(" "))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Protects the whole form of the events that others join on.
#[test]
fn whole_events() {
    for wanted in [
        "tool_result.Bash.json",
        "tool_result.mcp_tool.json",
        "tool_decision.reject.config.json",
        "api_request.json",
        "api_error.json",
        "claude_code.tool.json",
    ] {
        let (name, signal, sample) = samples().into_iter().find(|(name, ..)| name == wanted).unwrap();
        assert_json_snapshot!(name, view(signal, &sample));
    }
}

/// Protects the ids and the events themselves from the encoding: JSON and protobuf of the same request make the same events.
#[test]
fn encodings_agree() {
    for (name, signal, bytes) in requests() {
        let text = std::str::from_utf8(&bytes).unwrap();
        let message = match signal {
            Signal::Logs => serde_json::from_str::<ExportLogsServiceRequest>(text).unwrap().encode_to_vec(),
            Signal::Metrics => serde_json::from_str::<ExportMetricsServiceRequest>(text).unwrap().encode_to_vec(),
            Signal::Traces => serde_json::from_str::<ExportTraceServiceRequest>(text).unwrap().encode_to_vec(),
        };
        assert_eq!(views(signal, Encoding::Json, &bytes), views(signal, Encoding::Protobuf, &message), "{name}");
    }
}

/// Protects protobuf as the client writes it: every captured message is understood, and each of its records is an event of the session.
#[test]
fn captured_messages_are_understood() {
    for (name, signal, bytes) in messages() {
        let views = views(signal, Encoding::Protobuf, &bytes);
        assert!(!views.is_empty(), "{name}");
        assert!(
            views.iter().all(|view| view["session_id"].is_string() && view["witness"] == "otel" && view["grade"] == "asserted"),
            "{name}"
        );
    }
}

/// Protects the trail from a request that is sent again: it makes the same ids, and no two records of a session share one.
#[test]
fn ids_follow_from_records() {
    let ids = || -> Vec<String> {
        let all = requests().into_iter().flat_map(|(_, signal, bytes)| made(signal, Encoding::Json, &bytes));
        all.map(|made| made.event.envelope.audit_id.to_string()).collect()
    };
    let (first, again) = (ids(), ids());
    assert_eq!(first, again);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len());
}

/// Protects records that say exactly the same: in one request they are as many events as records.
#[test]
fn equal_records_are_events_of_their_own() {
    let log = json!({"timeUnixNano": "1795229088670000000", "body": {"stringValue": "twice"}});
    let both = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [log, log]}]}]});
    let views = views(Signal::Logs, Encoding::Json, both.to_string().as_bytes());
    assert_eq!(views.len(), 2);
    assert_ne!(views[0]["audit_id"], views[1]["audit_id"]);
}

/// Protects identity: a person's data is in the identity slot alone, so erasing that slot erases it, also where resource and attributes name it.
#[test]
fn persons_are_in_one_slot() {
    let resource = json!({"attributes": [{"key": "host.name", "value": {"stringValue": "box-7"}}, {"key": "service.name", "value": {"stringValue": "claude-code"}}]});
    let names = ["user.id", "user.email", "user.account_uuid", "organization.id", "enduser.id", "client.address"];
    let attributes: Vec<Value> =
        names.iter().map(|name| json!({"key": name, "value": {"stringValue": format!("person of {name}")}})).collect();
    let log = json!({"timeUnixNano": "1795229088670000000", "eventName": "auth", "attributes": attributes});
    let bytes = request(Signal::Logs, &resource, &json!({}), &log).to_string();
    let made = made(Signal::Logs, Encoding::Json, bytes.as_bytes()).remove(0);
    for slot in &made.event.slots {
        let tells = slot.json.contains("person of") || slot.json.contains("box-7");
        assert_eq!(tells, slot.name.as_str() == "identity", "{}", slot.json);
    }
    let view = made.event.to_json();
    assert_eq!(
        (&view["user_id"], &view["email"], &view["host"]),
        (&json!("person of user.id"), &json!("person of user.email"), &json!("box-7"))
    );
}

/// Protects secrets: those in inputs, bodies and outputs are replaced, also in JSON that stands in a text, and an environment in an output is.
#[test]
fn secrets_are_replaced() {
    let secret = "ghp_a0Bz9Yk3Xq7a0Bz9Yk3Xq7a0Bz9Yk3Xq7a0Bz";
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]});
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let log = json!({"timeUnixNano": "1795229088670000000", "body": {"stringValue": secret}, "attributes": [
        text("event.name", "tool_result"), text("tool_name", "Bash"), text("success", "true"),
        text("tool_input", &json!({"command": format!("curl -H 'Authorization: token {secret}' https://example.com")}).to_string()),
    ]});
    let view_of_log = view(Signal::Logs, &request(Signal::Logs, &resource, &json!({}), &log));
    let span = json!({"name": "claude_code.tool", "startTimeUnixNano": "1795229088670000000", "events": [
        {"name": "tool.output", "attributes": [text("bash_command", "printenv"), text("output", "DB_PASS_X=hunter2hunter2\n")]},
    ]});
    let view_of_span = view(Signal::Traces, &request(Signal::Traces, &resource, &json!({}), &span));
    for view in [&view_of_log, &view_of_span] {
        let all = view.to_string();
        assert!(!all.contains(secret) && !all.contains("hunter2"), "{all}");
        assert!(view["redactions"].as_u64() >= Some(1));
    }
    assert_eq!(view_of_log["event_type"], "data.api_call");
    assert!(view_of_span["otel"]["outputs"][0]["attributes"].get("tool_input").is_none());
}
