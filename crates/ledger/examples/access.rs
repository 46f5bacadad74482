//! Measures random access and scanning of a large ledger: `access make DIR EVENTS gzip|none`, then `access measure DIR`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sealtrail_disk::RealDisk;
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::{CreateOptions, Ledger, Stamp};
use sealtrail_testkit::Load;
use sealtrail_tlog::Seq;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", dir, events, compression] => make(Path::new(dir), events.parse().unwrap(), compression),
        ["measure", dir] => measure(Path::new(dir)),
        _ => println!("access make DIR EVENTS gzip|none, access measure DIR"),
    }
}

/// Nanoseconds that this thread was on a CPU.
fn cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn make(dir: &Path, events: u64, compression: &str) {
    let mut options = CreateOptions::default();
    options.open.compression = if compression == "gzip" { Compression::Gzip } else { Compression::None };
    let mut seed = 1u64;
    let entropy = move |into: &mut [u8]| {
        for byte in into {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (seed >> 33) as u8;
        }
    };
    let end: jiff::Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut load = Load::new(7, events, end);
    let start = end.as_nanosecond() - 90 * 24 * 3600 * 1_000_000_000i128;
    let stamp = |unix_ns: i128| Stamp { unix_ns, mono_ns: (unix_ns - start) as u64, boot: "boot".into() };
    let created = Ledger::create(Arc::new(RealDisk), &dir.join("ledger"), &dir.join("keys"), options, entropy, &stamp(start));
    let (mut ledger, _) = created.unwrap();
    let (mut json, mut done) = (0, 0);
    loop {
        let records: Vec<_> = load.by_ref().take(2_000).collect();
        let Some(last) = records.last() else { break };
        let now: jiff::Timestamp = last["timestamp"].as_str().unwrap().parse().unwrap();
        let context = FromContext {
            audit_id_if_missing: AuditId::new(1, [0; 10]),
            recorded_at: Token::parse(last["timestamp"].as_str().unwrap()).unwrap(),
            witness: Witness::Hook,
            grade: Grade::Observed,
        };
        let events: Vec<Event> = records.iter().map(|record| Event::from_json(record, &context).unwrap()).collect();
        json += events.iter().map(|event| event.to_json().to_string().len() as u64 + 1).sum::<u64>();
        ledger.append(&events, &stamp(now.as_nanosecond())).unwrap();
        ledger.tick(&stamp(now.as_nanosecond())).unwrap();
        done += records.len() as u64;
    }
    ledger.close(&Token::parse("done").unwrap(), &stamp(end.as_nanosecond() + 24 * 3600 * 1_000_000_000)).unwrap();
    println!("{done} events, view JSON {} bytes/event", json / done);
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    for entry in std::fs::read_dir(dir.join("ledger/seg")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        *sums.entry(name[13..].to_owned()).or_default() += entry.metadata().unwrap().len();
    }
    let all: u64 = sums.values().sum();
    for (name, bytes) in sums {
        println!("{name:<20} {:>8.2} bytes/event", bytes as f64 / done as f64);
    }
    println!("{:<20} {:>8.2} bytes/event, {:.3} of the view JSON", "sealed", all as f64 / done as f64, all as f64 / json as f64);
}

fn measure(dir: &Path) {
    let start = Instant::now();
    let reader = Reader::open(Arc::new(RealDisk), &dir.join("ledger")).unwrap();
    let size = reader.size().0;
    println!("open {size} events: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let mut rng = 42u64;
    let mut some = |n: usize| -> Vec<Seq> {
        let next = || {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Seq((rng >> 20) % size)
        };
        std::iter::repeat_with(next).take(n).collect()
    };
    for round in 0..4 {
        let wanted = some(100);
        let (wall, cpu) = (Instant::now(), cpu_ns());
        let events: Vec<_> = wanted.iter().map(|seq| reader.get(*seq).unwrap().unwrap()).collect();
        let (gets, gets_wall) = (cpu_ns() - cpu, wall.elapsed());
        let cpu = cpu_ns();
        let views: usize = events.iter().map(|event| event.view().as_object().unwrap().len()).sum();
        let seen = cpu_ns() - cpu;
        println!(
            "round {round}: 100 get {:.2} ms CPU ({:.2} wall); their views {:.2} ms ({views} members)",
            gets as f64 / 1e6,
            gets_wall.as_secs_f64() * 1e3,
            seen as f64 / 1e6
        );
        let mut sorted = wanted.clone();
        sorted.sort();
        let cpu = cpu_ns();
        let many = reader.get_many(&sorted).map(Result::unwrap).count();
        println!("         get_many of the same, sorted: {:.2} ms CPU ({many})", (cpu_ns() - cpu) as f64 / 1e6);
    }
    let ids: Vec<AuditId> = some(200)
        .iter()
        .map(|seq| AuditId::parse(reader.get(*seq).unwrap().unwrap().view()["audit_id"].as_str().unwrap()).unwrap())
        .collect();
    for round in 0..2 {
        let mut times: Vec<u64> = ids
            .iter()
            .map(|id| {
                let cpu = cpu_ns();
                assert!(reader.find(id).unwrap().is_some());
                cpu_ns() - cpu
            })
            .collect();
        times.sort_unstable();
        println!("find, round {round}: p50 {} us, p99 {} us, max {} us CPU", times[100] / 1000, times[198] / 1000, times[199] / 1000);
    }
    for id in ["audit_evt_01999999999970008000000000000000", "nobody-has-this"] {
        for round in 0..2 {
            let cpu = cpu_ns();
            assert!(reader.find(&AuditId::parse(id).unwrap()).unwrap().is_none());
            println!("find of {id} (not there), round {round}: {} us CPU", (cpu_ns() - cpu) / 1000);
        }
    }
    let events = size.min(1_000_000);
    let (cpu, mut bytes) = (cpu_ns(), 0);
    for event in reader.iter(Seq(0)).take(events as usize) {
        let event = event.unwrap();
        bytes += event.envelope.len() + event.slots.iter().map(|slot| slot.json.len()).sum::<usize>();
    }
    let took = (cpu_ns() - cpu) as f64 / 1e9;
    println!("iter: {:.0} events/s, {:.0} MB/s", events as f64 / took, bytes as f64 / took / 1e6);
    let cpu = cpu_ns();
    assert_eq!(reader.iter_back().take(events as usize).map(Result::unwrap).count(), events as usize);
    println!("iter_back: {:.0} events/s", events as f64 / ((cpu_ns() - cpu) as f64 / 1e9));
    let sample: Vec<_> = reader.iter(Seq(1000)).take(50_000).map(Result::unwrap).collect();
    let cpu = cpu_ns();
    let members: usize = sample.iter().map(|event| event.view().as_object().unwrap().len()).sum();
    println!("view: {:.0} events/s ({members})", sample.len() as f64 / ((cpu_ns() - cpu) as f64 / 1e9));
}
