//! The other engines: a Python script runs them, each in its own way of storing the same records.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::data::Data;

/// Every engine, in the order of the table.
pub(crate) const ENGINES: &[&str] = &["duckdb", "duckdb-parquet", "zstd", "rg", "jq", "sqlite"];

/// What the engines measured.
#[derive(Default)]
pub(crate) struct Peers {
    queries: BTreeMap<(String, String), (f64, Value)>,
    loads: Vec<(String, f64, u64)>,
}

impl Peers {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        ENGINES.iter().copied().filter(|name| self.queries.keys().any(|(engine, _)| engine == name))
    }

    pub(crate) fn cpu(&self, engine: &str, query: &str) -> Option<f64> {
        self.get(engine, query).map(|(cpu, _)| *cpu)
    }

    pub(crate) fn answer(&self, engine: &str, query: &str) -> Option<&Value> {
        self.get(engine, query).map(|(_, answer)| answer)
    }

    fn get(&self, engine: &str, query: &str) -> Option<&(f64, Value)> {
        self.queries.get(&(engine.to_owned(), query.to_owned()))
    }

    /// Prints what each store takes.
    pub(crate) fn sizes(&self, raw: u64) {
        for (engine, seconds, bytes) in &self.loads {
            println!("{engine}: {:.1} % of the JSON lines, loaded in {seconds:.0} s", *bytes as f64 * 100.0 / raw as f64);
        }
    }
}

/// Runs engines; the Python packages are installed into `target/` the first time.
pub(crate) fn run(root: &Path, data: &Data, engines: &[&str]) -> Result<Peers, String> {
    let python = root.join("target/peers/bin/python");
    if !python.exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(root.join("target/peers")))?;
        succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "duckdb==2.0.0"]))?;
    }
    let mut command = Command::new(&python);
    command.arg(root.join("xtask/peers/find.py")).args([data.records(), data.plan_file(), data.folder.join("peers")]).args(engines);
    let output = command.stderr(std::process::Stdio::inherit()).output().map_err(|error| format!("cannot run the peers: {error}"))?;
    if !output.status.success() {
        return Err(format!("the peers failed: {}", output.status));
    }
    let mut peers = Peers::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let said: Value = serde_json::from_str(line).map_err(|error| format!("a peer's answer is no JSON: {error}"))?;
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        if said["query"].is_string() {
            peers.queries.insert((text("engine"), text("query")), (said["cpu_ms"].as_f64().unwrap_or_default(), said["answer"].clone()));
        } else {
            peers.loads.push((text("engine"), said["load_s"].as_f64().unwrap_or_default(), said["bytes"].as_u64().unwrap_or_default()));
        }
    }
    Ok(peers)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{command:?} failed: {other:?}")),
    }
}
