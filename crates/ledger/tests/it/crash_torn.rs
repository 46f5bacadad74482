//! A file that ends anywhere, and files that were put back.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, Open, SimDisk, replace};
use sealtrail_ledger::{OpenError, OpenOptions, RecoverError};
use sealtrail_tlog::TreeSize;

use crate::crash_support::verifies;
use crate::write_support::{at, create, dir, events, keys, numbers, open, path, sim, small, types};

const WAL: &str = "wal/000000000000.wal";

/// 12 events in 3 batches after event 0; returns the disk, and size and end of file after each batch.
fn three_batches(hmac: bool) -> (SimDisk, Vec<(u64, usize)>) {
    let (simulated, disk) = sim();
    let (mut ledger, _) = create(&disk, hmac, one_segment());
    let end = || disk.read(&path(WAL)).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut ends = vec![(1, end())];
    for (n, batch) in [0..3, 3..7, 7..12].into_iter().enumerate() {
        ledger.append(&events(batch), &at(n as u64)).unwrap();
        ends.push((ledger.size().0, end()));
    }
    drop(ledger);
    (simulated, ends)
}

fn one_segment() -> OpenOptions {
    OpenOptions { segment: sealtrail_ledger::SegmentLimits { events: 100, bytes: 1 << 20 }, ..small() }
}

fn cut(disk: &Arc<dyn Disk>, size: u64, zeros: bool) {
    let file = disk.open(&path(WAL), Open::Write).unwrap();
    file.truncate(size).unwrap();
    if zeros {
        file.allocate(64 * 1024).unwrap();
    }
}

#[test]
fn a_wal_cut_at_any_byte_recovers_the_acknowledged_prefix() {
    // Protects recovery: whatever the length of the file, exactly the whole batches are kept, the rest is set aside once, and doing it
    // twice changes nothing. The marks are removed, because with them a shorter log is refused (next test).
    for hmac in [false, true] {
        let (simulated, ends) = three_batches(hmac);
        for mark in ["checkpoint", "highwater", "checkpoints.notes"] {
            simulated.remove(&path(mark)).unwrap();
        }
        for length in 0..=ends[3].1 {
            let disk: Arc<dyn Disk> = Arc::new(simulated.copy());
            cut(&disk, length as u64, length % 2 == 0);
            let opened = open(&disk, small(), 10_000);
            let Some((size, end)) = ends.iter().rev().find(|(_, end)| *end <= length).copied() else {
                assert!(matches!(opened, Err(OpenError::Recover(RecoverError::Empty { .. }))), "{length}");
                continue;
            };
            let (ledger, recovery) = opened.unwrap_or_else(|error| panic!("{length}: {error:?}"));
            assert_eq!(recovery.recovered, TreeSize(size), "{length}");
            // A cut inside zeros leaves nothing to set aside; the last bytes of a commit line are not zero.
            assert_eq!(recovery.quarantined_bytes, (length - end) as u64, "{length}");
            drop(ledger);
            assert_eq!(numbers(&disk), (0..size - 1).collect::<Vec<_>>(), "{length}");
            let (ledger, recovery) = open(&disk, small(), 20_000).unwrap();
            assert_eq!(recovery.quarantined_bytes, 0);
            drop(ledger);
            assert_eq!(numbers(&disk), (0..size - 1).collect::<Vec<_>>(), "{length}");
            let torn = disk.list(&path("quarantine")).unwrap_or_default();
            assert_eq!(torn.iter().filter(|name| name.ends_with(".torn")).count(), usize::from(length > end));
            if length % 16 == 0 {
                verifies(&disk, &|| format!("cut at {length}"));
            }
        }
    }
}

#[test]
fn a_log_behind_its_marks_is_not_signed() {
    // Protects against rollback and loss: when the checkpoint or a mark says more than the files hold, the writer stops.
    let (simulated, ends) = three_batches(false);
    let disk: Arc<dyn Disk> = Arc::new(simulated);
    let (mut ledger, _) = open(&disk, one_segment(), 5_000).unwrap();
    ledger.publish(&at(6_000)).unwrap();
    drop(ledger);
    let marked = simulated_copy(&disk);
    for left in [&["checkpoint"][..], &["highwater"], &["checkpoint", "highwater"]] {
        let disk: Arc<dyn Disk> = Arc::new(marked.copy());
        for mark in ["checkpoint", "highwater"].iter().filter(|mark| !left.contains(mark)) {
            disk.remove(&path(mark)).unwrap();
        }
        cut(&disk, ends[3].1 as u64, true);
        let refused = open(&disk, small(), 10_000).map(drop).unwrap_err();
        assert!(matches!(refused, OpenError::BehindHighWater { found: 13, .. }), "{refused:?}");
        assert!(refused.to_string().contains("rolled back"), "{refused}");
    }
}

fn simulated_copy(disk: &Arc<dyn Disk>) -> SimDisk {
    let copy = SimDisk::new();
    copy_tree(&**disk, &copy, Path::new("/home"));
    copy
}

fn copy_tree(from: &dyn Disk, to: &SimDisk, folder: &Path) {
    to.create_dir(folder).unwrap();
    for name in from.list(folder).unwrap() {
        let path = folder.join(name);
        match from.size(&path).unwrap() {
            Some(_) => replace(to, &path, &from.read(&path).unwrap()).unwrap(),
            None => copy_tree(from, to, &path),
        }
    }
}

#[test]
fn an_older_copy_of_everything_is_refused_by_the_mark_kept_elsewhere() {
    // Protects against a restored backup: ledger and keys from before, the second mark from now.
    let (_, disk) = sim();
    let options = OpenOptions { highwater_copy: Some("/elsewhere/mark".into()), ..small() };
    disk.create_dir(Path::new("/elsewhere")).unwrap();
    let (mut ledger, _) = create(&disk, false, options.clone());
    ledger.append(&events(0..3), &at(1)).unwrap();
    ledger.publish(&at(2)).unwrap();
    let old = simulated_copy(&disk);
    ledger.append(&events(3..6), &at(3)).unwrap();
    ledger.publish(&at(4)).unwrap();
    let mark = disk.read(Path::new("/elsewhere/mark")).unwrap();
    old.create_dir(Path::new("/elsewhere")).unwrap();
    replace(&old, Path::new("/elsewhere/mark"), &mark).unwrap();
    let old: Arc<dyn Disk> = Arc::new(old);
    let refused = open(&old, options, 10).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::BehindHighWater { size: 7, found: 4, .. }), "{refused:?}");
}

#[test]
fn an_older_log_with_the_keys_of_now_is_refused() {
    // Protects against a restored ledger folder: the keys are of an epoch that the log does not know.
    let (_, disk) = sim();
    let (ledger, _) = create(&disk, true, small());
    drop(ledger);
    let old = simulated_copy(&disk);
    drop(open(&disk, small(), 10).unwrap());
    for key in ["epoch.key", "mac.key"] {
        replace(&old, &keys().join(key), &disk.read(&keys().join(key)).unwrap()).unwrap();
    }
    let old: Arc<dyn Disk> = Arc::new(old);
    let refused = open(&old, small(), 20).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::BehindKeys { epoch: 1, found: 0, .. }), "{refused:?}");
}

#[test]
fn damage_before_the_end_is_never_repaired() {
    // Protects acknowledged events from being taken for a torn write: any byte of a batch that another follows stops the writer.
    let (simulated, ends) = three_batches(false);
    for mark in ["checkpoint", "highwater"] {
        simulated.remove(&path(mark)).unwrap();
    }
    let whole = simulated.read(&path(WAL)).unwrap();
    for (offset, byte) in whole.iter().enumerate().take(ends[2].1).skip(ends[0].1) {
        let disk: Arc<dyn Disk> = Arc::new(simulated.copy());
        let file = disk.open(&path(WAL), Open::Write).unwrap();
        file.write_at(&[byte ^ 0x11], offset as u64).unwrap();
        let before = disk.read(&path(WAL)).unwrap();
        assert!(matches!(open(&disk, small(), 9), Err(OpenError::Recover(_))), "byte {offset}");
        assert_eq!(disk.read(&path(WAL)).unwrap(), before, "byte {offset}");
    }
}

#[test]
fn a_lost_epoch_key_breaks_the_epoch_in_the_open() {
    // Protects the log from a lost key: it goes on under the log key, once, and says so; a lost mac key asks for the one kept elsewhere.
    let (_, disk) = sim();
    let (mut ledger, backup) = create(&disk, true, small());
    ledger.append(&events(0..3), &at(1)).unwrap();
    drop(ledger);
    disk.remove(&keys().join("epoch.key")).unwrap();
    let (mut ledger, recovery) = open(&disk, small(), 10).unwrap();
    assert_eq!(recovery.lost_epoch, Some(0));
    ledger.append(&events(3..5), &at(11)).unwrap();
    drop(ledger);
    assert_eq!(numbers(&disk), [0, 1, 2, 3, 4]);
    verifies(&disk, &|| "after the break".into());

    disk.remove(&keys().join("mac.key")).unwrap();
    assert!(matches!(open(&disk, small(), 20), Err(OpenError::MacKey { epoch: 1, .. })));
    replace(&*disk, &keys().join("mac.key"), backup.mac_key.unwrap().as_bytes()).unwrap();
    drop(open(&disk, small(), 30).unwrap());
    verifies(&disk, &|| "after the mac key came back".into());
}

#[test]
fn derived_files_are_made_again() {
    // Protects against the loss of what follows from the events: without mark, tiles or both, opening reads everything and publishes.
    let (simulated, _) = sim();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let (mut ledger, _) = create(&disk, true, small());
    for n in 0..10 {
        ledger.append(&events(n * 3..n * 3 + 3), &at(n)).unwrap();
        ledger.tick(&at(n * 1_001)).unwrap();
    }
    drop(ledger);
    let lose: [&dyn Fn(&std::path::PathBuf) -> bool; 3] =
        [&|path| path.ends_with("highwater"), &|path| path.starts_with(dir().join("tile")), &|path| {
            path.starts_with(dir().join("tile")) || path.ends_with("checkpoint") || path.ends_with("highwater")
        }];
    for lost in lose {
        let copy = simulated.copy();
        copy.files().iter().filter(|path| lost(path)).for_each(|path| copy.remove(path).unwrap());
        let disk: Arc<dyn Disk> = Arc::new(copy);
        let (ledger, recovery) = open(&disk, small(), 30_000).unwrap();
        assert!(recovery.from_start && recovery.unpublished.is_none());
        drop(ledger);
        assert_eq!(numbers(&disk), (0..30).collect::<Vec<_>>());
        verifies(&disk, &|| "after the repair".into());
        assert_eq!(types(&disk).iter().filter(|kind| *kind == "ledger.start").count(), 1);
    }
}
