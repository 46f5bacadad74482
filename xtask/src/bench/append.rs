//! Appending: CPU per event, groups of 100, and a lone event, beside bare write + fdatasync of the same bytes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use sealtrail_disk::RealDisk;
use sealtrail_event::Event;
use sealtrail_ledger::{CreateOptions, Ledger, Stamp};

use super::load;
use super::stats::{Samples, line};

/// 100,000 events in 1,000 groups: a tenth of a second of CPU, a few seconds of disk.
const EVENTS: u64 = 100_000;
const GROUP: usize = 100;
const LONE: u64 = 2_000;
/// Three rounds, each ours and bare in turn; the median ratio is printed.
const ROUNDS: usize = 5;
const PREALLOCATE: u64 = 512 * 1024 * 1024;

pub(crate) fn run(scratch: &Path) -> Result<(), String> {
    let events: Vec<Event> = (0..EVENTS).map(load::event).collect();
    cpu(&scratch.join("cpu"), &events)?;
    groups(scratch, &events)?;
    lone(scratch, &events)
}

/// CPU of building (envelope, slots, salts, hashes, tree, chain, signature), no disk.
fn cpu(folder: &Path, events: &[Event]) -> Result<(), String> {
    let mut ledger = create(folder)?;
    let (builder, _) = ledger.split();
    let mut bytes = 0;
    let start = clock_gettime(ClockId::ThreadCPUTime);
    for group in events.chunks(1000) {
        let batch = builder.build(group, &stamp()).map_err(|error| format!("cannot build: {error}"))?;
        bytes += batch.bytes_len();
    }
    let end = clock_gettime(ClockId::ThreadCPUTime);
    let ns = (end.tv_sec - start.tv_sec) * 1_000_000_000 + (end.tv_nsec - start.tv_nsec);
    let per_event = ns as f64 / events.len() as f64;
    println!("one event is {} bytes in the WAL (envelope, three slots, share of the commit line)", bytes / events.len());
    line("append, CPU per event (envelope building included)", per_event / 1000.0, 2.0, "us", "<= 1.00 (2 us per 1 KiB event)");
    Ok(())
}

/// Groups of 100 through two threads, beside one thread that writes and syncs the same bytes.
fn groups(scratch: &Path, events: &[Event]) -> Result<(), String> {
    let mut ratios = Vec::new();
    let (mut ours, mut bare) = (0.0, 0.0);
    for round in 0..ROUNDS {
        let (rate, sizes) = pipeline(&scratch.join(format!("groups-{round}")), events)?;
        let bound = bare_rate(&scratch.join(format!("bare-{round}")), &sizes)?;
        ratios.push((rate / bound * 1000.0) as u64);
        (ours, bare) = (rate, bound);
    }
    let median = Samples::new(ratios).p50() as f64 / 1000.0;
    line("acknowledged events/s, groups of 100 (last round)", ours, bare, "events/s", ">= 0.70");
    println!("{:<58} {median:>12.2} {:<9} median ratio of {ROUNDS} rounds", "", "x");
    Ok(())
}

fn pipeline(folder: &Path, events: &[Event]) -> Result<(f64, Vec<usize>), String> {
    let (mut builder, mut committer) = create(folder)?.into_parts();
    let (send, receive) = sync_channel(1);
    let start = Instant::now();
    let sizes = std::thread::scope(|scope| {
        scope.spawn(move || {
            for group in events.chunks(GROUP) {
                let Ok(batch) = builder.build(group, &stamp()) else { return };
                if send.send(batch).is_err() {
                    return;
                }
            }
        });
        let mut sizes = Vec::new();
        while let Ok(batch) = receive.recv() {
            sizes.push(batch.bytes_len());
            committer.commit(batch).map_err(|error| format!("cannot commit: {error}"))?;
        }
        Ok::<_, String>(sizes)
    })?;
    if sizes.len() != events.len().div_ceil(GROUP) {
        return Err(format!("committed {} groups of {}", sizes.len(), events.len().div_ceil(GROUP)));
    }
    Ok((events.len() as f64 / start.elapsed().as_secs_f64(), sizes))
}

fn bare_rate(path: &Path, sizes: &[usize]) -> Result<f64, String> {
    let file = preallocated(path)?;
    let bytes = vec![b'x'; sizes.iter().copied().max().unwrap_or(0)];
    let start = Instant::now();
    let mut at = 0;
    for size in sizes {
        write_and_sync(&file, &bytes[..*size], at)?;
        at += *size as u64;
    }
    Ok((sizes.len() * GROUP) as f64 / start.elapsed().as_secs_f64())
}

/// One event at a time: a whole append beside a bare write and sync, in turn.
fn lone(scratch: &Path, events: &[Event]) -> Result<(), String> {
    let mut ledger = create(&scratch.join("lone"))?;
    let file = preallocated(&scratch.join("lone-bare"))?;
    let bytes = vec![b'x'; 1700];
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for n in 0..LONE {
        let start = Instant::now();
        let event = &events[usize::try_from(n).unwrap_or(0)];
        ledger.append(std::slice::from_ref(event), &stamp()).map_err(|error| format!("cannot append: {error}"))?;
        ours.push(nanos(start));
        let start = Instant::now();
        write_and_sync(&file, &bytes, n * bytes.len() as u64)?;
        bare.push(nanos(start));
    }
    let (ours, bare) = (Samples::new(ours), Samples::new(bare));
    line("a lone event, p50", ours.p50() as f64 / 1000.0, bare.p50() as f64 / 1000.0, "us", "<= 1.50");
    line("a lone event, p99", ours.p99() as f64 / 1000.0, bare.p99() as f64 / 1000.0, "us", "(printed)");
    Ok(())
}

fn preallocated(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, PREALLOCATE)
        .map_err(|error| format!("cannot preallocate: {error}"))?;
    file.sync_all().map_err(|error| format!("cannot sync: {error}"))?;
    Ok(file)
}

fn write_and_sync(file: &File, bytes: &[u8], at: u64) -> Result<(), String> {
    file.write_all_at(bytes, at).and_then(|()| file.sync_data()).map_err(|error| format!("cannot write: {error}"))
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Makes a ledger for measuring, with its WAL preallocated as far as the bare file.
pub(crate) fn create(folder: &Path) -> Result<Ledger, String> {
    let mut options = CreateOptions::default();
    options.open.preallocate = PREALLOCATE;
    create_with(folder, options, &stamp())
}

pub(crate) fn create_with(folder: &Path, options: CreateOptions, stamp: &Stamp) -> Result<Ledger, String> {
    let entropy = |into: &mut [u8]| getrandom::fill(into).expect("the system has randomness");
    let made = Ledger::create(Arc::new(RealDisk), &folder.join("ledger"), &folder.join("keys"), options, entropy, stamp);
    made.map(|(ledger, _)| ledger).map_err(|error| format!("cannot create a ledger: {error}"))
}

/// Reads the clocks.
pub(crate) fn stamp() -> Stamp {
    let wall = clock_gettime(ClockId::Realtime);
    let mono = clock_gettime(ClockId::Monotonic);
    Stamp {
        unix_ns: i128::from(wall.tv_sec) * 1_000_000_000 + i128::from(wall.tv_nsec),
        mono_ns: u64::try_from(mono.tv_sec * 1_000_000_000 + mono.tv_nsec).unwrap_or(0),
        boot: "bench".to_owned(),
    }
}
