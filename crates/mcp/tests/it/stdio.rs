//! The proxy for servers on standard input and output, with scripts as servers.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use sealtrail_mcp::{LINE_BYTES_MAX, stdio};
use serde_json::{Value, json};

use crate::kit::{PATIENCE, Trail, desk};

/// The client's end of two pipes.
struct Client {
    to: Option<Sender<Vec<u8>>>,
    from: Arc<Mutex<Vec<u8>>>,
    changed: Receiver<()>,
    run: Option<JoinHandle<i32>>,
}

struct Input(Receiver<Vec<u8>>, Vec<u8>);

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            match self.0.recv() {
                Ok(bytes) => self.1 = bytes,
                Err(_) => return Ok(0),
            }
        }
        let n = into.len().min(self.1.len());
        into[..n].copy_from_slice(&self.1[..n]);
        self.1.drain(..n);
        Ok(n)
    }
}

struct Output(Arc<Mutex<Vec<u8>>>, Sender<()>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        let _ = self.1.send(());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Client {
    /// Starts the shell script `server` behind the proxy.
    fn start(trail: &Trail, block: bool, server: &str) -> Self {
        let (to, input) = channel();
        let (told, changed) = channel();
        let from = Arc::default();
        let (desk, recorder) = desk(trail, block);
        let (output, args) = (Output(Arc::clone(&from), told), [OsString::from("-c"), OsString::from(server)]);
        let run = std::thread::spawn(move || {
            let code = stdio::run(&"sh".into(), &args, &desk, Input(input, Vec::new()), output).unwrap();
            recorder.settle(PATIENCE);
            code
        });
        Self { to: Some(to), from, changed, run: Some(run) }
    }

    fn send(&self, bytes: &[u8]) {
        self.to.as_ref().unwrap().send(bytes.to_vec()).unwrap();
    }

    /// Waits until the client has got so many bytes; returns them.
    fn got(&self, bytes: usize) -> Vec<u8> {
        while self.from.lock().unwrap().len() < bytes {
            self.changed.recv_timeout(PATIENCE).unwrap();
        }
        self.from.lock().unwrap().clone()
    }

    fn end(&mut self) -> i32 {
        self.to = None;
        self.run.take().unwrap().join().unwrap()
    }
}

fn call(id: u64) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo", "arguments": {"n": id}, "_meta": {"claudecode/toolUseId": format!("toolu_{id}")}}}).to_string()
}

/// Protects the bytes both ways: whatever is sent, in whatever pieces, comes out of a server that sends it back exactly as it went in: messages, lists,
/// lines that are no JSON, empty lines, bytes that are no text, lines larger than what is held, and a last line without an end.
#[test]
fn bytes_pass_untouched() {
    let trail = Trail::default();
    let mut client = Client::start(&trail, false, "exec cat");
    let mut sent = Vec::new();
    sent.extend(format!("{}\n\n  {{ \"id\" : 1 }} \r\n[{},{}]\nno json \u{fffd}\n", call(1), call(2), call(3)).into_bytes());
    sent.extend([0xff, 0x00, 0xfe, b'\n']);
    sent.extend(b"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"big\",\"arguments\":{\"text\":\"");
    sent.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX + 12_345));
    sent.extend(b"\"}}}\n");
    sent.extend(call(5).into_bytes());
    for chunk in sent.chunks(37_777) {
        client.send(chunk);
    }
    client.to = None;
    assert!(client.got(sent.len()) == sent, "not what was sent");
    assert_eq!(client.end(), 0);
    let events = trail.events();
    let intents: Vec<&Value> = events.iter().filter(|event| event["phase"] == "intent").collect();
    assert_eq!(intents.len(), 5);
    assert_eq!(trail.of_type("mcp.message_oversized")[0]["mcp"]["message"]["size_bytes"].as_u64().unwrap() / 1_000_000, 16);
    assert!(trail.of_type("system.unparsed").len() >= 2);
    assert_eq!(events.iter().filter(|event| event["phase"] == "outcome").count(), 5);
}

/// Protects the promise of a sealed intent: the server gets a call only after the trail has its intent.
#[test]
fn the_intent_is_sealed_before_the_server_hears_of_the_call() {
    let trail = Trail::default();
    let mut client = Client::start(
        &trail,
        false,
        "read -r line; printf '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\\n'; read -r line; exit 7",
    );
    trail.0.failing.store(true, Ordering::SeqCst);
    client.send(format!("{}\n", call(1)).as_bytes());
    assert!(client.from.lock().unwrap().is_empty() && trail.events().is_empty());
    trail.0.failing.store(false, Ordering::SeqCst);
    client.got(10);
    let events = trail.wait(|events| events.iter().any(|event| event["phase"] == "outcome"));
    assert_eq!((&events[0]["phase"], &events[0]["tool_use_id"]), (&json!("intent"), &json!("toolu_1")));
    assert_eq!((&events[1]["outcome"], &events[1]["parent_audit_id"]), (&json!("success"), &events[0]["audit_id"]));
    assert_eq!(client.end(), 7, "the server's exit code is ours");
    assert_eq!(trail.of_type("mcp.disconnected")[0]["mcp"]["exit_code"], 7);
}

/// Protects the outcome of a call that was answered, whatever happens to the proxy then: once the client can read the answer, the outcome is durable.
#[test]
fn the_outcome_is_kept_before_the_client_has_the_answer() {
    let trail = Trail::default();
    let answer = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n";
    let mut client = Client::start(
        &trail,
        false,
        &format!("read -r line; printf '{answer}'; read -r line; printf '{answer}'; cat").replace('\n', "\\n"),
    );
    for turn in 1..=2 {
        client.send(format!("{}\n", call(1)).as_bytes());
        client.got(turn * answer.len());
        assert_eq!(trail.events().iter().filter(|event| event["phase"] == "outcome").count(), turn);
    }
    client.end();
}

/// Protects fail-closed: a call that cannot be recorded never reaches the server, its client gets an error, other messages pass, and both are told later.
#[test]
fn what_cannot_be_recorded_is_refused_when_so_configured() {
    let trail = Trail::default();
    let mut client = Client::start(&trail, true, "exec cat");
    trail.0.failing.store(true, Ordering::SeqCst);
    client.send(format!("{}\n", call(1)).as_bytes());
    let answer = client.got(10);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["data"]["reason"]), (&json!(1), &json!("not_recorded")));
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n";
    client.send(ping);
    let all = client.got(answer.to_string().len() + 1 + ping.len());
    assert!(all.ends_with(ping));
    trail.0.failing.store(false, Ordering::SeqCst);
    let told = trail.wait(|events| events.iter().any(|event| event["phase"] == "outcome"));
    assert_eq!((&told[1]["outcome"], &told[1]["reason"]), (&json!("denied"), &json!("not_recorded")));
    assert_eq!(client.end(), 0);
}

/// Protects fail-open: without a trail the server works on, and what happened is told once the trail is back.
#[test]
fn what_cannot_be_recorded_goes_on_when_so_configured() {
    let trail = Trail::default();
    trail.0.failing.store(true, Ordering::SeqCst);
    let recorder = Arc::new(sealtrail_mcp::Recorder::start(Box::new(trail.clone()), None).unwrap());
    recorder.tell(Vec::new(), None);
    drop(recorder);
    let mut client = Client::start(&trail, false, "exec cat");
    client.send(format!("{}\n", call(1)).as_bytes());
    client.got(call(1).len() + 1);
    assert!(trail.events().is_empty());
    trail.0.failing.store(false, Ordering::SeqCst);
    trail.wait(|events| events.iter().any(|event| event["phase"] == "intent"));
    client.end();
}

/// Protects the end of a call whose server dies: the outcome is unknown, the signal is told, and the client sees what it would see without us.
#[test]
fn a_server_that_dies_leaves_unknown_outcomes() {
    let trail = Trail::default();
    let mut client = Client::start(&trail, false, "read -r line; kill -9 $$");
    client.send(format!("{}\n", call(1)).as_bytes());
    trail.wait(|events| events.iter().any(|event| event["event_type"] == "mcp.disconnected"));
    assert_eq!(client.end(), 128 + 9);
    let outcome = &trail.of_type("mcp.tool_call")[0];
    assert_eq!((&outcome["outcome"], &outcome["reason"]), (&json!("unknown"), &json!("server_exited")));
    assert_eq!(trail.of_type("mcp.disconnected")[0]["mcp"]["signal"], 9);
    assert!(client.from.lock().unwrap().is_empty());
}

/// Protects against a command that is none: the reason is said, and the record says that the server never was.
#[test]
fn a_server_that_cannot_start_is_told() {
    let trail = Trail::default();
    let (desk, recorder) = desk(&trail, false);
    let failed = stdio::run(&"no-such-server-anywhere".into(), &[], &desk, io::empty(), io::sink()).unwrap_err();
    assert!(failed.to_string().contains("no-such-server-anywhere"));
    recorder.settle(PATIENCE);
    assert_eq!(trail.of_type("mcp.disconnected")[0]["reason"], "not_started");
}
