//! The daemon's other callers: commands that leave a note in the trail, or ask how the daemon is.

use std::io::{self, Read, Write};
use std::time::Duration;

use sealtrail_intake::{ANSWER_HEAD_BYTES, Answer, Frame, Kind};
use serde_json::Value;

use crate::clock::{new_delivery, unix_ns};
use crate::home::Home;
use crate::socket;

/// 10 seconds: a command waits longer than a hook, because a person waits for the command.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Why the daemon did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no daemon answers on {path}")]
    NoDaemon {
        /// The socket.
        path: String,
    },
    /// The exchange broke off.
    #[error("cannot talk to the daemon on {path}")]
    Broken {
        /// The socket.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon cannot seal now.
    #[error("the daemon cannot seal it now: its queue or its disk is full, or it is stopping")]
    Later,
    /// The daemon does not take it.
    #[error("the daemon refused it: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
}

/// How the daemon is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DaemonStatus {
    /// Its process.
    pub pid: u32,
    /// When it started, nanoseconds since 1970.
    pub started_unix_ns: u64,
    /// Events in the ledger.
    pub size: u64,
    /// Events that wait to be sealed.
    pub queue: u64,
    /// Connections that are open, this one among them.
    pub connections: u64,
    /// When it sealed last, nanoseconds since 1970; 0: not since it started.
    pub last_seal_unix_ns: u64,
    /// Deliveries that it sent back to be spooled.
    pub sent_back: u64,
    /// Whether the disk is full.
    pub full: bool,
    /// Whether anything is captured.
    pub enabled: bool,
    /// Why the search index does not follow the ledger, in words; empty when it does.
    pub index_trouble: String,
}

impl DaemonStatus {
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({
            "pid": self.pid, "started_unix_ns": self.started_unix_ns, "size": self.size, "queue": self.queue,
            "connections": self.connections, "last_seal_unix_ns": self.last_seal_unix_ns, "sent_back": self.sent_back,
            "full": self.full, "enabled": self.enabled, "index_trouble": self.index_trouble,
        })
    }

    fn from_json(value: &Value) -> Self {
        let number = |name: &str| value[name].as_u64().unwrap_or_default();
        Self {
            pid: u32::try_from(number("pid")).unwrap_or_default(),
            started_unix_ns: number("started_unix_ns"),
            size: number("size"),
            queue: number("queue"),
            connections: number("connections"),
            last_seal_unix_ns: number("last_seal_unix_ns"),
            sent_back: number("sent_back"),
            full: value["full"] == true,
            enabled: value["enabled"] == true,
            index_trouble: value["index_trouble"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// Has the daemon seal one event of Sealtrail itself (`{"event_type":"system.audit_log_accessed", …}`); returns its number.
pub fn note(home: &Home, record: &Value) -> Result<u64, ClientError> {
    let body = record.to_string().into_bytes();
    match ask(home, &record_frame(&body), &body)? {
        Answer::Sealed(seq) => Ok(seq),
        Answer::Block(reason) => Err(ClientError::Refused { reason }),
        Answer::Discarded => Err(ClientError::Refused { reason: "only the trail's owner may do that".into() }),
        Answer::Retry | Answer::Status(_) => Err(ClientError::Later),
    }
}

/// Asks the daemon how it is; nothing when none runs.
pub fn status(home: &Home) -> Result<Option<DaemonStatus>, ClientError> {
    let frame = Frame { kind: Kind::Status, ..record_frame(b"") };
    match ask(home, &frame, b"") {
        Ok(Answer::Status(json)) => Ok(Some(DaemonStatus::from_json(&serde_json::from_str(&json).unwrap_or_default()))),
        Ok(Answer::Discarded) => Err(ClientError::Refused { reason: "only the trail's owner may ask".into() }),
        Ok(_) => Err(ClientError::Later),
        Err(ClientError::NoDaemon { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the frame of a record of Sealtrail itself.
pub(crate) fn record_frame(body: &[u8]) -> Frame {
    Frame {
        kind: Kind::Record,
        delivery: new_delivery(),
        received_unix_ns: unix_ns(),
        uid: rustix::process::getuid().as_raw(),
        pid: std::process::id(),
        client_pid: 0,
        seen: body.len() as u64,
        body: u32::try_from(body.len()).unwrap_or(u32::MAX),
        client: String::new(),
    }
}

pub(crate) fn ask(home: &Home, frame: &Frame, body: &[u8]) -> Result<Answer, ClientError> {
    ask_within(home, frame, body, PATIENCE)
}

/// Sends a frame and waits for the answer; every step of the exchange has `patience`.
pub(crate) fn ask_within(home: &Home, frame: &Frame, body: &[u8], patience: Duration) -> Result<Answer, ClientError> {
    let path = || home.socket().display().to_string();
    let Ok(mut stream) = socket::connect(home) else { return Err(ClientError::NoDaemon { path: path() }) };
    let mut exchange = || -> io::Result<Answer> {
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.write_all(&[frame.header().as_slice(), body].concat())?;
        let mut head = [0u8; ANSWER_HEAD_BYTES];
        stream.read_exact(&mut head)?;
        let mut reason = vec![0u8; Answer::reason_bytes(&head)];
        stream.read_exact(&mut reason)?;
        Ok(Answer::parse(&head, &reason))
    };
    exchange().map_err(|source| ClientError::Broken { path: path(), source })
}
