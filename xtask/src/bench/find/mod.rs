//! Searching: the twelve queries on our index and on other engines, over the same records, in the same run.

mod data;
mod fresh;
mod ours;
mod peers;

use std::path::Path;

use serde_json::Value;

use super::verify::size_of;
use ours::Measured;
use peers::Peers;

/// Engines whose store is no larger than the records; the comparison counts them.
const COUNTED: &[&str] = &["duckdb", "duckdb-parquet", "zstd", "rg", "jq"];

/// Measures `EVENTS [ENGINE…]`: 10 million records and every engine, unless the words say otherwise. A query in place of an engine is only answered, and
/// the memory that it took is printed.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    let events = words.first().and_then(|count| count.parse().ok()).unwrap_or(10_000_000);
    let wanted = |engine: &&str| words.len() < 2 || words[1..].iter().any(|word| word == engine);
    let engines: Vec<&str> = peers::ENGINES.iter().copied().filter(wanted).collect();
    let data = data::ready(root, events)?;
    if let Some(query) = words.get(1).filter(|word| word.starts_with('Q')) {
        ours::queries(&data, Some(query))?;
        println!("{:.0}", ours::peak_mb());
        return Ok(());
    }
    let raw = std::fs::metadata(data.records()).map(|meta| meta.len()).unwrap_or_default();
    println!("{events} records, {:.0} MB as JSON lines, {} bytes each", raw as f64 / 1e6, raw / events.max(1));
    if let Some(fed) = ours::index(&data)? {
        println!(
            "indexing: {:.0} events per second, {:.0} per second of CPU        target >= 30,000",
            fed.events as f64 / fed.wall_s,
            fed.events as f64 / fed.cpu_s
        );
    }
    let percent = |bytes: u64| bytes as f64 * 100.0 / raw as f64;
    println!("index: {:.1} % of the JSON lines        target <= 20 %", percent(size_of(&data.index())));
    println!("sealed segments: {:.1} % of the JSON lines        target <= 20 %", percent(size_of(&data.ledger().join("seg"))));
    let measured = ours::queries(&data, None)?;
    let (most, query) = ours::memory_mb(events, &measured)?;
    println!("memory of a search: at most {most:.0} MB ({query}), pages of the mapped index among them        target < 200 MB");
    fresh::measure(&data.folder.join("fresh"))?;
    println!();
    let peers = peers::run(root, &data, &engines)?;
    table(&measured, &peers);
    peers.sizes(raw);
    Ok(())
}

/// One line a query: CPU and wall of ours, CPU of each peer, who is first, and whether the answers are equal.
fn table(measured: &[Measured], peers: &Peers) {
    println!("{:<5}{:>10}{:>10}  {}", "query", "cpu ms", "wall ms", peers.names().map(|name| format!("{name:>15}")).collect::<String>());
    let (mut first, mut behind) = (0, Vec::new());
    for one in measured {
        let cells: String = peers
            .names()
            .map(|name| format!("{:>15}", peers.cpu(name, one.name).map_or("-".to_owned(), |ms| format!("{ms:.2}"))))
            .collect();
        let best = COUNTED.iter().filter_map(|name| peers.cpu(name, one.name)).fold(f64::INFINITY, f64::min);
        let ratio = one.cpu_ms / best;
        first += usize::from(ratio <= 1.0);
        if ratio > 2.0 {
            behind.push(one.name);
        }
        let differs: Vec<&str> =
            peers.names().filter(|name| peers.answer(name, one.name).is_some_and(|answer| !alike(answer, &one.answer))).collect();
        let differs = if differs.is_empty() { String::new() } else { format!("  ANSWER DIFFERS from {}", differs.join(", ")) };
        println!("{:<5}{:>10.2}{:>10.2}  {cells}  {ratio:>6.2}x of the best counted{differs}", one.name, one.cpu_ms, one.wall_ms);
    }
    println!("\nfirst on {first} of {} queries        target >= 9", measured.len());
    println!("more than 2x behind on: {}        target none", if behind.is_empty() { "none".to_owned() } else { behind.join(" ") });
    println!("counted: {}; sqlite with FTS5 needs twice the bytes of the records and stands beside", COUNTED.join(", "));
}

/// Tells whether two answers are the same; rows in any order, computed numbers up to their last digits.
fn alike(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_array(), b.as_array()) else { return a == b };
    if a.len() != b.len() {
        return false;
    }
    let sorted = |rows: &[Value]| {
        let mut rows: Vec<&Value> = rows.iter().collect();
        if rows.first().is_some_and(|row| row.is_array()) {
            rows.sort_by_key(|row| row.to_string());
        }
        rows.into_iter().cloned().collect::<Vec<_>>()
    };
    sorted(a).iter().zip(&sorted(b)).all(|(a, b)| same(a, b))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            (a - b).abs() <= 1e-6 * a.abs().max(1.0)
        }
        (a, b) => a == b,
    }
}
