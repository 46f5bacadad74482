//! `cargo xtask bench NAME`: our figure, the physical bound and the peers, measured in the same run, as ratios.

mod append;
mod hook;
mod large;
mod load;
mod stats;
mod verify;

use std::path::{Path, PathBuf};
use std::process::Command;

const NAMES: &str = "append, verify, hook, large [EVENTS]";

/// Builds in release mode, measures in that build, and keeps what was printed under `bench/results/`.
pub(crate) fn start(root: &Path, words: &[String]) -> Result<(), String> {
    let Some(name) = words.first() else { return Err(format!("usage: cargo xtask bench NAME (one of {NAMES})")) };
    let cargo = |words: &[&str]| Command::new(env!("CARGO")).args(words).current_dir(root).status().is_ok_and(|status| status.success());
    if !cargo(&["build", "--quiet", "--release", "--bins"]) {
        return Err("cannot build the release binaries".to_owned());
    }
    let output = Command::new(release(root).join("xtask")).arg("measure").args(words).current_dir(root).output();
    let output = output.map_err(|error| format!("cannot start the measuring build: {error}"))?;
    let text = format!("{}{}", machine(), String::from_utf8_lossy(&output.stdout));
    println!("{text}");
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let file = root.join("bench/results").join(format!("{}-{name}.txt", today()));
    std::fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// Measures; runs in the release build only.
pub(crate) fn measure(root: &Path, words: &[String]) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(root.join("target")).map_err(|error| format!("cannot make a scratch folder: {error}"))?;
    match words.first().map(String::as_str) {
        Some("append") => append::run(scratch.path()),
        Some("verify") => verify::run(scratch.path()),
        Some("hook") => hook::run(root, &release(root), scratch.path()),
        Some("large") => large::run(&release(root), scratch.path(), words.get(1).and_then(|n| n.parse().ok()).unwrap_or(10_000_000)),
        other => Err(format!("no benchmark {other:?}: one of {NAMES}")),
    }
}

fn release(root: &Path) -> PathBuf {
    root.join("target/release")
}

fn today() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_else(|_| "undated".to_owned())
}

/// One line about the machine, from the system's own files.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let load = read("/proc/loadavg");
    format!(
        "{} | {model}, {cores} cores | load {} | Linux {}\n\n",
        today(),
        load.split(' ').next().unwrap_or("?"),
        read("/proc/sys/kernel/osrelease").trim()
    )
}
