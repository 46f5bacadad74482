//! The power goes between any two changes of the disk.

use std::sync::Arc;

use sealtrail_disk::{Crash, Data, Disk, Names, SimDisk};

use crate::crash_support::{Acked, run, survives};
use crate::write_support::{sim, splitmix};

/// Runs the script and notes after how many changes what was acknowledged.
fn recorded() -> (SimDisk, Vec<(usize, Acked)>) {
    let (simulated, disk) = sim();
    let mut notes = vec![(0, Acked::default())];
    let all = run(&disk, |acked| notes.push((simulated.changes(), acked.clone())));
    assert_eq!((all.events, all.erased.len()), (14, 5), "the script ran to its end");
    (simulated, notes)
}

fn acked_at(notes: &[(usize, Acked)], changes: usize) -> &Acked {
    &notes[notes.partition_point(|(at, _)| *at <= changes) - 1].1
}

#[test]
fn every_acknowledged_event_survives_a_crash_at_every_change() {
    // Protects the promise of a receipt: after each change, with nothing, everything or a random part of what was not synced on the
    // disk, and with names ahead of or behind data, the log opens, holds what was acknowledged, verifies and goes on.
    let (simulated, notes) = recorded();
    let mut replay = simulated.replay();
    let mut seed = 0x5ea1;
    let mut images = 0;
    while replay.advance() {
        let position = replay.position();
        let acked = acked_at(&notes, position);
        let (small, large) = (splitmix(&mut seed), splitmix(&mut seed));
        let mut crashes = vec![
            Crash { data: Data::Kept, names: Names::Kept },
            Crash { data: Data::Dropped, names: Names::Dropped },
            Crash { data: Data::Dropped, names: Names::Kept },
            Crash { data: Data::Kept, names: Names::Dropped },
            Crash { data: Data::Random { block: 512, seed: small }, names: Names::Kept },
            Crash { data: Data::Random { block: 4096, seed: large }, names: Names::First(replay.names() / 2) },
        ];
        // What is the same as another image needs no second look.
        crashes.dedup_by_key(|crash| {
            (replay.blocks(512) == 0 || crash.data == Data::Kept, replay.names() == 0 || crash.names == Names::Kept, *crash)
        });
        if replay.blocks(512) == 0 && replay.names() == 0 {
            crashes.truncate(1);
        }
        for crash in crashes {
            let disk: Arc<dyn Disk> = Arc::new(replay.image(crash));
            survives(&disk, acked, &|| format!("crash after change {position} of {}, {crash:?}", simulated.changes()));
            images += 1;
        }
    }
    assert!(images > 500, "{images}");
}

#[test]
fn every_subset_of_a_torn_batch_is_recovered_or_set_aside() {
    // Protects against torn writes, exhaustively: each subset of the 512-byte blocks of the last, unsynced batch.
    let (simulated, notes) = recorded();
    let mut replay = simulated.replay();
    let mut tried = 0;
    while replay.advance() {
        let blocks = replay.blocks(512);
        if !(4..=8).contains(&blocks) || tried > 3 {
            continue;
        }
        tried += 1;
        let position = replay.position();
        for mask in 0..1u64 << blocks {
            let crash = Crash { data: Data::Mask { block: 512, mask }, names: Names::Kept };
            let disk: Arc<dyn Disk> = Arc::new(replay.image(crash));
            survives(&disk, acked_at(&notes, position), &|| format!("crash after change {position}, {crash:?}"));
        }
    }
    assert!(tried > 0);
}

#[test]
fn a_crash_during_recovery_is_recovered() {
    // Protects recovery itself: it may be interrupted at every change it makes, and the next one ends in the same place.
    let (simulated, notes) = recorded();
    let mut replay = simulated.replay();
    while replay.advance() {
        let position = replay.position();
        if position % 41 != 0 || !acked_at(&notes, position).created {
            continue;
        }
        let first = replay.image(Crash { data: Data::Random { block: 512, seed: position as u64 }, names: Names::Kept });
        let disk: Arc<dyn Disk> = Arc::new(first.clone());
        drop(crate::write_support::open(&disk, crate::crash_support::options(), 850_000));
        let mut again = first.replay();
        while again.advance() {
            if again.position() % 3 != 0 {
                continue;
            }
            let crash = Crash { data: Data::Dropped, names: if again.position() % 2 == 0 { Names::Kept } else { Names::Dropped } };
            let disk: Arc<dyn Disk> = Arc::new(again.image(crash));
            let story = || format!("crash after change {position}, then after change {} of the recovery, {crash:?}", again.position());
            survives(&disk, acked_at(&notes, position), &story);
        }
    }
}
