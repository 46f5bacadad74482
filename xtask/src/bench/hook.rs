//! What one hook costs: our hook with and without a daemon, beside the physical bound and the recorders people write.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::daemon::{Daemon, new_home};
use super::stats::{Samples, median_ratio, us};

/// 200 rounds: p99 is then the second worst.
const ROUNDS: usize = 200;
const WARM_UP: usize = 10;

/// One way to record a hook event.
struct Recorder {
    name: &'static str,
    command: Vec<String>,
}

/// Measures and prints; `bin` is the folder of the release binaries.
pub(crate) fn run(root: &Path, bin: &Path, scratch: &Path) -> Result<(), String> {
    let event =
        fs::read(root.join("fixtures/claude-code/hooks/PostToolUse.Bash.json")).map_err(|e| format!("cannot read the fixture: {e}"))?;
    let spooled = new_home(bin, &scratch.join("spooled"))?;
    let served = new_home(bin, &scratch.join("served"))?;
    let daemon = Daemon::start(bin, &served)?;
    let mut recorders = ours(bin, scratch, &served, &spooled);
    let own = recorders.len();
    for (recorder, needs) in peers(root, scratch) {
        match missing(needs) {
            None => recorders.push(recorder),
            Some(program) => println!("{} is not measured: there is no {program} on this machine", recorder.name),
        }
    }
    let measured = measure(&recorders, &event)?;
    drop(daemon);
    let (bound, acknowledged, sealed) = (&measured[0], &measured[1], &measured[2]);
    println!("one hook process from its start to its end, event of {} bytes on its standard input, {ROUNDS} rounds in turn", event.len());
    println!("{:<44} {:>11} {:>11} {:>9} {:>15} {:>15}", "", "p50", "p99", "x bound", "x acknowledged", "x spooled");
    for (recorder, samples) in recorders.iter().zip(&measured) {
        let sorted = Samples::new(samples.clone());
        println!(
            "{:<44} {:>11} {:>11} {:>9.2} {:>15.2} {:>15.2}",
            recorder.name,
            us(sorted.p50()),
            us(sorted.p99()),
            median_ratio(samples, bound),
            median_ratio(samples, acknowledged),
            median_ratio(samples, sealed)
        );
    }
    println!("ratios are medians of the {ROUNDS} ratios within a round");
    println!("target: ours (2 lines) at most 1.50 x bound; every peer ({} lines) at least 10 x ours", recorders.len() - own);
    Ok(())
}

/// The bound first, then our two ways.
fn ours(bin: &Path, scratch: &Path, served: &Path, spooled: &Path) -> Vec<Recorder> {
    let hook = |home: &Path| vec![text(bin.join("sealtrail-hook")), "--home".into(), home.display().to_string()];
    let bound = vec![text(bin.join("bound")), text(scratch.join("bound.jsonl"))];
    vec![
        Recorder { name: "bound: no-op binary + one write + fdatasync", command: bound },
        Recorder { name: "sealtrail-hook, acknowledged by the daemon", command: hook(served) },
        Recorder { name: "sealtrail-hook, no daemon, sealed spool", command: hook(spooled) },
    ]
}

/// The recorders that people write, each with the programs it needs.
fn peers(root: &Path, scratch: &Path) -> [(Recorder, &'static [&'static str]); 3] {
    let script = |name: &str| text(root.join("xtask/peers").join(name));
    let bash = vec!["bash".into(), script("record.sh"), text(scratch.join("bash.jsonl"))];
    let python = vec!["python3".into(), script("record.py"), text(scratch.join("python.jsonl"))];
    let node = vec!["node".into(), script("record.js"), text(scratch.join("node.jsonl"))];
    [
        (Recorder { name: "peer: bash + jq", command: bash }, &["bash", "jq"]),
        (Recorder { name: "peer: python3", command: python }, &["python3"]),
        (Recorder { name: "peer: node", command: node }, &["node"]),
    ]
}

/// Returns the first program that cannot be started.
fn missing<'a>(programs: &[&'a str]) -> Option<&'a str> {
    let runs = |program: &str| {
        let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    programs.iter().copied().find(|program| !runs(program))
}

fn text(path: PathBuf) -> String {
    path.display().to_string()
}

/// Runs all recorders in turn, so that a slow moment of the machine hits all alike.
fn measure(recorders: &[Recorder], event: &[u8]) -> Result<Vec<Vec<u64>>, String> {
    let mut samples = vec![Vec::with_capacity(ROUNDS); recorders.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (recorder, samples) in recorders.iter().zip(&mut samples) {
            let took = once(&recorder.command, event).map_err(|error| format!("{}: {error}", recorder.name))?;
            if round >= WARM_UP {
                samples.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }
    Ok(samples)
}

fn once(command: &[String], event: &[u8]) -> Result<Duration, String> {
    let start = Instant::now();
    let child = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| format!("cannot start {}: {error}", command[0]))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(event).map_err(|error| format!("does not read its standard input: {error}"))?;
    }
    let status = child.wait().map_err(|error| format!("cannot wait: {error}"))?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { Err(format!("failed: {status}")) }
}
