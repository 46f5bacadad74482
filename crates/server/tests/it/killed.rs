//! The whole process killed while it takes events in; it runs as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};
use sealtrail_ledger::read::Reader;
use sealtrail_server::{NewToken, Scope, Server, ServerOptions, Tokens};
use serde_json::json;

use crate::collector::statuses;
use crate::kit::Response;

const KILLS: usize = 6;
const BATCH: usize = 20;

/// Not a test of its own: what the child process does.
#[test]
fn child_server() {
    let Some(home) = std::env::var_os("SEALTRAIL_TEST_SERVER") else { return };
    let daemon = Daemon::start(&Home::new(home.clone()), DaemonOptions::default()).unwrap();
    let options = ServerOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServerOptions::default() };
    let server = Server::start(daemon.handle(), options).unwrap();
    eprintln!("listens on {}", server.address());
    daemon.run().unwrap();
}

fn serve(home: &Home, limit: &str) -> (Child, SocketAddr) {
    let own = std::env::current_exe().unwrap();
    let script = format!("trap '' XFSZ; {limit} exec \"$0\" --exact killed::child_server --nocapture");
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(own).env("SEALTRAIL_TEST_SERVER", home.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listens on ").and_then(|address| address.parse().ok()));
    (child, address.unwrap())
}

/// Sends batch `n`; returns its answer if one came.
fn send(address: SocketAddr, key: &str, n: usize) -> Option<Response> {
    let events: Vec<_> = (0..BATCH).map(|i| json!({"audit_id": format!("evt_{n}_{i}"), "event_type": "tool.invocation"})).collect();
    post(address, key, &json!(events))
}

fn post(address: SocketAddr, key: &str, body: &serde_json::Value) -> Option<Response> {
    post_to(address, key, "/v1/events", body.to_string())
}

fn post_to(address: SocketAddr, key: &str, path: &str, body: String) -> Option<Response> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    Response::read(stream).filter(|answer| answer.whole)
}

fn home(folder: &tempfile::TempDir) -> (Home, String) {
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let new = NewToken { name: "w".into(), scope: Scope::Write, filter: None, content: true, expires: None, application_id: None };
    let key = Tokens::of(&home).create(new, jiff::Timestamp::now()).unwrap();
    (home, key)
}

/// Protects the promise under kill -9: every event that was acknowledged is in the ledger at the place of its receipt, a batch without an answer may come
/// again, nothing is there twice, and the ledger verifies.
#[test]
fn acknowledged_events_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (home, key) = home(&folder);
    let mut acknowledged = Vec::new();
    let mut n = 0;
    for kill in 0..KILLS {
        let (mut child, address) = serve(&home, "");
        let deadline = Instant::now() + Duration::from_millis(60 + 40 * kill as u64);
        let pid = child.id();
        let killer = std::thread::spawn(move || {
            while Instant::now() < deadline {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        });
        // The batch that got no answer is the first of the next process.
        while let Some(answer) = send(address, &key, n) {
            assert_eq!(answer.status, 200, "{} {}", pid, answer.body);
            acknowledged.extend(answer.json()["results"].as_array().unwrap().clone());
            n += 1;
        }
        killer.join().unwrap();
    }
    assert!(n > KILLS, "only {n} batches");
    let events = reopened(&home);
    for fate in &acknowledged {
        let seq = fate["receipt"]["seq"].as_u64().or(fate["seq"].as_u64()).unwrap();
        assert_eq!(events[seq as usize]["audit_id"], fate["audit_id"]);
    }
    let mut ids: Vec<_> =
        events.iter().filter(|event| event["event_type"] == "tool.invocation").map(|e| e["audit_id"].to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "nothing is there twice");
    assert!(all >= n * BATCH && all <= (n + 1) * BATCH);
}

/// Opens the trail once more and returns every event.
fn reopened(home: &Home) -> Vec<serde_json::Value> {
    Daemon::start(home, DaemonOptions::default()).unwrap().stop().unwrap();
    let reader = Reader::open(std::sync::Arc::new(sealtrail_disk::RealDisk), &home.ledger()).unwrap();
    reader.iter(sealtrail_tlog::Seq(0)).map(|stored| stored.unwrap().view()).collect()
}

/// Protects what telemetry showed to be missing: a server that is killed before it tells a gap tells it after its next start, once, and not when the rest came
/// after all.
#[test]
fn a_gap_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (home, key) = home(&folder);
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/claude-code/otlp");
    let export = |address, part: usize| {
        let body = std::fs::read_to_string(format!("{fixtures}/api-errors.logs.0{part}.json")).unwrap();
        assert_eq!(post_to(address, &key, "/v1/logs", body).unwrap().status, 200);
    };
    let gaps = || reopened(&home).into_iter().filter(|event| event["event_type"] == "system.witness_gap").collect::<Vec<_>>();
    let killed = |parts: &[usize]| {
        let (mut child, address) = serve(&home, "");
        parts.iter().for_each(|part| export(address, *part));
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let stopped = |parts: &[usize]| {
        let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
        let options = ServerOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServerOptions::default() };
        let server = Server::start(daemon.handle(), options).unwrap();
        parts.iter().for_each(|part| export(server.address(), *part));
        server.stop();
        daemon.stop().unwrap();
    };
    killed(&[1, 3, 5]);
    assert!(gaps().is_empty());
    // Killed once more, after one of the two holes was filled.
    killed(&[2]);
    stopped(&[]);
    let told = gaps();
    assert_eq!(told.len(), 1, "{told:?}");
    stopped(&[]);
    assert_eq!(gaps(), told);
}

/// Protects senders when the disk is full: they are told so, and to come again, and when, each time and also while the daemon tries again; what was
/// acknowledged before is there.
#[test]
fn a_full_disk_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (home, key) = home(&folder);
    // A limit on file sizes stands in for a full disk: the 16 MiB of the first WAL fit, growing it does not.
    let (mut child, address) = serve(&home, "ulimit -S -f 16500;");
    let filler = "x".repeat(1_000_000);
    let event =
        |n: usize| json!({"audit_id": format!("evt_{n}"), "event_type": "tool.invocation", "tool_response": format!("{n} {filler}")});
    let mut sealed = 0;
    let told = |answer: &Response| {
        assert_eq!((answer.status, statuses(answer)), (503, vec!["later".to_owned()]), "{}", answer.body);
        assert_eq!((answer.headers["retry-after"].as_str(), answer.json()["reason"].as_str()), ("10", Some("disk-full")));
    };
    loop {
        let answer = post(address, &key, &event(sealed)).unwrap();
        if answer.status != 200 {
            break told(&answer);
        }
        sealed += 1;
        assert!(sealed < 40, "the limit does not hold");
    }
    // The daemon tries again every second: also then nobody hears that he sends too much.
    let (begun, mut asked) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(2_500) {
        told(&post(address, &key, &event(sealed)).unwrap());
        asked += 1;
    }
    assert!(asked > 5, "{asked}");
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = reopened(&home).iter().filter(|event| event["event_type"] == "tool.invocation").count();
    assert!(sealed > 5 && kept == sealed, "{kept} of {sealed}");
}
