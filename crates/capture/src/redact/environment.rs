//! Dumps of environment variables (`env`, `printenv`, `set`, `export -p`, `.env` files): names stay, values go.

use super::judge;
use super::scan::Candidate;

/// So many assignments in a row are a dump; fewer are a script that sets a variable.
const LINES_MIN: usize = 5;
const NAME_BYTES_MAX: usize = 128;

/// Adds the values of every dump in `text`, but those of names whose values are never secret.
pub(super) fn scan(text: &[u8], rank: usize, into: &mut Vec<Candidate>) {
    let mut dump: Vec<Line> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = memchr::memchr2(b'\n', 0, &text[start..]).map_or(text.len(), |n| start + n);
        match assignment(text, start, end) {
            Some(line) => dump.push(line),
            None => close(text, &mut dump, rank, into),
        }
        start = end + 1;
    }
    close(text, &mut dump, rank, into);
}

struct Line {
    name: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
}

fn assignment(text: &[u8], start: usize, end: usize) -> Option<Line> {
    let mut line = &text[start..end];
    line = line.trim_ascii_start();
    for lead in ["export ", "declare -x ", "declare -rx ", "declare -- "] {
        line = line.strip_prefix(lead.as_bytes()).unwrap_or(line);
    }
    let first = line.first()?;
    if !(first.is_ascii_alphabetic() || *first == b'_') {
        return None;
    }
    let length = line.iter().take(NAME_BYTES_MAX + 1).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    if length > NAME_BYTES_MAX || line.get(length) != Some(&b'=') {
        return None;
    }
    let name = end - line.len();
    let mut value = name + length + 1..end;
    if text[value.clone()].ends_with(b"\r") {
        value.end -= 1;
    }
    Some(Line { name: name..name + length, value })
}

fn close(text: &[u8], dump: &mut Vec<Line>, rank: usize, into: &mut Vec<Candidate>) {
    if dump.len() >= LINES_MIN && is_environment(text, dump) {
        for line in dump.iter() {
            let value = &text[line.value.clone()];
            if !value.is_empty() && !is_harmless(&text[line.name.clone()]) && !judge::stands_in(trim_quotes(value)) {
                into.push(Candidate { range: line.value.clone(), rank });
            }
        }
    }
    dump.clear();
}

fn trim_quotes(value: &[u8]) -> &[u8] {
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    value.strip_suffix(b"\"").or_else(|| value.strip_suffix(b"'")).unwrap_or(value)
}

/// Environments have upper-case names, or a few names that every environment has.
fn is_environment(text: &[u8], dump: &[Line]) -> bool {
    let upper = dump.iter().filter(|line| !text[line.name.clone()].iter().any(u8::is_ascii_lowercase)).count();
    let known = dump.iter().filter(|line| is_harmless(&text[line.name.clone()])).count();
    upper >= LINES_MIN || known >= 2
}

/// Whether values of this name are kept.
pub(super) fn is_harmless(name: &[u8]) -> bool {
    HARMLESS.iter().any(|known| known.as_bytes() == name) || name.starts_with(b"LC_")
}

/// Names whose values say nothing secret and help a reader to understand what ran.
const HARMLESS: &[&str] = &[
    "PATH",
    "HOME",
    "PWD",
    "OLDPWD",
    "LANG",
    "LANGUAGE",
    "SHELL",
    "TERM",
    "USER",
    "LOGNAME",
    "SHLVL",
    "HOSTNAME",
    "TZ",
    "EDITOR",
    "PAGER",
    "DISPLAY",
    "COLORTERM",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "LINES",
    "COLUMNS",
    "UID",
    "EUID",
    "PPID",
    "BASH",
    "BASH_VERSION",
    "OSTYPE",
    "HOSTTYPE",
    "MACHTYPE",
    "IFS",
    "PS1",
    "PS4",
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_PROJECT_DIR",
    "GIT_EDITOR",
    "NODE_ENV",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "CI",
    "DEBIAN_FRONTEND",
    "VIRTUAL_ENV",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOPATH",
    "JAVA_HOME",
    "_",
];
