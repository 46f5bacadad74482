//! House rules over source text: what the compiler and clippy do not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines a source file may have; a longer one must say why in its first comment (`Long because`).
const FILE_LINES_MAX: usize = 500;

/// Names of files that explain nothing.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

/// `(text, where it is allowed, why)`: things that only one place may name. Tests are exempt.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    (
        "std::fs",
        &["crates/disk/", "crates/spool/", "crates/engine/", "crates/cli/", "crates/hook/", "crates/testkit/", "xtask/"],
        "files are opened by disk, and by the edges",
    ),
    (
        "SystemTime::now",
        &["crates/engine/", "crates/gateway/", "crates/mcp/", "crates/server/", "crates/cli/", "crates/hook/", "crates/testkit/", "xtask/"],
        "time is an argument",
    ),
    (
        "Instant::now",
        &[
            "crates/spool/",
            "crates/engine/",
            "crates/gateway/",
            "crates/mcp/",
            "crates/server/",
            "crates/cli/",
            "crates/hook/",
            "crates/testkit/",
            "xtask/",
        ],
        "time is an argument",
    ),
    (
        "Timestamp::now",
        &["crates/engine/", "crates/mcp/", "crates/server/", "crates/cli/", "crates/testkit/", "xtask/"],
        "time is an argument",
    ),
    ("std::process::Command", &["crates/cli/", "crates/mcp/", "crates/testkit/", "xtask/"], "only the edges start programs"),
];

/// Returns a sentence for every broken rule.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz/fuzz_targets"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let mut problems = Vec::new();
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else { continue };
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        check(&name, &text, &mut problems);
    }
    problems
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

fn check(name: &str, text: &str, problems: &mut Vec<String>) {
    let lines = text.lines().count();
    let head: String = text.lines().take(12).collect();
    if lines > FILE_LINES_MAX && !head.contains("Long because") {
        problems.push(format!(
            "{name} has {lines} lines, the limit is {FILE_LINES_MAX}: split it by job, or say `Long because …` in its first comment"
        ));
    }
    if name.ends_with("src/lib.rs") && !text.starts_with("//! ") {
        problems.push(format!("{name} does not open with the crate's one sentence"));
    }
    let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem.as_str()) {
        problems.push(format!("{name}: the name `{stem}` does not say what the file is for"));
    }
    if name.contains("/tests/") || name.contains("/benches/") || name.contains("/examples/") {
        return;
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    for (needle, places, why) in ONLY_IN {
        let named = code.lines().any(|line| line.contains(needle) && !line.trim_start().starts_with("//"));
        if named && !places.iter().any(|place| name.starts_with(place)) {
            problems.push(format!("{name} names `{needle}`: {why}"));
        }
    }
}
