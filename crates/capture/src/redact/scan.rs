//! One pass over a text: keywords by automaton, then the rule of each keyword on the bytes around it.

use std::ops::Range;

use super::assigned::assigned;
use super::judge::{self, Class};
use super::near;
use super::rules::{Kind, Rule, Rules};

/// A place that a rule calls a secret. A lower rank is the better name for overlapping places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) range: Range<usize>,
    pub(super) rank: usize,
}

/// 64 KiB: a PEM block without its END line is taken as far as this; an RSA key of 16,384 bits has 13 KiB.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// Adds every secret that a rule finds in `text`.
pub(super) fn scan(rules: &Rules, text: &[u8], into: &mut Vec<Candidate>) {
    // The end of the last match of each rule that matched: a keyword inside a secret starts no second one.
    let mut done: Vec<(usize, usize)> = Vec::new();
    for hit in rules.keywords.find_overlapping_iter(text) {
        for &index in &rules.announced[hit.pattern().as_usize()] {
            let index = usize::from(index);
            let rule = &rules.rules[index];
            if done.iter().any(|(matched, end)| *matched == index && hit.start() < *end) {
                continue;
            }
            let found = match rule.kind {
                Kind::Token => token(rule, text, hit.range()),
                Kind::Assigned => given(rule, text, hit.range()),
                Kind::Block => block(rule, text, hit.range()),
                Kind::Near => beside(rule, text, hit.range()),
            };
            if let Some(range) = found {
                match done.iter_mut().find(|(matched, _)| *matched == index) {
                    Some((_, end)) => *end = range.end,
                    None => done.push((index, range.end)),
                }
                into.push(Candidate { range, rank: index });
            }
        }
    }
}

fn token(rule: &Rule, text: &[u8], keyword: Range<usize>) -> Option<Range<usize>> {
    if rule.word && !starts_word(text, keyword.start) {
        return None;
    }
    let start = keyword.start.saturating_sub(rule.back);
    let window = &text[start..text.len().min(keyword.end + rule.reach)];
    let regex = rule.regex()?;
    let whole = regex.find(window)?;
    let secret = match regex.captures_len() {
        1 => whole.range(),
        _ => regex.captures(window)?.iter().skip(1).flatten().next()?.range(),
    };
    let value = &window[secret.clone()];
    if !rule.not.is_empty() && names_something_else(&text[keyword.end..(start + secret.start).max(keyword.end)], &rule.not) {
        return None;
    }
    if start + whole.end() <= keyword.start
        || judge::entropy(value) < rule.entropy
        || !judge::is_secret(rule.class, value, rule.class != Class::Random)
    {
        return None;
    }
    Some(start + secret.start..start + secret.end)
}

/// A machine-made value near a keyword.
fn beside(rule: &Rule, text: &[u8], keyword: Range<usize>) -> Option<Range<usize>> {
    if rule.word && !starts_word(text, keyword.start) {
        return None;
    }
    let value = near::value(text, keyword.end)?;
    let found = &text[value.clone()];
    if !judge::is_secret(rule.class, found, false) || names_something_else(&text[keyword.end..value.start], &rule.not) {
        return None;
    }
    Some(value)
}

/// Whether the text between a keyword and a value says that the value is no secret.
fn names_something_else(between: &[u8], not: &[String]) -> bool {
    let between = between.to_ascii_lowercase();
    not.iter().any(|word| memchr::memmem::find(&between, word.as_bytes()).is_some())
}

fn given(rule: &Rule, text: &[u8], keyword: Range<usize>) -> Option<Range<usize>> {
    let found = assigned(text, keyword.clone())?;
    if rule.word && !starts_word(text, keyword.start) {
        return None;
    }
    let tail = &text[keyword.end..found.name.end];
    if (rule.ends_name && !tail.is_empty()) || !name_fits(tail, &rule.not) || names_public_key(&text[found.name.clone()]) {
        return None;
    }
    let value = &text[found.value.clone()];
    if is_working_folder(&text[found.name.clone()], value) {
        return None;
    }
    if let Some(regex) = rule.regex() {
        return (regex.is_match(value) && judge::is_secret(rule.class, value, found.sure)).then_some(found.value);
    }
    let sure = found.sure || (found.quoted && rule.class == Class::Random);
    let fits = judge::entropy(value) >= rule.entropy && judge::is_secret(rule.class, value, sure);
    (fits && (found.quoted || found.sure || bare_value_fits(rule.class, value))).then_some(found.value)
}

/// Whether a value without quotes, in a place that may be code or prose, is still believed to be one.
fn bare_value_fits(class: Class, value: &[u8]) -> bool {
    match class {
        Class::Password => {
            let mixed = judge::has_digit(value) && value.len() >= 6 && value.iter().any(u8::is_ascii_alphabetic);
            (mixed || value.len() >= 20 && judge::is_secret(Class::Opaque, value, false)) && !value.contains(&b'(')
        }
        _ => true,
    }
}

/// Whether this is the shell's variable of the working folder, whose name also stands for a password.
fn is_working_folder(name: &[u8], value: &[u8]) -> bool {
    matches!(name, b"PWD" | b"OLDPWD" | b"INIT_CWD") && matches!(value.first(), Some(b'/' | b'~' | b'.'))
}

fn names_public_key(name: &[u8]) -> bool {
    let name: Vec<u8> = name.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    [&b"publickey"[..], b"pubkey"].iter().any(|public| memchr::memmem::find(&name, public).is_some())
}

/// Whether the rest of a name still names a secret: `_file`, `Name`, `-policy` and the like name something else.
fn name_fits(tail: &[u8], not: &[String]) -> bool {
    let tail: Vec<u8> = tail.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    tail.is_empty() || !(NOT_SECRET.iter().any(|w| tail.starts_with(w.as_bytes())) || not.iter().any(|w| tail.starts_with(w.as_bytes())))
}

const NOT_SECRET: &[&str] = &[
    "file",
    "path",
    "dir",
    "name",
    "id",
    "url",
    "uri",
    "endpoint",
    "type",
    "kind",
    "length",
    "len",
    "size",
    "count",
    "policy",
    "field",
    "label",
    "placeholder",
    "hint",
    "input",
    "min",
    "max",
    "regex",
    "pattern",
    "reset",
    "page",
    "expir",
    "ttl",
    "version",
    "index",
    "provider",
    "manager",
    "service",
    "format",
    "limit",
    "usage",
    "budget",
    "required",
    "enabled",
    "mode",
    "prefix",
    "suffix",
    "store",
    "ref",
    "class",
    "helper",
    "source",
    "timeout",
    "interval",
    "age",
    "budget",
    "stream",
    "tree",
    "izer",
    "ize",
    "ization",
    "rotation",
    "algorithm",
    "alg",
    "scope",
    "aud",
    "issuer",
    "prompt",
    "message",
    "error",
    "status",
    "alias",
    "arn",
    "template",
    "selector",
    "column",
    "header",
];

/// A PEM block; without an END line it ends with the last line that looks like base64.
fn block(rule: &Rule, text: &[u8], keyword: Range<usize>) -> Option<Range<usize>> {
    let window = &text[keyword.start..text.len().min(keyword.start + BLOCK_BYTES_MAX)];
    let head = rule.regex()?.find(&window[..window.len().min(rule.reach)])?;
    let body = &window[head.end()..];
    let end = match find(body, b"-----END") {
        Some(at) => {
            let line = &body[at + 8..];
            at + 8 + find(&line[..line.len().min(100)], b"-----").map_or(0, |n| n + 5)
        }
        None => body.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+/=\r\n\t \\:-,\"'>#".contains(b)).count(),
    };
    Some(keyword.start..keyword.start + head.end() + end)
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// Whether a token may start at `at`: no letter or digit before it, unless that ends an escape (`\n`, `%3D`, a colour).
pub(super) fn starts_word(text: &[u8], at: usize) -> bool {
    let before = &text[at.saturating_sub(12)..at];
    let Some(&last) = before.last() else { return true };
    if !last.is_ascii_alphanumeric() {
        return true;
    }
    let n = before.len();
    let hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    (n >= 2 && before[n - 2] == b'\\' && b"nrtbf0av".contains(&last))
        || (n >= 3 && before[n - 3] == b'%' && hex(&before[n - 2..]))
        || (n >= 4 && before[n - 4..n - 2] == *b"\\x" && hex(&before[n - 2..]))
        || (n >= 6 && before[n - 6..n - 4] == *b"\\u" && hex(&before[n - 4..]))
        || (matches!(last, b'm' | b'K') && ends_colour(&before[..n - 1]))
}

/// Whether `before` ends with `[` and the numbers of a terminal colour.
fn ends_colour(before: &[u8]) -> bool {
    let numbers = before.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b';').count();
    before[..before.len() - numbers].last() == Some(&b'[')
}
