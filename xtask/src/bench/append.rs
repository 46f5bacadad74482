//! Appending: CPU per event, groups of 100, and a lone event, beside hashing, signing and bare write + fdatasync of the same bytes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_lc_rs::signature::Ed25519KeyPair;
use rustix::time::{ClockId, clock_gettime};
use sealtrail_disk::RealDisk;
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home, Ingested};
use sealtrail_event::Event;
use sealtrail_ledger::{CreateOptions, Ledger, Stamp};

use super::load;
use super::stats::{Samples, line, median_ratio};
use super::verify::{Hashed, hash_only};

/// 100,000 events in 1,000 groups: a tenth of a second of CPU, a few seconds of disk.
const EVENTS: u64 = 100_000;
const GROUP: usize = 100;
/// 25 groups at a time, about 20 ms of a quiet disk: 40 pairs of slices.
const SLICE: usize = 25;
const LONE: usize = 2_000;
const SENDERS: usize = 4;
/// Seven rounds, each ours and the bound in turn.
const ROUNDS: usize = 7;
const PREALLOCATE: u64 = 512 * 1024 * 1024;
/// Bytes that a commit signs: label, origin and the commit's object.
const SIGNED_BYTES: usize = 400;

pub(crate) fn run(scratch: &Path) -> Result<(), String> {
    let events: Vec<Event> = (0..EVENTS).map(load::event).collect();
    cpu(scratch, &events)?;
    lone_cpu(&scratch.join("lone-cpu"), &events)?;
    let bytes = groups(scratch, &events)?;
    senders(scratch, &events, bytes)?;
    lone(scratch, &events)
}

/// CPU of building (envelope, slots, salts, hashes, tree, chain, signature), no disk; beside the hashes alone.
fn cpu(scratch: &Path, events: &[Event]) -> Result<(), String> {
    let mut ledger = create(&scratch.join("hashed"))?;
    for group in events.chunks(1000).take(10) {
        ledger.append(group, &stamp()).map_err(|error| format!("cannot append: {error}"))?;
    }
    let lines = messages_of(&scratch.join("hashed/ledger"))?;
    let (mut ours, mut bound, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let mut ledger = create(&scratch.join(format!("cpu-{round}")))?;
        let (builder, _) = ledger.split();
        let start = thread_cpu_ns();
        for group in events.chunks(1000) {
            bytes = builder.build(group, &stamp()).map_err(|error| format!("cannot build: {error}"))?.bytes_len() / 1000;
        }
        ours.push((thread_cpu_ns() - start) / EVENTS);
        let start = thread_cpu_ns();
        (0..10).for_each(|_| hash_only(&lines));
        bound.push((thread_cpu_ns() - start) / (10 * lines.len() as u64));
    }
    println!("one event is {bytes} bytes in the WAL (envelope, three slots, share of the commit line)");
    let ratio = median_ratio(&ours, &bound);
    let ours = Samples::new(ours).p50() as f64 / 1000.0;
    line("append, CPU per event (envelope building included)", ours, 2.0, "us", "<= 1.00 (2 us per 1 KiB event)");
    println!("{:<58} {ratio:>12.2} x         bound: leaf, slot and tree hashes of the same events", "");
    Ok(())
}

/// Reads the envelope line of every event of a ledger, and what each of its commitments hashes.
fn messages_of(dir: &Path) -> Result<Vec<Hashed>, String> {
    let reader = sealtrail_ledger::read::Reader::open(Arc::new(RealDisk), dir).map_err(|error| format!("cannot read: {error}"))?;
    let mut messages = Vec::new();
    for stored in reader.iter(sealtrail_tlog::Seq(0)) {
        let stored = stored.map_err(|error| format!("cannot read: {error}"))?;
        let slots = stored.slots.iter().map(|slot| [b"sealtrail/slot/v1\n", &slot.salt[..], slot.json.as_bytes()].concat());
        messages.push((stored.envelope, slots.collect()));
    }
    Ok(messages)
}

/// CPU of a batch of one event, beside one Ed25519 signature.
fn lone_cpu(folder: &Path, events: &[Event]) -> Result<(), String> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|_| "cannot make a key".to_owned())?;
    let mut ledger = create(folder)?;
    let (builder, _) = ledger.split();
    let (mut ours, mut bound) = (Vec::new(), Vec::new());
    for part in events[..ROUNDS * LONE].chunks(LONE) {
        let start = thread_cpu_ns();
        for event in part {
            let batch = builder.build(std::slice::from_ref(event), &stamp()).map_err(|error| format!("cannot build: {error}"))?;
            std::hint::black_box(batch.bytes_len());
        }
        ours.push((thread_cpu_ns() - start) / LONE as u64);
        let start = thread_cpu_ns();
        for _ in 0..LONE {
            std::hint::black_box(pair.sign(std::hint::black_box(&[b'x'; SIGNED_BYTES])));
        }
        bound.push((thread_cpu_ns() - start) / LONE as u64);
    }
    let ratio = median_ratio(&ours, &bound);
    let us = |samples: Vec<u64>| Samples::new(samples).p50() as f64 / 1000.0;
    line("a lone event, CPU (signature included)", us(ours), 13.0, "us", "<= 1.00 (13 us)");
    println!("{:<58} {ratio:>12.2} x         bound: one Ed25519 signature of {SIGNED_BYTES} bytes, {:.2} us", "", us(bound));
    Ok(())
}

/// Groups of 100 on one thread, as the daemon appends, beside writing and syncing the same bytes: a slice of the one, then of the other, so that
/// a slow moment of the disk hits both.
/// Returns the bytes of a group.
fn groups(scratch: &Path, events: &[Event]) -> Result<usize, String> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let mut ledger = create(&scratch.join("groups"))?;
    let file = preallocated(&scratch.join("groups-bare"))?;
    let mut at = 0;
    for slice in events.chunks(SLICE * GROUP) {
        let mut sizes = Vec::with_capacity(SLICE);
        let start = Instant::now();
        for group in slice.chunks(GROUP) {
            sizes.push(append(&mut ledger, group)?);
        }
        ours.push(nanos(start));
        let bytes = vec![b'x'; sizes.iter().copied().max().unwrap_or(0)];
        let start = Instant::now();
        for size in &sizes {
            write_and_sync(&file, &bytes[..*size], at)?;
            at += *size as u64;
        }
        bare.push(nanos(start));
    }
    let ratio = 1.0 / median_ratio(&ours, &bare);
    let rate = |samples: &[u64]| (SLICE * GROUP) as f64 * 1e9 / Samples::new(samples.to_vec()).p50() as f64;
    line("acknowledged events/s, groups of 100, one sender", rate(&ours), rate(&bare), "events/s", ">= 0.70");
    println!("{:<58} {ratio:>12.2} x         median ratio of {} slices of {SLICE} groups", "", ours.len());
    Ok(usize::try_from(at).unwrap_or(0) * GROUP / events.len())
}

/// Groups of 100 of several senders through a running daemon, each waiting for its answer before it sends the next, beside writing and syncing
/// `bytes` for each group on one thread.
fn senders(scratch: &Path, events: &[Event], bytes: usize) -> Result<(), String> {
    let (home, _) =
        Home::create(scratch.join("senders"), &CreateHome::default()).map_err(|error| format!("cannot create a home: {error}"))?;
    let daemon = Daemon::start(&home, DaemonOptions::default()).map_err(|error| format!("cannot start the daemon: {error}"))?;
    let (mut ours, mut bare, mut at) = (Vec::new(), Vec::new(), 0);
    let (file, group) = (preallocated(&scratch.join("senders-bare"))?, vec![b'x'; bytes]);
    for slice in events.chunks(SLICE * GROUP) {
        let groups: Vec<Vec<Event>> = slice.chunks(GROUP).map(<[Event]>::to_vec).collect();
        let (handle, count) = (daemon.handle(), groups.len());
        let left = Mutex::new(groups);
        let send = || {
            while let Some(group) = left.lock().ok().and_then(|mut left| left.pop()) {
                if !handle.ingest(group).iter().all(|answer| matches!(answer, Ingested::Sealed(_))) {
                    return Err("a group was not sealed".to_owned());
                }
            }
            Ok(())
        };
        let start = Instant::now();
        std::thread::scope(|scope| {
            let sending: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
            sending.into_iter().try_for_each(|sent| sent.join().unwrap_or(Err("a sender panicked".to_owned())))
        })?;
        ours.push(nanos(start));
        let start = Instant::now();
        for _ in 0..count {
            write_and_sync(&file, &group, at)?;
            at += bytes as u64;
        }
        bare.push(nanos(start));
    }
    daemon.stop().map_err(|error| format!("cannot stop the daemon: {error}"))?;
    let ratio = 1.0 / median_ratio(&ours, &bare);
    let rate = |samples: &[u64]| (SLICE * GROUP) as f64 * 1e9 / Samples::new(samples.to_vec()).p50() as f64;
    line(&format!("acknowledged events/s, groups of 100, {SENDERS} senders"), rate(&ours), rate(&bare), "events/s", ">= 0.70");
    println!("{:<58} {ratio:>12.2} x         through the daemon, which joins what is waiting", "");
    Ok(())
}

/// Appends a group durably; returns the bytes of its batch.
fn append(ledger: &mut Ledger, group: &[Event]) -> Result<usize, String> {
    let (builder, committer) = ledger.split();
    let batch = builder.build(group, &stamp()).map_err(|error| format!("cannot build: {error}"))?;
    let bytes = batch.bytes_len();
    if batch.taken() != group.len() {
        return Err(format!("a batch took {} events of {}", batch.taken(), group.len()));
    }
    committer.commit(batch).map_err(|error| format!("cannot commit: {error}"))?;
    Ok(bytes)
}

/// One event at a time: a whole append beside a bare write and sync, in turn.
fn lone(scratch: &Path, events: &[Event]) -> Result<(), String> {
    let mut ledger = create(&scratch.join("lone"))?;
    let file = preallocated(&scratch.join("lone-bare"))?;
    let (mut ours, mut bare, mut at) = (Vec::new(), Vec::new(), 0);
    for event in &events[..LONE] {
        let start = Instant::now();
        let bytes = append(&mut ledger, std::slice::from_ref(event))?;
        ours.push(nanos(start));
        let bytes = vec![b'x'; bytes];
        let start = Instant::now();
        write_and_sync(&file, &bytes, at)?;
        bare.push(nanos(start));
        at += bytes.len() as u64;
    }
    let ratio = median_ratio(&ours, &bare);
    let (ours, bare) = (Samples::new(ours), Samples::new(bare));
    line("a lone event, p50", ours.p50() as f64 / 1000.0, bare.p50() as f64 / 1000.0, "us", "<= 1.50");
    println!("{:<58} {ratio:>12.2} x         median ratio of {LONE} pairs", "");
    line("a lone event, p99", ours.p99() as f64 / 1000.0, bare.p99() as f64 / 1000.0, "us", "(printed)");
    Ok(())
}

pub(crate) fn preallocated(path: &Path) -> Result<File, String> {
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

pub(crate) fn write_and_sync(file: &File, bytes: &[u8], at: u64) -> Result<(), String> {
    file.write_all_at(bytes, at).and_then(|()| file.sync_data()).map_err(|error| format!("cannot write: {error}"))
}

pub(crate) fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the CPU that this thread has used, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap_or(0)
}

/// Makes a ledger for measuring, as it ships.
pub(crate) fn create(folder: &Path) -> Result<Ledger, String> {
    create_with(folder, CreateOptions::default(), &stamp())
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
