//! Dumps of environment variables (`env`, `printenv`, `set`, `export -p`, `.env` files): names stay, values go.

use std::ops::Range;

use super::judge;
use super::scan::Candidate;
use super::variables::is_harmless;

/// So many assignments in a row are a dump; fewer are a script that sets a variable.
const LINES_MIN: usize = 5;
/// So many lines without a name belong to the value before them, in what is known to be a dump.
const CONTINUED_LINES_MAX: usize = 200;
const NAME_BYTES_MAX: usize = 128;
/// How a program prints an environment as a mapping.
const MAPPING: &[u8] = b"environ({";
/// Longest place (`config/prod.env:14:`) that a search writes before what it found.
const PLACE_BYTES_MAX: usize = 200;

/// What is known of a text before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: only what looks like a dump is one.
    Nothing,
    /// It is the output of a command, or the content of a file, that tells variables with their values.
    Dump,
    /// It is the output of a command that tells values of variables without their names.
    Values,
}

/// Adds the values of every dump in `text`, but those of names whose values are never secret.
pub(super) fn scan(text: &[u8], known: Known, rank: usize, into: &mut Vec<Candidate>) {
    let lines_may_do = || memchr::memchr2_iter(b'\n', 0, text).nth(LINES_MIN - 2).is_some();
    if known == Known::Dump || lines_may_do() {
        lines(text, known, rank, into);
    }
    if text.len() >= MAPPING.len() {
        mapping(text, rank, into);
    }
}

/// Adds the values of dumps that have a line for each variable.
fn lines(text: &[u8], known: Known, rank: usize, into: &mut Vec<Candidate>) {
    let mut dump: Vec<Line> = Vec::new();
    let mut loose = 0;
    let mut start = 0;
    while start < text.len() {
        let end = memchr::memchr2(b'\n', 0, &text[start..]).map_or(text.len(), |n| start + n);
        match assignment(text, start, end) {
            Some(line) => {
                if let (1.., Known::Dump, Some(last)) = (loose, known, dump.last_mut()) {
                    last.value.end = line.start.saturating_sub(1).max(last.value.end);
                }
                loose = 0;
                dump.push(line);
            }
            None if known == Known::Dump && loose < CONTINUED_LINES_MAX => loose += 1,
            None => close(text, &mut dump, known, rank, into),
        }
        start = end + 1;
    }
    close(text, &mut dump, known, rank, into);
}

struct Line {
    start: usize,
    name: Range<usize>,
    value: Range<usize>,
}

/// Reads `NAME=value`, with whatever shells, patches, editors and searches write before it.
fn assignment(text: &[u8], start: usize, end: usize) -> Option<Line> {
    let mut line = without_place(&text[start..end]);
    for lead in ["export ", "declare -x ", "declare -rx ", "declare -- ", "typeset -x "] {
        line = line.strip_prefix(lead.as_bytes()).unwrap_or(line);
    }
    let length = name_length(line)?;
    if line.get(length) != Some(&b'=') {
        return None;
    }
    let name = end - line.len();
    let mut value = name + length + 1..end;
    if text[value.clone()].ends_with(b"\r") {
        value.end -= 1;
    }
    Some(Line { start, name: name..name + length, value })
}

fn name_length(line: &[u8]) -> Option<usize> {
    let first = line.first()?;
    if !(first.is_ascii_alphabetic() || *first == b'_') {
        return None;
    }
    let length = line.iter().take(NAME_BYTES_MAX + 1).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    (length <= NAME_BYTES_MAX).then_some(length)
}

/// Skips the number of a line, the sign of a patch, the dash of a list, the place of a search result.
fn without_place(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 {
        let rest = &line[digits..];
        let mark = ["→", "\t", ":", "|", "-", " "].iter().find_map(|mark| rest.strip_prefix(mark.as_bytes()));
        return mark.map_or(line, <[u8]>::trim_ascii_start);
    }
    if let [b'+' | b'-' | b'>' | b'<', rest @ ..] = line {
        return rest.trim_ascii_start();
    }
    let place = line.iter().take(PLACE_BYTES_MAX).take_while(|b| !matches!(b, b'=' | b':' | b' ')).count();
    if line.get(place) != Some(&b':') {
        return line;
    }
    let rest = &line[place + 1..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 && rest.get(digits) == Some(&b':') { &rest[digits + 1..] } else { rest }
}

fn close(text: &[u8], dump: &mut Vec<Line>, known: Known, rank: usize, into: &mut Vec<Candidate>) {
    let believed = match known {
        Known::Dump => true,
        _ => dump.len() >= LINES_MIN && is_environment(text, dump),
    };
    if believed {
        for line in dump.iter() {
            let (name, value) = (&text[line.name.clone()], &text[line.value.clone()]);
            let counts = known != Known::Dump || !name.iter().any(u8::is_ascii_lowercase) || is_environment(text, dump);
            if counts && !value.is_empty() && !is_harmless(name) && !judge::stands_in(trim_quotes(value)) {
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
    are_names(dump.iter().map(|line| &text[line.name.clone()]))
}

/// Whether `names` are those of an environment.
pub(super) fn are_names<'a>(names: impl Iterator<Item = &'a [u8]>) -> bool {
    let (mut upper, mut known) = (0, 0);
    for name in names {
        upper += usize::from(!name.iter().any(u8::is_ascii_lowercase));
        known += usize::from(is_harmless(name));
    }
    upper >= LINES_MIN || known >= 2
}

/// Adds the values of an environment that a program printed as a mapping: `environ({'NAME': 'value', …})`.
fn mapping(text: &[u8], rank: usize, into: &mut Vec<Candidate>) {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&text[from..], MAPPING) {
        let start = from + at;
        let end = memchr::memmem::find(&text[start..], b"})").map_or(text.len(), |n| start + n);
        pairs(text, start..end, rank, into);
        from = end;
    }
}

fn pairs(text: &[u8], within: Range<usize>, rank: usize, into: &mut Vec<Candidate>) {
    let mut at = within.start;
    while let Some(found) = memchr::memmem::find(&text[at..within.end], b"': ") {
        let close = at + found;
        let open = text[within.start..close].iter().rposition(|b| *b == b'\'').map_or(close, |n| within.start + n + 1);
        let quote = text.get(close + 3).copied().filter(|b| matches!(b, b'\'' | b'"'));
        let start = close + 4;
        let Some(quote) = quote else {
            at = close + 3;
            continue;
        };
        let stop = [quote, b','];
        let length = memchr::memmem::find(&text[start.min(within.end)..within.end], &stop);
        let end = length.map_or(within.end.saturating_sub(1).max(start), |n| start + n);
        let value = text.get(start..end).unwrap_or_default();
        if !value.is_empty() && !is_harmless(&text[open..close]) && !judge::stands_in(value) {
            into.push(Candidate { range: start..end, rank });
        }
        at = end.max(close + 3);
    }
}
