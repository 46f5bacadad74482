//! `cargo xtask bench NAME`: our figure, the physical bound and the peers, measured in the same run, as ratios.

mod append;
mod daemon;
mod find;
mod gateway;
mod hook;
mod ingest;
mod large;
mod load;
mod machine;
mod postgres;
mod stats;
mod verify;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NAMES: &str = "append, verify, hook, gateway, ingest [SLICES], large [EVENTS], find [EVENTS [ENGINE...]], session";

/// Builds in release mode, measures in that build, and keeps what was printed under `bench/results/`.
pub(crate) fn start(root: &Path, words: &[String]) -> Result<(), String> {
    let Some(name) = words.first() else { return Err(format!("usage: cargo xtask bench NAME (one of {NAMES})")) };
    let build = Command::new(env!("CARGO")).args(["build", "--quiet", "--release", "--bins"]).current_dir(root).status();
    if !build.is_ok_and(|status| status.success()) {
        return Err("cannot build the release binaries".to_owned());
    }
    let mut text = machine::describe(root);
    println!("{text}");
    text.push('\n');
    let mut command = match name.as_str() {
        "session" => session(root, &words[1..]),
        _ => measuring(root, words),
    };
    let child = command.current_dir(root).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot start the measuring: {error}"))?;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line.map_err(|error| format!("cannot read what was measured: {error}"))?;
        println!("{line}");
        text.push_str(&line);
        text.push('\n');
    }
    if !child.wait().is_ok_and(|status| status.success()) {
        return Err(format!("{name} failed"));
    }
    let file = root.join("bench/results").join(format!("{}-{name}.txt", machine::today()));
    std::fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn measuring(root: &Path, words: &[String]) -> Command {
    let mut command = Command::new(release(root).join("xtask"));
    command.arg("measure").args(words);
    command
}

/// The real client against a played API; the harness measures and prints.
fn session(root: &Path, words: &[String]) -> Command {
    let mut command = Command::new("python3");
    command.arg(root.join("harness/bench_session.py")).arg("--bin").arg(release(root)).args(words);
    command
}

/// Measures; runs in the release build only.
pub(crate) fn measure(root: &Path, words: &[String]) -> Result<(), String> {
    let target = root.join("target");
    let scratch = tempfile::tempdir_in(&target).map_err(|error| format!("cannot make a scratch folder: {error}"))?;
    let first = words.first().map(String::as_str);
    if first != Some("large") {
        take_precedence();
    }
    match first {
        Some("append") => append::run(scratch.path()),
        Some("verify") => verify::run(scratch.path()),
        Some("hook") => hook::run(root, &release(root), scratch.path()),
        Some("ingest") => {
            ingest::run(root, &release(root), scratch.path(), words.get(1).and_then(|n| n.parse().ok()).unwrap_or(ingest::SLICES))
        }
        Some("gateway") => gateway::run(&release(root), scratch.path()),
        Some("find") => find::run(root, &words[1..]),
        Some("large") => large::run(&release(root), &target, words.get(1).and_then(|n| n.parse().ok()).unwrap_or(10_000_000)),
        other => Err(format!("no benchmark {other:?}: one of {NAMES}")),
    }
}

/// Keeps whatever else runs on the machine out of the figures; bound and peers inherit the same priority. Without the right to do so, nothing changes.
fn take_precedence() {
    if rustix::process::setpriority_process(None, -20).is_ok() {
        println!("priority -20 for everything measured");
    }
}

/// Takes [`take_precedence`] back, as far as it was given.
fn give_way() {
    let _ = rustix::process::setpriority_process(None, 0);
}

fn release(root: &Path) -> PathBuf {
    root.join("target/release")
}
