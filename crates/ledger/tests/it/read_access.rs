//! Random access: whatever the side files say, the answer is the one that reading everything gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use sealtrail_disk::{Disk, SimDisk};
use sealtrail_event::{AuditId, Event, SlotName};
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_ledger::{Ledger, OpenOptions, SegmentLimits};
use sealtrail_tlog::Seq;

use crate::write_erase::request;
use crate::write_support::{DAY, at, create, dir, event, open, path, sim, small};

/// An event whose id is ours, foreign, or a UUIDv7 that somebody else made, in turn.
pub(crate) fn event_of(n: u64, late_ms: u64) -> Event {
    let mut event = event(n);
    let ms = (DAY / 1_000_000) as u64 + n - late_ms.min(n);
    let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    event.envelope.audit_id = match n % 4 {
        0 => AuditId::parse(&format!("evt_{n}")).unwrap(),
        1 => AuditId::parse(&format!("{:08x}-{:04x}-7abc-8def-{:012x}", ms >> 16, ms & 0xffff, noise >> 16)).unwrap(),
        _ => AuditId::new(ms, [noise as u8, (noise >> 8) as u8, (noise >> 16) as u8, 4, 5, 6, 7, 8, 9, n as u8]),
    };
    event
}

pub(crate) fn id_of(stored: &Stored) -> AuditId {
    AuditId::parse(stored.view()["audit_id"].as_str().unwrap()).unwrap()
}

fn reader(disk: &Arc<dyn Disk>) -> Reader {
    Reader::open(Arc::clone(disk), dir()).unwrap()
}

/// Asks for everything in every way and compares it with `wanted`, the whole log.
fn answers(reader: &Reader, wanted: &[Stored], seed: u64, story: &str) {
    let mut order: Vec<Seq> = wanted.iter().map(|event| event.seq).collect();
    order.sort_by_key(|seq| (seq.0 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
    for seq in &order {
        assert_eq!(reader.get(*seq).unwrap().as_ref(), Some(&wanted[seq.0 as usize]), "{story}: get {seq:?}");
    }
    for (seq, found) in order.iter().zip(reader.get_many(&order)) {
        assert_eq!(found.unwrap(), wanted[seq.0 as usize], "{story}: get_many {seq:?}");
    }
    for event in wanted.iter().skip(seed as usize % 3).step_by(3) {
        assert_eq!(reader.find(&id_of(event)).unwrap().as_ref(), Some(event), "{story}: find {:?}", event.seq);
    }
    let mut back: Vec<Stored> = reader.iter_back().map(Result::unwrap).collect();
    back.reverse();
    assert!(back == wanted, "{story}: backwards");
    let all: Vec<Stored> = reader.iter(Seq(0)).map(Result::unwrap).collect();
    assert!(all == wanted, "{story}: forwards");
    assert!(reader.find(&AuditId::parse("evt_nobody").unwrap()).unwrap().is_none());
    assert!(reader.find(&AuditId::new((DAY / 1_000_000) as u64 + 9, [9; 10])).unwrap().is_none());
    assert!(reader.get(Seq(wanted.len() as u64)).unwrap().is_none());
    assert!(reader.get_many(&[Seq(wanted.len() as u64)]).next().unwrap().is_err());
}

/// As [`answers`], for a few events only, others for each seed.
fn some_answers(disk: &Arc<dyn Disk>, wanted: &[Stored], seed: u64, story: &str) {
    let reader = reader(disk);
    for event in wanted.iter().skip(seed as usize % 7).step_by(7) {
        assert_eq!(reader.get(event.seq).unwrap().as_ref(), Some(event), "{story}: get {:?}", event.seq);
    }
    for event in wanted.iter().skip(seed as usize % 23).step_by(23) {
        assert_eq!(reader.find(&id_of(event)).unwrap().as_ref(), Some(event), "{story}: find {:?}", event.seq);
    }
}

/// Every event of the log as decoding the plain files gives it, without any side file.
fn whole(disk: &SimDisk) -> Vec<Stored> {
    let bare = disk.copy();
    for file in bare.files().iter().filter(|path| path.extension().is_some_and(|end| end == "blocks")) {
        bare.remove(file).unwrap();
    }
    let bare: Arc<dyn Disk> = Arc::new(bare);
    reader(&bare).iter(Seq(0)).map(Result::unwrap).collect()
}

/// The kinds of what a verification that finds no failure reports.
fn kinds(disk: &Arc<dyn Disk>) -> Vec<&'static str> {
    let report = verify(disk, dir(), &VerifyOptions { threads: 1, ..VerifyOptions::default() }, &mut |_| ()).unwrap();
    assert!(report.is_ok(), "{:?}", report.findings);
    report.findings.iter().map(|finding| finding.kind).collect()
}

fn options(compression: Compression, events: u64) -> OpenOptions {
    OpenOptions { compression, segment: SegmentLimits { events, bytes: 1024 * 1024 }, ..small() }
}

/// A log with one sealed segment of three blocks, some of its slots erased, and an active one.
fn sealed(compression: Compression) -> (SimDisk, Arc<dyn Disk>, Ledger) {
    let (simulated, disk) = sim();
    let (mut ledger, _) = create(&disk, false, options(compression, 70));
    for n in 0..8 {
        let batch: Vec<Event> = (n * 9..n * 9 + 9).map(|n| event_of(n, 0)).collect();
        ledger.append(&batch, &at(n)).unwrap();
    }
    // A whole block, the borders of others, and single events.
    let ranges = [(3, 3), (31, 64), (66, 66)];
    ledger.erase(&request(&ranges, &[SlotName::Input, SlotName::Identity]), &at(20)).unwrap();
    (simulated, disk, ledger)
}

fn blocks() -> std::path::PathBuf {
    path("seg/000000000000.blocks")
}

fn write(disk: &Arc<dyn Disk>, path: &std::path::Path, bytes: &[u8]) {
    sealtrail_disk::replace(&**disk, path, bytes).unwrap();
}

#[test]
fn a_damaged_side_file_changes_no_answer_and_is_reported() {
    // Protects answers from every single damaged byte of a derived file, and verification from not noticing it.
    for compression in [Compression::Gzip, Compression::None] {
        let (simulated, disk, ledger) = sealed(compression);
        drop(ledger);
        let wanted = whole(&simulated);
        answers(&reader(&disk), &wanted, 1, "whole");
        assert!(!kinds(&disk).contains(&"derived-differs"));
        let bytes = disk.read(&blocks()).unwrap();
        assert!(bytes.len() > 300);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            write(&disk, &blocks(), &bad);
            some_answers(&disk, &wanted, at as u64, &format!("byte {at} of {compression:?}"));
            let reported = at % 5 != 0 || kinds(&disk).contains(&"derived-differs");
            assert!(reported, "byte {at}");
        }
        for length in (0..bytes.len()).step_by(7) {
            write(&disk, &blocks(), &bytes[..length]);
            some_answers(&disk, &wanted, length as u64, &format!("{length} bytes of {compression:?}"));
        }
        disk.remove(&blocks()).unwrap();
        answers(&reader(&disk), &wanted, 3, "none");
        assert!(!kinds(&disk).contains(&"derived-differs"), "a side file that is not there is made when it is needed");
    }
}

#[test]
fn a_side_file_of_other_slots_changes_no_answer() {
    // Protects erasure: places of slots as they were before it, also when the file claims to be of the slots after it, neither bring
    // back what is erased nor hide what is not.
    for compression in [Compression::Gzip, Compression::None] {
        let (simulated, disk, mut ledger) = sealed(compression);
        let before = disk.read(&blocks()).unwrap();
        ledger.erase(&request(&[(5, 9), (67, 68)], &[SlotName::Input]), &at(30)).unwrap();
        drop(ledger);
        let wanted = whole(&simulated);
        let after = disk.read(&blocks()).unwrap();
        assert_ne!(before, after);
        answers(&reader(&disk), &wanted, 1, "new");
        write(&disk, &blocks(), &before);
        answers(&reader(&disk), &wanted, 2, "stale");
        assert!(kinds(&disk).contains(&"derived-differs"));
        // The head of the new file on the rows of the old one.
        let mut forged = before.clone();
        forged[..104].copy_from_slice(&after[..104]);
        write(&disk, &blocks(), &forged);
        answers(&reader(&disk), &wanted, 3, "forged");
    }
}

#[test]
fn ids_that_a_side_file_hides_are_reported() {
    // Protects the way from an id to its event: fingerprints that are whole by their own sum and still not those of the events.
    let (_, disk, ledger) = sealed(Compression::Gzip);
    drop(ledger);
    let mut bytes = disk.read(&blocks()).unwrap();
    let (row, prints) = (104, 104 + 3 * 40);
    bytes[prints] ^= 1;
    let sum = crc32c::crc32c(&bytes[prints..prints + 64]);
    bytes[row + 32..row + 36].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&0u64.to_le_bytes()), &bytes[row..row + 36]);
    bytes[row + 36..row + 40].copy_from_slice(&sum.to_le_bytes());
    write(&disk, &blocks(), &bytes);
    assert!(kinds(&disk).contains(&"derived-differs"));
}

#[test]
fn an_open_reader_forgets_what_is_erased() {
    // Protects erasure from what a reader keeps open: after a refresh neither files nor buffers give back what is gone.
    for compression in [Compression::Gzip, Compression::None] {
        let (simulated, disk, mut ledger) = sealed(compression);
        let mut reader = reader(&disk);
        let clone = reader.clone();
        assert_eq!(reader.get(Seq(6)).unwrap().unwrap().slots.len(), 2);
        ledger.erase(&request(&[(6, 7)], SlotName::ALL), &at(30)).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.get(Seq(6)).unwrap().unwrap().slots, []);
        assert_eq!(reader.get_many(&[Seq(7)]).next().unwrap().unwrap().slots, []);
        drop(ledger);
        answers(&reader, &whole(&simulated), 1, "refreshed");
        // The clone still answers as of its own time, or without what is erased; it never mixes files.
        assert!([0, 2].contains(&clone.get(Seq(6)).unwrap().unwrap().slots.len()));
    }
}

#[test]
fn segments_without_side_files_and_with_other_members_are_read_and_get_one_when_rewritten() {
    // Protects older segments: any division into gzip members is read, and an erasure leaves a side file that fits.
    let (simulated, disk, ledger) = sealed(Compression::Gzip);
    drop(ledger);
    let wanted = whole(&simulated);
    let entries = path("seg/000000000000.entries.jsonl.gz");
    let mut plain = Vec::new();
    let bytes = disk.read(&entries).unwrap();
    std::io::Read::read_to_end(&mut flate2::bufread::MultiGzDecoder::new(&bytes[..]), &mut plain).unwrap();
    let lines: Vec<&[u8]> = plain.split_inclusive(|byte| *byte == b'\n').collect();
    for (n, members) in [lines.len(), 50, 17].into_iter().enumerate() {
        let packed: Vec<u8> = lines.chunks(members).flat_map(|lines| gzip(&lines.concat())).collect();
        let manifest = path("seg/000000000000.json");
        let mut stated = sealtrail_ledger::line::Manifest::parse(&disk.read(&manifest).unwrap()).unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &packed);
        (stated.files.entries.bytes, stated.files.entries.sha256) = (packed.len() as u64, digest.as_ref().try_into().unwrap());
        write(&disk, &entries, &packed);
        write(&disk, &manifest, &stated.encode());
        let now: Vec<Stored> = if n == 0 { wanted.clone() } else { whole(&simulated) };
        // The side file is still that of the old entries; then none.
        answers(&reader(&disk), &now, n as u64, &format!("members of {members}"));
        disk.remove(&blocks()).unwrap();
        answers(&reader(&disk), &now, n as u64, &format!("members of {members}, no side file"));
        let (mut ledger, _) = open(&disk, options(Compression::Gzip, 70), 1_000 * (n as u64 + 1)).unwrap();
        let seq = 10 + 3 * n as u64;
        ledger.erase(&request(&[(seq, seq + 1)], &[SlotName::Input]), &at(1_000 * (n as u64 + 1) + 1)).unwrap();
        drop(ledger);
        assert!(disk.size(&blocks()).unwrap().is_some());
        assert!(!kinds(&disk).contains(&"derived-differs"));
        answers(&reader(&disk), &whole(&simulated), n as u64, &format!("members of {members}, new side file"));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_of_reading_gives_the_same_events(
        batches in prop::collection::vec((1..30u64, 0..3u64, any::<bool>()), 1..14),
        erased in prop::collection::vec((0..250u64, 0..70u64), 0..4),
        events in 33..110u64,
        gzip in any::<bool>(),
    ) {
        // Protects random access on logs of any shape: segments and blocks of any length, ids of every kind, some of them late, any
        // erasure.
        let (simulated, disk) = sim();
        let compression = if gzip { Compression::Gzip } else { Compression::None };
        let (mut ledger, _) = create(&disk, true, options(compression, events));
        let mut n = 0;
        for (k, (count, late, tick)) in (1..).zip(&batches) {
            let batch: Vec<Event> = (n..n + count).map(|n| event_of(n, late * 40)).collect();
            n += count;
            ledger.append(&batch, &at(k * 2_000)).unwrap();
            if *tick {
                ledger.tick(&at(k * 2_000 + 1)).unwrap();
            }
        }
        let last = ledger.size().0 - 1;
        for (k, (first, more)) in (0..).zip(&erased) {
            let first = (*first).min(last);
            let slots: &[SlotName] = if k % 2 == 0 { SlotName::ALL } else { &[SlotName::Identity] };
            ledger.erase(&request(&[(first, (first + more).min(last))], slots), &at(100_000 + k)).unwrap();
        }
        drop(ledger);
        let wanted = whole(&simulated);
        let ids: BTreeMap<AuditId, u64> = wanted.iter().map(|event| (id_of(event), event.seq.0)).collect();
        prop_assert_eq!(ids.len(), wanted.len());
        answers(&reader(&disk), &wanted, n, "random log");
        prop_assert!(!kinds(&disk).contains(&"derived-differs"));
    }
}
