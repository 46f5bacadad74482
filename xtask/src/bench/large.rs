//! A large trail: memory of the daemon, time to open, size on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use sealtrail_disk::RealDisk;
use sealtrail_event::Token;
use sealtrail_ledger::{CreateOptions, Job, Ledger, OpenOptions, Outcome, Stamp};

use super::append::{create_with, nanos, preallocated, stamp, thread_cpu_ns, write_and_sync};
use super::daemon::{Daemon, new_home};
use super::load;
use super::stats::Samples;
use super::verify::size_of;

/// 4,000 events a batch, near the limit of 4,096.
const GROUP: u64 = 4000;
/// 15 minutes between two batches: 10 million events fill 26 days, with an epoch a batch and a segment ended by each midnight.
const STEP_NS: u64 = 900 * 1_000_000_000;
const ROUNDS: usize = 15;
/// The last batch again, the announced key (file and folder), the first batch, the key's new name.
const OPENING_SYNCS: u64 = 5;
/// An hour of rounds of five seconds.
const CATCH_UP_ROUNDS_MAX: usize = 720;
/// Five hundredths of a second of CPU in five seconds: its timers and nothing else.
const IDLE_TICKS: u64 = 5;

/// Fills a trail of `events` events under `target/`, or takes the one that an earlier run left there, and measures it.
pub(crate) fn run(bin: &Path, target: &Path, events: u64) -> Result<(), String> {
    let home = target.join(format!("bench-large-{events}"));
    if !home.join("filled").exists() {
        fill(bin, &home, events)?;
    }
    super::take_precedence();
    println!("{}", fs::read_to_string(home.join("filled")).unwrap_or_default().trim_end());
    opening(&home)?;
    // Memory needs no precedence, and an index that catches up would keep everybody else waiting.
    super::give_way();
    let command = Instant::now();
    let daemon = Daemon::start(bin, &home)?;
    let started = command.elapsed();
    println!("{:<58} {:>12.1} ms        (printed)", "`sealtrail daemon`, from its start to its socket", started.as_secs_f64() * 1000.0);
    wait_until_idle(&daemon)?;
    let idle = memory(&daemon, "VmRSS:")?;
    println!("{:<58} {idle:>12.1} MB        target < 100 MB", "memory of the daemon, with nothing left to do");
    let highest = memory(&daemon, "VmHWM:")?;
    println!("{:<58} {highest:>12.1} MB        (printed)", "  highest since its start, while its index caught up");
    println!("{:<58} {:>12.1} MB        (printed)", "  size of the index on disk", size_of(&home.join("index")) as f64 / 1e6);
    Ok(())
}

/// Waits until the daemon has used no CPU worth naming for 40 seconds: its index has caught up and given its memory back.
fn wait_until_idle(daemon: &Daemon) -> Result<(), String> {
    // Nothing is ever sent: receiving with a timeout is the wait.
    let (_sender, never) = sync_channel::<()>(0);
    let (mut before, mut quiet) = (daemon.cpu_ticks()?, 0);
    for _ in 0..CATCH_UP_ROUNDS_MAX {
        let _ = never.recv_timeout(Duration::from_secs(5));
        let now = daemon.cpu_ticks()?;
        quiet = if now - before <= IDLE_TICKS { quiet + 1 } else { 0 };
        before = now;
        if quiet == 8 {
            return Ok(());
        }
    }
    Err("the daemon was still busy after an hour".to_owned())
}

/// Opens for writing again and again, each time beside as many bare writes and syncs as an opening makes.
///
/// Each opening also writes its `ledger.start` and a new epoch with its key; the checkpoint follows with the first tick.
fn opening(home: &Path) -> Result<(), String> {
    let (mut write, mut cpu, mut bare, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let file = preallocated(&home.join("bare"))?;
    for round in 0..ROUNDS as u64 {
        let (start, cpu_start) = (Instant::now(), thread_cpu_ns());
        let ledger = open(home)?;
        write.push(nanos(start));
        cpu.push(thread_cpu_ns() - cpu_start);
        let start = Instant::now();
        for n in 0..OPENING_SYNCS {
            write_and_sync(&file, &[b'x'; 512], (round * OPENING_SYNCS + n) * 512)?;
        }
        bare.push(nanos(start));
        ledger.close(&word("bench")?, &stamp()).map_err(|error| format!("cannot close: {error}"))?;
        let start = Instant::now();
        let reader = sealtrail_ledger::read::Reader::open(Arc::new(RealDisk), &home.join("ledger"));
        reader.map_err(|error| format!("cannot read: {error}"))?;
        read.push(nanos(start));
    }
    let ms = |samples: Vec<u64>| {
        let samples = Samples::new(samples);
        (samples.p50() as f64 / 1e6, samples.percentile(100) as f64 / 1e6)
    };
    println!("{ROUNDS} rounds in turn:");
    for (what, times, target) in [
        ("opening for writing", write, "target < 50 ms"),
        ("  of it CPU", cpu, "(printed)"),
        ("  bound: its 5 writes and fdatasyncs, bare", bare, "(printed)"),
        ("opening for reading", read, "target < 50 ms"),
    ] {
        let (p50, worst) = ms(times);
        println!("{what:<58} {p50:>12.1} ms        {target:<16} worst {worst:.1} ms");
    }
    Ok(())
}

fn memory(daemon: &Daemon, name: &str) -> Result<f64, String> {
    let path = format!("/proc/{}/status", daemon.pid());
    let status = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("the daemon's status has no memory")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("cannot read `{line}`"))?;
    Ok(kilobytes * 1024.0 / 1e6)
}

/// Makes the trail: 4,000 events a batch on one thread, publishing and sealing on another, times spread over days until now.
fn fill(bin: &Path, home: &Path, events: u64) -> Result<(), String> {
    let _ = fs::remove_dir_all(home);
    new_home(bin, home)?;
    for path in [PathBuf::from("ledger"), "keys/log.key".into(), "keys/epoch.key".into()] {
        let path = home.join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
    }
    let start = Instant::now();
    let batches = events.div_ceil(GROUP);
    let end = stamp();
    let at = |batch: u64| Stamp {
        unix_ns: end.unix_ns - i128::from((batches - batch) * STEP_NS),
        mono_ns: (batch + 1) * STEP_NS,
        boot: "fill".to_owned(),
    };
    let raw = append_all(create_with(home, CreateOptions::default(), &at(0))?, events, at)?;
    let took = start.elapsed().as_secs_f64();
    let stored = size_of(&home.join("ledger"));
    let filled = format!(
        "{events} events in {batches} batches sealed in {took:.0} s; {:.1} GB on disk, {:.1} % of the events' JSON ({:.1} GB), tiles and tree included\n",
        stored as f64 / 1e9,
        stored as f64 * 100.0 / raw as f64,
        raw as f64 / 1e9
    );
    fs::write(home.join("filled"), filled).map_err(|error| format!("cannot note the filling: {error}"))
}

fn append_all(mut ledger: Ledger, events: u64, at: impl Fn(u64) -> Stamp) -> Result<u64, String> {
    let mut raw = 0;
    let (jobs, due) = sync_channel::<Job>(0);
    let (outcomes, done) = sync_channel::<Outcome>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || due.iter().map(Job::run).try_for_each(|outcome| outcomes.send(outcome)));
        let failed = |error: &dyn std::fmt::Display| format!("cannot fill: {error}");
        let mut out = 0;
        for (batch, first) in (0..events).step_by(GROUP as usize).enumerate() {
            let stamp = at(batch as u64);
            let group: Vec<_> = (first..(first + GROUP).min(events)).map(load::event).collect();
            raw += group.first().map_or(0, |event| event.to_json().to_string().len()) as u64 * group.len() as u64;
            ledger.append(&group, &stamp).map_err(|error| failed(&error))?;
            if let Ok(outcome) = done.try_recv() {
                ledger.split().1.finish(outcome).map_err(|error| failed(&error))?;
                out -= 1;
            }
            if let Some(job) = ledger.job(&stamp).map_err(|error| failed(&error))? {
                jobs.send(job).map_err(|error| failed(&error))?;
                out += 1;
            }
        }
        if out > 0 {
            let outcome = done.recv().map_err(|error| failed(&error))?;
            ledger.split().1.finish(outcome).map_err(|error| failed(&error))?;
        }
        drop(jobs);
        ledger.close(&word("bench")?, &at(events.div_ceil(GROUP))).map_err(|error| failed(&error))
    })?;
    Ok(raw)
}

fn open(home: &Path) -> Result<Ledger, String> {
    let entropy = |into: &mut [u8]| getrandom::fill(into).expect("the system has randomness");
    let opened = Ledger::open(Arc::new(RealDisk), &home.join("ledger"), &home.join("keys"), OpenOptions::default(), entropy, &stamp());
    let (ledger, recovery) = opened.map_err(|error| format!("cannot open the ledger: {error}"))?;
    if recovery.from_start {
        return Err("the ledger was read from its start, which is recovery, not opening".to_owned());
    }
    Ok(ledger)
}

fn word(text: &str) -> Result<Token, String> {
    Token::parse(text).map_err(|error| error.to_string())
}
