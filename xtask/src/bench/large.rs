//! A large trail: memory of the daemon, time to open, size on disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sealtrail_disk::RealDisk;
use sealtrail_event::Token;
use sealtrail_ledger::{Ledger, OpenOptions};

use super::append::stamp;
use super::hook::{new_home, start_daemon};
use super::load;
use super::verify::size_of;

const GROUP: u64 = 4000;

pub(crate) fn run(bin: &Path, scratch: &Path, events: u64) -> Result<(), String> {
    let home = new_home(bin, &scratch.join("home"))?;
    let start = Instant::now();
    let raw = fill(&home, events)?;
    println!("{events} events sealed in {:.0} s", start.elapsed().as_secs_f64());
    let stored = size_of(&home.join("ledger"));
    println!("{:<58} {:>12.1} % of {raw} raw bytes", "size on disk, tiles and tree included", stored as f64 * 100.0 / raw as f64);
    for round in 1..=3 {
        let start = Instant::now();
        let ledger = open(&home)?;
        println!("{:<58} {:>12.1} ms        target < 50 ms (round {round})", "opening for writing", start.elapsed().as_secs_f64() * 1000.0);
        close(ledger)?;
    }
    let daemon = start_daemon(bin, &home)?;
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap_or_default();
    for wanted in ["VmRSS", "VmHWM"] {
        let line = status.lines().find(|line| line.starts_with(wanted)).unwrap_or("not told");
        println!("daemon, {line}        target < 100 MB");
    }
    Ok(())
}

fn fill(home: &Path, events: u64) -> Result<u64, String> {
    let mut ledger = open(home)?;
    let mut raw = 0;
    for start in (0..events).step_by(GROUP as usize) {
        let group: Vec<_> = (start..(start + GROUP).min(events)).map(load::event).collect();
        raw += group.first().map_or(0, |event| event.to_json().to_string().len()) as u64 * group.len() as u64;
        ledger.append(&group, &stamp()).map_err(|error| format!("cannot append: {error}"))?;
        ledger.tick(&stamp()).map_err(|error| format!("cannot tick: {error}"))?;
    }
    close(ledger)?;
    Ok(raw)
}

fn open(home: &Path) -> Result<Ledger, String> {
    let entropy = |into: &mut [u8]| getrandom::fill(into).expect("the system has randomness");
    let opened = Ledger::open(Arc::new(RealDisk), &home.join("ledger"), &home.join("keys"), OpenOptions::default(), entropy, &stamp());
    opened.map(|(ledger, _)| ledger).map_err(|error| format!("cannot open the ledger: {error}"))
}

fn close(ledger: Ledger) -> Result<(), String> {
    let why = Token::parse("bench").map_err(|error| error.to_string())?;
    ledger.close(&why, &stamp()).map_err(|error| format!("cannot close: {error}"))
}
