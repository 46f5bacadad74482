//! Redaction: secrets are replaced by typed placeholders before anything is written.
//!
//! It is **not** a classifier of personal data, and it never decides what is kept: it only replaces.
//!
//! Invariants:
//! - A placeholder names the rule that matched (`[redacted:github-pat]`), never a part of the secret.
//! - Redacting twice changes nothing.
//! - Work is bounded: a pattern runs only where one of its keywords stands, over a window of bounded size.

mod assigned;
mod encoded;
mod environment;
mod judge;
mod near;
mod rules;
mod scan;
mod value;
mod variables;

use std::ops::Range;

use aws_lc_rs::hmac;
use serde_json::Value;

use environment::Known;
use rules::Rules;
use scan::Candidate;

/// Rule name of a value in a dump of environment variables.
const ENVIRONMENT: &str = "environment";
/// Rule name of a value whose JSON member name says that it is secret.
const SECRET_FIELD: &str = "secret-field";

/// 80: the mark, the longest id of a rule, a tag.
const PLACEHOLDER_BYTES_MAX: usize = 80;

/// Finds secrets and replaces them; made once, used for every text.
#[derive(Debug)]
pub struct Redactor {
    rules: Rules,
    key: Option<hmac::Key>,
}

/// A text without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// The text with placeholders.
    pub text: String,
    /// What was replaced, in order; offsets are those of the input.
    pub found: Vec<Found>,
}

/// One secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rule, as in the placeholder.
    pub rule: String,
    /// First byte of the secret in the input.
    pub start: usize,
    /// The byte after the secret in the input.
    pub end: usize,
}

/// One secret in a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAt {
    /// The rule, as in the placeholder.
    pub rule: String,
    /// JSON pointer (RFC 6901) of the string that held it, after redaction.
    pub path: String,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

impl Redactor {
    /// Makes a redactor with the built-in rules.
    pub fn new() -> Self {
        Self { rules: Rules::built_in(), key: None }
    }

    /// Makes a redactor whose placeholders end in eight hex digits of an HMAC of the secret under `key`, so that
    /// equal secrets can be recognised within one trail and guessed secrets cannot be tested without the key.
    pub fn with_key(key: &[u8]) -> Self {
        Self { key: Some(hmac::Key::new(hmac::HMAC_SHA256, key)), ..Self::new() }
    }

    /// Returns `text` with its secrets replaced.
    pub fn text(&self, text: &str) -> Redacted {
        self.replaced(text, self.places(text, Known::Nothing), text.len())
    }

    /// Returns the first `bytes_max` bytes of `text` with its secrets replaced, a secret across the end among them; so give it some
    /// more than that.
    pub fn head(&self, text: &str, bytes_max: usize) -> Redacted {
        let mut places = self.places(text, Known::Nothing);
        places.retain(|place| place.range.start < bytes_max);
        self.replaced(text, places, bytes_max)
    }

    fn replaced(&self, text: &str, places: Vec<Candidate>, bytes_max: usize) -> Redacted {
        let mut out = String::with_capacity(text.len());
        let mut found = Vec::with_capacity(places.len());
        let mut copied = 0;
        for place in places {
            let (start, end) = (text.floor_char_boundary(place.range.start), text.ceil_char_boundary(place.range.end));
            let rule = self.rule_name(place.rank);
            out.push_str(&text[copied..start]);
            out.push_str(&self.placeholder(rule, &text[start..end]));
            copied = end;
            found.push(Found { rule: rule.to_owned(), start, end });
        }
        let end = text.floor_char_boundary(bytes_max).max(copied);
        out.push_str(&text[copied..end]);
        Redacted { text: out, found }
    }

    /// Replaces the secrets of every string and member name in `value`; member names tell of secrets too.
    pub fn value(&self, value: &mut Value) -> Vec<FoundAt> {
        value::redact(self, value)
    }

    /// Returns what stands in the place of `secret`.
    fn placeholder(&self, rule: &str, secret: &str) -> String {
        let Some(key) = &self.key else { return format!("[redacted:{rule}]") };
        let tag = hmac::sign(key, secret.as_bytes());
        let tag: String = tag.as_ref().iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("[redacted:{rule}:{tag}]")
    }

    /// The name of a rank: a rule of the file, or the rank after the last one, which is `environment`.
    fn rule_name(&self, rank: usize) -> &str {
        self.rules.rules.get(rank).map_or(ENVIRONMENT, |rule| &rule.id)
    }

    /// All secrets of `text`, in order, none overlapping another.
    fn places(&self, text: &str, known: Known) -> Vec<Candidate> {
        let bytes = text.as_bytes();
        let mut candidates = Vec::new();
        scan::scan(&self.rules, bytes, &mut candidates);
        encoded::scan(&self.rules, bytes, &mut candidates);
        environment::scan(bytes, known, self.rules.rules.len(), &mut candidates);
        if candidates.is_empty() {
            return candidates;
        }
        let placeholders = placeholders(bytes);
        candidates.retain(|c| !placeholders.iter().any(|p| p.start <= c.range.start && c.range.start < p.end));
        join(candidates)
    }
}

/// Where placeholders of an earlier redaction stand.
fn placeholders(text: &[u8]) -> Vec<Range<usize>> {
    let ends = |start: usize| text[start..].iter().take(PLACEHOLDER_BYTES_MAX).position(|b| *b == b']').map(|n| start..start + n + 1);
    memchr::memmem::find_iter(text, b"[redacted:").filter_map(ends).collect()
}

/// Overlapping places become one that covers both, under the name of the better rank.
fn join(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by_key(|c| (c.range.start, c.rank));
    let mut joined: Vec<Candidate> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match joined.last_mut() {
            Some(last) if candidate.range.start < last.range.end => {
                last.range.end = last.range.end.max(candidate.range.end);
                last.rank = last.rank.min(candidate.rank);
            }
            _ => joined.push(candidate),
        }
    }
    joined
}
