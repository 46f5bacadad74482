//! The grammar of "name, operator, value" as it is written in shells, JSON, YAML, TOML, XML, SQL, URLs and source code.

use std::ops::Range;

/// A value that something with a name was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    /// The whole name around the keyword.
    pub(super) name: Range<usize>,
    /// The value without its quotes.
    pub(super) value: Range<usize>,
    /// The value stood in quotes.
    pub(super) quoted: bool,
    /// The place leaves no doubt that this is a value: `NAME=value`, `--name value`.
    pub(super) sure: bool,
}

/// Longest name looked at, on each side of the keyword.
const NAME_BYTES_MAX: usize = 64;
/// Longest value looked at; the tail of a longer one is judged as far as this and replaced as far as it goes.
const VALUE_BYTES_MAX: usize = 4096;

/// Finds the value given to the name that has the keyword at `keyword`.
pub(super) fn assigned(text: &[u8], keyword: Range<usize>) -> Option<Assigned> {
    let name = whole_name(text, &keyword);
    let mut at = name.end;
    let flag = text[name.start..].starts_with(b"-");
    let quote_after_name = skip_quotes(text, &mut at);
    let spaces_before = skip_blanks(text, &mut at);
    let declared = spaces_before > 0 && is_declared(&text[..name.start]);
    let operator = operator(text, &mut at, flag || declared, spaces_before, quote_after_name, name.start)?;
    let spaces_after = skip_blanks(text, &mut at);
    skip_string_prefix(text, &mut at);
    let (value, quoted) = value(text, at, operator == Operator::Element)?;
    if operator.needs_quotes() && !quoted {
        return None;
    }
    let upper = text[name.clone()].iter().all(|b| !b.is_ascii_lowercase());
    let tight = operator == Operator::Equals && spaces_before == 0 && spaces_after == 0 && !quote_after_name;
    let sure = operator == Operator::Flag || (flag && tight) || (tight && upper) || operator == Operator::Element;
    Some(Assigned { name, value, quoted, sure })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// `=`, `:=`, `+=`, `?=`, `==`.
    Equals,
    /// `:`, `=>`.
    Colon,
    /// `--name value`, `ENV NAME value`.
    Flag,
    /// `<name>value</name>`.
    Element,
    /// `"name", "value"`, `name("value")`, `NAME 'value'`.
    Beside,
}

impl Operator {
    fn needs_quotes(self) -> bool {
        self == Self::Beside
    }
}

/// Whether a word before the name says that a variable gets a value (`ENV NAME value` of a Dockerfile, csh, fish).
fn is_declared(before: &[u8]) -> bool {
    const WORDS: [&[u8]; 5] = [b"ENV ", b"ARG ", b"setenv ", b"set -gx ", b"set -x "];
    WORDS.iter().any(|word| before.ends_with(word))
}

fn whole_name(text: &[u8], keyword: &Range<usize>) -> Range<usize> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let before = text[..keyword.start].iter().rev().take(NAME_BYTES_MAX).take_while(|b| is_name(b)).count();
    let after = text[keyword.end..].iter().take(NAME_BYTES_MAX).take_while(|b| is_name(b)).count();
    keyword.start - before..keyword.end + after
}

/// Skips the quotes that close a quoted name, with the backslashes and brackets around them.
fn skip_quotes(text: &[u8], at: &mut usize) -> bool {
    let skipped = text[*at..].iter().take(5).take_while(|b| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b']')).count();
    // A backslash alone is the start of an escape such as \n, not the end of a name.
    if skipped > 0 && text[*at + skipped - 1] == b'\\' {
        return false;
    }
    *at += skipped;
    skipped > 0
}

fn skip_blanks(text: &[u8], at: &mut usize) -> usize {
    let skipped = text[*at..].iter().take(8).take_while(|b| matches!(b, b' ' | b'\t')).count();
    *at += skipped;
    skipped
}

fn operator(text: &[u8], at: &mut usize, flag: bool, blanks: usize, quoted_name: bool, name_start: usize) -> Option<Operator> {
    let rest = &text[*at..];
    let first = *rest.first()?;
    let second = rest.get(1).copied().unwrap_or(0);
    let (operator, length) = match (first, second) {
        (b'=', b'>') => (Operator::Colon, 2),
        (b'=', b'=') => (Operator::Beside, 2),
        (b'=', _) => (Operator::Equals, 1),
        (b':' | b'?' | b'+', b'=') => (Operator::Equals, 2),
        (b':', b':') => return None,
        (b':', _) => (Operator::Colon, 1),
        (b'>', _) if blanks == 0 && !quoted_name && name_start > 0 && text[name_start - 1] == b'<' => (Operator::Element, 1),
        (b',', _) if quoted_name => (Operator::Beside, 1),
        (b'(', _) if blanks == 0 && !quoted_name => (Operator::Beside, 1),
        (b'"' | b'\'', _) if blanks > 0 && !quoted_name && !flag => (Operator::Beside, 0),
        (b'-' | b'|' | b'&' | b';' | b'<' | b'>', _) => return None,
        _ if flag && blanks > 0 && !quoted_name => (Operator::Flag, 0),
        _ => return None,
    };
    *at += length;
    Some(operator)
}

/// Skips `b`, `r`, `f`, `u` before a quote (Python, Rust), `@` and `$` (C#), and `%q(`-free forms.
fn skip_string_prefix(text: &[u8], at: &mut usize) {
    let prefix =
        text[*at..].iter().take(2).take_while(|b| matches!(b, b'b' | b'r' | b'f' | b'u' | b'@' | b'B' | b'R' | b'F' | b'U' | b'$')).count();
    if prefix > 0 && matches!(text.get(*at + prefix), Some(b'"' | b'\'')) {
        *at += prefix;
    }
}

fn value(text: &[u8], at: usize, element: bool) -> Option<(Range<usize>, bool)> {
    let rest = text.get(at..)?;
    let backslashes = rest.iter().take(8).take_while(|b| **b == b'\\').count();
    let quote = rest.get(backslashes).copied().filter(|b| !element && matches!(b, b'"' | b'\'' | b'`'));
    if let Some(quote) = quote {
        let start = at + backslashes + 1;
        let end = start + quoted_length(&text[start..], quote, backslashes);
        return (end > start).then_some((start..end, true));
    }
    let stops = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'&' | b'|' | b'\\' | 0);
    let mut end = at + rest.iter().take(VALUE_BYTES_MAX).take_while(|b| !stops(b)).count();
    while end > at && matches!(text[end - 1], b')' | b']' | b'}') && !balanced(&text[at..end]) {
        end -= 1;
    }
    (end > at).then_some((at..end, false))
}

/// Bytes up to the closing quote, which has as many backslashes before it as the opening one (a JSON text inside a
/// JSON text); a quote with more of them belongs to the value.
fn quoted_length(rest: &[u8], quote: u8, backslashes: usize) -> usize {
    let mut at = 0;
    while at < rest.len().min(VALUE_BYTES_MAX) {
        match rest[at] {
            b'\n' | b'\r' => return at,
            b if b == quote => return at,
            b'\\' => {
                let run = rest[at..].iter().take_while(|b| **b == b'\\').count();
                let escapes = rest.get(at + run) == Some(&quote) && if backslashes == 0 { run % 2 == 1 } else { run > backslashes };
                if rest.get(at + run) == Some(&quote) && !escapes {
                    return if backslashes == 0 { at + run } else { at };
                }
                at += run + usize::from(escapes);
            }
            _ => at += 1,
        }
    }
    at.min(rest.len())
}

fn balanced(value: &[u8]) -> bool {
    let count = |b: u8| value.iter().filter(|v| **v == b).count();
    count(b'(') == count(b')') && count(b'[') == count(b']') && count(b'{') == count(b'}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Protects the notations in which people write a name and its value.
    #[test]
    fn finds_values_in_every_notation() {
        let rows = [
            ("export DB_PASSWORD=hunter22", "hunter22", true),
            ("password: hunter22", "hunter22", false),
            (r#"{"password": "hunter22"}"#, "hunter22", false),
            (r#"{\"password\": \"hunter22\"}"#, "hunter22", false),
            (r#"{\\\"password\\\": \\\"hunter22\\\"}"#, "hunter22", false),
            ("<password>hunter22</password>", "hunter22", true),
            ("mysql --password hunter22 -h db", "hunter22", true),
            ("mysql --password=hunter22 -h db", "hunter22", true),
            ("define('DB_password', 'hunter22');", "hunter22", false),
            (":password => 'hunter22'", "hunter22", false),
            ("ALTER USER x PASSWORD 'hunter22'", "hunter22", false),
            ("client.password(\"hunter22\")", "hunter22", false),
            ("?user=a&password=hunter22&x=1", "hunter22", false),
            ("ENV DB_PASSWORD hunter22", "hunter22", true),
        ];
        for (text, value, sure) in rows {
            let at = text.to_ascii_lowercase().find("password").unwrap();
            let found = assigned(text.as_bytes(), at..at + 8).unwrap_or_else(|| panic!("{text}: nothing"));
            assert_eq!((&text[found.value], found.sure), (value, sure), "{text}");
        }
    }

    /// Protects ordinary sentences and code from being read as assignments.
    #[test]
    fn leaves_sentences_alone() {
        for text in ["the password is long", "password policy, see below", "password\nnext", "fn password() {", "password::Hash"] {
            let at = text.find("password").unwrap();
            let found = assigned(text.as_bytes(), at..at + 8);
            assert!(found.is_none(), "{text}: {found:?}");
        }
    }
}
