//! What is handed in: each event once, each with its receipt, and nothing that was acknowledged is lost.

use std::io::Write;

use sealtrail_server::{NewToken, Scope, Tokens};
use serde_json::{Value, json};

use crate::kit::{Response, Test, start};

fn event(n: u32) -> Value {
    json!({"audit_id": format!("evt_{n}"), "event_type": "tool.invocation", "timestamp": "2026-11-21T10:00:00Z", "user_id": "ann",
        "source_ip": "192.0.2.7", "session_id": "s1", "tool": "Bash"})
}

fn hand_in(test: &Test, key: &str, body: &str, kind: &str) -> Response {
    test.ask("POST", key, "/v1/events", body, &[("Content-Type", kind)])
}

fn one(test: &Test, key: &str, body: &Value) -> Response {
    hand_in(test, key, &body.to_string(), "application/json")
}

pub(crate) fn statuses(answer: &Response) -> Vec<String> {
    answer.json()["results"].as_array().unwrap().iter().map(|fate| fate["status"].as_str().unwrap().to_owned()).collect()
}

/// Protects the promise of the answer: one event, a list and lines are each in the ledger when it comes, at the place that the receipt names, asserted by
/// a program, with its sender beside whatever address it told itself.
#[test]
fn events_are_sealed_before_the_answer() {
    let test = start(&[]);
    let key = test.key("billing", Some("billing-service"));
    let single = one(&test, &key, &event(1));
    assert_eq!((single.status, statuses(&single)), (200, vec!["sealed".to_owned()]), "{}", single.body);
    let list = one(&test, &key, &json!([event(2), event(3)]));
    assert_eq!(statuses(&list), ["sealed", "sealed"]);
    let lines = hand_in(&test, &key, &format!("{}\n\n{}\r\n", event(4), event(5)), "application/x-ndjson; charset=utf-8");
    assert_eq!(statuses(&lines), ["sealed", "sealed"]);
    let events = test.events();
    for (answer, at, n) in [(&single, 0, 1), (&list, 1, 3), (&lines, 1, 5)] {
        let fate = &answer.json()["results"][at];
        let stored = &events[fate["receipt"]["seq"].as_u64().unwrap() as usize];
        assert_eq!((&stored["audit_id"], &fate["audit_id"]), (&json!(format!("evt_{n}")), &stored["audit_id"]));
        assert!(fate["receipt"]["tree_size"].as_u64() > fate["receipt"]["seq"].as_u64());
        assert_eq!((&stored["witness"], &stored["grade"], &stored["source_ip"]), (&json!("api"), &json!("asserted"), &json!("192.0.2.7")));
        assert_eq!(stored["application_id"], "billing-service");
        assert_eq!((&stored["collector"]["key"], &stored["collector"]["source_ip"]), (&json!("billing"), &json!("127.0.0.1")));
    }
}

/// Protects against sealing twice: a batch that is sent again is known event by event, and an id twice in one batch is sealed once.
#[test]
fn a_batch_may_come_again() {
    let test = start(&[]);
    let key = test.key("w", None);
    let batch = json!([event(1), event(2), event(1)]);
    let first = one(&test, &key, &batch);
    assert_eq!((first.status, statuses(&first)), (200, ["sealed", "sealed", "known"].map(str::to_owned).to_vec()));
    let again = one(&test, &key, &batch);
    assert_eq!((again.status, statuses(&again)), (200, ["known", "known", "known"].map(str::to_owned).to_vec()));
    assert_eq!(again.json()["results"][1]["seq"], first.json()["results"][1]["receipt"]["seq"]);
    assert_eq!(test.of_type("tool.invocation").len(), 2);
}

/// Protects an id from being taken for another event: what says something else under an id that the trail has is refused and kept, whoever sends it and
/// also within one delivery; the same event is known by whom and whenever it comes again.
#[test]
fn another_event_under_a_known_id_is_refused() {
    let test = start(&[]);
    let (ann, bob) = (test.key("ann", None), test.key("bob", None));
    let other = |n| {
        let mut other = event(n);
        other["user_id"] = json!("mallory");
        other
    };
    let untimed = json!({"audit_id": "evt_9", "event_type": "tool.invocation", "tool": "Read"});
    let first = one(&test, &ann, &json!([event(1), other(1), untimed]));
    assert_eq!((first.status, statuses(&first)), (200, ["sealed", "rejected", "sealed"].map(str::to_owned).to_vec()));
    let mut later = event(1);
    later["timestamp"] = json!("2026-11-21T10:00:05Z");
    let again = one(&test, &bob, &json!([later, untimed, other(9)]));
    assert_eq!(statuses(&again), ["known", "known", "rejected"]);
    let error = again.json()["results"][2]["error"].as_str().unwrap().to_owned();
    let seq = first.json()["results"][2]["receipt"]["seq"].clone();
    assert!(error.contains(&format!("number {seq}")) && error.contains("id of its own"), "{error}");
    let alone = one(&test, &bob, &other(1));
    assert_eq!((alone.status, statuses(&alone)), (422, vec!["rejected".to_owned()]));
    let kept = test.of_type("system.unparsed");
    assert_eq!(kept.iter().map(|event| &event["collector"]["key"]).collect::<Vec<_>>(), ["ann", "bob", "bob"]);
    assert!(
        kept.iter().all(|event| event["reason"] == "id_taken" && event["raw"]["text"].as_str().unwrap().contains("mallory")),
        "{kept:?}"
    );
    assert_eq!(kept[2]["audit_id"], alone.json()["results"][0]["audit_id"]);
    let flood: Vec<Value> = (0..20).map(|_| other(1)).collect();
    assert_eq!(one(&test, &bob, &json!(flood)).json()["rejected"], 20);
    let kept = test.of_type("system.unparsed");
    assert_eq!((kept.len(), &kept[3]["unparsed"]["more_not_kept"]), (3 + 16, &json!(4)));
    assert_eq!(test.of_type("tool.invocation").len(), 2);
}

/// Protects what cannot be understood: each such item gets a clear error, its neighbours are sealed, its bytes are kept without their secrets, and a
/// flood of them does not fill the ledger.
#[test]
fn what_is_no_event_is_kept_as_bytes() {
    let test = start(&[]);
    let key = test.key("w", None);
    let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let body = format!("{}\n{{\"token\": \"{secret}\"\n[1]\n{{\"a\":1,\"a\":2}}\n", event(1));
    let answer = hand_in(&test, &key, &body, "application/x-ndjson");
    assert_eq!((answer.status, statuses(&answer)), (200, ["sealed", "rejected", "rejected", "rejected"].map(str::to_owned).to_vec()));
    let results = answer.json()["results"].clone();
    assert!(results[1]["error"].as_str().unwrap().contains("byte"), "{results}");
    assert!(results[2]["error"].as_str().unwrap().contains("a list"), "{results}");
    assert!(results[3]["error"].as_str().unwrap().contains("twice"), "{results}");
    let kept = test.of_type("system.unparsed");
    assert_eq!(kept.iter().map(|event| &event["audit_id"]).collect::<Vec<_>>(), [1, 2, 3].map(|n| &results[n]["audit_id"]));
    assert!(kept[0]["raw"]["text"].as_str().unwrap().starts_with("{\"token\": \"[redacted:"), "{}", kept[0]);
    assert_eq!(kept[0]["collector"]["key"], "w");
    let nothing = hand_in(&test, &key, &"x\n".repeat(1_000), "application/x-ndjson");
    assert_eq!((nothing.status, nothing.json()["rejected"].as_u64()), (422, Some(1_000)));
    let kept = test.of_type("system.unparsed");
    assert_eq!((kept.len(), kept[3]["unparsed"]["more_not_kept"].as_u64()), (3 + 16, Some(1_000 - 16)));
}

/// Protects what an event says of its sender: a record cannot tell another key, address or certificate, and keeps what it said.
#[test]
fn a_record_cannot_name_its_sender() {
    let test = start(&[]);
    let key = test.key("honest", Some("app-1"));
    let mut record = event(1);
    record["collector"] = json!({"key": "admin", "source_ip": "192.0.2.99", "certificate": "CN=admin", "application_id_sent": "x"});
    record["application_id"] = json!("app-2");
    record["witness"] = json!("hook");
    assert_eq!(one(&test, &key, &record).status, 200);
    let stored = &test.of_type("tool.invocation")[0];
    assert_eq!(
        stored["collector"],
        json!({"key": "honest", "source_ip": "127.0.0.1", "certificate": null, "application_id_sent": "app-2"})
    );
    assert_eq!((&stored["application_id"], &stored["witness"]), (&json!("app-1"), &json!("api")));
}

/// Protects those who forward as the article shows: an event of its shape with its headers is taken, searchable by its own names, tags included.
#[test]
fn the_articles_sender_works() {
    let test = start(&[]);
    let (key, reader) = (test.key("skill", None), test.reader());
    let event = json!({"timestamp": "2026-03-16T10:00:00Z", "userId": "ann", "sessionId": "s9", "action": "file_read", "resource": "/etc/hosts",
        "outcome": "success", "metadata": {}});
    let headers = [("Content-Type", "application/json"), ("X-Compliance-Tags", "SOC2, HIPAA")];
    let answer = test.ask("POST", &key, "/v1/events", &event.to_string(), &headers);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let found = test.get(&reader, "/v1/events?user_id=ann&event_type=data.file_read").ok();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["resource"]["path"], &found[0]["compliance_tags"]), (&json!("/etc/hosts"), &json!(["SOC2", "HIPAA"])));
}

/// Protects secrets: what a program hands in is redacted as what a hook brings.
#[test]
fn handed_in_secrets_are_redacted() {
    let test = start(&[]);
    let key = test.key("w", None);
    let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let mut record = event(1);
    record["tool_input"] = json!({"command": format!("curl -H 'Authorization: token {secret}'")});
    assert_eq!(one(&test, &key, &record).status, 200);
    let mut named = event(2);
    named["audit_id"] = json!(secret);
    assert_eq!(statuses(&one(&test, &key, &json!([named, event(3)]))), ["sealed", "sealed"]);
    assert_eq!(statuses(&one(&test, &key, &named)), ["known"]);
    let stored = test.of_type("tool.invocation");
    assert!(!serde_json::to_string(&stored).unwrap().contains(&secret[8..]), "{stored:?}");
    assert_eq!(stored[0]["redactions"], 1);
}

/// Protects the two sides of the door: no write key reads, no read token writes, a wrong key does nothing, each is recorded with how often, and a
/// flood of tries is a handful of events.
#[test]
fn keys_do_one_thing() {
    let mut test = start(&[]);
    let (key, reader) = (test.key("w", None), test.reader());
    for _ in 0..20 {
        let refused = one(&test, &reader, &event(1));
        assert_eq!((refused.status, refused.json()["type"].as_str()), (403, Some("urn:sealtrail:problem:scope")));
        assert_eq!(test.ask("POST", &reader, "/v1/hooks/claude-code", "{}", &[("Content-Type", "application/json")]).status, 403);
        assert_eq!(one(&test, "stk_wrong", &event(1)).status, 401);
        for path in ["/v1/events", "/v1/events/evt_1", "/v1/sessions/s1", "/v1/checkpoint", "/metrics"] {
            assert_eq!(test.get(&key, path).status, 403, "{path}");
        }
    }
    assert_eq!(one(&test, "", &event(1)).status, 401);
    test.server.take().unwrap().stop();
    let denied = test.of_type("auth.permission_denied");
    let told = |needed: &str| {
        let own = denied.iter().filter(|event| event["access"]["needed"] == needed);
        own.map(|event| event["access"]["refused"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((told("write"), told("read")), (vec![1, 39], vec![1, 99]));
    let rejected: u64 = test.of_type("auth.token_rejected").iter().map(|event| event["access"]["refused"].as_u64().unwrap()).sum();
    assert_eq!(rejected, 20);
    assert!(test.of_type("tool.invocation").is_empty());
}

/// Protects the change of a key: the new secret works at once, the old one until its time is over, one before that no longer, and none is stored.
#[test]
fn keys_rotate() {
    let test = start(&[]);
    let tokens = Tokens::of(&test.home);
    let first = test.key("w", None);
    let now = jiff::Timestamp::now();
    let later = now.checked_add(jiff::SignedDuration::from_secs(3_600)).unwrap();
    let (second, _) = tokens.rotate("w", later).unwrap();
    let works = |key: &str, n| one(&test, key, &event(n)).status;
    assert_eq!((works(&first, 1), works(&second, 2)), (200, 200));
    let (third, before) = tokens.rotate("w", now).unwrap();
    assert_eq!((works(&first, 3), works(&second, 3), works(&third, 3)), (401, 401, 200));
    tokens.put_back(&before).unwrap();
    assert_eq!((works(&first, 4), works(&second, 4), works(&third, 4)), (200, 200, 401));
    let file = std::fs::read_to_string(test.home.path().join("tokens.json")).unwrap();
    assert!([first, second, third].iter().all(|secret| !file.contains(&secret[4..])));
    let named = |id: &str| NewToken {
        name: "x".into(),
        scope: Scope::Write,
        filter: None,
        content: true,
        expires: None,
        application_id: Some(id.into()),
    };
    assert!(tokens.create(named("two words"), now).is_err());
}

/// Protects the memory and the parser: what is too large, packed too tightly, packed wrongly, of another kind or without an end is refused in time, and
/// packed bodies are taken.
#[test]
fn bodies_are_bounded() {
    let test = start(&[]);
    let key = test.key("w", None);
    let packed = |headers: &[(&str, &str)], body: &[u8]| test.ask_bytes("POST", &key, "/v1/events", body, headers);
    let json = ("Content-Type", "application/json");
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let plain = event(1).to_string();
    assert_eq!(packed(&[json, ("Content-Encoding", "gzip")], &gzip(plain.as_bytes())).status, 200);
    let zstd = zstd::encode_all(event(2).to_string().as_bytes(), 3).unwrap();
    assert_eq!(packed(&[json, ("Content-Encoding", "zstd")], &zstd).status, 200);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 17);
    assert_eq!(packed(&[json, ("Content-Encoding", "gzip")], &bomb).status, 413);
    assert_eq!(packed(&[json, ("Content-Encoding", "gzip")], b"no gzip").status, 400);
    assert_eq!(packed(&[json, ("Content-Encoding", "br")], b"{}").status, 415);
    assert_eq!(packed(&[("Content-Type", "text/plain")], b"{}").status, 415);
    assert_eq!(packed(&[json], b"  ").status, 400);
    assert_eq!(packed(&[json], format!("[{}1]", "1,".repeat(5_000)).as_bytes()).status, 413);
    assert_eq!(packed(&[json], &[b"[".repeat(1 << 20), b"]".repeat(1 << 20)].concat()).status, 422);
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{{"
    );
    assert_eq!(test.raw(head.as_bytes()).status, 413);
    assert_eq!(test.of_type("tool.invocation").len(), 2);
}

/// Protects others from one busy key: beyond its rate it is told when to come again, and nothing of it is kept.
#[test]
fn a_key_has_a_rate() {
    let options = sealtrail_server::ServerOptions {
        collector: sealtrail_server::Limits { per_second: 1, ..sealtrail_server::Limits::default() },
        ..sealtrail_server::ServerOptions::default()
    };
    let test = crate::kit::start_with(&[], options);
    let key = test.key("w", None);
    let answers: Vec<_> = (0..12).map(|n| one(&test, &key, &event(n))).collect();
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(test.of_type("tool.invocation").len(), taken);
}

/// Protects back-pressure: what does not fit beside that which is being taken in is sent away with a time to come again.
#[test]
fn too_much_at_once_comes_again() {
    let options = sealtrail_server::ServerOptions {
        collector: sealtrail_server::Limits { flight_bytes: 1_000, ..sealtrail_server::Limits::default() },
        ..sealtrail_server::ServerOptions::default()
    };
    let test = crate::kit::start_with(&[], options);
    let key = test.key("w", None);
    let mut large = event(1);
    large["tool_input"] = json!("x".repeat(2_000));
    let refused = one(&test, &key, &large);
    assert_eq!((refused.status, refused.headers["retry-after"].as_str()), (429, "1"));
    assert_eq!(one(&test, &key, &event(2)).status, 200);
}

/// Protects against lost acknowledgements: a daemon that stops answers "later", never "sealed".
#[test]
fn what_cannot_be_sealed_is_not_acknowledged() {
    let mut test = start(&[]);
    let key = test.key("w", None);
    test.daemon.take().unwrap().stop().unwrap();
    let refused = one(&test, &key, &event(1));
    assert_eq!((refused.status, statuses(&refused)), (503, vec!["later".to_owned()]), "{}", refused.body);
    assert_eq!((refused.headers["retry-after"].as_str(), refused.json()["reason"].as_str()), ("10", Some("stopping")));
    assert!(test.of_type("tool.invocation").is_empty());
}

/// Protects the operator: the probes answer everyone and tell nothing; the metrics count by witness and result and are for this machine, or for readers.
#[test]
fn probes_and_metrics() {
    let test = start(&[]);
    let (key, reader) = (test.key("w", None), test.reader());
    assert_eq!((test.get("", "/healthz").body.as_str(), test.get("", "/readyz").status), ("ok\n", 200));
    assert_eq!(one(&test, &key, &json!([event(1), event(2), 3])).status, 200);
    assert_eq!(one(&test, &key, &event(1)).status, 200);
    for token in ["", reader.as_str()] {
        let metrics = test.get(token, "/metrics").body;
        for line in [
            "sealtrail_ingest_events_total{witness=\"api\",result=\"sealed\"} 3",
            "sealtrail_ingest_events_total{witness=\"api\",result=\"known\"} 1",
            "sealtrail_queue_events 0",
            "# EOF",
        ] {
            assert!(metrics.contains(line), "{line}\n{metrics}");
        }
    }
    assert_eq!(test.ask("GET", "", "/metrics", "", &[("X-Forwarded-For", "192.0.2.1")]).status, 401);
    assert_eq!(test.get("stk_wrong", "/metrics").status, 401);
}
