//! What the gateway adds to a call: beside the same call without it, through a bare proxy of the same library, and beside one sync of the disk.

mod api;
mod bare;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::daemon::new_home;
use super::stats::{Samples, us};
use api::Api;

/// 300 rounds: p99 is then the third worst.
const ROUNDS: usize = 300;
const WARM_UP: usize = 20;

/// 200 streams at once, as the target says.
const STREAMS: usize = 200;

/// 60 s for anything that should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One way to the API.
struct Way {
    name: &'static str,
    stream: TcpStream,
    first: Vec<u64>,
    whole: Vec<u64>,
}

/// Measures and prints; `bin` is the folder of the release binaries.
pub(crate) fn run(bin: &Path, scratch: &Path) -> Result<(), String> {
    let api = Api::start()?;
    let bare = bare::start(api.address)?;
    let hashes = Gateway::start(bin, &scratch.join("hashes"), api.address, "none")?;
    let content = Gateway::start(bin, &scratch.join("content"), api.address, "redacted")?;
    let mut ways = Vec::new();
    for (name, address) in [
        ("direct", api.address),
        ("bare hyper proxy", bare),
        ("sealtrail gateway, hashes only", hashes.address),
        ("sealtrail gateway, redacted content", content.address),
    ] {
        ways.push(Way { name, stream: connect(address)?, first: Vec::new(), whole: Vec::new() });
    }
    let mut synced = Vec::new();
    let mut file = File::create(scratch.join("bound")).map_err(|error| format!("cannot make the file of the bound: {error}"))?;
    let mut bytes = 0;
    for round in 0..WARM_UP + ROUNDS {
        let request = request(round, false);
        bytes = request.len();
        for way in &mut ways {
            let (first, whole) = ask(&mut way.stream, &request)?;
            if round >= WARM_UP {
                way.first.push(first);
                way.whole.push(whole);
            }
        }
        synced.push(sync(&mut file)?);
    }
    report(&ways, synced, bytes);
    drop(ways);
    memory(&hashes)
}

fn report(ways: &[Way], synced: Vec<u64>, bytes: usize) {
    println!(
        "one call on a kept connection: request of {bytes} bytes with 21 messages, 20 of them sent before; answer of {} events; {ROUNDS} rounds in turn",
        api::EVENTS
    );
    println!("{:<40} {:>13} {:>13} {:>13} {:>13} {:>16}", "", "first p50", "first p99", "whole p50", "whole p99", "first p50 added");
    let direct = Samples::new(ways[0].first.clone()).p50();
    for way in ways {
        let (first, whole) = (Samples::new(way.first.clone()), Samples::new(way.whole.clone()));
        let added = first.p50().saturating_sub(direct);
        println!(
            "{:<40} {:>13} {:>13} {:>13} {:>13} {:>16}",
            way.name,
            us(first.p50()),
            us(first.p99()),
            us(whole.p50()),
            us(whole.p99()),
            us(added)
        );
    }
    let synced = Samples::new(synced);
    println!(
        "bound: one write of 1 KiB and its fdatasync, p50 {}, p99 {}: the intent is durable before the request leaves",
        us(synced.p50()),
        us(synced.p99())
    );
    println!("target: added at most 1000 us at p50 (hashes only); the first byte is passed on before the API sends the second piece");
}

/// Holds many streams open and reads the memory of the gateway.
fn memory(gateway: &Gateway) -> Result<(), String> {
    let before = gateway.memory("VmRSS:")?;
    let mut streams = Vec::new();
    for n in 0..STREAMS {
        let mut stream = connect(gateway.address)?;
        stream.write_all(&request(n, true)).map_err(|error| format!("cannot send stream {n}: {error}"))?;
        streams.push(stream);
    }
    for stream in &mut streams {
        read_until(stream, |bytes| find(bytes, b"\r\n\r\n").is_some_and(|at| bytes.len() > at + 4))?;
    }
    let (held, peak) = (gateway.memory("VmRSS:")?, gateway.memory("VmHWM:")?);
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "memory with {STREAMS} streams open, each past its first piece: {:.1} MiB, at most {:.1} MiB; {:.1} MiB before them; target under 150 MB",
        mib(held),
        mib(peak),
        mib(before)
    );
    Ok(())
}

/// A gateway of its own process, stopped when dropped.
struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    fn start(bin: &Path, home: &Path, api: SocketAddr, content: &str) -> Result<Self, String> {
        let home = new_home(bin, home)?;
        let config = format!("audit:\n  gateway:\n    upstream: http://{api}\n    content: {content}\n");
        fs::write(home.join("audit.yaml"), config).map_err(|error| format!("cannot write the configuration: {error}"))?;
        let mut command = Command::new(bin.join("sealtrail"));
        command.arg("--home").arg(&home).args(["gateway", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start the gateway: {error}"))?;
        let said = BufReader::new(child.stderr.take().ok_or("the gateway has no standard error")?);
        for line in said.lines().map_while(Result::ok) {
            let address = line.rsplit_once("ANTHROPIC_BASE_URL=http://").and_then(|(_, address)| address.trim().parse().ok());
            if let Some(address) = address {
                return Ok(Self { child, address });
            }
        }
        Err("the gateway told no address".to_owned())
    }

    /// Returns a figure of the kernel's about the process, in KiB.
    fn memory(&self, name: &str) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).ok_or_else(|| format!("no {name} in {path}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Its own end is all that is wanted; one that is gone already needs no signal.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Makes a request as the real client's: a long system prompt, tools, a history, one new message.
fn request(round: usize, slow: bool) -> Vec<u8> {
    let text = |name: &str, length: usize| format!("{name} ").repeat(length / (name.len() + 1));
    let mut messages: Vec<serde_json::Value> = (0..20)
        .map(|n| serde_json::json!({"role": if n % 2 == 0 { "user" } else { "assistant" }, "content": text(&format!("message {n}"), 1000)}))
        .collect();
    messages.push(serde_json::json!({"role": "user", "content": format!("turn {round}")}));
    let tools: Vec<serde_json::Value> = (0..20)
        .map(|n| serde_json::json!({"name": format!("tool{n}"), "description": text("does", 800), "input_schema": {"type": "object"}}))
        .collect();
    let body = serde_json::json!({"model": "claude-bench-1", "max_tokens": 1024, "stream": true, "system": text("system", 14_000), "tools": tools, "messages": messages}).to_string();
    let pace = if slow { "x-bench-hold: yes\r\n" } else { "" };
    let head = format!(
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: bench\r\nX-Claude-Code-Session-Id: bench-{}\r\nx-api-key: bench\r\nContent-Type: application/json\r\n{pace}Content-Length: {}\r\n\r\n",
        if slow { round } else { 0 },
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Sends a request; returns the time to the first byte of the answer's body, and to its end.
fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<(u64, u64), String> {
    let begun = Instant::now();
    stream.write_all(request).map_err(|error| format!("cannot send a request: {error}"))?;
    let mut first = None;
    read_until(stream, |bytes| {
        if first.is_none() && find(bytes, b"\r\n\r\n").is_some_and(|at| bytes.len() > at + 4) {
            first = Some(nanos(begun));
        }
        bytes.ends_with(b"\r\n0\r\n\r\n")
    })?;
    Ok((first.unwrap_or_default(), nanos(begun)))
}

fn read_until(stream: &mut TcpStream, mut enough: impl FnMut(&[u8]) -> bool) -> Result<(), String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    while !enough(&bytes) {
        match stream.read(&mut piece) {
            Ok(0) => {
                return Err(format!(
                    "the answer ended after {} bytes: {}",
                    bytes.len(),
                    String::from_utf8_lossy(&bytes[..bytes.len().min(300)])
                ));
            }
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
            Err(error) => return Err(format!("cannot read an answer: {error}")),
        }
    }
    Ok(())
}

fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(address).map_err(|error| format!("cannot connect to {address}: {error}"))?;
    let made = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
    made.map_err(|error| format!("cannot set up a connection: {error}"))?;
    Ok(stream)
}

fn sync(file: &mut File) -> Result<u64, String> {
    let begun = Instant::now();
    file.write_all(&[b'x'; 1024]).and_then(|()| file.sync_data()).map_err(|error| format!("cannot sync: {error}"))?;
    Ok(nanos(begun))
}

fn nanos(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}
