//! What goes wrong, as the caller sees it.

use std::time::Duration;

use sealtrail_client::{AuditTrailClient, ClientError, Config, EVENTS_MAX, Question, Status};
use serde_json::json;

use crate::kit::start;

/// Protects whoever mends a question: the server's own words come through, with the place in the query and the hint.
#[test]
fn problems_come_through() {
    let test = start();
    let reader = test.reader();
    let Err(ClientError::Refused { problem, retry_after, .. }) = reader.search(&Question::new().query("usr_id=ann")) else { panic!() };
    assert_eq!((problem.status, problem.position, retry_after), (400, Some(0), None));
    assert!(problem.hint.unwrap().contains("user_id"));
    let missing = sealtrail_event::AuditId::parse("evt_missing").unwrap();
    let Err(ClientError::Refused { problem, .. }) = reader.get(&missing, false) else { panic!() };
    assert_eq!((problem.status, problem.kind.as_str()), (404, "urn:sealtrail:problem:missing"));
    let Err(ClientError::Kind { found, .. }) = reader.report(&Question::new()) else { panic!() };
    assert_eq!(found, "a list of events");
    let Err(ClientError::Refused { problem, .. }) = test.writer().search(&Question::new()) else { panic!() };
    assert_eq!(problem.status, 403);
    let Err(ClientError::Refused { problem, .. }) = reader.submit(&[json!({"event_type": "x"})]) else { panic!() };
    assert_eq!(problem.status, 403);
}

/// Protects whoever hands events in: what is not sealed is told as such, with the reason and when to come again; too many are not sent at all.
#[test]
fn what_is_not_sealed_is_told() {
    let mut test = start();
    let writer = test.writer();
    let events = vec![json!({"event_type": "tool.invocation"}); EVENTS_MAX + 1];
    assert!(matches!(writer.submit(&events), Err(ClientError::TooMany { .. })));
    let mixed = writer.submit(&[json!({"event_type": "tool.invocation"}), json!(5)]).unwrap();
    assert_eq!(mixed.results.iter().map(|fate| fate.status).collect::<Vec<_>>(), [Status::Sealed, Status::Rejected]);
    test.stop_daemon();
    let later = writer.submit(&events[..2]).unwrap();
    assert_eq!((later.later, later.reason.as_deref(), later.retry_after), (2, Some("stopping"), Some(Duration::from_secs(10))));
}

/// Protects the secret, and whoever waits: it is in no error and no `Debug`; an address that is none and a server that is gone are told at once.
#[test]
fn the_secret_stays_inside() {
    let config = Config::new("http://127.0.0.1:9", "stk_hidden");
    assert!(!format!("{config:?}").contains("hidden"));
    let client = AuditTrailClient::new(config).unwrap();
    let error = client.checkpoint().unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(!format!("{client:?} {error:?}").contains("hidden"));
    for url in ["", "ftp://x", "not a url", "127.0.0.1:8787"] {
        assert!(matches!(AuditTrailClient::new(Config::new(url, "x")), Err(ClientError::Url { .. })), "{url}");
    }
    assert!(matches!(AuditTrailClient::new(Config::new("http://x", "a\nb")), Err(ClientError::Secret)));
}
