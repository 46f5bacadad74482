//! What one hook costs: our hook with and without a daemon, beside the physical bound and the recorders people write.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stats::{Samples, us};

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
    let text = |path: PathBuf| path.display().to_string();
    let spooled = new_home(bin, &scratch.join("spooled"))?;
    let served = new_home(bin, &scratch.join("served"))?;
    let daemon = start_daemon(bin, &served)?;
    let hook = |home: &Path| vec![text(bin.join("sealtrail-hook")), "--home".into(), home.display().to_string()];
    let recorders = [
        Recorder {
            name: "bound: no-op binary + one write + fdatasync",
            command: vec![text(bin.join("bound")), text(scratch.join("bound.jsonl"))],
        },
        Recorder { name: "sealtrail-hook, acknowledged by the daemon", command: hook(&served) },
        Recorder { name: "sealtrail-hook, no daemon, sealed spool", command: hook(&spooled) },
        Recorder { name: "bash + jq", command: vec![text(root.join("xtask/peers/record.sh")), text(scratch.join("bash.jsonl"))] },
        Recorder {
            name: "python3",
            command: vec!["python3".into(), text(root.join("xtask/peers/record.py")), text(scratch.join("python.jsonl"))],
        },
        Recorder { name: "node", command: vec!["node".into(), text(root.join("xtask/peers/record.js")), text(scratch.join("node.jsonl"))] },
    ];
    let measured = measure(&recorders, &event);
    drop(daemon);
    let bound = measured[0].p50();
    println!("hook process, stdin to exit, {ROUNDS} rounds in turn, {} bytes", event.len());
    println!("{:<46} {:>12} {:>12} {:>10} {:>14}", "", "p50", "p99", "x bound", "ours is faster");
    let ours = measured[1].p50().max(measured[2].p50());
    for (recorder, samples) in recorders.iter().zip(&measured) {
        println!(
            "{:<46} {:>12} {:>12} {:>10.2} {:>13.1}x",
            recorder.name,
            us(samples.p50()),
            us(samples.p99()),
            samples.p50() as f64 / bound as f64,
            samples.p50() as f64 / ours as f64
        );
    }
    println!("target: ours at most 1.5 x bound; every script at least 10 x ours");
    Ok(())
}

/// Runs all recorders in turn, so that a slow moment of the machine hits all alike.
fn measure(recorders: &[Recorder], event: &[u8]) -> Vec<Samples> {
    let mut samples = vec![Vec::with_capacity(ROUNDS); recorders.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (recorder, samples) in recorders.iter().zip(&mut samples) {
            let took = once(&recorder.command, event);
            if round >= WARM_UP {
                samples.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }
    samples.into_iter().map(Samples::new).collect()
}

fn once(command: &[String], event: &[u8]) -> Duration {
    let start = Instant::now();
    let child = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("cannot start {}: {error}", command[0]));
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(event).expect("the recorder reads its stdin");
    }
    let status = child.wait().expect("the recorder was started");
    assert!(status.success(), "{} failed: {status}", command[0]);
    start.elapsed()
}

/// Makes a trail and returns its home.
pub(crate) fn new_home(bin: &Path, home: &Path) -> Result<PathBuf, String> {
    let output = Command::new(bin.join("sealtrail")).arg("--home").arg(home).args(["init", "--no-input", "--no-hooks"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(home.to_path_buf()),
        Ok(output) => Err(format!("sealtrail init failed: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("cannot start sealtrail: {error}")),
    }
}

/// A daemon that is stopped when dropped.
pub(crate) struct Daemon(pub(crate) Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Starts the daemon of a home and waits for its socket.
pub(crate) fn start_daemon(bin: &Path, home: &Path) -> Result<Daemon, String> {
    let child = Command::new(bin.join("sealtrail")).arg("--home").arg(home).arg("daemon").stderr(Stdio::null()).spawn();
    let daemon = Daemon(child.map_err(|error| format!("cannot start the daemon: {error}"))?);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !home.join("run/sealtrail.sock").exists() {
        if Instant::now() > deadline {
            return Err("the daemon made no socket in 30 s".to_owned());
        }
        std::thread::yield_now();
    }
    Ok(daemon)
}
