//! The disk refuses any one step, or says so and did it.

use std::io::ErrorKind;
use std::sync::Arc;

use sealtrail_disk::{Crash, Data, Disk, Fault, LyingDisk, Names, SimDisk};

use crate::crash_support::{run, survives};

fn steps() -> u64 {
    let lying = LyingDisk::new(Arc::new(SimDisk::new()), u64::MAX, Fault::NotDone(ErrorKind::Other));
    let disk: Arc<dyn Disk> = Arc::new(lying.clone());
    assert_eq!(run(&disk, |_| ()).events, 14);
    lying.steps()
}

fn every_step(fault: Fault, sticky: bool) {
    let steps = steps();
    for k in 0..steps {
        let simulated = SimDisk::new();
        let inner: Arc<dyn Disk> = Arc::new(simulated.clone());
        let lying = if sticky { LyingDisk::sticky(inner, k, fault) } else { LyingDisk::new(inner, k, fault) };
        let disk: Arc<dyn Disk> = Arc::new(lying);
        let acked = run(&disk, |_| ());
        drop(disk);
        // The machine goes down with the failing disk: every other time with what was not synced, and without.
        let mut replay = simulated.replay();
        while replay.advance() {}
        let (data, names) = if k % 2 == 0 { (Data::Kept, Names::Kept) } else { (Data::Dropped, Names::Dropped) };
        let disk: Arc<dyn Disk> = Arc::new(replay.image(Crash { data, names }));
        survives(&disk, &acked, &|| format!("step {k} of {steps}: {fault:?}, {data:?}, sticky {sticky}"));
    }
}

#[test]
fn a_step_that_fails_costs_no_acknowledged_event() {
    // Protects receipts from a disk that refuses one step with an error.
    every_step(Fault::NotDone(ErrorKind::Other), false);
}

#[test]
fn a_step_that_is_done_but_reported_failed_costs_no_acknowledged_event() {
    // Protects receipts from a disk that does a step and reports an error: a sync that failed is never trusted afterwards.
    every_step(Fault::DoneButFailed(ErrorKind::Other), false);
}

#[test]
fn one_full_disk_costs_no_acknowledged_event() {
    // Protects receipts from a disk that is full for one step.
    every_step(Fault::NotDone(ErrorKind::StorageFull), false);
}

#[test]
fn a_disk_that_stays_full_costs_no_acknowledged_event() {
    // Protects receipts from a disk that fills up and stays full.
    every_step(Fault::Short(ErrorKind::StorageFull), true);
}
