//! The records of the search benchmark: once as JSON lines for the peers, once sealed in a ledger.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
use sealtrail_ledger::Ledger;
use sealtrail_testkit::{Load, needles};
use serde_json::{Value, json};

use crate::bench::append::{create, stamp};

/// Every record of a run comes of this seed.
const SEED: u64 = 2026;
/// The records end here.
const END: &str = "2026-11-21T00:00:00Z";
/// Events in one append.
const GROUP: usize = 1_000;

/// Where the records lie.
pub(crate) struct Data {
    pub(crate) folder: PathBuf,
    pub(crate) count: u64,
}

impl Data {
    pub(crate) fn records(&self) -> PathBuf {
        self.folder.join("records.jsonl")
    }

    pub(crate) fn plan_file(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// Returns what the queries look for.
    pub(crate) fn plan(&self) -> Result<Value, String> {
        let text = std::fs::read(self.plan_file()).map_err(|error| format!("cannot read the plan: {error}"))?;
        serde_json::from_slice(&text).map_err(|error| format!("the plan is no JSON: {error}"))
    }

    /// Writes the records as JSON lines, and the plan.
    pub(crate) fn write(&self) -> Result<(), String> {
        let end = END.parse().map_err(|error| format!("{END} is no time: {error}"))?;
        let mut out = BufWriter::new(File::create(self.records()).map_err(|error| format!("cannot write the records: {error}"))?);
        let mut middle = Value::Null;
        for (n, record) in Load::new(SEED, self.count, end).enumerate() {
            writeln!(out, "{record}").map_err(|error| format!("cannot write the records: {error}"))?;
            if n as u64 == self.count / 2 {
                middle = record;
            }
        }
        out.flush().map_err(|error| format!("cannot write the records: {error}"))?;
        let plan = json!({
            "audit_id": middle["audit_id"],
            "session": middle["session_id"],
            "user": needles::USER,
            "network": needles::NETWORK,
            "token": needles::TOKEN,
            "substring": needles::SUBSTRING,
            "large_bytes": needles::LARGE_BYTES,
            "end_ms": end.as_millisecond(),
            "domains": {"auth": "auth", "agent": "agent", "session": "agent", "skill": "agent", "data": "data", "infra": "data", "mcp": "data",
                        "workflow": "workflow", "tool": "workflow", "model": "workflow", "prompt": "workflow"},
        });
        std::fs::write(self.plan_file(), plan.to_string()).map_err(|error| format!("cannot write the plan: {error}"))
    }

    /// Seals the records in a new ledger.
    pub(crate) fn seal(&self) -> Result<(), String> {
        let mut ledger = create(&self.folder)?;
        let lines = BufReader::new(File::open(self.records()).map_err(|error| format!("cannot read the records: {error}"))?);
        let mut group = Vec::with_capacity(GROUP);
        for line in lines.lines() {
            group.push(event(&line.map_err(|error| format!("cannot read the records: {error}"))?)?);
            if group.len() == GROUP {
                append(&mut ledger, &mut group)?;
            }
        }
        append(&mut ledger, &mut group)?;
        let why = Token::parse("bench").map_err(|error| error.to_string())?;
        ledger.close(&why, &stamp()).map_err(|error| format!("cannot close: {error}"))
    }
}

fn append(ledger: &mut Ledger, group: &mut Vec<Event>) -> Result<(), String> {
    if !group.is_empty() {
        ledger.append(group, &stamp()).map_err(|error| format!("cannot append: {error}"))?;
        ledger.tick(&stamp()).map_err(|error| format!("cannot tick: {error}"))?;
        group.clear();
    }
    Ok(())
}

fn event(line: &str) -> Result<Event, String> {
    let record: Value = serde_json::from_str(line).map_err(|error| format!("a record is no JSON: {error}"))?;
    let token = |text: &str| Token::parse(text).map_err(|error| format!("cannot make an event: {error}"));
    let context = FromContext {
        audit_id_if_missing: AuditId::new(0, [0; 10]),
        recorded_at: token(record["timestamp"].as_str().unwrap_or(END))?,
        witness: Witness::Api,
        grade: Grade::Asserted,
    };
    Event::from_json(&record, &context).map_err(|error| format!("cannot make an event: {error}"))
}

/// Opens the data of an earlier run of the same size, or makes it.
pub(crate) fn ready(root: &Path, count: u64) -> Result<Data, String> {
    let data = Data { folder: root.join(format!("target/bench-find-{count}")), count };
    let done = data.folder.join("done");
    if !done.exists() {
        // What an interrupted run left is made again.
        drop(std::fs::remove_dir_all(&data.folder));
        std::fs::create_dir_all(&data.folder).map_err(|error| format!("cannot make {}: {error}", data.folder.display()))?;
        data.write()?;
        data.seal()?;
        std::fs::write(done, "").map_err(|error| format!("cannot write: {error}"))?;
    }
    Ok(data)
}
