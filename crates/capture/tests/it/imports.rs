//! Rows of other systems: what they become, to which session they may belong, and that they are the same each time.

use proptest::prelude::*;
use sealtrail_capture::import::{Candidate, Mapping, Row, RowError, cloudtrail, compliance};
use sealtrail_capture::redact::Redactor;
use serde_json::{Value, json};

const NOW: u64 = 1_795_300_000_000_000_000;
const SESSION: &str = "67f895cc-c4d3-4dbe-b22f-9ccae7030c8c";

fn view(row: Row, joined: Option<&Candidate>) -> Value {
    let event = row.event(joined, NOW, &Redactor::new()).unwrap();
    event.envelope.check().unwrap();
    event.to_json()
}

fn call() -> Value {
    json!({
        "eventVersion": "1.10", "eventID": "7116c6a1-0000-4000-8000-000000000000", "eventTime": "2026-11-21T00:18:31Z",
        "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "us-east-2", "sourceIPAddress": "203.0.113.7",
        "userAgent": format!("aws-cli/2.20 app/claude-{SESSION}"), "requestID": "req-1",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:builder", "arn": "arn:aws:sts::123456789012:assumed-role/agent/builder",
            "accessKeyId": "ASIAEXAMPLE"
        },
        "resources": [{"ARN": "arn:aws:s3:::bucket/key", "type": "AWS::S3::Object"}],
        "requestParameters": {"bucketName": "bucket", "key": "key"},
    })
}

/// Protects the join: the session id is found in a tag, in the name of the role's session and in the user agent, the surest first.
#[test]
fn a_cloudtrail_record_names_its_session() {
    let row = cloudtrail(&call()).unwrap();
    let places: Vec<(&str, &str)> = row.candidates().iter().map(|candidate| (candidate.how, candidate.value.as_str())).collect();
    assert_eq!(places, [("role_session_name", "builder"), ("user_agent", SESSION)]);
    let mut tagged = call();
    tagged["requestParameters"] = json!({"tags": [{"key": "team", "value": "x"}, {"key": "ClaudeSession", "value": SESSION}]});
    assert_eq!(cloudtrail(&tagged).unwrap().candidates()[0], Candidate { how: "session_tag", value: SESSION.to_owned() });
    let mut named = call();
    named["userIdentity"]["arn"] = json!(format!("arn:aws:sts::123456789012:assumed-role/agent/{SESSION}"));
    assert_eq!(cloudtrail(&named).unwrap().candidates()[0], Candidate { how: "role_session_name", value: SESSION.to_owned() });
}

/// Protects what is searched for: who, from where, what, on what, how it ended; and the whole record is kept.
#[test]
fn a_cloudtrail_record_becomes_an_event() {
    let row = cloudtrail(&call()).unwrap();
    let joined = row.candidates()[1].clone();
    let event = view(row, Some(&joined));
    assert_eq!((&event["event_type"], &event["witness"], &event["grade"]), (&json!("infra.cloud"), &json!("api"), &json!("asserted")));
    assert_eq!((&event["session_id"], &event["import"]["joined_by"]), (&json!(SESSION), &json!("user_agent")));
    assert_eq!((&event["operation"]["action"], &event["outcome"]), (&json!("s3:GetObject"), &json!("success")));
    assert_eq!((&event["resource"]["name"], &event["source_ip"]), (&json!("arn:aws:s3:::bucket/key"), &json!("203.0.113.7")));
    assert_eq!((&event["request_id"], &event["timestamp"]), (&json!("req-1"), &json!("2026-11-21T00:18:31.000000000Z")));
    assert_eq!(event["cloudtrail"]["requestParameters"]["key"], "key");
    let mut denied = call();
    denied["errorCode"] = json!("AccessDeniedException");
    let event = view(cloudtrail(&denied).unwrap(), None);
    assert_eq!((&event["outcome"], &event["import"]["joined_by"]), (&json!("denied"), &json!("none")));
    assert_eq!(view(cloudtrail(&call()).unwrap(), None)["audit_id"], view(cloudtrail(&call()).unwrap(), None)["audit_id"]);
    for wrong in [json!([]), json!({"eventTime": "2026-11-21T00:18:31Z"}), json!({"eventID": "x", "eventTime": "yesterday"})] {
        assert!(cloudtrail(&wrong).is_err(), "{wrong}");
    }
}

/// Protects against taking the feed for an action trail: each activity says how coarse it is, and who did it stands in the identity.
#[test]
fn an_activity_says_how_coarse_it_is() {
    let activity = json!({
        "id": "activity_01Xy", "created_at": "2026-04-10T08:09:10Z", "organization_id": "org_01", "type": "claude_chat_created", "claude_chat_id": "c1",
        "actor": {"type": "user_actor", "email_address": "dev@example.com", "user_id": "user_01", "ip_address": "192.0.2.34", "user_agent": "Mozilla/5.0"},
    });
    let event = view(compliance(&activity).unwrap(), None);
    assert_eq!((&event["event_type"], &event["granularity"]), (&json!("prompt.chat"), &json!("activity")));
    assert_eq!(
        (&event["user_id"], &event["email"], &event["source_ip"]),
        (&json!("dev@example.com"), &json!("dev@example.com"), &json!("192.0.2.34"))
    );
    assert_eq!((&event["operation"]["action"], &event["activity"]["claude_chat_id"]), (&json!("claude_chat_created"), &json!("c1")));
    let unknown = json!({"id": "a", "created_at": "2026-04-10T08:09:10Z", "type": "something_new"});
    assert_eq!(view(compliance(&unknown).unwrap(), None)["event_type"], "system.activity");
    assert!(matches!(compliance(&json!({"id": "a"})), Err(RowError::Shape { .. })));
}

fn mapping() -> Mapping {
    let text = json!({
        "source": "ci", "id": "run.id", "event_type": {"from": "kind", "words": {"deploy": "infra.deploy", "*": "tool.execution"}},
        "timestamp": {"from": "at", "format": "unix_ms"},
        "fields": {
            "user_id": {"from": "actor.mail"}, "session_id": {"from": "labels.0"}, "operation.action": {"from": "kind"},
            "outcome": {"from": "result", "words": {"OK": "success", "*": "failure"}}, "application_id": {"value": "ci"}
        }
    });
    serde_json::from_value(text).unwrap()
}

/// Protects a mapping's meaning: members, constants, words and times land where it says, and the row is kept.
#[test]
fn a_mapping_is_followed() {
    let mapping = mapping();
    mapping.check().unwrap();
    let record = json!({"run": {"id": 7}, "kind": "deploy", "at": 1_795_300_000_123u64, "actor": {"mail": "a@b.c"}, "labels": [SESSION], "result": "KO"});
    let row = mapping.row(&record, "f line 1").unwrap();
    assert_eq!(row.candidates(), [Candidate { how: "session_id", value: SESSION.to_owned() }]);
    let event = view(row.clone(), None);
    assert_eq!(
        (&event["event_type"], &event["outcome"], &event["application_id"]),
        (&json!("infra.deploy"), &json!("failure"), &json!("ci"))
    );
    assert_eq!(
        (&event["user_id"], &event["operation"]["action"], &event["session_id"]),
        (&json!("a@b.c"), &json!("deploy"), &json!(SESSION))
    );
    assert_eq!((&event["timestamp"], &event["record"]), (&json!("2026-11-21T22:26:40.123000000Z"), &record));
    assert_eq!(event["audit_id"], view(mapping.row(&record, "f line 9").unwrap(), None)["audit_id"], "its id tells it, not its place");
    let missing = mapping.row(&json!({"kind": "x", "at": 1}), "f line 1").unwrap_err().to_string();
    assert!(missing.contains("run.id"), "{missing}");
    let late = mapping.row(&json!({"run": {"id": 7}, "at": "soon"}), "f line 1").unwrap_err().to_string();
    assert_eq!(late, "cannot take the row: its time `at` is \"soon\"");
}

/// Protects times of every notation, among them those without a zone.
#[test]
fn times_are_read_as_the_mapping_says() {
    let cases = [
        ("rfc3339", json!("2026-11-21T10:00:00+01:00"), "2026-11-21T09:00:00.000000000Z"),
        ("rfc3339", json!("2026-11-21 10:00:00"), "2026-11-21T09:00:00.000000000Z"),
        ("unix_s", json!(1_795_300_000.5), "2026-11-21T22:26:40.500000000Z"),
        ("unix_ns", json!("1795300000000000001"), "2026-11-21T22:26:40.000000001Z"),
        ("%d/%b/%Y:%H:%M:%S %z", json!("21/Nov/2026:10:00:00 +0000"), "2026-11-21T10:00:00.000000000Z"),
        ("%Y%m%d %H%M", json!("20261121 1000"), "2026-11-21T09:00:00.000000000Z"),
    ];
    for (format, found, expected) in cases {
        let mut mapping = mapping();
        mapping.timestamp = serde_json::from_value(json!({"from": "at", "format": format, "zone": "Europe/Berlin"})).unwrap();
        mapping.check().unwrap();
        let event = view(mapping.row(&json!({"run": {"id": 1}, "at": found}), "p").unwrap(), None);
        assert_eq!(event["timestamp"], expected, "{format} {found}");
    }
}

/// Protects the recorder's own words: a mapping cannot speak for it, and one that says nothing is refused with its name.
#[test]
fn a_wrong_mapping_is_refused() {
    let broken = [
        (json!({"fields": {"witness": {"value": "hook"}}}), "`fields.witness` cannot be mapped"),
        (json!({"fields": {"ledger.erase": {"value": 1}}}), "`fields.ledger.erase` cannot be mapped"),
        (json!({"fields": {"user_id": {}}}), "`user_id` needs `from` or `value`"),
        (json!({"source": "a b"}), "`source` is `a b`"),
        (json!({"timestamp": {"from": "at", "zone": "Nowhere"}}), "`timestamp.zone` is `Nowhere`"),
    ];
    for (change, expected) in broken {
        let mut text = json!({"source": "s", "event_type": {"value": "a.b"}, "timestamp": {"from": "at"}});
        text.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let found = serde_json::from_value::<Mapping>(text).unwrap().check().unwrap_err().to_string();
        assert!(found.starts_with(expected), "{found}");
    }
}

/// Protects secrets in rows: they are replaced like everywhere.
#[test]
fn secrets_in_rows_are_replaced() {
    let secret = format!("ghp_{}", &"a0Bz9Yk3Xq7".repeat(4)[..36]);
    let mut record = call();
    record["requestParameters"]["key"] = json!(secret);
    let event = view(cloudtrail(&record).unwrap(), None);
    assert!(!event.to_string().contains(&secret) && event["redactions"] == 1, "{event}");
}

proptest! {
    /// Protects the importers from whatever a file holds: a row is an event within the limits, or an error; nothing else.
    #[test]
    fn any_row_is_an_event_or_an_error(text in "[ -~]{0,40}", number in any::<i64>(), depth in 0usize..40) {
        let mut odd = json!(text);
        for _ in 0..depth {
            odd = json!({"x": [odd, number]});
        }
        let record = json!({
            "id": odd, "eventID": text, "eventTime": "2026-11-21T00:18:31Z", "created_at": "2026-11-21T00:18:31Z", "type": text, "at": number, "run": {"id": number},
            "userIdentity": odd, "requestParameters": {"tags": odd, "roleSessionName": text}, "userAgent": text, "resources": odd, "actor": odd, "errorCode": text,
            "eventName": text, "eventSource": odd, "kind": odd, "labels": [text],
        });
        for row in [cloudtrail(&record), compliance(&record), mapping().row(&record, "p")].into_iter().flatten() {
            if let Ok(event) = row.event(None, NOW, &Redactor::new()) {
                prop_assert!(event.envelope.check().is_ok());
            }
        }
    }
}
