//! The whole process killed while it takes events in; it runs as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};
use sealtrail_ledger::read::Reader;
use sealtrail_server::{NewToken, Scope, Server, ServerOptions, Tokens};
use serde_json::json;

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

fn serve(home: &Home) -> (Child, SocketAddr) {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own);
    command.args(["--exact", "killed::child_server", "--nocapture"]).env("SEALTRAIL_TEST_SERVER", home.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listens on ").and_then(|address| address.parse().ok()));
    (child, address.unwrap())
}

/// Sends batch `n`; returns its answer if one came.
fn send(address: SocketAddr, key: &str, n: usize) -> Option<Response> {
    let events: Vec<_> = (0..BATCH).map(|i| json!({"audit_id": format!("evt_{n}_{i}"), "event_type": "tool.invocation"})).collect();
    let body = json!(events).to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    Response::read(stream).filter(|answer| answer.whole)
}

/// Protects the promise under kill -9: every event that was acknowledged is in the ledger at the place of its receipt, a batch without an answer may come
/// again, nothing is there twice, and the ledger verifies.
#[test]
fn acknowledged_events_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let new = NewToken { name: "w".into(), scope: Scope::Write, filter: None, content: true, expires: None, application_id: None };
    let key = Tokens::of(&home).create(new, jiff::Timestamp::now()).unwrap();
    let mut acknowledged = Vec::new();
    let mut n = 0;
    for kill in 0..KILLS {
        let (mut child, address) = serve(&home);
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
    let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
    daemon.stop().unwrap();
    let reader = Reader::open(std::sync::Arc::new(sealtrail_disk::RealDisk), &home.ledger()).unwrap();
    let events: Vec<_> = reader.iter(sealtrail_tlog::Seq(0)).map(|stored| stored.unwrap().view()).collect();
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
