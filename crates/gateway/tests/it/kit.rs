//! What the tests share: an API that plays a script byte by byte, a trail in memory, and a client that writes and reads raw bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use sealtrail_config::Gateway as Config;
use sealtrail_engine::Ingested;
use sealtrail_event::Event;
use sealtrail_gateway::{Gateway, Options, Past, Seal};
use serde_json::Value;

/// Longer than anything here takes; a test that reaches it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// One step of the API's answer.
pub(crate) enum Step {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Wait until the test says go on.
    Wait(Receiver<()>),
}

/// What the API got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

type Play = Box<dyn Fn(usize, &Got) -> Vec<Step> + Send>;

/// A scripted API: each request is answered with the steps of the script, then the connection is closed.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    got: Arc<(Mutex<Vec<Got>>, Condvar)>,
}

impl Api {
    pub(crate) fn start(play: impl Fn(usize, &Got) -> Vec<Step> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got: Arc<(Mutex<Vec<Got>>, Condvar)> = Arc::default();
        let (own, play): (_, Play) = (Arc::clone(&got), Box::new(play));
        let play = Arc::new(Mutex::new(play));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (own, play) = (Arc::clone(&own), Arc::clone(&play));
                std::thread::spawn(move || serve(stream.unwrap(), &own, &play));
            }
        });
        Self { address, got }
    }

    /// An API that gives every request the same answer.
    pub(crate) fn answering(answer: Vec<u8>) -> Self {
        Self::start(move |_, _| vec![Step::Write(answer.clone())])
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.0.lock().unwrap().clone()
    }

    /// Waits for the first `n` requests.
    pub(crate) fn wait_for(&self, n: usize) -> Vec<Got> {
        let guard = self.got.0.lock().unwrap();
        let (guard, waited) = self.got.1.wait_timeout_while(guard, DEADLINE, |got| got.len() < n).unwrap();
        assert!(!waited.timed_out(), "the API got {} of {n} requests", guard.len());
        guard.clone()
    }
}

fn serve(mut stream: TcpStream, got: &(Mutex<Vec<Got>>, Condvar), play: &Mutex<Play>) {
    let Some(request) = read_message(&mut stream, false) else { return };
    let (head, body) = request;
    let one = Got { head, body };
    let n = {
        let mut all = got.0.lock().unwrap();
        all.push(one.clone());
        got.1.notify_all();
        all.len() - 1
    };
    let steps = play.lock().unwrap()(n, &one);
    for step in steps {
        match step {
            Step::Write(bytes) => {
                if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Step::Wait(go) => drop(go.recv_timeout(DEADLINE)),
        }
    }
}

/// Reads one HTTP message; `to_end` reads a body without a length until the connection closes.
pub(crate) fn read_message(stream: &mut TcpStream, to_end: bool) -> Option<(String, Vec<u8>)> {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end);
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    let chunked = lower.contains("transfer-encoding: chunked");
    let done = |body: &[u8]| match length {
        Some(length) => body.len() >= length,
        None if chunked => unchunked(body).is_some(),
        None => !to_end,
    };
    while !done(&body) {
        let mut piece = [0; 16 * 1024];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(n) => body.extend_from_slice(&piece[..n]),
        }
    }
    Some((head, if chunked { unchunked(&body).unwrap_or(body) } else { body }))
}

/// Takes the chunks of a body off; nothing when its end is not there yet.
pub(crate) fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let at = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).ok()?.split(';').next()?.trim(), 16).ok()?;
        bytes = bytes.get(at + 2..)?;
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

type Done = Box<dyn FnOnce(Vec<Ingested>) + Send>;

/// A trail in memory that can be full, or wait.
#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) events: Vec<Event>,
    /// Nothing is sealed.
    pub(crate) full: bool,
    /// Nothing is answered until this is false again.
    pub(crate) held: bool,
    waiting: Vec<(Vec<Event>, Done)>,
    pub(crate) lost: u64,
}

impl Seal for Trail {
    fn submit(&self, events: Vec<Event>, done: Box<dyn FnOnce(Vec<Ingested>) + Send>) {
        let mut inner = self.inner.lock().unwrap();
        if inner.held {
            inner.waiting.push((events, done));
            self.changed.notify_all();
            return;
        }
        let fate = if inner.full { Ingested::Later } else { Ingested::Known { seq: 0 } };
        let fates = vec![fate; events.len()];
        if !inner.full {
            inner.events.extend(events);
        }
        drop(inner);
        self.changed.notify_all();
        done(fates);
    }

    fn lost(&self, count: u64) {
        self.inner.lock().unwrap().lost += count;
        self.changed.notify_all();
    }
}

impl Trail {
    /// Returns every event as it would be searched.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.inner.lock().unwrap().events.iter().map(Event::to_json).collect()
    }

    /// Waits until something holds of the trail.
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&Inner) -> bool) {
        let guard = self.inner.lock().unwrap();
        let (guard, waited) = self.changed.wait_timeout_while(guard, DEADLINE, |inner| !holds(inner)).unwrap();
        let kinds: Vec<String> = guard.events.iter().map(|event| event.envelope.event_type.to_string()).collect();
        assert!(!waited.timed_out(), "{what}: {kinds:?}");
    }

    /// Waits for `n` events of a type and returns them.
    pub(crate) fn wait_for(&self, kind: &str, n: usize) -> Vec<Value> {
        self.wait_until(&format!("{n} {kind}"), |inner| {
            inner.events.iter().filter(|event| event.envelope.event_type.as_str() == kind).count() >= n
        });
        self.of(kind)
    }

    pub(crate) fn of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event_type"] == kind).collect()
    }

    pub(crate) fn is_waiting(&self) {
        self.wait_until("something to be sealed", |inner| !inner.waiting.is_empty());
    }

    /// Seals what waits.
    pub(crate) fn release(&self) {
        let waiting = {
            let mut inner = self.inner.lock().unwrap();
            inner.held = false;
            std::mem::take(&mut inner.waiting)
        };
        for (events, done) in waiting {
            self.submit(events, done);
        }
    }
}

/// A gateway under test.
pub(crate) struct Run {
    pub(crate) gateway: Option<Gateway>,
    pub(crate) trail: Arc<Trail>,
    pub(crate) address: SocketAddr,
}

impl Run {
    pub(crate) fn start(api: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(api, change, Past::default(), None)
    }

    pub(crate) fn start_with(api: SocketAddr, change: impl FnOnce(&mut Config), past: Past, gate: Option<sealtrail_gateway::Gate>) -> Self {
        let mut config = Config { upstream: format!("http://{api}"), ..Config::default() };
        change(&mut config);
        let trail: Arc<Trail> = Arc::default();
        let options = Options::of(&config, "127.0.0.1:0".parse().unwrap(), gate).unwrap();
        let gateway = Gateway::start(Arc::clone(&trail) as Arc<dyn Seal>, options, past).unwrap();
        let address = gateway.address();
        Self { gateway: Some(gateway), trail, address }
    }

    /// Sends raw bytes and returns the answer's head and body, without its chunks.
    pub(crate) fn send(&self, request: &[u8]) -> (String, Vec<u8>) {
        let mut stream = self.open(request);
        read_message(&mut stream, true).unwrap()
    }

    pub(crate) fn open(&self, request: &[u8]) -> TcpStream {
        let mut stream = connect(self.address);
        stream.write_all(request).unwrap();
        stream
    }

    pub(crate) fn stop(&mut self) {
        self.gateway.take().unwrap().stop();
    }
}

/// Connects, for no longer than a test takes.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Makes a request for a message.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"Connection: close\r\n\r\n", body].concat()
}

pub(crate) const SESSION: (&str, &str) = ("X-Claude-Code-Session-Id", "5e551011-0000-4000-8000-000000000001");

/// The body of a request with one message.
pub(crate) const ASK: &[u8] = br#"{"model":"claude-test-1","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hello"}]}"#;

/// Makes an answer with a length.
pub(crate) fn document(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Makes the head of an answer that comes in chunks.
pub(crate) const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nrequest-id: req_011A\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Wraps bytes as one chunk.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The stream of an answer with a text and a call of Bash.
pub(crate) fn events() -> Vec<u8> {
    let list = [
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-test-1","usage":{"input_tokens":11,"cache_read_input_tokens":5,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"command\":\"git "}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"status\"}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":42}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let kind = |data: &str| serde_json::from_str::<Value>(data).unwrap()["type"].as_str().unwrap().to_owned();
    list.iter().flat_map(|data| format!("event: {}\ndata: {data}\n\n", kind(data)).into_bytes()).collect()
}

/// Makes the whole answer of [`events`] in chunks of `size` bytes.
pub(crate) fn streamed(size: usize) -> Vec<u8> {
    let mut out = STREAM_HEAD.to_vec();
    events().chunks(size).for_each(|piece| out.extend(chunk(piece)));
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Makes a signal that a step can wait for.
pub(crate) fn signal() -> (Sender<()>, Step) {
    let (go, wait) = channel();
    (go, Step::Wait(wait))
}

/// Reads from a connection until what was read satisfies `enough`.
pub(crate) fn read_until(stream: &mut impl Read, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        assert!(begun.elapsed() < DEADLINE, "read {:?}", String::from_utf8_lossy(&bytes));
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "the connection ended after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..n]);
    }
    bytes
}

/// Returns SHA-256 as hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
