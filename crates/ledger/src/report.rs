//! What a verification found: findings that say what, where and since when, and one sentence that can be quoted.

mod kinds;

use std::fmt;

use sealtrail_tlog::{Root, TreeSize};

use crate::line::Time;

pub use kinds::KINDS;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Odd, or not provable from what is here; no record is known to be damaged.
    Warn,
    /// Something is not what it must be.
    Fail,
}

impl Severity {
    /// Returns the word for output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable name of what was found.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The file, below the ledger's folder; empty when it is about the whole log.
    pub file: String,
    /// The event, if one can be named.
    pub seq: Option<u64>,
    /// Time of the last good commit before it: what was damaged was damaged after this.
    pub since: Option<Time>,
    /// A sentence.
    pub detail: String,
}

impl Finding {
    pub(crate) fn new(severity: Severity, kind: &'static str, file: impl Into<String>, detail: impl Into<String>) -> Self {
        debug_assert!(KINDS.binary_search(&kind).is_ok(), "{kind} is not in the list of kinds");
        Self { kind, severity, file: file.into(), seq: None, since: None, detail: detail.into() }
    }

    pub(crate) fn fail(kind: &'static str, file: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Fail, kind, file, detail)
    }

    pub(crate) fn note(kind: &'static str, file: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Note, kind, file, detail)
    }

    pub(crate) fn at(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    pub(crate) fn since(self, since: Option<Time>) -> Self {
        Self { since, ..self }
    }
}

/// `fail wal-damaged in wal/000000000000.wal at event 7 (after 2026-…): sentence`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.kind)?;
        if !self.file.is_empty() {
            write!(f, " in {}", self.file)?;
        }
        if let Some(seq) = self.seq {
            write!(f, " at event {seq}")?;
        }
        if let Some(since) = self.since {
            write!(f, " (after {since})")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// A slot that was lawfully erased, as a run of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The `ledger.erase` event that covers it.
    pub erase: u64,
    /// How many slots it took.
    pub slots: u64,
}

/// Everything that a verification found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What was found, in the order of the log; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there were.
    pub findings_left_out: u64,
    /// Name of the log.
    pub origin: String,
    /// The key that everything was checked against.
    pub vkey: String,
    /// Whether that key was given from outside the ledger.
    pub pinned: bool,
    /// Whether only the newest part was recomputed.
    pub quick: bool,
    /// Events in the log.
    pub size: TreeSize,
    /// Root of the tree of all events, when it could be computed.
    pub root: Option<Root>,
    /// Events recomputed.
    pub events: u64,
    /// Commits recomputed.
    pub commits: u64,
    /// Signatures of commits checked.
    pub signatures: u64,
    /// Macs checked.
    pub macs: u64,
    /// Slots whose commitments were recomputed.
    pub slots: u64,
    /// Plain bytes read.
    pub bytes: u64,
    /// Epochs, with their keys.
    pub epochs: u64,
    /// Segments and active files read.
    pub parts: u64,
    /// Uncompressed segments whose files were judged line by line and not by the SHA-256 in their manifests as well.
    pub unhashed: u64,
    /// Slots lawfully erased, by the event that ordered it.
    pub erased: Vec<Erasure>,
    /// Size of the published checkpoint.
    pub published: Option<TreeSize>,
    /// Time of the first commit.
    pub first: Option<Time>,
    /// Time of the last commit.
    pub last: Option<Time>,
}

/// 10,000 findings: more say nothing new, and a damaged disk can make millions.
pub const FINDINGS_MAX: usize = 10_000;

impl Report {
    /// Tells whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.count(Severity::Fail) == 0
    }

    /// Returns how many findings of a severity are listed.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        // What names the same thing twice says it once.
        let same =
            |old: &Finding| (old.kind, &old.file, old.seq, &old.detail) == (finding.kind, &finding.file, finding.seq, &finding.detail);
        if self.findings.iter().rev().take(16).any(same) {
            return;
        }
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_left_out += 1;
        }
    }

    /// Returns one sentence for a reader who reads nothing else.
    pub fn summary(&self) -> String {
        let failures = self.count(Severity::Fail) as u64 + self.findings_left_out;
        let first =
            self.findings.iter().filter(|finding| finding.severity == Severity::Fail).min_by_key(|finding| finding.seq.unwrap_or(u64::MAX));
        match first {
            Some(first) => self.failed(failures, first),
            None if self.quick => format!("Quick check of {}: {}.", self.origin, self.facts()),
            None => format!("Verified {}: {}.", self.origin, self.facts()),
        }
    }

    fn facts(&self) -> String {
        let period = match (self.first, self.last) {
            (Some(first), Some(last)) => format!(" from {first} to {last}"),
            _ => String::new(),
        };
        let mut facts = format!(
            "{} events{period} in {} commits signed by {} epoch keys are exactly what was sealed",
            self.events, self.signatures, self.epochs
        );
        let erased: u64 = self.erased.iter().map(|erasure| erasure.slots).sum();
        if erased > 0 {
            facts += &format!("; {erased} slots are gone and every one is covered by a recorded erasure");
        }
        match self.published {
            Some(size) if size == self.size => facts += "; the published checkpoint covers all of them",
            Some(size) => facts += &format!("; the published checkpoint covers the first {size}", size = size.0),
            None => facts += "; no checkpoint is published yet",
        }
        if self.unhashed > 0 {
            facts +=
                &format!("; the files of {} uncompressed segments were judged line by line, not by their own hashes too", self.unhashed);
        }
        if !self.pinned {
            facts += "; the log key is the ledger's own word, since none was given from outside";
        }
        facts
    }

    fn failed(&self, failures: u64, first: &Finding) -> String {
        let place = match (first.file.as_str(), first.seq) {
            ("", None) => String::new(),
            ("", Some(seq)) => format!(" at event {seq}"),
            (file, None) => format!(" in {file}"),
            (file, Some(seq)) => format!(" in {file} at event {seq}"),
        };
        let since = first.since.map_or(String::new(), |since| format!(", after {since}"));
        format!("NOT verified {}: {failures} failures, the first {}{place}{since}: {}.", self.origin, first.kind, first.detail)
    }
}
