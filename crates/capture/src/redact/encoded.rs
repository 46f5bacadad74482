//! Secrets inside base64 text (Kubernetes secrets, basic credentials, encoded settings).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::rules::Rules;
use super::scan::{Candidate, scan as scan_plain};

/// Shorter runs cannot hold a token of any rule.
const RUN_BYTES_MIN: usize = 24;
/// 64 KiB: a longer run is a file, and its secrets are looked for in its first part only.
const RUN_BYTES_MAX: usize = 64 * 1024;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Adds every base64 run whose decoded text holds a secret; the whole run is the secret.
pub(super) fn scan(rules: &Rules, text: &[u8], into: &mut Vec<Candidate>) {
    let mut at = 0;
    while at < text.len() {
        let run = text[at..].iter().take_while(|b| is_symbol(**b)).count();
        if run >= RUN_BYTES_MIN
            && let Some(rank) = judge(rules, &text[at..at + run])
        {
            into.push(Candidate { range: at..at + run, rank });
        }
        at += run + 1;
    }
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
    let whole = run.len() - run.len() % 4;
    let decoded = engine.decode(run).or_else(|_| engine.decode(&run[..whole])).ok()?;
    if !is_text(&decoded) {
        return None;
    }
    let mut found = Vec::new();
    scan_plain(rules, &decoded, &mut found);
    found.iter().map(|c| c.rank).min()
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| (0x20..0x7f).contains(b) || matches!(b, b'\n' | b'\r' | b'\t' | 0x80..))
        && bytes.iter().filter(|b| b.is_ascii()).count() * 10 >= bytes.len() * 9
}
