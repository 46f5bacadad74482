//! Who is let in, what he sees, and what is told of him.

use sealtrail_server::{Scope, Tokens};
use serde_json::json;

use crate::kit::{ids, start};

fn login(user: &str, status: &str, ip: &str, n: u32) -> serde_json::Value {
    json!({"event_type": "auth.user_login", "timestamp": format!("2026-03-16T10:00:{n:02}Z"), "user_id": user, "status": status,
        "source_ip": ip, "session_id": format!("s-{user}"), "audit_id": format!("evt_{user}_{n}")})
}

/// Protects the door: without a token, with a wrong one, a revoked one or a write token nothing is read, and the trail tells of the tries.
#[test]
fn only_a_read_token_reads() {
    let test = start(&[login("ann", "success", "192.0.2.1", 1)]);
    let missing = test.get("", "/v1/events");
    assert_eq!((missing.status, missing.headers["www-authenticate"].as_str()), (401, "Bearer"));
    let wrong = test.get("stk_wrong", "/v1/events");
    assert_eq!((wrong.status, wrong.json()["type"].as_str()), (401, Some("urn:sealtrail:problem:token")));
    let write = test.token("ingest", Scope::Write, None, true);
    let refused = test.get(&write, "/v1/events");
    assert_eq!((refused.status, refused.json()["type"].as_str()), (403, Some("urn:sealtrail:problem:scope")));
    let reader = test.reader();
    assert_eq!(test.get(&reader, "/v1/events?event_type=auth.user_login").ok().len(), 1);
    Tokens::of(&test.home).revoke("reader").unwrap();
    assert_eq!(test.get(&reader, "/v1/events").status, 401);
    assert_eq!(test.of_type("auth.token_rejected").len(), 1, "tries are told of once in a while, not each");
    for _ in 0..20 {
        assert_eq!(test.get(&write, "/v1/events").status, 403);
    }
    let denied = test.of_type("auth.permission_denied");
    assert_eq!((denied.len(), &denied[0]["access"]["token"], &denied[0]["outcome"]), (1, &json!("ingest"), &json!("denied")));
}

/// Protects the record of readings: each answer is sealed before it leaves, with who, what and how many.
#[test]
fn every_reading_is_sealed() {
    let test = start(&[login("ann", "success", "192.0.2.1", 1), login("bob", "fail", "192.0.2.2", 2)]);
    let token = test.reader();
    test.get(&token, "/v1/events?user_id=ann").ok();
    assert_eq!(test.get(&token, "/v1/events/evt_bob_2").status, 200);
    assert_eq!(test.get(&token, "/v1/events/evt_nobody_9").status, 404);
    let told = test.of_type("system.audit_log_accessed");
    let access: Vec<_> =
        told.iter().map(|event| &event["access"]).map(|a| (a["command"].clone(), a["token"].clone(), a["events"].clone())).collect();
    assert_eq!(
        access,
        [("api events", 1), ("api event", 1), ("api event", 0)].map(|(command, n)| (json!(command), json!("reader"), json!(n)))
    );
    assert!(told[0]["access"]["query"].as_str().unwrap().contains("ann"));
    assert_eq!(told[0]["source_ip"], "127.0.0.1");
}

/// Protects against readings without a record: a daemon that cannot seal any more leads to no answer.
#[test]
fn what_cannot_be_recorded_is_not_answered() {
    let mut test = start(&[login("ann", "success", "192.0.2.1", 1)]);
    let token = test.reader();
    test.daemon.take().unwrap().stop().unwrap();
    for path in ["/v1/events", "/v1/events/evt_ann_1", "/v1/sessions/s-ann"] {
        let refused = test.get(&token, path);
        assert_eq!((refused.status, refused.json()["type"].as_str()), (503, Some("urn:sealtrail:problem:not-recorded")), "{path}");
        assert!(!refused.body.contains("192.0.2.1"));
    }
    assert_eq!(test.lines(&token, "/v1/events").status, 503);
}

/// Protects what a token's filter hides: it is in no list, no count, no sequence, no chain, no session, and cannot be told from what is not there.
#[test]
fn a_filter_hides_events_everywhere() {
    let test = start(&[
        login("ann", "fail", "192.0.2.1", 1),
        login("ann", "success", "192.0.2.1", 2),
        login("bob", "fail", "192.0.2.2", 3),
        login("bob", "success", "192.0.2.2", 4),
    ]);
    let token = test.token("ann-only", Scope::Read, Some("user_id=ann"), true);
    assert_eq!(ids(&test.get(&token, "/v1/events?event_type=auth.user_login").ok()), ["evt_ann_2", "evt_ann_1"]);
    assert!(test.get(&token, "/v1/events?user_id=bob").ok().is_empty());
    let hidden = test.get(&token, "/v1/events/evt_bob_3");
    let absent = test.get(&token, "/v1/events/evt_bob_5");
    assert_eq!((hidden.status, absent.status), (404, 404));
    assert_eq!(hidden.body.replace("bob_3", "X"), absent.body.replace("bob_5", "X"));
    let count = test.post(&token, &json!({"query": "event_type=auth.user_login | count by user_id"})).json();
    assert_eq!(count["table"]["rows"], json!([["ann", 2]]));
    let steps = "auth.user_login[status=fail] auth.user_login[status=success]";
    let matches = test.post(&token, &json!({"sequence": {"steps": steps, "within_seconds": 300}})).json();
    assert_eq!(matches["matches"].as_array().unwrap().len(), 1);
    assert_eq!(matches["matches"][0]["audit_ids"], json!(["evt_ann_1", "evt_ann_2"]));
    assert_eq!(test.get(&token, "/v1/sessions/s-bob").status, 404);
    assert_eq!(test.get(&token, "/v1/executions/s-bob/chain").status, 404);
    assert_eq!(test.get(&token, "/v1/events/evt_bob_3/chain").status, 404);
    assert_eq!(test.get(&token, "/v1/events/evt_ann_1/chain").status, 200);
}

/// Protects content from a token without it: what it does not show it does not answer questions about either, and what is left still proves itself.
#[test]
fn a_token_without_content_is_no_oracle() {
    let test = start(&[json!({"event_type": "prompt.submitted", "timestamp": "2026-03-16T10:00:00Z", "user_id": "ann", "session_id": "s",
        "prompt": "the launch code is 0000", "audit_id": "evt_1"})]);
    let token = test.token("siem", Scope::Read, None, false);
    let seen = test.get(&token, "/v1/events/evt_1?proof=true");
    assert_eq!(seen.status, 200, "{}", seen.body);
    assert!(!seen.body.contains("launch") && !seen.body.contains("ann"), "{}", seen.body);
    assert_eq!(seen.json()["withheld"], json!(["identity", "prompt"]));
    let sealed = sealtrail_ledger::prove::verify_sealed(&seen.json()["seal"], None).unwrap();
    assert_eq!(sealed.missing.len(), 2);
    for query in [
        "prompt has launch",
        "launch",
        "user_id=ann",
        "| count by user_id",
        "not prompt has x",
        "| terms prompt",
        "unknown_field=1",
        "sequence by user_id [event_type=a] [event_type=b]",
        "sequence by session_id [event_type=a] [prompt has x]",
        "| sort user_id | head 1",
    ] {
        let refused = test.post(&token, &json!({"query": query}));
        assert_eq!(
            (refused.status, refused.json()["type"].as_str()),
            (403, Some("urn:sealtrail:problem:content")),
            "{query}: {}",
            refused.body
        );
    }
    assert_eq!(test.get(&token, "/v1/events?user_id=ann").status, 403);
    for query in ["session_id=s", "event_type=prompt.submitted | count by event_type", "| first 1 by session_id"] {
        let answer = test.post(&token, &json!({"query": query}));
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        assert!(!answer.body.contains("launch") && !answer.body.contains("ann"), "{}", answer.body);
    }
    for path in ["/v1/sessions/s", "/v1/executions/s/chain", "/v1/events/evt_1/chain"] {
        let answer = test.get(&token, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(!answer.body.contains("launch") && !answer.body.contains("\"ann"), "{path}: {}", answer.body);
    }
}

/// Protects the secret: it is in no file of the home, the file is its owner's alone, and a token that has expired opens nothing.
#[test]
fn only_a_hash_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let test = start(&[]);
    let token = test.reader();
    let file = test.home.path().join("tokens.json");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&token) && !text.contains(&token[4..]));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let now = jiff::Timestamp::now();
    let new = |name: &str, expires| sealtrail_server::NewToken {
        name: name.into(),
        scope: Scope::Read,
        filter: None,
        content: true,
        expires,
        application_id: None,
    };
    let tokens = Tokens::of(&test.home);
    let old = tokens.create(new("old", Some(now)), now).unwrap();
    assert_eq!(test.get(&old, "/v1/events").status, 401);
    assert!(tokens.create(new("old", None), now).is_err() && tokens.create(new("a b", None), now).is_err());
    assert!(token.len() == 4 + 43, "256 bits");
}
