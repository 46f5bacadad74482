//! Clients that are killed while the daemon runs.

use std::time::{Duration, Instant};

use sealtrail_intake::{Answer, Frame};
use serde_json::json;

use crate::kit::{frame, home, long_process, pre, send};

/// Protects the end of a session whose client was killed: the running daemon notices, and says so once.
#[test]
fn killed_client_is_noticed() {
    let test = home();
    let daemon = test.daemon();
    let mut client = long_process();
    let body = pre("s", "toolu_1");
    let frame = Frame { client_pid: client.id(), ..frame(1, &body) };
    assert!(matches!(send(&test.home, &frame, &body), Some(Answer::Sealed(_))));
    client.kill().unwrap();
    client.wait().unwrap();
    let before = Instant::now();
    while test.of_type("session.ended").is_empty() {
        assert!(before.elapsed() < Duration::from_secs(15));
        std::thread::yield_now();
    }
    daemon.stop().unwrap();
    let ended = test.of_type("session.ended");
    assert_eq!((ended.len(), &ended[0]["end_reason"]), (1, &json!("crashed")));
    let unknown: Vec<_> = test.events().into_iter().filter(|event| event["outcome"] == "unknown").collect();
    assert_eq!((unknown.len(), &unknown[0]["tool_use_id"]), (1, &json!("toolu_1")));
}

/// Protects the same when the daemon is stopped right after the client was killed: its last round does not wait for a second look.
#[test]
fn killed_client_is_noticed_at_the_stop() {
    let test = home();
    let daemon = test.daemon();
    let mut client = long_process();
    let body = pre("s", "toolu_1");
    let frame = Frame { client_pid: client.id(), ..frame(1, &body) };
    assert!(matches!(send(&test.home, &frame, &body), Some(Answer::Sealed(_))));
    client.kill().unwrap();
    client.wait().unwrap();
    daemon.stop().unwrap();
    assert_eq!(test.of_type("session.ended")[0]["end_reason"], "crashed");
}

/// Protects living clients, and clients in another pid namespace whose numbers mean nothing here: their sessions stay open.
#[test]
fn living_and_foreign_clients_are_left_alone() {
    let test = home();
    let daemon = test.daemon();
    let mut client = long_process();
    let (living, foreign) = (pre("living", "toolu_1"), pre("foreign", "toolu_2"));
    let own = Frame { client_pid: client.id(), ..frame(1, &living) };
    assert!(matches!(send(&test.home, &own, &living), Some(Answer::Sealed(_))));
    // The sender says that it is another process than the kernel says: its numbers are of another namespace.
    let other = Frame { client_pid: 3_999_999, pid: 7, ..frame(2, &foreign) };
    assert!(matches!(send(&test.home, &other, &foreign), Some(Answer::Sealed(_))));
    daemon.stop().unwrap();
    assert!(test.of_type("session.ended").is_empty());
    client.kill().unwrap();
    client.wait().unwrap();
}
