//! The daemon on its socket: answers, duplicates, garbage, slow and many senders.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use sealtrail_engine::{note, status};
use sealtrail_intake::{Answer, Frame, Kind};
use serde_json::json;

use crate::kit::{answer, frame, home, prompt, send, send_raw};

/// Protects the promise of an answer: "sealed" comes with the number under which the event is in the ledger, with who sent it.
#[test]
fn answers_carry_the_number() {
    let test = home();
    let daemon = test.daemon();
    for n in 0..5 {
        let body = prompt("s", &format!("number {n}"));
        let Some(Answer::Sealed(seq)) = send(&test.home, &frame(n, &body), &body) else { panic!("not sealed") };
        let event = &test.events()[seq as usize];
        assert!(event["prompt"].as_str().unwrap().ends_with(&n.to_string()));
        assert_eq!((&event["uid"], &event["client_version"]), (&json!(rustix::process::getuid().as_raw()), &json!("2.1.329")));
        assert_eq!(event.get("late_ms"), None);
    }
    daemon.stop().unwrap();
    assert_eq!(test.events().last().unwrap()["event_type"], "ledger.stop");
}

/// Protects against sealing twice: a delivery that comes again gets its first number, also from the next daemon, also through the spool.
#[test]
fn duplicates_get_the_first_number() {
    let test = home();
    let daemon = test.daemon();
    let body = prompt("s", "once");
    let once = frame(1, &body);
    let first = send(&test.home, &once, &body);
    assert!(matches!(first, Some(Answer::Sealed(_))));
    assert_eq!(send(&test.home, &once, &body), first);
    test.spool(&[(once.clone(), body.clone())]);
    daemon.stop().unwrap();
    let daemon = test.daemon();
    assert_eq!(send(&test.home, &once, &body), first);
    daemon.stop().unwrap();
    assert_eq!((test.of_type("prompt.submitted").len(), test.spool_files()), (1, 0));
}

/// Protects many senders at once: everything that was answered is there exactly once.
#[test]
fn many_senders() {
    let test = home();
    let daemon = test.daemon();
    std::thread::scope(|scope| {
        for sender in 0..16 {
            let home = &test.home;
            scope.spawn(move || {
                for n in 0..25 {
                    let body = prompt(&format!("s{sender}"), &format!("{sender}/{n}"));
                    assert!(matches!(send(home, &frame(n, &body), &body), Some(Answer::Sealed(_))));
                }
            });
        }
    });
    daemon.stop().unwrap();
    let prompts = test.of_type("prompt.submitted");
    for sender in 0..16 {
        let own: Vec<_> =
            prompts.iter().filter(|event| event["session_id"] == format!("s{sender}")).map(|event| event["prompt"].clone()).collect();
        assert_eq!(own, (0..25).map(|n| json!(format!("{sender}/{n}"))).collect::<Vec<_>>());
    }
}

/// Protects the daemon from what is no frame: it is refused or ignored, and the next sender is served.
#[test]
fn garbage_is_refused() {
    let test = home();
    let daemon = test.daemon();
    let body = prompt("s", "x");
    let good = [frame(1, &body).header(), body.clone()].concat();
    assert_eq!(send_raw(test.home.path(), &[b'x'; 200]), Some(Answer::Discarded));
    assert_eq!(send_raw(test.home.path(), b"STH1"), None, "too short for a header");
    assert_eq!(send_raw(test.home.path(), &good[..good.len() - 1]), None, "a cut body is no delivery");
    assert_eq!(send_raw(test.home.path(), &Frame { body: u32::MAX, ..frame(1, &body) }.header()), Some(Answer::Discarded));
    assert_eq!(send_raw(test.home.path(), b""), None);
    let mut unknown = good.clone();
    unknown[6] = 99;
    assert_eq!(send_raw(test.home.path(), &unknown), Some(Answer::Discarded));
    assert!(matches!(send_raw(test.home.path(), &good), Some(Answer::Sealed(_))));
    daemon.stop().unwrap();
    assert_eq!(test.of_type("prompt.submitted").len(), 1);
}

/// Protects what cannot be understood: a body that is no JSON, and one of which the rest was dropped, are sealed and told as such.
#[test]
fn unparsed_and_cut_bodies_are_sealed() {
    let test = home();
    let daemon = test.daemon();
    let body = b"{\"session_id\": no JSON".to_vec();
    assert!(matches!(send(&test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))));
    let cut = Frame { seen: 99_999_999, ..frame(2, &body) };
    assert!(matches!(send(&test.home, &cut, &body), Some(Answer::Sealed(_))));
    daemon.stop().unwrap();
    let unparsed = test.of_type("system.unparsed");
    assert_eq!(unparsed.len(), 2);
    assert_eq!(unparsed[1]["input_cut"], json!({ "bytes_seen": 99_999_999, "bytes_kept": body.len() }));
}

/// Protects everybody from slow senders: while some send nothing and some send a byte now and then, others are answered at once.
#[test]
fn slow_senders_stall_nobody() {
    let test = home();
    let daemon = test.daemon();
    let header = frame(1, b"xx").header();
    let mut slow: Vec<UnixStream> = (0..40).map(|_| UnixStream::connect(test.home.socket()).unwrap()).collect();
    for (n, stream) in slow.iter_mut().enumerate() {
        stream.write_all(&header[..n % 40]).unwrap();
    }
    let before = Instant::now();
    let body = prompt("s", "quick");
    assert!(matches!(send(&test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))));
    assert!(before.elapsed() < Duration::from_millis(1500), "{:?}", before.elapsed());
    // The daemon gives up on each of them within its limit.
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(answer(&mut stream), None);
    }
    daemon.stop().unwrap();
}

/// Protects memory and threads: beyond the limit of connections, senders are sent back to their spool; when others leave, they are served.
#[test]
fn too_many_senders_are_sent_back() {
    let test = home();
    let daemon = test.daemon();
    let idle: Vec<UnixStream> = (0..256).map(|_| UnixStream::connect(test.home.socket()).unwrap()).collect();
    let body = prompt("s", "x");
    assert!(matches!(send(&test.home, &frame(1, &body), &body), Some(Answer::Retry) | None));
    drop(idle);
    let before = Instant::now();
    while !matches!(send(&test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))) {
        assert!(before.elapsed() < Duration::from_secs(5));
    }
    daemon.stop().unwrap();
}

/// Protects commands that talk to the daemon: a note is sealed under the caller's name, the state is told, and without a daemon that is said.
#[test]
fn notes_and_status() {
    let test = home();
    assert_eq!(status(&test.home).unwrap(), None);
    assert!(note(&test.home, &json!({})).is_err());
    let daemon = test.daemon();
    let seq = note(&test.home, &json!({ "event_type": "system.audit_log_accessed", "query": "x" })).unwrap();
    assert_eq!(test.events()[seq as usize]["uid"], rustix::process::getuid().as_raw());
    let told = status(&test.home).unwrap().unwrap();
    assert_eq!((told.pid, told.size, told.full, told.enabled), (std::process::id(), seq + 1, false, true));
    assert!(told.last_seal_unix_ns >= told.started_unix_ns);
    let refused = note(&test.home, &json!([1, 2])).unwrap_err();
    assert!(refused.to_string().contains("JSON object"), "{refused}");
    let forged = json!({ "event_type": "ledger.erase", "ledger": { "ranges": [[0, 9]] } });
    if let Ok(seq) = note(&test.home, &forged) {
        assert_ne!(test.events()[seq as usize]["event_type"], "ledger.erase", "only the ledger says such things");
    }
    daemon.stop().unwrap();
}

/// Protects an operator's switch: off means that nothing is captured, and that this was switched off is in the trail; a bad file changes nothing.
#[test]
fn reload_switches_off_and_on() {
    let test = home();
    let daemon = test.daemon();
    let body = prompt("s", "x");
    test.configure("audit:\n  enabled: false\n");
    daemon.reload();
    assert_eq!(send(&test.home, &frame(1, &body), &body), Some(Answer::Discarded));
    let conf = std::fs::read_to_string(test.home.run().join("hook.conf")).unwrap();
    assert!(conf.starts_with("enabled=false\n"), "{conf}");
    test.configure("audit:\n  enabledd: true\n");
    daemon.reload();
    assert_eq!(send(&test.home, &frame(1, &body), &body), Some(Answer::Discarded), "a bad file changes nothing");
    test.configure("audit:\n  enabled: true\n  fail_mode: {tool_invocation: block}\n");
    daemon.reload();
    assert!(matches!(send(&test.home, &frame(1, &body), &body), Some(Answer::Sealed(_))));
    daemon.stop().unwrap();
    let told: Vec<_> = test.events().into_iter().filter(|event| event["config"].is_object()).collect();
    let types: Vec<_> = told.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["system.config_changed", "system.config_changed", "system.config_rejected", "system.config_changed"]);
    assert_eq!((&told[1]["config"]["values"]["audit"]["enabled"], &told[1]["severity"]), (&json!(false), &json!("high")));
    assert!(std::fs::read_to_string(test.home.run().join("hook.conf")).unwrap().contains("fail.tool_invocation=block"));
}

/// Protects the spool while a daemon runs: it is drained without a restart.
#[test]
fn running_daemon_drains_the_spool() {
    let test = home();
    let daemon = test.daemon();
    let body = prompt("s", "late");
    test.spool(&[(frame(1, &body), body)]);
    let before = Instant::now();
    while test.spool_files() > 0 {
        assert!(before.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
    assert_eq!(test.of_type("prompt.submitted").len(), 1);
    daemon.stop().unwrap();
}

/// Protects against a kind that only the owner may use being taken from a frame of the wrong kind.
#[test]
fn status_frames_have_no_effect() {
    let test = home();
    let daemon = test.daemon();
    let ask = Frame { kind: Kind::Status, ..frame(1, b"") };
    assert!(matches!(send(&test.home, &ask, b""), Some(Answer::Status(_))));
    let size = test.events().len();
    assert!(matches!(send(&test.home, &ask, b""), Some(Answer::Status(_))));
    assert_eq!(test.events().len(), size);
    daemon.stop().unwrap();
}
