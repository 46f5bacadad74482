//! What the tests share: a daemon with a server on a free port, tokens, and a client of a few lines.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use jiff::Timestamp;
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home, Trail, load_config};
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token as Word, Witness};
use sealtrail_server::{NewToken, Scope, Server, ServerOptions, Tokens};
use serde_json::Value;

pub(crate) struct Test {
    pub(crate) home: Home,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) server: Option<Server>,
    _folder: tempfile::TempDir,
}

/// A trail with `records`, a daemon and a server.
pub(crate) fn start(records: &[Value]) -> Test {
    start_with(records, ServerOptions::default())
}

pub(crate) fn start_with(records: &[Value], options: ServerOptions) -> Test {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let (mut trail, _) = Trail::open(&home, &load_config(&home, None, None).unwrap()).unwrap();
    let events: Vec<Event> = records.iter().enumerate().map(|(n, record)| event(n, record)).collect();
    for batch in events.chunks(500) {
        trail.append(batch.to_vec()).unwrap();
    }
    trail.close().unwrap();
    let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
    let options = ServerOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), per_second: options.per_second.max(1), ..options };
    let server = Server::start(daemon.handle(), options).unwrap();
    Test { home, daemon: Some(daemon), server: Some(server), _folder: folder }
}

fn event(n: usize, record: &Value) -> Event {
    let mut tail = [7u8; 10];
    tail[2..].copy_from_slice(&(n as u64).to_be_bytes());
    let audit_id_if_missing = AuditId::new(1_700_000_000_000, tail);
    let recorded_at = Word::parse("2026-03-16T00:00:00.000000000Z").unwrap();
    Event::from_json(record, &FromContext { audit_id_if_missing, recorded_at, witness: Witness::Api, grade: Grade::Asserted }).unwrap()
}

impl Test {
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    /// Makes a read token of everything.
    pub(crate) fn reader(&self) -> String {
        self.token("reader", Scope::Read, None, true)
    }

    pub(crate) fn token(&self, name: &str, scope: Scope, filter: Option<&str>, content: bool) -> String {
        let new =
            NewToken { name: name.to_owned(), scope, filter: filter.map(str::to_owned), content, expires: None, application_id: None };
        Tokens::of(&self.home).create(new, Timestamp::now()).unwrap()
    }

    /// Makes a write key.
    pub(crate) fn key(&self, name: &str, application: Option<&str>) -> String {
        let application_id = application.map(str::to_owned);
        let new = NewToken { name: name.to_owned(), scope: Scope::Write, filter: None, content: true, expires: None, application_id };
        Tokens::of(&self.home).create(new, Timestamp::now()).unwrap()
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Response {
        self.ask("GET", token, path, "", &[])
    }

    pub(crate) fn lines(&self, token: &str, path: &str) -> Response {
        self.ask("GET", token, path, "", &[("Accept", "application/x-ndjson")])
    }

    pub(crate) fn post(&self, token: &str, body: &Value) -> Response {
        self.ask("POST", token, "/v1/search", &body.to_string(), &[("Content-Type", "application/json")])
    }

    pub(crate) fn ask(&self, method: &str, token: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Response {
        self.ask_bytes(method, token, path, body.as_bytes(), headers)
    }

    pub(crate) fn ask_bytes(&self, method: &str, token: &str, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Response {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        if !token.is_empty() {
            text += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.raw(&[text.as_bytes(), body].concat())
    }

    pub(crate) fn raw(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request).unwrap();
        Response::read(stream).unwrap()
    }

    /// Every event of the ledger, in order.
    pub(crate) fn events(&self) -> Vec<Value> {
        let finder = sealtrail_engine::Finder::open(&self.home).unwrap();
        finder.reader.iter_back().map(|stored| stored.unwrap().view()).collect::<Vec<_>>().into_iter().rev().collect()
    }

    pub(crate) fn of_type(&self, event_type: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event_type"] == event_type).collect()
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().unwrap();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// The body came to its end.
    pub(crate) whole: bool,
}

impl Response {
    pub(crate) fn read(stream: TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let mut bytes = Vec::new();
        let whole = match headers.get("content-length") {
            Some(length) => {
                bytes.resize(length.parse().ok()?, 0);
                reader.read_exact(&mut bytes).is_ok()
            }
            None => chunks(&mut reader, &mut bytes).is_some(),
        };
        Some(Self { status, headers, body: String::from_utf8(bytes).ok()?, whole })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The events of a page.
    pub(crate) fn ok(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["events"].as_array().unwrap().clone()
    }
}

fn chunks(reader: &mut impl BufRead, into: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let from = into.len();
        into.resize(from + length, 0);
        reader.read_exact(&mut into[from..]).ok()?;
        reader.read_line(&mut String::new()).ok()?;
        if length == 0 {
            return Some(());
        }
    }
}

pub(crate) fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["audit_id"].as_str().unwrap().to_owned()).collect()
}
