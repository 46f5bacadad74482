//! Verifying: everything recomputed from bytes in the page cache, beside hashing the same bytes into the same tree.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use rustix::time::{ClockId, clock_gettime};
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_event::Event;
use sealtrail_ledger::CreateOptions;
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::{Frontier, leaf_hash};

use super::append::{create_with, stamp};
use super::load;
use super::stats::{Samples, line, median_ratio};

const GROUP: u64 = 1000;
const ROUNDS: usize = 5;
/// 256 KiB a read: the bound reads as a plain program does.
const READ_BYTES: usize = 256 * 1024;
/// `{"i":<20 digits>,"slot":"<8 letters>","salt":"<24>","v":` at most: where a slot's value begins is looked for here only.
const SLOT_HEAD_BYTES_MAX: usize = 96;

/// The envelope line of an event, and what each of its commitments hashes.
pub(crate) type Hashed = (Vec<u8>, Vec<Vec<u8>>);

/// What is verified.
struct Load {
    name: &'static str,
    /// Half a gigabyte or so.
    events: u64,
    event: fn(u64) -> Event,
    compression: Compression,
}

pub(crate) fn run(scratch: &Path) -> Result<(), String> {
    let small = "three small slots (1 KiB an event)";
    let loads = [
        Load { name: small, events: 400_000, event: load::event, compression: Compression::None },
        Load { name: "an output slot of 4 KiB", events: 100_000, event: load::large_event, compression: Compression::None },
        Load { name: small, events: 400_000, event: load::event, compression: Compression::Gzip },
    ];
    for (number, load) in loads.iter().enumerate() {
        println!("{} events with {}, segments as {}", load.events, load.name, load.compression.as_str());
        let folder = scratch.join(number.to_string());
        make(&folder, load, load.compression)?;
        // The bound hashes plain bytes, whatever verify has to unpack.
        let plain = match load.compression {
            Compression::None => folder.clone(),
            Compression::Gzip => scratch.join(format!("{number}-plain")),
        };
        if plain != folder {
            make(&plain, load, Compression::None)?;
        }
        compare(&folder.join("ledger"), &plain.join("ledger"))?;
        for done in [folder, plain] {
            // A scratch folder goes anyway at the end; this only makes room for the next load.
            let _ = fs::remove_dir_all(done);
        }
    }
    println!(
        "bound: plain segments read from the page cache on one core; leaf hash of each envelope, commitment of each slot, Merkle tree"
    );
    Ok(())
}

fn make(folder: &Path, load: &Load, compression: Compression) -> Result<(), String> {
    let mut options = CreateOptions::default();
    options.open.compression = compression;
    let mut ledger = create_with(folder, options, &stamp())?;
    for start in (0..load.events).step_by(GROUP as usize) {
        let events: Vec<_> = (start..start + GROUP).map(load.event).collect();
        ledger.append(&events, &stamp()).map_err(|error| format!("cannot append: {error}"))?;
        ledger.tick(&stamp()).map_err(|error| format!("cannot tick: {error}"))?;
    }
    ledger.publish(&stamp()).map_err(|error| format!("cannot publish: {error}"))
}

fn compare(dir: &Path, plain: &Path) -> Result<(), String> {
    let (mut bound, mut one, mut two, mut wall_one, mut wall_two) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // A part of the ledger may still be in its WAL, which the bound leaves out: it is compared byte by byte.
    let (mut bound_bytes, mut bytes) = (0, 0);
    for _ in 0..ROUNDS {
        let mut hashed = Ok(0);
        bound.push(measured(|| hashed = hash_segments(plain)).0);
        bound_bytes = hashed.map_err(|error| format!("cannot read the segments: {error}"))?;
        let (read, cpu, wall) = whole(dir, 1)?;
        bytes = read;
        one.push(cpu);
        wall_one.push(wall);
        let (_, cpu, wall) = whole(dir, 2)?;
        two.push(cpu);
        wall_two.push(wall);
    }
    let speed = |bytes: u64, samples: &[u64]| bytes as f64 / Samples::new(samples.to_vec()).p50() as f64;
    let scaled = bytes as f64 / bound_bytes as f64;
    for (name, ours) in [("one thread", &one), ("two threads", &two)] {
        let what = format!("  verify on {name}, per second of CPU");
        line(&what, speed(bytes, ours), speed(bound_bytes, &bound), "GB/s", ">= 0.80 of the one-core bound");
        println!("{:<58} {:>12.2} x         median ratio of {ROUNDS} rounds", "", scaled / median_ratio(ours, &bound));
    }
    line(
        "  wall clock, two threads beside one",
        speed(bytes, &wall_two),
        speed(bytes, &wall_one),
        "GB/s",
        "towards 2.00 on two free cores",
    );
    Ok(())
}

/// Hashes what the plain segments of a ledger hold into a tree; returns how many bytes that were.
fn hash_segments(dir: &Path) -> io::Result<u64> {
    let mut names: Vec<PathBuf> = fs::read_dir(dir.join("seg"))?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    names.sort();
    let (mut tree, mut seen, mut bytes) = (Frontier::new(), 0u8, 0);
    for name in names {
        let text = name.to_string_lossy().into_owned();
        if text.ends_with(".entries.jsonl") {
            bytes += lines_of(&name, |line| tree.push(leaf_hash(line)))?;
        } else if text.ends_with(".slots.jsonl") {
            let mut message = b"sealtrail/slot/v1\n0123456789abcdef".to_vec();
            let head = message.len();
            bytes += lines_of(&name, |line| {
                let start =
                    line[..SLOT_HEAD_BYTES_MAX.min(line.len())].windows(5).position(|five| five == b",\"v\":").map_or(0, |at| at + 5);
                message.truncate(head);
                message.extend_from_slice(&line[start..line.len() - 1]);
                seen ^= digest(&SHA256, &message).as_ref()[0];
            })?;
        }
    }
    std::hint::black_box((tree.root(), seen));
    Ok(bytes)
}

fn lines_of(path: &Path, mut work: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(READ_BYTES, File::open(path)?);
    let (mut line, mut bytes) = (Vec::new(), 0);
    while file.read_until(b'\n', &mut line)? > 0 {
        bytes += line.len() as u64;
        work(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(bytes)
}

/// The hashes of events that lie in memory, envelope and slot values: leaf, commitments, tree.
pub(crate) fn hash_only(events: &[Hashed]) {
    let mut tree = Frontier::new();
    let mut seen = 0u8;
    for (envelope, slots) in events {
        tree.push(leaf_hash(envelope));
        for slot in slots {
            seen ^= digest(&SHA256, slot).as_ref()[0];
        }
    }
    std::hint::black_box((tree.root(), seen));
}

/// Returns bytes read, nanoseconds of CPU, all threads together, and of wall clock.
fn whole(dir: &Path, threads: usize) -> Result<(u64, u64, u64), String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = VerifyOptions { threads, ..VerifyOptions::default() };
    let mut report = None;
    let (cpu, wall) = measured(|| report = Some(verify(&disk, dir, &options, &mut |_| {})));
    let report = report.expect("it ran").map_err(|error| format!("cannot verify: {error}"))?;
    if !report.is_ok() {
        return Err(format!("the bench ledger does not verify: {}", report.summary()));
    }
    Ok((report.bytes, cpu, wall))
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
