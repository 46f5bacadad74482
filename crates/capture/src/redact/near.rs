//! A value that stands near a word: `word … separator value`, however programs and people write it.

use std::ops::Range;

/// Words and blanks between the keyword and the separator.
const BETWEEN_BYTES_MAX: usize = 24;
/// Quotes and blanks on each side of the separator.
const QUOTES_BYTES_MAX: usize = 6;
const SEPARATOR_BYTES_MAX: usize = 4;
/// Shorter values are found by their own name only.
const VALUE_BYTES_MIN: usize = 14;
const VALUE_BYTES_MAX: usize = 300;

/// Finds the value near a keyword that ends at `at`.
pub(super) fn value(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_between = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'\t' | b'.' | b'_' | b'-');
    let is_quote = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'\\' | b'=');
    let is_value = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'=' | b'+' | b'/' | b'.' | b':' | b'|' | b'-');
    let at = at + run(&text[at..], BETWEEN_BYTES_MAX, is_between);
    let at = at + run(&text[at..], QUOTES_BYTES_MAX, |b| is_quote(b) && *b != b'=');
    let separator = run(&text[at..], SEPARATOR_BYTES_MAX, |b| matches!(b, b'=' | b'>' | b':' | b',' | b'?' | b'|'));
    if separator == 0 {
        return None;
    }
    let at = at + separator;
    let start = at + run(&text[at..], QUOTES_BYTES_MAX, is_quote);
    let length = run(&text[start..], VALUE_BYTES_MAX, is_value);
    (length >= VALUE_BYTES_MIN).then_some(start..start + length)
}

fn run(text: &[u8], bytes_max: usize, is_in: impl Fn(&u8) -> bool) -> usize {
    text.iter().take(bytes_max).take_while(|b| is_in(b)).count()
}
