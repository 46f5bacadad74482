//! Secrets inside base64 text (Kubernetes secrets, basic credentials, encoded settings).

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::rules::Rules;
use super::scan::{Candidate, scan as scan_plain};

/// Shorter runs cannot hold a token of any rule.
const RUN_BYTES_MIN: usize = 24;
/// 64 KiB: a longer run is a file, and its secrets are looked for in its first part only.
const RUN_BYTES_MAX: usize = 64 * 1024;
/// Encoders break lines after 64 or 76 symbols; shorter lines are no text that was broken.
const BROKEN_LINE_BYTES_MIN: usize = 60;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Adds every base64 run whose decoded text holds a secret; the whole run is the secret.
pub(super) fn scan(rules: &Rules, text: &[u8], into: &mut Vec<Candidate>) {
    let mut at = 0;
    while at < text.len() {
        let run = run_length(text, at);
        if run >= RUN_BYTES_MIN
            && let Some(rank) = judge(rules, &text[at..at + run])
        {
            into.push(Candidate { range: at..at + run, rank });
        }
        at += run + 1;
    }
}

/// Bytes of the run at `at`, over the line breaks of an encoder.
fn run_length(text: &[u8], at: usize) -> usize {
    let line = symbols(&text[at..]);
    let mut length = line;
    let mut last = line;
    while line >= BROKEN_LINE_BYTES_MIN && last == line && length < RUN_BYTES_MAX {
        let rest = &text[at + length..];
        let gap = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
        last = symbols(&rest[gap..]);
        if gap == 0 || last == 0 || last > line {
            break;
        }
        length += gap + last;
    }
    length
}

fn symbols(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_symbol(**b)).count()
}

fn is_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The best rank of what the decoded run holds.
fn judge(rules: &Rules, run: &[u8]) -> Option<usize> {
    let run = &run[..run.len().min(RUN_BYTES_MAX)];
    let engine = if run.iter().any(|b| matches!(b, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    // 16 symbols are 12 bytes: text shows at once, so hashes and pictures cost nothing more.
    if !engine.decode(&run[..16]).is_ok_and(|head| is_text(&head)) {
        return None;
    }
    let run: Cow<'_, [u8]> = match memchr::memchr(b'\n', run) {
        Some(_) => run.iter().copied().filter(|b| is_symbol(*b)).collect(),
        None => run.into(),
    };
    let whole = run.len() - run.len() % 4;
    let decoded = engine.decode(&run).or_else(|_| engine.decode(&run[..whole])).ok()?;
    if !is_text(&decoded) {
        return None;
    }
    let mut found = Vec::new();
    scan_plain(rules, &decoded, &mut found);
    found.iter().map(|c| c.rank).min()
}

/// Whether `bytes` are UTF-8 without control characters other than those of text and terminals; the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => bytes,
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        Err(_) => return false,
    };
    valid.iter().all(|b| !b.is_ascii_control() || matches!(b, b'\n' | b'\r' | b'\t' | 0x1b))
}
