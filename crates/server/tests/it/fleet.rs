//! The fleet: a laptop's trail is copied and cosigned by a collector, and cannot go back unseen.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_engine::{CreateHome, ForwardError, ForwardOptions, Forwarded, Home, Reply, Trail, forward, load_config, witnessed};
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token as Word, Witness};
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_server::{Machine, Machines};
use sealtrail_tlog::cosignature::WitnessKey;
use serde_json::{Value, json};

use crate::kit::{Test, start};

/// A laptop and the collector that it is enrolled at.
struct Pair {
    test: Test,
    laptop: Home,
    key: String,
    folder: tempfile::TempDir,
}

fn pair(silent_after_s: u32) -> Pair {
    let test = start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (laptop, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let key = test.key("laptop-1", None);
    let machine = Machine {
        name: "laptop-1".to_owned(),
        vkey: vkey(&laptop),
        key: "laptop-1".to_owned(),
        enrolled: Timestamp::now(),
        silent_after_s,
    };
    Machines::of(&test.home).add(&machine).unwrap();
    Pair { test, laptop, key, folder }
}

fn vkey(home: &Home) -> String {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    Reader::open(disk, &home.ledger()).unwrap().log().vkey.clone()
}

/// Seals `count` events with content on the laptop.
fn work(home: &Home, from: u64, count: u64) {
    let (mut trail, _) = Trail::open(home, &load_config(home, None, None).unwrap()).unwrap();
    let events = (from..from + count).map(|n| {
        let mut tail = [9u8; 10];
        tail[2..].copy_from_slice(&n.to_be_bytes());
        let recorded_at = Word::parse("2026-03-16T00:00:00.000000000Z").unwrap();
        let context = FromContext {
            audit_id_if_missing: AuditId::new(1_700_000_000_000, tail),
            recorded_at,
            witness: Witness::Api,
            grade: Grade::Asserted,
        };
        Event::from_json(&json!({ "event_type": "tool.command", "prompt": format!("say {n}"), "session_id": "s" }), &context).unwrap()
    });
    trail.append(events.collect()).unwrap();
    trail.close().unwrap();
}

impl Pair {
    fn forward(&self, witness: Option<WitnessKey>) -> Result<Forwarded, ForwardError> {
        let options = ForwardOptions { content: true, witness };
        forward(&self.laptop, &options, &mut |request| {
            let answer = self.test.ask_bytes(request.method, &self.key, request.path, &request.body, &[]);
            Ok(Reply { status: answer.status, body: answer.body.into_bytes() })
        })
    }

    fn witness(&self) -> WitnessKey {
        let state = self.test.get(&self.key, "/v1/fleet/state");
        WitnessKey::parse(state.json()["witness"].as_str().unwrap()).unwrap()
    }

    /// Verifies the copy against the laptop's key; the running collector holds it open.
    fn verified(&self) -> u64 {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let key = sealtrail_tlog::VerifierKey::parse(&vkey(&self.laptop)).unwrap();
        let options = VerifyOptions { vkey: Some(key), ..VerifyOptions::default() };
        let report = verify(&disk, &Machines::of(&self.test.home).mirror("laptop-1"), &options, &mut |_| ()).unwrap();
        assert!(report.is_ok(), "{}: {:?}", report.summary(), report.findings);
        report.size.0
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// Protects the whole way: what a laptop sealed is copied and cosigned, the copy verifies as a ledger, and the laptop can show that a witness saw it.
#[test]
fn a_laptop_is_copied_and_cosigned() {
    let pair = pair(3_600);
    work(&pair.laptop, 0, 40);
    let witness = pair.witness();
    let done = pair.forward(Some(witness.clone())).unwrap();
    assert_eq!((done.mirrored, done.cosigned, done.pieces), (done.size, done.size, 1));
    assert!(done.seen.is_some());
    assert_eq!(pair.verified(), done.size);
    assert_eq!(witnessed(&pair.laptop, &witness).unwrap().0.0, done.size);
    // It goes on where it was, also with nothing new.
    assert_eq!(pair.forward(None).unwrap().pieces, 0);
    work(&pair.laptop, 40, 10);
    let more = pair.forward(Some(witness)).unwrap();
    assert!(more.size > done.size && more.pieces == 1);
    assert_eq!(pair.verified(), more.size);
    let state = Machines::of(&pair.test.home).state("laptop-1").unwrap();
    assert_eq!((state.size, state.mirrored, state.trouble), (more.size, more.size, None));
    // The copy holds the content, slot by slot.
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let [own, copied] = [pair.laptop.ledger(), Machines::of(&pair.test.home).mirror("laptop-1")]
        .map(|dir| Reader::open(Arc::clone(&disk), &dir).unwrap().iter(sealtrail_tlog::Seq(0)).map(Result::unwrap).collect::<Vec<_>>());
    assert_eq!(own, copied);
}

/// Protects against truncation: a laptop whose ledger was put back is refused, told in both trails' terms, and the trail of the collector keeps both notes.
#[test]
fn a_rollback_is_caught() {
    let pair = pair(3_600);
    work(&pair.laptop, 0, 5);
    pair.forward(None).unwrap();
    let (ledger, keys, old) = (pair.laptop.ledger(), pair.laptop.keys(), pair.folder.path().join("old"));
    copy(&ledger, &old.join("ledger"));
    copy(&keys, &old.join("keys"));
    work(&pair.laptop, 5, 5);
    let done = pair.forward(None).unwrap();
    for (name, place) in [("ledger", &ledger), ("keys", &keys)] {
        std::fs::remove_dir_all(place).unwrap();
        copy(&old.join(name), place);
    }
    let refused = pair.forward(None).unwrap_err();
    assert!(matches!(refused, ForwardError::Contradiction { cosigned, .. } if cosigned == done.size), "{refused}");
    let told = pair.test.of_type("fleet.rollback_detected");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["severity"], &told[0]["fleet"]["machine"]), (&json!("critical"), &json!("laptop-1")));
    for note in ["known", "presented"] {
        assert!(told[0]["fleet"][note].as_str().unwrap().contains("\n\n\u{2014} "), "{told:?}");
    }
    // It is told once; and a log that goes on from there is a fork, which is told too.
    pair.forward(None).unwrap_err();
    work(&pair.laptop, 100, 20);
    pair.forward(None).unwrap_err();
    pair.forward(None).unwrap_err();
    assert_eq!((pair.test.of_type("fleet.rollback_detected").len(), pair.test.of_type("fleet.fork_detected").len()), (1, 1));
    let state = Machines::of(&pair.test.home).state("laptop-1").unwrap();
    assert_eq!((state.trouble.unwrap().kind.as_str(), state.size), ("fork", done.size));
    assert_eq!(pair.verified(), done.size);
}

/// Protects who may speak for a machine: another key, another log, another origin, a changed note are each refused as the specification says.
#[test]
fn only_the_machine_itself_is_cosigned() {
    let pair = pair(3_600);
    work(&pair.laptop, 0, 3);
    let note = std::fs::read_to_string(pair.laptop.ledger().join("checkpoint")).unwrap();
    let add = |key: &str, body: &str| pair.test.ask("POST", key, "/add-checkpoint", body, &[]);
    assert_eq!(add("", &format!("old 0\n\n{note}")).status, 401);
    let other = pair.test.key("other", None);
    assert_eq!(add(&other, &format!("old 0\n\n{note}")).status, 403);
    assert_eq!(add(&pair.key, &format!("old 0\n\n{}", note.replacen("localhost", "elsewhere", 1))).status, 404);
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(add(&pair.key, &format!("old 0\n\n{}", note.replacen(&format!("\n{size}\n"), "\n999\n", 1))).status, 403);
    assert_eq!(add(&pair.key, "old 01\n\nx").status, 400);
    assert_eq!(add(&pair.key, &format!("old {}\n\n{note}", size + 1)).status, 400);
    let wrong = add(&pair.key, &format!("old 1\n\n{note}"));
    assert_eq!((wrong.status, wrong.body.as_str(), wrong.headers["content-type"].as_str()), (409, "0\n", "text/x.tlog.size"));
    let good = add(&pair.key, &format!("old 0\n\n{note}"));
    assert!(good.status == 200 && good.body.starts_with('\u{2014}'), "{good:?}");
    // A witness signs again what it knows, and nothing that a proof does not lead to.
    assert_eq!(add(&pair.key, &format!("old {size}\n\n{note}")).status, 200);
    assert_eq!(pair.test.of_type("fleet.fork_detected"), Vec::<Value>::new());
}

/// Protects the watch: a machine that says nothing is told once, and once more when it is back.
#[test]
fn silence_is_told_and_so_is_its_end() {
    let pair = pair(1);
    let until = Instant::now() + Duration::from_secs(30);
    while pair.test.of_type("fleet.machine_silent").is_empty() {
        assert!(Instant::now() < until, "the silence was not told");
        std::thread::yield_now();
    }
    work(&pair.laptop, 0, 1);
    pair.forward(None).unwrap();
    assert_eq!(pair.test.of_type("fleet.machine_back").len(), 1);
}
