//! Questions and deliveries, answered by the real server.

use sealtrail_client::{Order, Question, Status};
use sealtrail_event::Outcome;
use serde_json::{Value, json};

use crate::kit::{fixtures, start};

fn logins(count: u64) -> Vec<Value> {
    let login = |n: u64| {
        json!({"audit_id": format!("evt_{n}"), "event_type": "auth.user_login", "status": if n % 3 == 2 { "success" } else { "fail" },
            "user_id": format!("u{}", n % 3 / 2), "timestamp": format!("2026-03-16T10:{:02}:{:02}Z", n / 60, n % 60)})
    };
    (0..count).map(login).collect()
}

/// Protects the way in: each event has its receipt, in order, and one that comes again is known and not sealed twice.
#[test]
fn events_are_handed_in_once() {
    let test = start();
    let writer = test.writer();
    let first = writer.submit(&logins(3)).unwrap();
    assert_eq!((first.sealed, first.later, first.retry_after), (3, 0, None));
    let again = writer.submit(&logins(4)).unwrap();
    let statuses: Vec<Status> = again.results.iter().map(|fate| fate.status).collect();
    assert_eq!(statuses, [Status::Known, Status::Known, Status::Known, Status::Sealed]);
    assert_eq!(again.results[0].seq, first.results[0].receipt.as_ref().map(|receipt| receipt.seq));
}

/// Protects the questions of the articles, asked in Rust (API-01, API-02): conditions, exclusions, times, orders, fields, pages.
#[test]
fn questions_are_answered() {
    let test = start();
    test.writer().submit(&logins(250)).unwrap();
    let reader = test.reader();
    let failed = Question::new().is("event_type", "auth.user_login").none_of("status", ["success"]).since("2026-03-01").limit(1_000);
    let found = reader.query(&failed).unwrap();
    assert_eq!(found.len(), 167);
    assert!(found.iter().all(|event| event.outcome() == Some(Outcome::Failure)), "{:?}", found[0]);
    let by_time = failed.clone().order_by("timestamp asc").fields(&["audit_id", "timestamp"]).limit(40);
    let all: Vec<_> = reader.iterate(by_time.clone()).collect::<Result<_, _>>().unwrap();
    assert_eq!((all.len(), reader.query(&by_time).unwrap().len()), (167, 40));
    assert!(all.windows(2).all(|two| two[0].text("timestamp") <= two[1].text("timestamp")));
    assert_eq!(all[0].audit_id().unwrap().as_str(), "evt_0");
    let oldest = reader.query(&failed.clone().order(Order::Oldest).limit(1)).unwrap();
    assert_eq!(oldest[0].text("audit_id"), Some("evt_0"));
    let mut pages = reader.iterate(failed.limit(100));
    assert_eq!(pages.cursor(), None);
    pages.next().unwrap().unwrap();
    assert!(pages.cursor().is_some());
}

/// Protects reports and sequences: tables and matches come as such.
#[test]
fn reports_and_sequences_are_answered() {
    let test = start();
    test.writer().submit(&logins(30)).unwrap();
    let reader = test.reader();
    let table = reader.report(&Question::new().query("event_type=auth.* | count by user_id")).unwrap();
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["user_id", "count"]);
    assert!(table.rows.contains(&vec![json!("u1"), json!(10)]), "{:?}", table.rows);
    let steps = "auth.user_login[status=fail] auth.user_login[status=fail]";
    let matches = reader.matches(&Question::new().sequence(steps, &["user_id"], Some(300))).unwrap();
    assert!(matches.matches.iter().all(|one| one.events.len() == 2 && one.audit_ids.len() == 2));
    assert!(!matches.matches.is_empty());
}

/// Protects proofs and chains: an event comes with a seal that verifies against the checkpoint's key, and chains, runs and sessions are told.
#[test]
fn one_event_is_proved_and_explained() {
    let test = start();
    let sealed = test.writer().submit(&fixtures()).unwrap();
    assert_eq!(sealed.sealed as usize, fixtures().len());
    let reader = test.reader();
    let events: Vec<_> = reader.iterate(Question::new()).collect::<Result<_, _>>().unwrap();
    let run = events.iter().find(|event| event.text("execution_id") == Some("exec_xyz789abc123")).unwrap();
    let id = run.audit_id().unwrap();
    let proved = reader.get(&id, true).unwrap();
    let checked = sealtrail_ledger::prove::verify_sealed(proved.seal().unwrap(), None).unwrap();
    assert_eq!(checked.view["audit_id"], id.as_str());
    assert!(reader.checkpoint().unwrap().size > 0);
    assert_eq!(reader.chain(&id).unwrap().audit_id, id.as_str());
    let execution = reader.execution_chain("exec_xyz789abc123").unwrap();
    assert!(!execution.steps.is_empty() && !execution.custody.leaves.is_empty());
    let session = events.iter().find_map(|event| event.text("session_id")).unwrap();
    assert_eq!(reader.session(session).unwrap().session_id, session);
}
