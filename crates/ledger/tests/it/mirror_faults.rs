//! The keeper's disk refuses any one step of taking a log, or says so and did it; then the machine goes down.

use std::io::ErrorKind;
use std::sync::Arc;

use sealtrail_disk::{Crash, Data, Disk, Fault, LyingDisk, Names, SimDisk};
use sealtrail_ledger::mirror::{Mirror, MirrorError};
use sealtrail_ledger::read::Stored;
use sealtrail_ledger::report::Severity;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::VerifierKey;

use crate::mirror::{erase, give, kept, key, place, send, several};
use crate::write_support::{at, events, sim, stored};

/// A machine before and after an erasure, and what its log is then.
struct Owner {
    key: VerifierKey,
    rounds: Vec<Arc<dyn Disk>>,
    log: Vec<Stored>,
}

fn owner() -> Owner {
    let (simulated, disk) = sim();
    let mut ledger = several(&disk, false);
    let before: Arc<dyn Disk> = Arc::new(simulated.copy());
    erase(&mut ledger, 3, 20, 60_000);
    ledger.append(&events(100..103), &at(61_000)).unwrap();
    ledger.publish(&at(62_000)).unwrap();
    Owner { key: key(&disk), rounds: vec![before, Arc::clone(&disk)], log: stored(&disk) }
}

/// Takes everything from where the copy is; `acked` is what the machine was told.
fn keep(disk: &Arc<dyn Disk>, owner: &Owner, acked: &mut u64) -> Result<(), MirrorError> {
    for round in &owner.rounds {
        let mut mirror = Mirror::open(Arc::clone(disk), place(), owner.key.clone())?;
        let sent = send(round, mirror.size().0, true);
        for at in 0..sent.chunks.len() {
            *acked = give(&mut mirror, &sent, at)?.0;
        }
        mirror.publish(&sent.note)?;
    }
    Ok(())
}

fn every_step(fault: Fault, sticky: bool) {
    let owner = owner();
    let counting = LyingDisk::new(Arc::new(SimDisk::new()), u64::MAX, fault);
    keep(&(Arc::new(counting.clone()) as Arc<dyn Disk>), &owner, &mut 0).unwrap();
    let steps = counting.steps();
    assert!(steps > 100);
    for k in 0..steps {
        let simulated = SimDisk::new();
        let inner: Arc<dyn Disk> = Arc::new(simulated.clone());
        let lying = if sticky { LyingDisk::sticky(inner, k, fault) } else { LyingDisk::new(inner, k, fault) };
        let (disk, mut acked): (Arc<dyn Disk>, u64) = (Arc::new(lying), 0);
        let _failed = keep(&disk, &owner, &mut acked);
        drop(disk);
        let mut replay = simulated.replay();
        while replay.advance() {}
        let (data, names) = if k % 2 == 0 { (Data::Kept, Names::Kept) } else { (Data::Dropped, Names::Dropped) };
        let told = || format!("step {k} of {steps}: {fault:?}, {data:?}, sticky {sticky}");
        let disk: Arc<dyn Disk> = Arc::new(replay.image(Crash { data, names }));
        let mirror = Mirror::open(Arc::clone(&disk), place(), owner.key.clone());
        let size = mirror.unwrap_or_else(|error| panic!("{}: {error}: {:?}", told(), std::error::Error::source(&error))).size().0;
        assert!(size >= acked, "{}: {size} events of {acked}", told());
        keep(&disk, &owner, &mut acked).unwrap_or_else(|error| panic!("{}: {error}: {:?}", told(), std::error::Error::source(&error)));
        assert!(kept(&disk) == owner.log, "{}", told());
        let options = VerifyOptions { threads: 1, vkey: Some(owner.key.clone()), ..VerifyOptions::default() };
        let report = verify(&disk, place(), &options, &mut |_| ()).unwrap();
        let failed: Vec<String> =
            report.findings.iter().filter(|found| found.severity == Severity::Fail).map(ToString::to_string).collect();
        assert_eq!(failed, Vec::<String>::new(), "{}", told());
    }
}

/// Protects what a machine was told to be copied from a disk that refuses one step with an error.
#[test]
fn a_copy_outlives_a_step_that_fails() {
    every_step(Fault::NotDone(ErrorKind::Other), false);
}

/// Protects it from a disk that does a step and reports an error.
#[test]
fn a_copy_outlives_a_step_that_is_done_but_reported_failed() {
    every_step(Fault::DoneButFailed(ErrorKind::Other), false);
}

/// Protects it from a disk that fills up and stays full.
#[test]
fn a_copy_outlives_a_full_disk() {
    every_step(Fault::Short(ErrorKind::StorageFull), true);
}
