//! Measures the index: `speed FOLDER COUNT` makes a ledger of COUNT records in FOLDER (once), feeds an index, and asks it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for a terminal")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use sealtrail_disk::RealDisk;
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
use sealtrail_index::{Answer, Index, Indexer, IndexerOptions, Options, run};
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::{CreateOptions, Ledger, Stamp};
use sealtrail_query::Search;
use sealtrail_testkit::Load;

const SEARCHES: &[(&str, Option<u64>)] = &[
    ("user_id=user_10 timestamp>=2026-11-20", Some(100)),
    ("event_type=data.file_read resource.sensitivity_level=pii timestamp>=2026-11-07", Some(100)),
    ("source_ip=203.0.113.*", Some(100)),
    ("prod-config", Some(100)),
    ("\"rm -rf /var\"", Some(100)),
    ("resource.size_bytes>1000000000", Some(100)),
    ("resource.size_bytes>1000000000", None),
    ("session_id exists and status=fail", Some(100)),
    ("not event_type=data.* user_id=user_3", Some(100)),
    ("source_ip=203.0.113.0/24", Some(100)),
    ("resource.path~\"config\\\\.yaml$\"", Some(100)),
    ("nothing-like-this", Some(100)),
    ("timestamp>=2026-10-22 | terms user_id limit=10", None),
    ("| histogram 1h by domain", None),
    ("| histogram 1h by event_type", None),
    ("| percentiles duration_ms 95 by event_type every 1d", None),
    ("status=fail duration_ms>1000 | count", None),
    ("sequence by user_id with maxspan=300s [auth.user_login[status=fail]] [auth.user_login[status=success]]", Some(100)),
    ("| last 10", None),
    ("| terms session_id limit=10", None),
];

fn main() {
    let mut args = std::env::args().skip(1);
    let (folder, count) = (PathBuf::from(args.next().unwrap()), args.next().unwrap().parse::<u64>().unwrap());
    let mut raw = 0;
    if !folder.join("ledger").exists() {
        raw = make(&folder, count);
        std::fs::write(folder.join("raw"), raw.to_string()).unwrap();
    }
    raw = raw.max(std::fs::read_to_string(folder.join("raw")).unwrap().parse().unwrap());
    let reader = Reader::open(Arc::new(RealDisk), &folder.join("ledger")).unwrap();
    let dir = folder.join("index");
    feed(&dir, &reader);
    let index = Index::open(&dir, reader.log()).unwrap();
    let stats = index.stats().unwrap();
    println!("{stats:?}; {} bytes/event, {:.1} % of raw", stats.bytes / stats.events.max(1), stats.bytes as f64 / raw as f64 * 100.0);
    for (text, limit) in SEARCHES {
        ask(&reader, &index, text, *limit);
    }
}

fn make(folder: &Path, count: u64) -> u64 {
    let start = Instant::now();
    let mut rng = Rng::with_seed(1);
    let at =
        |ms: u64| Stamp { unix_ns: 1_795_000_000_000_000_000 + i128::from(ms) * 1_000_000, mono_ns: ms * 1_000_000, boot: "b".to_owned() };
    let mut salts = Rng::with_seed(2);
    std::fs::create_dir_all(folder).unwrap();
    let (mut ledger, _) = Ledger::create(
        Arc::new(RealDisk),
        &folder.join("ledger"),
        &folder.join("keys"),
        CreateOptions::default(),
        move |into: &mut [u8]| salts.fill(into),
        &at(0),
    )
    .unwrap();
    let (mut raw, mut batch, mut ms) = (0, Vec::new(), 0);
    for record in Load::new(1, count, "2026-11-21T00:00:00Z".parse().unwrap()) {
        raw += record.to_string().len() as u64 + 1;
        let mut entropy = [0; 10];
        rng.fill(&mut entropy);
        let context = FromContext {
            audit_id_if_missing: AuditId::new(1_795_000_000_000 + ms, entropy),
            recorded_at: Token::parse("2026-11-21T00:00:00.123456789Z").unwrap(),
            witness: Witness::Hook,
            grade: Grade::Observed,
        };
        batch.push(Event::from_json(&record, &context).unwrap());
        ms += 1;
        if batch.len() == 1_000 {
            ledger.append(&batch, &at(ms)).unwrap();
            ledger.tick(&at(ms)).unwrap();
            batch.clear();
        }
    }
    if !batch.is_empty() {
        ledger.append(&batch, &at(ms)).unwrap();
    }
    ledger.close(&Token::parse("done").unwrap(), &at(ms)).unwrap();
    println!("made {count} events of {} bytes in {:?}", raw / count, start.elapsed());
    raw
}

fn feed(dir: &Path, reader: &Reader) {
    let mut indexer = Indexer::open(dir, reader.log(), &IndexerOptions::default()).unwrap();
    if indexer.indexed_to() >= reader.size().0 {
        return;
    }
    let (start, cpu) = (Instant::now(), cpu_ms());
    let fed = indexer.rebuild(reader, &mut |_| ()).unwrap();
    let (wall, cpu) = (start.elapsed().as_secs_f64(), (cpu_ms() - cpu) as f64 / 1000.0);
    println!(
        "fed {} events: {:.0}/s wall, {:.0}/s of CPU, {} MB at most",
        fed.events,
        fed.events as f64 / wall,
        fed.events as f64 / cpu,
        peak_mb()
    );
}

fn ask(reader: &Reader, index: &Index, text: &str, limit: Option<u64>) {
    let search = Search::parse(text).unwrap();
    let options = Options { limit, threads: 2, ..Options::default() };
    let mut walls = Vec::new();
    let (mut found, cpu) = (0, cpu_ms());
    let runs = 5;
    for _ in 0..runs {
        let start = Instant::now();
        found = match run(reader, Some(index), &search, &options, &mut |_| ()).unwrap() {
            Answer::Events(hits) => hits.map(Result::unwrap).count(),
            Answer::Table(table) => table.rows.len(),
            Answer::Matches(matches) => matches.len(),
        };
        walls.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let cpu = (cpu_ms() - cpu) as f64 / f64::from(runs);
    let first = walls[0];
    walls.sort_by(f64::total_cmp);
    println!("{:8.2} ms (first {first:8.2}, CPU {cpu:8.1})  {found:6} of {text} {limit:?}", walls[walls.len() / 2]);
}

/// CPU time of the process: user and system, in milliseconds, in steps of ten.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
