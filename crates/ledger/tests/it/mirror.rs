//! Copies of foreign logs: what is taken is exactly the owner's log, and nothing else is taken.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::Disk;
use sealtrail_ledger::line::LogInfo;
use sealtrail_ledger::mirror::{Chunk, Mirror, MirrorError, OutChunk, Outgoing};
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_ledger::report::Severity;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::{NodeHash, Seq, TreeSize, VerifierKey};

use crate::write_support::{at, create, dir, event, events, open, path, sim, small, stored};
use sealtrail_event::{SlotName, Token};
use sealtrail_ledger::{EraseRequest, Ledger};

pub(crate) fn place() -> &'static Path {
    Path::new("/fleet/one/mirror")
}

/// What a collector hears of a log.
pub(crate) struct Sent {
    pub(crate) log: String,
    pub(crate) note: String,
    pub(crate) chunks: Vec<(OutChunk, Vec<NodeHash>)>,
}

pub(crate) fn key(disk: &Arc<dyn Disk>) -> VerifierKey {
    VerifierKey::parse(&LogInfo::parse(&disk.read(&path("log.json")).unwrap()).unwrap().vkey).unwrap()
}

/// Reads what a machine would send from `from` on, in pieces of one batch each when `small`.
pub(crate) fn send(disk: &Arc<dyn Disk>, from: u64, content: bool) -> Sent {
    let log = String::from_utf8(disk.read(&path("log.json")).unwrap()).unwrap();
    let note = String::from_utf8(disk.read(&path("checkpoint")).unwrap()).unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let reader = Reader::open(Arc::clone(disk), dir()).unwrap();
    let mut outgoing = Outgoing::open(Arc::clone(disk), dir(), from, content).unwrap();
    let mut chunks = Vec::new();
    while let Some(chunk) = outgoing.chunk(TreeSize(size)).unwrap() {
        let proof = reader.prove_consistency(TreeSize(chunk.new), TreeSize(size)).unwrap().hashes;
        chunks.push((chunk, proof));
    }
    Sent { log, note, chunks }
}

pub(crate) fn give(mirror: &mut Mirror, sent: &Sent, at: usize) -> Result<TreeSize, MirrorError> {
    let (chunk, proof) = &sent.chunks[at];
    give_bytes(mirror, sent, chunk, proof, &chunk.bytes)
}

fn give_bytes(mirror: &mut Mirror, sent: &Sent, chunk: &OutChunk, proof: &[NodeHash], batches: &[u8]) -> Result<TreeSize, MirrorError> {
    mirror.accept(&Chunk { segment: chunk.segment, old: chunk.old, log: Some(&sent.log), batches, note: &sent.note, proof })
}

fn take_all(disk: &Arc<dyn Disk>, mirror: &mut Mirror, content: bool) {
    let sent = send(disk, mirror.size().0, content);
    for at in 0..sent.chunks.len() {
        give(mirror, &sent, at).unwrap();
    }
    mirror.publish(&sent.note).unwrap();
}

pub(crate) fn kept(disk: &Arc<dyn Disk>) -> Vec<Stored> {
    Reader::open(Arc::clone(disk), place()).unwrap().iter(Seq(0)).map(Result::unwrap).collect()
}

fn failures(disk: &Arc<dyn Disk>) -> Vec<String> {
    let options = VerifyOptions { threads: 1, vkey: Some(key(disk)), ..VerifyOptions::default() };
    let report = verify(disk, place(), &options, &mut |_| ()).unwrap();
    report.findings.iter().filter(|found| found.severity != Severity::Note).map(ToString::to_string).collect()
}

/// A log of several segments, published.
pub(crate) fn several(disk: &Arc<dyn Disk>, hmac: bool) -> Ledger {
    let (mut ledger, _) = create(disk, hmac, small());
    for n in 0..12 {
        ledger.append(&events(n * 3..n * 3 + 3), &at(1_000 + n * 100)).unwrap();
    }
    ledger.publish(&at(5_000)).unwrap();
    ledger
}

/// Protects the copy: event by event, slot by slot it is the owner's log, and it verifies as a ledger does; also with macs, and as it grows.
#[test]
fn a_copy_is_the_log_and_verifies() {
    for hmac in [false, true] {
        let (_, disk) = sim();
        let mut ledger = several(&disk, hmac);
        let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
        take_all(&disk, &mut mirror, true);
        assert_eq!(failures(&disk), Vec::<String>::new());
        for n in 20..26 {
            ledger.append(&events(n * 3..n * 3 + 3), &at(10_000 * n)).unwrap();
            ledger.publish(&at(10_000 * n + 1)).unwrap();
            take_all(&disk, &mut mirror, true);
            assert_eq!(failures(&disk), Vec::<String>::new());
        }
        assert_eq!(kept(&disk), stored(&disk));
        assert_eq!(mirror.published(), ledger.size());
        // The same segments, so that what an erasure says of them is true of the copy too.
        let firsts =
            |dir: &Path| disk.list(&dir.join("seg")).unwrap().into_iter().filter(|name| name.ends_with(".json")).collect::<Vec<_>>();
        assert_eq!(firsts(place()), firsts(dir()));
    }
}

/// Protects the tiles of a copy that comes in one go: the checkpoint's tiles are there at every level, also those that only grew before the newest segment.
#[test]
fn a_long_copy_has_every_tile() {
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    for n in 0..90 {
        ledger.append(&events(n * 3..n * 3 + 3), &at(1_000 + n * 100)).unwrap();
    }
    ledger.publish(&at(20_000)).unwrap();
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    take_all(&disk, &mut mirror, true);
    assert_eq!((mirror.published(), failures(&disk)), (ledger.size(), Vec::new()));
    // It goes on after a start, and after a checkpoint of the same level.
    drop(mirror);
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    for n in 90..100 {
        ledger.append(&events(n * 3..n * 3 + 3), &at(20_000 + n * 100)).unwrap();
        ledger.publish(&at(20_000 + n * 100 + 1)).unwrap();
        take_all(&disk, &mut mirror, true);
        assert_eq!((mirror.published(), failures(&disk)), (ledger.size(), Vec::new()));
    }
}

/// Protects against every change on the way: no piece with one byte flipped is taken, and none leaves a trace.
#[test]
fn every_flipped_byte_is_refused() {
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    ledger.append(&events(0..2), &at(1_000)).unwrap();
    ledger.publish(&at(5_000)).unwrap();
    let sent = send(&disk, 0, true);
    let (chunk, proof) = &sent.chunks[0];
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    for at in 0..chunk.bytes.len() {
        for bit in [1, 0x80] {
            let mut bytes = chunk.bytes.clone();
            bytes[at] ^= bit;
            let error = give_bytes(&mut mirror, &sent, chunk, proof, &bytes).unwrap_err();
            assert!(error.is_refusal(), "byte {at}: {error}");
        }
    }
    for end in 0..chunk.bytes.len() {
        assert!(give_bytes(&mut mirror, &sent, chunk, proof, &chunk.bytes[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(mirror.size(), TreeSize::EMPTY);
    give(&mut mirror, &sent, 0).unwrap();
    mirror.publish(&sent.note).unwrap();
    assert_eq!(failures(&disk), Vec::<String>::new());
}

/// Protects the order: pieces that come twice, too early, or out of another log are refused, and what a piece leaves out is missed.
#[test]
fn swapped_repeated_and_foreign_pieces_are_refused() {
    let (_, disk) = sim();
    several(&disk, false);
    let sent = send(&disk, 0, true);
    assert!(sent.chunks.len() >= 3);
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    assert!(matches!(give(&mut mirror, &sent, 1), Err(MirrorError::Elsewhere { .. })));
    give(&mut mirror, &sent, 0).unwrap();
    assert!(matches!(give(&mut mirror, &sent, 0), Err(MirrorError::Elsewhere { .. })));
    // What says to be the next piece and is another one.
    let (next, proof) = &sent.chunks[1];
    for other in [&sent.chunks[0].0, &sent.chunks[2].0] {
        assert!(give_bytes(&mut mirror, &sent, next, proof, &other.bytes).unwrap_err().is_refusal());
    }
    assert!(give_bytes(&mut mirror, &sent, next, &[], &next.bytes).unwrap_err().is_refusal());
    let wrong = OutChunk { segment: next.segment + 1, ..next.clone() };
    assert!(matches!(give_bytes(&mut mirror, &sent, &wrong, proof, &next.bytes), Err(MirrorError::Segment { .. })));
    // Of another log, whole and well signed.
    let (_, foreign) = sim();
    let options = sealtrail_ledger::CreateOptions { open: small(), ..Default::default() };
    let entropy = crate::write_support::entropy(77);
    let (mut ledger, _) = Ledger::create(Arc::clone(&foreign), dir(), crate::write_support::keys(), options, entropy, &at(0)).unwrap();
    ledger.append(&[event(1)], &at(1_000)).unwrap();
    ledger.publish(&at(2_000)).unwrap();
    let theirs = send(&foreign, 0, true);
    let mut empty = Mirror::open(Arc::clone(&disk), Path::new("/fleet/two/mirror"), key(&disk)).unwrap();
    assert!(give(&mut empty, &theirs, 0).unwrap_err().is_refusal());
    let ours = Sent { note: sent.note.clone(), ..theirs };
    assert!(give(&mut empty, &ours, 0).unwrap_err().is_refusal());
    for at in 1..sent.chunks.len() {
        give(&mut mirror, &sent, at).unwrap();
    }
    assert!(mirror.publish(&sent.note).unwrap());
    assert_eq!(kept(&disk), stored(&disk));
}

/// Protects against a collector that is killed: wherever it stops between two pieces, the copy goes on, and a torn piece comes again.
#[test]
fn a_killed_collector_goes_on() {
    let (sim, disk) = sim();
    several(&disk, true);
    let sent = send(&disk, 0, true);
    for at in 0..sent.chunks.len() {
        let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
        assert_eq!(mirror.size().0, sent.chunks[at].0.old);
        give(&mut mirror, &sent, at).unwrap();
        drop(mirror);
        // A piece that was being written when the power went.
        if let Some((next, _)) = sent.chunks.get(at + 1).filter(|(next, _)| next.segment == sent.chunks[at].0.segment) {
            let file = place().join(format!("wal/{:012}.wal", next.segment));
            let end = sim.read(&file).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let handle = sim.open(&file, sealtrail_disk::Open::Write).unwrap();
            sealtrail_disk::write_all_at(&*handle, &next.bytes[..next.bytes.len() / 2], end as u64).unwrap();
        }
    }
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    mirror.publish(&sent.note).unwrap();
    assert_eq!(kept(&disk), stored(&disk));
    assert_eq!(failures(&disk), Vec::<String>::new());
}

pub(crate) fn erase(ledger: &mut Ledger, first: u64, last: u64, ms: u64) {
    let request = EraseRequest {
        ranges: vec![(Seq(first), Seq(last))],
        slots: vec![SlotName::Identity, SlotName::Input],
        reason: Token::parse("data_subject_request").unwrap(),
        policy: None,
        approver: None,
        legal_basis: None,
        content: serde_json::Map::new(),
    };
    ledger.erase(&request, &at(ms)).unwrap();
}

/// Protects the persons: what the owner erases goes from the copy as well, whether the copy had it or comes later; and the copy says so as the log does.
#[test]
fn an_erasure_reaches_the_copy() {
    for before in [true, false] {
        let (sim, disk) = sim();
        let mut ledger = several(&disk, false);
        let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
        if before {
            take_all(&disk, &mut mirror, true);
        }
        erase(&mut ledger, 3, 20, 60_000);
        ledger.append(&events(100..103), &at(61_000)).unwrap();
        ledger.publish(&at(62_000)).unwrap();
        take_all(&disk, &mut mirror, true);
        assert_eq!(kept(&disk), stored(&disk));
        let failed: Vec<String> = failures(&disk).into_iter().filter(|found| !found.contains("slots-rewritten")).collect();
        assert_eq!(failed, Vec::<String>::new(), "erased before it was copied: {}", !before);
        assert_eq!(crate::write_support::grep(&sim, b"canary-5-"), Vec::<std::path::PathBuf>::new());
        drop(mirror);
        let mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
        assert_eq!(mirror.size(), ledger.size());
    }
}

/// Protects the choice to hand on no content: no slot arrives, every envelope does, and of the sealed segments verification misses nothing but slots.
#[test]
fn without_content_no_slot_arrives() {
    let (_, disk) = sim();
    let mut ledger = several(&disk, false);
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    take_all(&disk, &mut mirror, false);
    for n in 40..60 {
        ledger.append(&events(n..n + 1), &at(60_000 + n)).unwrap();
        ledger.publish(&at(70_000 + n)).unwrap();
        drop(mirror);
        mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
        take_all(&disk, &mut mirror, false);
        assert_eq!(mirror.size(), ledger.size());
    }
    let (kept, own) = (kept(&disk), stored(&disk));
    assert!(kept.len() > 40 && kept.iter().all(|event| event.slots.is_empty()));
    assert!(kept.iter().zip(&own).all(|(kept, own)| kept.envelope == own.envelope));
    let other: Vec<String> =
        failures(&disk).into_iter().filter(|found| !found.contains("slot-missing") && !found.contains("unknown-file")).collect();
    assert_eq!(other, Vec::<String>::new());
}

/// Protects the owner of a log that was put back: opening it needs what the copy says, and the copy never follows it back.
#[test]
fn a_copy_does_not_go_back() {
    let (_, disk) = sim();
    let mut ledger = several(&disk, false);
    let mut mirror = Mirror::open(Arc::clone(&disk), place(), key(&disk)).unwrap();
    take_all(&disk, &mut mirror, true);
    let size = mirror.size();
    ledger.append(&events(50..53), &at(60_000)).unwrap();
    drop(ledger);
    // Another life of the same log: the same key, the same size, other events.
    let (ledger, _) = open(&disk, small(), 90_000).unwrap();
    drop(ledger);
    let sent = send(&disk, size.0, true);
    let again = Sent { chunks: send(&disk, 0, true).chunks, ..sent };
    assert!(give(&mut mirror, &again, 0).is_err());
    assert_eq!(mirror.size(), size);
}
