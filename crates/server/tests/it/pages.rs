//! Lists: pages, orders, lines, limits.

use serde_json::{Value, json};

use crate::kit::{Test, ids, start};

fn records(count: u32) -> Vec<Value> {
    // Times go against the order of the ledger, and many are equal.
    (0..count)
        .map(|n| {
            json!({"event_type": if n % 3 == 0 { "data.file_read" } else { "tool.invocation" }, "user_id": format!("u{}", n % 7),
                "timestamp": format!("2026-03-16T10:{:02}:00Z", 59 - n % 60), "audit_id": format!("evt_{n}")})
        })
        .collect()
}

fn pages(test: &Test, token: &str, question: &str, limit: u32) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..1_000 {
        let page = test.get(token, &format!("/v1/events?{question}&limit={limit}{cursor}"));
        found.extend(ids(&page.ok()));
        match page.json()["next_cursor"].as_str() {
            None => return found,
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
    panic!("pages without an end");
}

/// Protects paging: in every order, pages of any size give what one large page gives, each event once, although each reading adds an event.
#[test]
fn pages_equal_one_answer() {
    let test = start(&records(250));
    let token = test.reader();
    for question in [
        "event_type=data.*",
        "event_type=data.*&order=oldest",
        "event_type=data.*&order_by=timestamp",
        "event_type=data.*&order_by=timestamp%20desc",
        "event_type=data.*&since=10%20years%20ago&user_id=u1&user_id=u2",
        "q=event_type%3Ddata.*%20and%20not%20user_id%3Du3&order_by=timestamp%20asc",
    ] {
        let whole = ids(&test.get(&token, &format!("/v1/events?{question}&limit=1000")).ok());
        assert!(whole.len() > 20, "{question}");
        for limit in [1, 7, 83, 84] {
            if limit > 1 || question.ends_with("u2") {
                assert_eq!(pages(&test, &token, question, limit), whole, "{question} limit {limit}");
            }
        }
    }
    let times: Vec<Value> = test.get(&token, "/v1/events?event_type=data.*&order_by=timestamp&limit=1000").ok();
    assert!(times.windows(2).all(|two| two[0]["timestamp"].as_str() <= two[1]["timestamp"].as_str()));
}

/// Protects pages by time of a trail in which most times are equal, some come late and some are of the future: pages that end in the middle of equal times
/// give each event once, in both directions, also for a token that sees only some of them.
#[test]
fn pages_by_time_hold_late_and_equal_events() {
    let late = |n: u32| match n {
        n if n % 50 == 0 => "2026-03-01T00:00:00Z".to_owned(),
        n if n % 51 == 0 => "2030-01-01T00:00:00.000000001Z".to_owned(),
        n if n % 3 == 0 => format!("2026-03-16T10:{:02}:{:02}Z", n / 60 % 60, n % 60),
        _ => "2026-03-16T10:30:00Z".to_owned(),
    };
    let record = |n: u32| json!({"event_type": "tool.invocation", "user_id": format!("u{}", n % 2), "timestamp": late(n), "audit_id": format!("evt_{n}")});
    let test = start(&(0..2_500).map(record).collect::<Vec<_>>());
    let reader = test.reader();
    let half = test.token("half", sealtrail_server::Scope::Read, Some("user_id=u1"), false);
    for (token, seen) in [(&reader, vec![0, 1]), (&half, vec![1])] {
        let mut wanted: Vec<u32> = (0..2_500).filter(|n| seen.contains(&(n % 2))).collect();
        wanted.sort_by_key(|n| (late(*n).parse::<jiff::Timestamp>().unwrap(), *n));
        let mut wanted: Vec<String> = wanted.iter().map(|n| format!("evt_{n}")).collect();
        for order in ["asc", "desc"] {
            for limit in [37, 1_000, 10_000] {
                let found = pages(&test, token, &format!("event_type=tool.invocation&order_by=timestamp%20{order}"), limit);
                assert!(found == wanted, "{order} by {limit}");
            }
            wanted.reverse();
        }
    }
}

/// Protects a cursor's meaning: it goes on with its own question only.
#[test]
fn a_cursor_belongs_to_its_question() {
    let test = start(&records(10));
    let token = test.reader();
    let page = test.get(&token, "/v1/events?event_type=tool.*&limit=2").json();
    let cursor = page["next_cursor"].as_str().unwrap();
    for other in ["event_type=data.*", "event_type=tool.*&order=oldest", "event_type=tool.*&user_id=u1"] {
        let refused = test.get(&token, &format!("/v1/events?{other}&cursor={cursor}"));
        assert_eq!((refused.status, refused.json()["parameter"].as_str()), (400, Some("cursor")), "{other}");
    }
    let stranger = test.token("other", sealtrail_server::Scope::Read, None, true);
    assert_eq!(test.get(&stranger, &format!("/v1/events?event_type=tool.*&cursor={cursor}")).status, 400);
    assert_eq!(test.get(&token, &format!("/v1/events?event_type=tool.*&limit=5&cursor={cursor}")).ok().len(), 4);
}

/// Protects streaming: lines are the same events as pages, all of them, and the reading is sealed with its beginning and its end.
#[test]
fn lines_give_everything() {
    let test = start(&records(3_000));
    let token = test.reader();
    let lines = test.lines(&token, "/v1/events?event_type=tool.*");
    assert_eq!((lines.status, lines.whole, lines.headers["content-type"].as_str()), (200, true, "application/x-ndjson"));
    let found: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ids(&found), pages(&test, &token, "event_type=tool.*", 1_000));
    assert_eq!(found.len(), 2_000);
    let told = test.of_type("system.audit_log_accessed");
    assert_eq!((&told[0]["access"]["stream"], &told[1]["access"]["events"]), (&json!("begins"), &json!(2_000)));
    let table = test.ask(
        "POST",
        &token,
        "/v1/search",
        &json!({"query": "event_type=tool.* | count by user_id"}).to_string(),
        &[("Content-Type", "application/json"), ("Accept", "application/x-ndjson")],
    );
    assert_eq!(table.body.lines().count(), 7);
    // Lines are everything, or an error: an order that needs all events first has to be asked for with a number.
    assert_eq!(test.lines(&token, "/v1/events?order_by=timestamp").status, 422);
    assert_eq!(test.lines(&token, "/v1/events?order_by=timestamp&limit=20").body.lines().count(), 20);
}

/// Protects the shapes of answers: members that were chosen, conditions of the body, reports.
#[test]
fn a_body_asks_what_parameters_ask() {
    let test = start(&records(50));
    let token = test.reader();
    let by_url = test.get(&token, "/v1/events?event_type=data.file_read&user_id=u1&user_id=u2&fields=audit_id,user_id").ok();
    let body = json!({"where": {"event_type": "data.file_read", "user_id": {"in": ["u1", "u2", "u3"], "not_in": ["u3"]}}, "fields": ["audit_id", "user_id"]});
    assert_eq!(test.post(&token, &body).ok(), by_url);
    assert!(by_url.iter().all(|event| event.as_object().unwrap().len() == 2));
    let table = test.post(&token, &json!({"query": "| count by event_type", "since": "2020-01-01"})).json();
    assert!(table["table"]["rows"].as_array().unwrap().contains(&json!(["data.file_read", 17])), "{table}");
    let proved = test.post(&token, &json!({"where": {"event_type": "data.file_read"}, "limit": 3, "proof": true})).ok();
    for event in &proved {
        let sealed = sealtrail_ledger::prove::verify_sealed(&event["seal"], None).unwrap();
        assert_eq!(sealed.view["audit_id"], event["audit_id"]);
    }
}

/// Protects whoever asks: a question that cannot be understood is answered with what is wrong, where, and what to write instead.
#[test]
fn problems_say_what_is_wrong() {
    let test = start(&records(3));
    let token = test.reader();
    let query = test.get(&token, "/v1/events?q=usr_id%3Dann");
    let problem = query.json();
    assert_eq!((query.status, query.headers["content-type"].as_str()), (400, "application/problem+json"));
    assert_eq!((&problem["type"], &problem["position"]), (&json!("urn:sealtrail:problem:query"), &json!(0)));
    assert!(problem["hint"].as_str().unwrap().contains("user_id"), "{problem}");
    for (path, parameter) in [
        ("/v1/events?since=soon", "since"),
        ("/v1/events?limit=0", "limit"),
        ("/v1/events?limit=10001", "limit"),
        ("/v1/events?limit=x", "limit"),
        ("/v1/events?order=up", "order"),
        ("/v1/events?order_by=user_id", "order_by"),
        ("/v1/events?colour=red", "colour"),
        ("/v1/events?proof=yes", "proof"),
        ("/v1/events?cursor=abc", "cursor"),
        ("/v1/events?q=a&q=b", "q"),
        ("/v1/checkpoint?x=1", "x"),
    ] {
        let refused = test.get(&token, path);
        assert_eq!((refused.status, refused.json()["parameter"].as_str()), (400, Some(parameter)), "{path} {}", refused.body);
    }
    assert_eq!(test.get(&token, "/v1/nothing").status, 404);
    assert_eq!(test.ask("DELETE", &token, "/v1/events", "", &[]).status, 405);
    assert_eq!(test.ask("POST", &token, "/v1/search", "{}", &[("Content-Type", "text/plain")]).status, 415);
    assert_eq!(test.ask("POST", &token, "/v1/search", "{\"colour\":1}", &[("Content-Type", "application/json")]).status, 400);
    // A list is no question, nor a part of one, although its items could be taken for members.
    for body in ["[]", "[\"user_id=ann\"]", "{\"sequence\":[\"a b\",[\"user_id\"],5]}", "{\"where\":{\"user_id\":[[\"ann\"],[]]}}"] {
        assert_eq!(test.ask("POST", &token, "/v1/search", body, &[("Content-Type", "application/json")]).status, 400, "{body}");
    }
    assert_eq!(test.get("", "/v1/health").json()["status"], "ok");
    assert_eq!(test.get("", "/v1/openapi.json").json()["openapi"].as_str().map(|version| &version[..2]), Some("3."));
}
