//! Epochs and their keys: consecutive, announced by the one before, and every commit signed by the key of its own.

use sealtrail_tlog::VerifierKey;

use super::fold::Run;
use super::own::{Own, Says};
use crate::line::{Commit, CommitLine, KeyKind, LogInfo, Time};
use crate::report::{Finding, Severity};

/// The key that signs from one event on.
struct Announced {
    seq: u64,
    epoch: u64,
    key: VerifierKey,
    broken: bool,
}

/// Every key of the log.
pub(super) struct Keys {
    origin: String,
    log: VerifierKey,
    announced: Vec<Announced>,
}

impl Keys {
    pub(super) fn new(log: &LogInfo, key: VerifierKey) -> Self {
        Self { origin: log.origin.clone(), log: key, announced: Vec::new() }
    }

    pub(super) fn count(&self) -> u64 {
        self.announced.len() as u64
    }

    /// Takes a key up without judging the announcement: what a quick check starts from.
    pub(super) fn start_with(&mut self, own: &Own) {
        if let Some((epoch, key, broken)) = announcement(own) {
            self.announced.push(Announced { seq: own.seq, epoch, key, broken });
        }
    }

    /// Takes up the announcements of one part and judges the epochs that its commits claim.
    pub(super) fn take(&mut self, own: &[Own], runs: &[Run], file: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for run in runs {
            let found = own.iter().find(|own| run.first <= own.seq && own.seq < run.size && announcement(own).is_some());
            let next = found.filter(|_| run.announces);
            self.judge_run(run, next, file, &mut findings);
            let Some((epoch, key, broken)) = next.and_then(announcement) else { continue };
            let seq = next.map_or(run.first, |own| own.seq);
            self.judge_announcement(seq, epoch, &key, run.since, file, &mut findings);
            if broken {
                let detail =
                    format!("the key of epoch {} was lost and epoch {epoch} was announced by the log key alone", epoch.saturating_sub(1));
                findings.push(Finding::new(Severity::Warn, "epoch-break", file, detail).at(seq).since(run.since));
            }
            self.announced.push(Announced { seq, epoch, key, broken });
        }
        findings
    }

    fn judge_run(&self, run: &Run, next: Option<&Own>, file: &str, findings: &mut Vec<Finding>) {
        let created = next.is_some_and(|own| matches!(own.says, Says::Created { .. }));
        let current = self.announced.last().map(|last| last.epoch).or(created.then_some(0));
        if current != Some(run.epoch) {
            let detail = match current {
                Some(current) => format!("a commit claims epoch {} and lies in epoch {current}", run.epoch),
                None => format!("a commit claims epoch {}, which nobody announced", run.epoch),
            };
            findings.push(Finding::fail("epoch-claimed", file, detail).at(run.first).since(run.since));
        }
        let broken = next.and_then(announcement).is_some_and(|(_, _, broken)| broken);
        if (run.key == KeyKind::Log) != broken {
            let detail = "a commit says that the log key signed it, which only the announcement of a lost epoch key may, and must";
            findings.push(Finding::fail("key-claimed", file, detail).at(run.first).since(run.since));
        }
    }

    fn judge_announcement(&self, seq: u64, epoch: u64, key: &VerifierKey, since: Option<Time>, file: &str, findings: &mut Vec<Finding>) {
        let wanted = self.announced.last().map_or(0, |last| last.epoch + 1);
        if epoch != wanted {
            let detail = format!("epoch {epoch} is announced where epoch {wanted} must be: epochs are consecutive");
            findings.push(Finding::fail("epoch-order", file, detail).at(seq).since(since));
        }
        if key.name().as_str() != format!("{}/epoch/{epoch}", self.origin) {
            let detail = format!("the key of epoch {epoch} is named {}", key.name());
            findings.push(Finding::fail("epoch-key-name", file, detail).at(seq).since(since));
        }
    }

    /// Checks the signature of the commit of the batch that starts at `first`.
    pub(super) fn signed(&self, first: u64, line: &CommitLine<'_>) -> bool {
        // The key of the batch is the one announced before it; the first of all announces its own, a break is signed by the log key.
        let within = self.announced.iter().position(|next| first <= next.seq && next.seq < line.commit.size);
        let before = self.announced.partition_point(|next| next.seq < first).checked_sub(1);
        let key = match (within.map(|at| &self.announced[at]), before) {
            (Some(next), _) if next.broken => Some(&self.log),
            (_, Some(before)) => Some(&self.announced[before].key),
            (Some(next), None) if next.epoch == 0 => Some(&next.key),
            _ => None,
        };
        key.is_some_and(|key| key.verify_raw(&Commit::signed_text(&self.origin, line.body), &line.sig).is_ok())
    }
}

fn announcement(own: &Own) -> Option<(u64, VerifierKey, bool)> {
    match &own.says {
        Says::Created { key, .. } => Some((0, (**key).clone(), false)),
        Says::Epoch { epoch, key, broken } => Some((*epoch, (**key).clone(), *broken)),
        _ => None,
    }
}
