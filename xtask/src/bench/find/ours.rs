//! The twelve queries, answered by the index and re-checked on the sealed bytes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use sealtrail_disk::RealDisk;
use sealtrail_event::AuditId;
use sealtrail_index::{Answer, Index, Indexer, IndexerOptions, Options, Order, run};
use sealtrail_ledger::read::Reader;
use sealtrail_query::Search;
use serde_json::{Value, json};

use super::data::Data;

/// Runs of a query of which the median counts; three when one takes over two seconds.
const ROUNDS: usize = 7;

/// One measured query.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    pub(crate) answer: Value,
}

/// What indexing cost.
pub(crate) struct Fed {
    pub(crate) events: u64,
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
}

/// Indexes everything that is not indexed yet; nothing when all is.
pub(crate) fn index(data: &Data) -> Result<Option<Fed>, String> {
    let reader = reader(data)?;
    let mut indexer = Indexer::open(&data.index(), reader.log(), &IndexerOptions::default()).map_err(|error| shown(&error))?;
    let (wall, cpu, mut events) = (Instant::now(), cpu_ms(), 0);
    loop {
        let fed = indexer.feed(&reader, 65_536).map_err(|error| shown(&error))?;
        events += fed.events;
        if fed.indexed_to >= fed.size {
            break;
        }
    }
    let fed = Fed { events, cpu_s: (cpu_ms() - cpu) / 1000.0, wall_s: wall.elapsed().as_secs_f64() };
    Ok((events > 0).then_some(fed))
}

/// Answers every query, or the one of that name.
pub(crate) fn queries(data: &Data, only: Option<&str>) -> Result<Vec<Measured>, String> {
    let (plan, reader) = (data.plan()?, reader(data)?);
    let index = Index::open(&data.index(), reader.log()).map_err(|error| shown(&error))?;
    let text = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
    let end = plan["end_ms"].as_i64().unwrap_or_default();
    let days_before = |days: i64| Timestamp::from_millisecond(end - days * 86_400_000).map(|time| time.to_string()).unwrap_or_default();
    let id = AuditId::parse(&text("audit_id")).map_err(|error| error.to_string())?;
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let mut measured = Vec::new();
    if wanted("Q1") {
        measured.push(measure("Q1", || match reader.find(&id).map_err(|error| shown(&error))? {
            Some(stored) => Ok(json!([stored.view()["audit_id"]])),
            None => Err("Q1 found nothing".to_owned()),
        })?);
    }
    let searches = [
        ("Q2", format!("user_id={} timestamp>=\"{}\"", text("user"), days_before(1))),
        ("Q3", format!("event_type=data.file_read resource.sensitivity_level=pii timestamp>=\"{}\"", days_before(14))),
        ("Q4", format!("source_ip={}*", text("network"))),
        ("Q5a", text("token")),
        ("Q5b", format!("\"{}\"", text("substring"))),
        ("Q6", format!("resource.size_bytes>{}", plan["large_bytes"])),
        ("Q7", format!("witness=api timestamp>=\"{}\" | count by user_id limit=10", days_before(30))),
        ("Q8", "witness=api | histogram 1h by domain".to_owned()),
        (
            "Q9",
            "exists(step_name) exists(duration_ms) | percentiles duration_ms 95 by step_name every 1d | fields timestamp, step_name, p95"
                .to_owned(),
        ),
        (
            "Q10",
            "sequence by user_id with maxspan=300s [auth.user_login[status=fail]] [auth.user_login[status=success]] | count".to_owned(),
        ),
        ("Q11", format!("session_id={}", text("session"))),
        ("Q12", "status=fail duration_ms>1000 | count".to_owned()),
    ];
    for (name, text) in searches.into_iter().filter(|(name, _)| wanted(name)) {
        let search = Search::parse_at(&text, Timestamp::now()).map_err(|error| error.show(&text))?;
        let whole = name == "Q11";
        let options = Options { order: if whole { Order::Oldest } else { Order::Newest }, threads: 2, ..Options::default() };
        let limit = if whole { usize::MAX } else { 100 };
        measured.push(measure(name, || answer(&reader, &index, &search, &options, limit))?);
    }
    Ok(measured)
}

/// Runs a search and returns what is compared: ids in order, or rows with times in milliseconds.
fn answer(reader: &Reader, index: &Index, search: &Search, options: &Options, limit: usize) -> Result<Value, String> {
    let mut nothing = |_| {};
    match run(reader, Some(index), search, options, &mut nothing).map_err(|error| shown(&error))? {
        Answer::Events(hits) => {
            let ids = hits.take(limit).map(|hit| hit.map(|mut hit| hit.view["audit_id"].take()).map_err(|error| shown(&error)));
            ids.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Answer::Table(table) => Ok(table.rows.iter().map(|row| row.iter().map(in_numbers).collect::<Value>()).collect()),
        Answer::Matches(matches) => Ok(json!([[matches.len()]])),
    }
}

/// A time becomes milliseconds since 1970, as the peers have it.
fn in_numbers(cell: &Value) -> Value {
    match cell.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(time) => json!(time.as_millisecond()),
        None => cell.clone(),
    }
}

fn measure(name: &'static str, work: impl Fn() -> Result<Value, String>) -> Result<Measured, String> {
    let mut answer = work()?;
    let (mut cpu, mut wall, mut rounds) = (Vec::new(), Vec::new(), ROUNDS);
    while wall.len() < rounds {
        let (start, before) = (Instant::now(), cpu_ms());
        answer = work()?;
        wall.push(start.elapsed().as_secs_f64() * 1000.0);
        cpu.push(cpu_ms() - before);
        if wall.last().is_some_and(|ms| *ms > 2_000.0) {
            rounds = 3;
        }
    }
    Ok(Measured { name, cpu_ms: median(cpu), wall_ms: median(wall), answer })
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// CPU of this process, all threads, in milliseconds.
fn cpu_ms() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1000.0 + now.tv_nsec as f64 / 1e6
}

fn reader(data: &Data) -> Result<Reader, String> {
    Reader::open(Arc::new(RealDisk), &data.ledger()).map_err(|error| shown(&error))
}

fn shown(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Answers each query in a process of its own, as the command line does; returns the most memory that one of them held, in MB, and its name.
pub(crate) fn memory_mb(events: u64, measured: &[Measured]) -> Result<(f64, &'static str), String> {
    let mut most = (0.0, "");
    for one in measured {
        let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let output = Command::new(own).args(["measure", "find", &events.to_string(), one.name]).output();
        let output = output.map_err(|error| format!("cannot start {}: {error}", one.name))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let peak = text.lines().last().and_then(|line| line.parse::<f64>().ok());
        let peak = peak.ok_or_else(|| format!("cannot read the memory of {}: {text}", one.name))?;
        if peak > most.0 {
            most = (peak, one.name);
        }
    }
    Ok(most)
}

/// Returns the most memory that this process ever held, mapped pages among it, in MB.
pub(crate) fn peak_mb() -> f64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}
