//! Verifying: everything recomputed from bytes in the page cache, beside hashing the same bytes into the same tree.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use rustix::time::{ClockId, clock_gettime};
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_ledger::CreateOptions;
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::{Frontier, leaf_hash};

use super::append::{create_with, stamp};
use super::load;
use super::stats::{Samples, line};

/// 400,000 events: six segments, about half a gigabyte.
const EVENTS: u64 = 400_000;
const GROUP: u64 = 1000;
const ROUNDS: usize = 5;

/// Envelope line and slot values of one event.
pub(crate) type Hashed = (Vec<u8>, Vec<u8>);

pub(crate) fn run(scratch: &Path) -> Result<(), String> {
    for (name, compression) in [("uncompressed segments", Compression::None), ("gzip segments", Compression::Gzip)] {
        let folder = scratch.join(name.split(' ').next().unwrap_or(name));
        make(&folder, compression)?;
        println!("{EVENTS} events, {name}");
        compare(&folder.join("ledger"))?;
    }
    println!("bound: leaf hash of every envelope, commitment hash of every slot, Merkle tree; plain bytes already in memory, one core");
    Ok(())
}

fn make(folder: &Path, compression: Compression) -> Result<(), String> {
    let mut options = CreateOptions::default();
    options.open.compression = compression;
    let mut ledger = create_with(folder, options, &stamp())?;
    for start in (0..EVENTS).step_by(GROUP as usize) {
        let events: Vec<_> = (start..start + GROUP).map(load::event).collect();
        ledger.append(&events, &stamp()).map_err(|error| format!("cannot append: {error}"))?;
        ledger.tick(&stamp()).map_err(|error| format!("cannot tick: {error}"))?;
    }
    ledger.publish(&stamp()).map_err(|error| format!("cannot publish: {error}"))
}

fn compare(dir: &Path) -> Result<(), String> {
    let lines = lines_of(dir)?;
    let bytes: usize = lines.iter().map(|(leaf, value)| leaf.len() + value.len()).sum();
    let (mut bound, mut one, mut two, mut wall_one, mut wall_two) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bound.push(measured(|| hash_only(&lines)).0);
        let (cpu, wall) = whole(dir, 1)?;
        one.push(cpu);
        wall_one.push(wall);
        let (cpu, wall) = whole(dir, 2)?;
        two.push(cpu);
        wall_two.push(wall);
    }
    let gigabytes = |samples: Vec<u64>| bytes as f64 / Samples::new(samples).p50() as f64;
    let (bound, one, two) = (gigabytes(bound), gigabytes(one), gigabytes(two));
    line("  verify on one thread, per second of CPU", one, bound, "GB/s", ">= 0.80 of the one-core bound");
    line("  verify on two threads, per second of CPU", two, bound, "GB/s", ">= 0.80 of the one-core bound");
    line("  wall clock, two threads beside one", gigabytes(wall_two), gigabytes(wall_one), "GB/s", "towards 2.00 on two free cores");
    Ok(())
}

/// Reads every envelope line and slot value of a ledger into memory: the bytes that the bound hashes.
pub(crate) fn lines_of(dir: &Path) -> Result<Vec<Hashed>, String> {
    let reader = sealtrail_ledger::read::Reader::open(Arc::new(RealDisk), dir).map_err(|error| format!("cannot read: {error}"))?;
    let mut lines = Vec::new();
    for stored in reader.iter(sealtrail_tlog::Seq(0)) {
        let stored = stored.map_err(|error| format!("cannot read: {error}"))?;
        let slots = stored.slots.iter().flat_map(|slot| slot.json.as_bytes().iter().copied()).collect();
        lines.push((stored.envelope, slots));
    }
    Ok(lines)
}

pub(crate) fn hash_only(lines: &[Hashed]) {
    let mut tree = Frontier::new();
    let mut seen = 0u8;
    for (envelope, slots) in lines {
        tree.push(leaf_hash(envelope));
        seen ^= digest(&SHA256, slots).as_ref()[0];
    }
    std::hint::black_box((tree.root(), seen));
}

/// Returns nanoseconds of CPU, all threads together, and of wall clock.
fn whole(dir: &Path, threads: usize) -> Result<(u64, u64), String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = VerifyOptions { threads, ..VerifyOptions::default() };
    let mut report = None;
    let took = measured(|| report = Some(verify(&disk, dir, &options, &mut |_| {})));
    let report = report.expect("it ran").map_err(|error| format!("cannot verify: {error}"))?;
    report.is_ok().then_some(took).ok_or_else(|| format!("the bench ledger does not verify: {}", report.summary()))
}

/// Runs `work` and returns nanoseconds of process CPU and of wall clock.
fn measured(work: impl FnOnce()) -> (u64, u64) {
    let cpu = || {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap_or(0)
    };
    let (wall, start) = (Instant::now(), cpu());
    work();
    (cpu() - start, u64::try_from(wall.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Returns the size of all files below `dir`.
pub(crate) fn size_of(dir: &Path) -> u64 {
    let mut total = 0;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        total += if path.is_dir() { size_of(&path) } else { entry.metadata().map(|meta| meta.len()).unwrap_or(0) };
    }
    total
}
