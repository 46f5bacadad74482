//! Events over HTTP, durable before the answer: beside the ledger in one process, beside PostgreSQL, and a hook beside the least that a server can do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use sealtrail_event::{AuditId, Event};

use super::append::{create, nanos, stamp};
use super::daemon::new_home;
use super::load;
use super::postgres::Postgres;
use super::stats::{Samples, line, median_ratio};

/// As the target says.
const BATCH: usize = 100;
/// Clients that send at the same time, to us and to PostgreSQL alike.
const CLIENTS: usize = 4;
/// 25 batches of each client, 10,000 events: about a tenth of a second of a quiet disk.
const SLICE: usize = CLIENTS * 25 * BATCH;
/// Twelve slices of each, unless it is said otherwise, in turn, so that a slow moment of the machine hits all alike.
pub(crate) const SLICES: usize = 12;
const HOOKS: usize = 1_000;
const WARM_UP: usize = 50;

pub(crate) fn run(root: &Path, bin: &Path, scratch: &Path, slices: usize) -> Result<(), String> {
    let home = new_home(bin, &scratch.join("home"))?;
    let config = "audit:\n  collector:\n    requests_per_second: 1000000\n";
    std::fs::write(home.join("audit.yaml"), config).map_err(|error| format!("cannot write the configuration: {error}"))?;
    let key = key(bin, &home)?;
    let server = Serve::start(bin, &home)?;
    batches(&server, &key, scratch, slices)?;
    hooks(root, bin, &server, &key, scratch)
}

/// Batches of 100 from four clients.
fn batches(server: &Serve, key: &str, scratch: &Path, slices: usize) -> Result<(), String> {
    let mut ledger = create(&scratch.join("in-process"))?;
    let postgres = match Postgres::start(&scratch.join("postgres")) {
        Ok(postgres) => Some(postgres),
        Err(why) => {
            println!("PostgreSQL is not measured: {why}");
            None
        }
    };
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect(server.address)?);
    }
    let (mut ours, mut own, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for slice in 0..=slices {
        let events: Vec<Event> = (0..SLICE).map(|n| event((slice * SLICE + n) as u64)).collect();
        let bodies: Vec<String> = events.chunks(BATCH).map(body).collect();
        let http = over_http(&mut clients, key, &bodies)?;
        let start = Instant::now();
        for group in events.chunks(BATCH) {
            ledger.append(group, &stamp()).map_err(|error| format!("cannot append: {error}"))?;
        }
        let in_process = nanos(start);
        let other = postgres.as_ref().map(|postgres| postgres.insert(&events, BATCH, CLIENTS)).transpose()?;
        // The first slice warms everything up.
        if slice > 0 {
            ours.push(http);
            own.push(in_process);
            peer.extend(other);
        }
    }
    let rate = |samples: &[u64]| SLICE as f64 * 1e9 / Samples::new(samples.to_vec()).p50() as f64;
    let what = format!("events/s over HTTP, batches of {BATCH}, {CLIENTS} clients; ledger");
    line(&what, rate(&ours), rate(&own), "events/s", ">= 0.70 of the ledger in one process, one batch after the other");
    println!("{:<58} {:>12.2} x         median ratio of {slices} slices", "", 1.0 / median_ratio(&ours, &own));
    if !peer.is_empty() {
        let what = format!("events/s over HTTP, batches of {BATCH}, {CLIENTS} clients; PostgreSQL");
        line(&what, rate(&ours), rate(&peer), "events/s", ">= 5.00 x INSERT of as many rows, synchronous_commit on");
        println!("{:<58} {:>12.2} x         median ratio of {slices} slices", "", 1.0 / median_ratio(&ours, &peer));
    }
    Ok(())
}

/// Makes event number `n` with an id of now, as a sender has it: an id of another day would be looked for in the whole ledger.
fn event(n: u64) -> Event {
    let mut event = load::event(n);
    let now_ms = u64::try_from(stamp().unix_ns / 1_000_000).unwrap_or(0);
    let mut tail = [0; 10];
    tail[2..].copy_from_slice(&n.to_be_bytes());
    event.envelope.audit_id = AuditId::new(now_ms, tail);
    event
}

fn body(events: &[Event]) -> String {
    let events: Vec<_> = events.iter().map(Event::to_json).collect();
    serde_json::Value::from(events).to_string()
}

/// Sends all bodies, shared among the clients; returns how long it took until the last answer.
fn over_http(clients: &mut [Client], key: &str, bodies: &[String]) -> Result<u64, String> {
    let start = Instant::now();
    let sent: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let parts = clients.iter_mut().zip(bodies.chunks(bodies.len().div_ceil(CLIENTS)));
        let threads: Vec<_> = parts.map(|(client, part)| scope.spawn(move || client.all(key, part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a client panicked".to_owned()))).collect()
    });
    let took = nanos(start);
    sent.into_iter().collect::<Result<Vec<()>, String>>()?;
    Ok(took)
}

/// One hook at a time over a connection that stays open, ours and the bare server's in turn.
fn hooks(root: &Path, bin: &Path, server: &Serve, key: &str, scratch: &Path) -> Result<(), String> {
    let path = root.join("fixtures/claude-code/hooks/PostToolUse.Bash.json");
    let hook = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let bare = Bare::start(bin, &scratch.join("bare"))?;
    let (mut to_us, mut to_bare) = (Client::connect(server.address)?, Client::connect(bare.address)?);
    let (mut ours, mut bound) = (Vec::new(), Vec::new());
    for n in 0..WARM_UP + HOOKS {
        let start = Instant::now();
        to_us.post("/v1/hooks/claude-code", key, &hook)?;
        let took = nanos(start);
        let start = Instant::now();
        to_bare.post("/", key, &hook)?;
        if n >= WARM_UP {
            ours.push(took);
            bound.push(nanos(start));
        }
    }
    let ratio = median_ratio(&ours, &bound);
    let (ours, bound) = (Samples::new(ours), Samples::new(bound));
    let us = |ns: u64| ns as f64 / 1000.0;
    line("an HTTP hook, p50; a bare axum server that syncs", us(ours.p50()), us(bound.p50()), "us", "< 2.00");
    println!("{:<58} {ratio:>12.2} x         median ratio of {HOOKS} pairs", "");
    line("an HTTP hook, p99", us(ours.p99()), us(bound.p99()), "us", "(printed)");
    Ok(())
}

fn key(bin: &Path, home: &Path) -> Result<String, String> {
    let mut command = Command::new(bin.join("sealtrail"));
    command.arg("--home").arg(home).args(["token", "create", "--name", "bench", "--scope", "write"]);
    let output = command.output().map_err(|error| format!("cannot start sealtrail: {error}"))?;
    if !output.status.success() {
        return Err(format!("no key: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The collector, stopped when dropped.
struct Serve {
    child: Child,
    address: SocketAddr,
}

impl Serve {
    fn start(bin: &Path, home: &Path) -> Result<Self, String> {
        let mut command = Command::new(bin.join("sealtrail"));
        command.arg("--home").arg(home).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start the collector: {error}"))?;
        let said = child.stderr.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        let address = said.filter_map(|line| line.split_once("http://")?.1.split_once("/v1")?.0.parse().ok()).next();
        let address = address.ok_or("the collector does not say where it listens")?;
        Ok(Self { child, address })
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// The bare server, killed when dropped.
struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    fn start(bin: &Path, file: &PathBuf) -> Result<Self, String> {
        let child = Command::new(bin.join("bare")).arg(file).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot start the bare server: {error}"))?;
        let mut said = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).map_err(|error| format!("cannot read from the bare server: {error}"))?;
        }
        let address = said.trim().parse().map_err(|_| format!("the bare server says no address: {said:?}"))?;
        Ok(Self { child, address })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of a few lines: one connection that stays open, one request at a time.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        Ok(Self { stream: BufReader::new(stream.map_err(|error| format!("cannot connect to {address}: {error}"))?) })
    }

    fn all(&mut self, key: &str, bodies: &[String]) -> Result<(), String> {
        for body in bodies {
            let answer = self.post("/v1/events", key, body)?;
            if !answer.contains(&format!("\"sealed\":{BATCH}")) {
                return Err(format!("not all was sealed: {}", &answer[..answer.len().min(300)]));
            }
        }
        Ok(())
    }

    /// Posts a body and returns that of the answer, which must be 200.
    fn post(&mut self, path: &str, key: &str, body: &str) -> Result<String, String> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let broken = |error: std::io::Error| format!("the connection broke: {error}");
        // In one piece, as a real client sends it.
        self.stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).map_err(broken)?;
        let (mut status, mut length) = (String::new(), 0);
        self.stream.read_line(&mut status).map_err(broken)?;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header).map_err(broken)?;
            match header.trim_end().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap_or(0),
                Some(_) => {}
            }
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).map_err(broken)?;
        let body = String::from_utf8_lossy(&bytes).into_owned();
        if status.contains(" 200 ") { Ok(body) } else { Err(format!("{}: {body}", status.trim())) }
    }
}
