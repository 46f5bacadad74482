//! What the tests share: a home in a temporary folder, a sender that speaks the frame protocol, and a look at the ledger.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use sealtrail_disk::RealDisk;
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};
use sealtrail_intake::{ANSWER_HEAD_BYTES, Answer, Delivery, Frame, Kind, record_head};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

pub(crate) struct TestHome {
    pub(crate) _folder: tempfile::TempDir,
    pub(crate) home: Home,
}

pub(crate) fn home() -> TestHome {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    TestHome { _folder: folder, home }
}

impl TestHome {
    pub(crate) fn daemon(&self) -> Daemon {
        Daemon::start(&self.home, DaemonOptions::default()).unwrap()
    }

    pub(crate) fn configure(&self, yaml: &str) {
        std::fs::write(self.home.config(), yaml).unwrap();
    }

    /// Leaves deliveries in the spool as hooks do.
    pub(crate) fn spool(&self, deliveries: &[(Frame, Vec<u8>)]) {
        let uid = rustix::process::getuid().as_raw();
        self.spool_bytes(
            &format!("{uid}.spool"),
            &deliveries.iter().flat_map(|(frame, body)| self.record(frame, body)).collect::<Vec<_>>(),
        );
    }

    pub(crate) fn record(&self, frame: &Frame, body: &[u8]) -> Vec<u8> {
        let hex = std::fs::read_to_string(self.home.run().join("spool.pub")).unwrap();
        let mut key = [0u8; 32];
        key.iter_mut().enumerate().for_each(|(n, byte)| *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap());
        let sealed = PublicKey::from_bytes(key).seal(&mut OsRng, &[frame.header().as_slice(), body].concat()).unwrap();
        [record_head(sealed.len()).as_slice(), &sealed].concat()
    }

    pub(crate) fn spool_bytes(&self, name: &str, bytes: &[u8]) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.home.spool().join(name)).unwrap();
        file.write_all(bytes).unwrap();
    }

    pub(crate) fn spool_files(&self) -> usize {
        std::fs::read_dir(self.home.spool()).unwrap().filter(|entry| entry.as_ref().unwrap().path().extension().is_some()).count()
    }

    /// Every event of the ledger, in order.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.home)
    }

    pub(crate) fn of_type(&self, event_type: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event_type"] == event_type).collect()
    }
}

pub(crate) fn events(home: &Home) -> Vec<Value> {
    let reader = Reader::open(Arc::new(RealDisk), &home.ledger()).unwrap();
    reader.iter(Seq(0)).map(|stored| stored.unwrap().view()).collect()
}

/// A frame of a hook, received at a fixed time; `n` makes its id.
pub(crate) fn frame(n: u64, body: &[u8]) -> Frame {
    static SALT: AtomicU64 = AtomicU64::new(1);
    let salt = SALT.fetch_add(1, Ordering::Relaxed);
    let mut entropy = [0u8; 10];
    entropy[2..].copy_from_slice(&salt.to_be_bytes());
    let at = 1_700_000_000_000_000_000 + n * 1_000_000;
    Frame {
        kind: Kind::Hook,
        delivery: Delivery::new(at, entropy),
        received_unix_ns: at,
        uid: 4242,
        pid: std::process::id(),
        client_pid: 0,
        seen: body.len() as u64,
        body: body.len() as u32,
        client: "claude-code_2-1-329_harness".into(),
    }
}

pub(crate) fn prompt(session: &str, text: &str) -> Vec<u8> {
    json!({ "session_id": session, "hook_event_name": "UserPromptSubmit", "cwd": "/p", "prompt": text }).to_string().into_bytes()
}

pub(crate) fn pre(session: &str, call: &str) -> Vec<u8> {
    let input = json!({ "command": "sleep 1000" });
    json!({ "session_id": session, "hook_event_name": "PreToolUse", "cwd": "/p", "tool_name": "Bash", "tool_use_id": call, "tool_input": input })
        .to_string()
        .into_bytes()
}

/// Sends bytes and returns the answer, or nothing when the daemon gives none.
pub(crate) fn send_raw(home: &Path, bytes: &[u8]) -> Option<Answer> {
    let mut stream = UnixStream::connect(home.join("run/sealtrail.sock")).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    answer(&mut stream)
}

pub(crate) fn answer(stream: &mut UnixStream) -> Option<Answer> {
    let mut head = [0u8; ANSWER_HEAD_BYTES];
    stream.read_exact(&mut head).ok()?;
    let mut reason = vec![0u8; Answer::reason_bytes(&head)];
    stream.read_exact(&mut reason).ok()?;
    Some(Answer::parse(&head, &reason))
}

pub(crate) fn send(home: &Home, frame: &Frame, body: &[u8]) -> Option<Answer> {
    send_raw(home.path(), &[frame.header().as_slice(), body].concat())
}

/// Returns a program that runs until it is killed.
pub(crate) fn long_process() -> std::process::Child {
    std::process::Command::new("cat").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap()
}
