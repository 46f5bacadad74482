//! The machine that a result belongs to.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Returns today's date in UTC.
pub(crate) fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"], Path::new(".")).unwrap_or_else(|| "undated".to_owned())
}

/// Describes commit, processor, kernel and file system of `folder`, and how busy the machine is.
pub(crate) fn describe(folder: &Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"], folder).unwrap_or_else(|| "unknown".to_owned());
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no", "--", "crates", "xtask"], folder).unwrap_or_default();
    let changes = if changed.is_empty() { "" } else { " and changes" };
    let load = read("/proc/loadavg");
    format!(
        "{} | commit {commit}{changes} | {}, {cores} cores | Linux {} | {} | load before {}\n",
        today(),
        model.unwrap_or("unknown processor"),
        read("/proc/sys/kernel/osrelease").trim(),
        file_system(&read("/proc/self/mountinfo"), folder),
        load.split(' ').next().unwrap_or("?"),
    )
}

fn said(program: &str, words: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program).args(words).current_dir(folder).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns type and options of the mount that `folder` lies in.
fn file_system(mounts: &str, folder: &Path) -> String {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let (point, options) = (before.split(' ').nth(4)?, before.split(' ').nth(5)?);
        folder.starts_with(point).then(|| (point.len(), format!("{} ({options})", after.split(' ').next().unwrap_or("?"))))
    };
    let best = mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length);
    best.map_or_else(|| "unknown file system".to_owned(), |(_, text)| text)
}
