//! The daemon killed at any moment, and the daemon on a full disk; it runs as a process of its own.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use sealtrail_disk::RealDisk;
use sealtrail_engine::{Daemon, DaemonOptions, Home, status};
use sealtrail_intake::{Answer, Frame};
use serde_json::json;

use crate::kit::{events, frame, home, prompt, send};

const KILLS: usize = 15;
const SENDERS: usize = 8;

/// Not a test of its own: what the child process does.
#[test]
fn child_daemon() {
    if let Some(home) = std::env::var_os("SEALTRAIL_TEST_DAEMON") {
        Daemon::start(&Home::new(home), DaemonOptions::default()).unwrap().run().unwrap();
    }
}

fn start(home: &Home, limit: &str) -> Child {
    let own = std::env::current_exe().unwrap();
    let script = format!("trap '' XFSZ; {limit} exec \"$0\" --exact crash::child_daemon");
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(own).env("SEALTRAIL_TEST_DAEMON", home.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let before = Instant::now();
    while !matches!(status(home), Ok(Some(_))) {
        assert!(before.elapsed() < Duration::from_secs(30), "the daemon does not start");
        std::thread::yield_now();
    }
    child
}

/// Protects the promise under kill -9: whatever was answered "sealed" is in the ledger under its number, nothing is there twice, and the ledger verifies.
#[test]
fn killed_daemon_keeps_what_it_acknowledged() {
    let test = home();
    let acknowledged: Mutex<HashMap<String, u64>> = Mutex::new(HashMap::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (home, acknowledged, over) = (&test.home, &acknowledged, &over);
            scope.spawn(move || {
                let mut n = 0;
                while !over.load(Ordering::Relaxed) {
                    let text = format!("{sender}/{n}");
                    let body = prompt(&format!("s{sender}"), &text);
                    let delivery = frame(n, &body);
                    // The same delivery again and again until it is acknowledged, as a hook and its spool would do.
                    while !over.load(Ordering::Relaxed) {
                        if let Some(Answer::Sealed(seq)) = send(home, &delivery, &body) {
                            acknowledged.lock().unwrap().insert(text, seq);
                            break;
                        }
                    }
                    n += 1;
                }
            });
        }
        for kill in 0..KILLS {
            let mut child = start(&test.home, "");
            let before = acknowledged.lock().unwrap().len();
            let began = Instant::now();
            // At different moments, but always after some were acknowledged.
            while acknowledged.lock().unwrap().len() < before + 3 + kill * 5 && began.elapsed() < Duration::from_secs(10) {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    test.daemon().stop().unwrap();
    let events = test.events();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > KILLS * 3, "{}", acknowledged.len());
    for (text, seq) in &acknowledged {
        assert_eq!(events[*seq as usize]["prompt"], json!(text), "number {seq}");
    }
    let mut texts: Vec<_> = events.iter().filter_map(|event| event["prompt"].as_str()).collect();
    let all = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), all, "something is there twice");
    let disk: std::sync::Arc<dyn sealtrail_disk::Disk> = std::sync::Arc::new(RealDisk);
    let mut told = |_: sealtrail_ledger::verify::Progress| {};
    let report = sealtrail_ledger::verify::verify(&disk, &test.home.ledger(), &Default::default(), &mut told).unwrap();
    assert!(report.findings.iter().all(|finding| finding.severity < sealtrail_ledger::report::Severity::Fail), "{:#?}", report.findings);
}

/// Protects a full disk: nothing is acknowledged that is not sealed, senders are sent back, the ledger says what happened from its reserve, and goes on
/// when there is room again.
#[test]
fn full_disk_sends_back_and_recovers() {
    let test = home();
    // A limit on file sizes stands in for a full disk: the 16 MiB of the first WAL fit, growing it does not.
    let mut child = start(&test.home, "ulimit -S -f 16500;");
    let filler = "x".repeat(1_000_000);
    let mut sealed = Vec::new();
    let refused = loop {
        let body = prompt("s", &format!("{} {filler}", sealed.len()));
        let delivery = frame(1, &body);
        match send(&test.home, &delivery, &body) {
            Some(Answer::Sealed(seq)) => sealed.push(seq),
            other => break (other, delivery, body),
        }
        assert!(sealed.len() < 40, "the limit does not hold");
    };
    assert_eq!(refused.0, Some(Answer::Retry));
    assert!(sealed.len() > 5);
    let before = Instant::now();
    while !events(&test.home).iter().any(|event| event["event_type"] == "ledger.gap") {
        assert!(before.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
    let small = prompt("s", "small");
    let _either = send(&test.home, &frame(3, &small), &small);
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    let before = Instant::now();
    while !matches!(send(&test.home, &Frame { ..refused.1.clone() }, &refused.2), Some(Answer::Sealed(_))) {
        assert!(before.elapsed() < Duration::from_secs(10), "it does not recover");
        std::thread::yield_now();
    }
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let events = test.events();
    let prompts: Vec<_> = events.iter().filter_map(|event| event["prompt"].as_str()).filter(|text| text.len() > 100).collect();
    assert_eq!(prompts.len(), sealed.len() + 1);
    let gaps: Vec<_> = events.iter().filter(|event| event["event_type"] == "ledger.gap").collect();
    assert_eq!((gaps.len(), &gaps[0]["ledger"]["cause"]), (1, &json!("disk_full")));
    assert_eq!(events.last().unwrap()["event_type"], "ledger.stop");
}
