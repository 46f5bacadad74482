//! The writer on a good day.

use std::sync::Arc;

use sealtrail_event::Token;
use sealtrail_ledger::{CreateError, CreateOptions, Ledger, OpenError};
use sealtrail_tlog::{Seq, TreeSize};

use crate::write_support::{at, create, dir, entropy, event, events, keys, numbers, open, path, sim, small, stored, types};

#[test]
fn what_is_appended_is_read_back() {
    // Protects the whole path: receipts name positions and hashes, and a reader finds the same events, over rotation and reopening.
    for hmac in [false, true] {
        let (_, disk) = sim();
        let (mut ledger, backup) = create(&disk, hmac, small());
        assert_eq!(backup.mac_key.is_some(), hmac);
        let mut receipts = Vec::new();
        for n in 0..10 {
            receipts.extend(ledger.append(&events(n * 3..n * 3 + 3), &at(n)).unwrap());
            ledger.tick(&at(n * 1_100)).unwrap();
        }
        let word = Token::parse("shutdown").unwrap();
        ledger.close(&word, &at(20_000)).unwrap();
        let (ledger, recovery) = open(&disk, small(), 30_000).unwrap();
        assert!(!recovery.from_start);
        assert_eq!(recovery.quarantined_bytes, 0);
        drop(ledger);
        assert_eq!(numbers(&disk), (0..30).collect::<Vec<_>>());
        let all = stored(&disk);
        for receipt in &receipts {
            assert_eq!(all[receipt.seq.0 as usize].leaf_hash(), receipt.leaf_hash);
            assert!(receipt.tree_size.0 > receipt.seq.0);
        }
        assert_eq!(receipts.len(), 30);
        assert!(disk.list(&path("seg")).unwrap().len() >= 8, "segments are sealed");
        assert!(disk.list(&path("wal")).unwrap().len() <= 2);
        let kinds = types(&disk);
        assert_eq!(kinds[0], "ledger.created");
        for kind in ["ledger.start", "ledger.stop", "ledger.epoch"] {
            assert!(kinds.iter().any(|found| found == kind), "{kind}");
        }
    }
}

#[test]
fn a_second_writer_is_refused() {
    // Protects the chain: two processes never append to one log.
    let (_, disk) = sim();
    let (ledger, _) = create(&disk, false, small());
    assert!(matches!(open(&disk, small(), 1), Err(OpenError::Locked { .. })));
    drop(ledger);
    open(&disk, small(), 1).unwrap();
}

#[test]
fn a_log_is_not_made_over_another() {
    // Protects keys and events from a second init.
    let (_, disk) = sim();
    drop(create(&disk, false, small()));
    let again = Ledger::create(Arc::clone(&disk), dir(), keys(), CreateOptions::default(), entropy(9), &at(1));
    assert!(matches!(again, Err(CreateError::Exists { .. })));
    open(&disk, small(), 2).unwrap();
}

#[test]
fn a_rejected_event_leaves_the_ledger_as_it_was() {
    // Protects the good events from a bad one: the batch is refused whole, says which, and the next append goes on.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    let mut bad = events(0..3);
    bad[1].slots[0].json = "no object".into();
    let error = ledger.append(&bad, &at(1)).unwrap_err();
    assert!(format!("{:?}", error).contains("index: 1"), "{error:?}");
    let mut own = event(7);
    own.envelope.event_type = Token::parse("ledger.gap").unwrap();
    assert!(ledger.append(&[own], &at(1)).is_err());
    assert_eq!(ledger.size(), TreeSize(1));
    assert_eq!(ledger.append(&events(0..2), &at(1)).unwrap()[0].seq, Seq(1));
    assert_eq!(numbers(&disk), [0, 1]);
}

#[test]
fn epochs_follow_time_and_count_and_change_the_key() {
    // Protects forward security: an epoch ends after its time or its events, with a heartbeat when nothing happens.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, true, small());
    let key = disk.read(&keys().join("epoch.key")).unwrap();
    let mac = disk.read(&keys().join("mac.key")).unwrap();
    ledger.tick(&at(599_999)).unwrap();
    assert_eq!(key, disk.read(&keys().join("epoch.key")).unwrap());
    ledger.tick(&at(600_000)).unwrap();
    assert_ne!(key, disk.read(&keys().join("epoch.key")).unwrap());
    assert_ne!(mac, disk.read(&keys().join("mac.key")).unwrap());
    assert!(disk.size(&keys().join("epoch.next")).unwrap().is_none());
    for n in 0..50 {
        ledger.append(&[event(n)], &at(600_001 + n)).unwrap();
    }
    let kinds = types(&disk);
    assert_eq!(kinds.iter().filter(|kind| *kind == "ledger.epoch").count(), 3);
    let whys: Vec<_> = stored(&disk).iter().filter_map(|s| s.view()["ledger"]["why"].as_str().map(str::to_owned)).collect();
    assert_eq!(whys, ["interval", "count", "count"]);
}

#[test]
fn a_step_of_the_clock_is_written_down() {
    // Protects the reading of times: wall clock steps of more than a second are events; smaller ones and reboots are not.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    let mut stamp = at(10_000);
    stamp.unix_ns += 999_000_000;
    ledger.append(&[event(0)], &stamp).unwrap();
    stamp.unix_ns -= 3_600_000_000_000;
    ledger.append(&[event(1)], &stamp).unwrap();
    stamp.unix_ns += 10 * 365 * 86_400_000_000_000;
    ledger.append(&[event(2)], &stamp).unwrap();
    stamp.boot = "boot-2".into();
    stamp.mono_ns = 0;
    ledger.append(&[event(3)], &stamp).unwrap();
    let steps: Vec<_> = stored(&disk).iter().filter_map(|s| s.view()["ledger"]["step_ms"].as_i64()).collect();
    assert_eq!(steps, [-3_600_000, 315_360_000_000]);
}

#[test]
fn a_large_event_has_a_batch_to_itself() {
    // Protects the format's batch limit: what does not fit 8 MiB with others is alone, also when a clock step is due.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    let mut large = event(1);
    large.slots[1].json = format!("{{\"command\":\"{}\"}}", "y".repeat(8 * 1024 * 1024 - 1024));
    let mut stamp = at(5);
    stamp.unix_ns += 5_000_000_000;
    ledger.append(&[event(0), large.clone(), event(2)], &stamp).unwrap();
    stamp.unix_ns += 5_000_000_000;
    ledger.append(&[large], &stamp).unwrap();
    drop(ledger);
    open(&disk, small(), 9).unwrap();
    assert_eq!(numbers(&disk), [0, 1, 2, 1]);
}
