//! Holds and erasure.

use sealtrail_event::{SlotName, Token};
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::{EraseError, EraseRequest, HoldRequest};
use sealtrail_tlog::Seq;

use crate::write_support::{at, check, create, events, grep, numbers, open, sim, small, stored};

pub(crate) fn request(ranges: &[(u64, u64)], slots: &[SlotName]) -> EraseRequest {
    EraseRequest {
        ranges: ranges.iter().map(|(first, last)| (Seq(*first), Seq(*last))).collect(),
        slots: slots.to_vec(),
        reason: Token::parse("retention").unwrap(),
        policy: Some(Token::parse("policy-7").unwrap()),
        approver: None,
        legal_basis: None,
        content: serde_json::Map::new(),
    }
}

pub(crate) fn hold(id: &str, first: u64, last: u64) -> HoldRequest {
    let ranges = vec![(Seq(first), Seq(last))];
    HoldRequest { hold: Token::parse(id).unwrap(), ranges, slots: None, content: serde_json::Map::new() }
}

#[test]
fn erased_content_is_in_no_file_and_the_log_still_verifies() {
    // Protects the right to be forgotten: sealed or still in the WAL, the bytes are gone, everything else stays and verifies.
    for compression in [Compression::None, Compression::Gzip] {
        let (simulated, disk) = sim();
        let options = sealtrail_ledger::OpenOptions { compression, ..small() };
        let (mut ledger, _) = create(&disk, true, options.clone());
        let mut last = 0;
        for n in 0..10 {
            last = ledger.append(&events(n * 2..n * 2 + 2), &at(n)).unwrap()[1].seq.0;
        }
        let erased = ledger.erase(&request(&[(2, 3), (last, last)], &[SlotName::Input]), &at(100)).unwrap();
        assert_eq!(erased.slots, 3);
        assert!(erased.segments >= 2 && erased.bytes > 300, "{erased:?}");
        if compression == Compression::None {
            assert_eq!(grep(&simulated, b"canary-1-"), Vec::<std::path::PathBuf>::new());
            assert!(grep(&simulated, b"canary-19-").is_empty());
            assert!(!grep(&simulated, b"canary-3-").is_empty());
        }
        drop(ledger);
        let report = check(&disk);
        assert_eq!(report.erased.iter().map(|erasure| erasure.slots).sum::<u64>(), 3);
        assert_eq!(numbers(&disk), (0..20).collect::<Vec<_>>());
        let gone: Vec<u64> = stored(&disk).iter().filter(|s| !s.erased().is_empty()).map(|s| s.seq.0).collect();
        assert_eq!(gone, [2, 3, last]);
        let (mut ledger, recovery) = open(&disk, options, 200).unwrap();
        assert!(recovery.unerased.is_none());
        ledger.append(&events(20..21), &at(201)).unwrap();
        drop(ledger);
        check(&disk);
    }
}

#[test]
fn a_hold_stops_an_erasure_until_it_is_lifted() {
    // Protects evidence: nothing that a hold covers is erased, also after reopening, and a lifted hold no longer stops anything.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    ledger.append(&events(0..10), &at(1)).unwrap();
    ledger.hold(&hold("case-1", 3, 5), &at(2)).unwrap();
    drop(ledger);
    let (mut ledger, _) = open(&disk, small(), 10).unwrap();
    assert_eq!(ledger.holds().unwrap().len(), 1);
    let refused = ledger.erase(&request(&[(1, 3)], &[SlotName::Input]), &at(11)).unwrap_err();
    assert!(matches!(refused, EraseError::Held { first: 3, last: 3, .. }), "{refused:?}");
    ledger.erase(&request(&[(1, 2), (6, 9)], &[SlotName::Input]), &at(12)).unwrap();
    ledger.release(&Token::parse("case-1").unwrap(), serde_json::Map::new(), &at(13)).unwrap();
    ledger.erase(&request(&[(1, 5)], &[SlotName::Input, SlotName::Identity]), &at(14)).unwrap();
    drop(ledger);
    let report = check(&disk);
    assert_eq!(report.erased.iter().map(|erasure| erasure.slots).sum::<u64>(), 14);
}

#[test]
fn erasure_reaches_torn_tails() {
    // Protects against copies that nobody thinks of: an event that was torn, quarantined and sent again is erased in both places.
    let (simulated, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    ledger.append(&events(0..2), &at(1)).unwrap();
    drop(ledger);
    let path = crate::write_support::path("wal/000000000000.wal");
    let bytes = disk.read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let file = disk.open(&path, sealtrail_disk::Open::Write).unwrap();
    file.truncate(end as u64 - 20).unwrap();
    let (mut ledger, recovery) = open(&disk, small(), 5).unwrap();
    assert!(recovery.quarantined_bytes > 0);
    let receipts = ledger.append(&events(0..2), &at(6)).unwrap();
    assert!(grep(&simulated, b"canary-1-").iter().any(|path| path.to_string_lossy().contains("quarantine")));
    let (first, last) = (receipts[0].seq.0, receipts[1].seq.0);
    ledger.erase(&request(&[(first, last)], SlotName::ALL), &at(7)).unwrap();
    assert!(grep(&simulated, b"canary-").is_empty(), "{:?}", grep(&simulated, b"canary-"));
    drop(ledger);
    check(&disk);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    // Protects the record: no ledger.erase is written for ranges that do not exist or overlap.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    ledger.append(&events(0..5), &at(1)).unwrap();
    let size = ledger.size();
    for ranges in [&[][..], &[(3, 2)], &[(1, 6)], &[(1, 3), (3, 4)], &[(3, 4), (1, 2)]] {
        assert!(matches!(ledger.erase(&request(ranges, &[SlotName::Input]), &at(2)), Err(EraseError::Request { .. })), "{ranges:?}");
    }
    assert!(ledger.erase(&request(&[(1, 2)], &[]), &at(2)).is_err());
    assert_eq!(ledger.size(), size);
}
