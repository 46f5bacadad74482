//! The recomputation of one part of the log: leaf by leaf, commit by commit.
//!
//! A batch is folded only when its commit line is there, from the state before it. If the fold does not reach the committed root, the
//! leaf hashes in the tiles tell which envelopes were altered, and the walk goes on with the sealed ones; without tiles it stops.

use std::sync::atomic::Ordering;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use sealtrail_tlog::{Frontier, LeafHash, NodeHash, NodeId, Root, TreeSize};

use super::clocks::{Point, between};
use super::own::{self, Own, Says};
use super::slots::Missing;
use super::tiles::Fragments;
use super::{Context, Start};
use crate::line::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, CommitLine, EnvelopeHead, KeyKind, MacLine, Time};
use crate::report::Finding;

/// 200 findings a part: more of one file say nothing new.
const PART_FINDINGS_MAX: usize = 200;

const MAC_LABEL: &[u8] = b"sealtrail/mac/v1\n";
const EVOLVE_LABEL: &[u8] = b"sealtrail/evolve/v1\n";

/// Tree and chain after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) frontier: Frontier,
    pub(super) chain: [u8; 32],
}

/// Consecutive commits that claim the same epoch and key, or one commit that announces an epoch.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// First event of the first batch.
    pub(super) first: u64,
    /// Size after the last.
    pub(super) size: u64,
    pub(super) epoch: u64,
    pub(super) key: KeyKind,
    pub(super) announces: bool,
    /// Time of the commit before.
    pub(super) since: Option<Time>,
}

/// The tree at a size that somebody signed or noted.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) root: Root,
    pub(super) chain: [u8; 32],
    pub(super) frontier: Frontier,
    /// Epoch and position in the active file, where a commit ends at this size.
    pub(super) commit: Option<(u64, u64)>,
}

/// What one part gave.
#[derive(Default)]
pub(super) struct Part {
    pub(super) findings: Vec<Finding>,
    pub(super) left_out: u64,
    pub(super) own: Vec<Own>,
    pub(super) runs: Vec<Run>,
    pub(super) missing: Missing,
    pub(super) marks: Vec<Mark>,
    pub(super) first: Option<(Point, bool)>,
    pub(super) last: Option<Point>,
    pub(super) events: u64,
    pub(super) commits: u64,
    pub(super) macs: u64,
    pub(super) slots: u64,
    pub(super) bytes: u64,
    /// Positions covered, whether or not they could be recomputed.
    pub(super) size: u64,
    /// Nothing when the recomputation stopped.
    pub(super) end: Option<State>,
    /// Commit lines whose signatures are still to be checked, of an active file.
    pub(super) lines: Vec<Vec<u8>>,
    /// SHA-256 of the commits file of a sealed segment.
    pub(super) commits_sum: Option<[u8; 32]>,
}

pub(super) struct Fold<'c> {
    ctx: &'c Context<'c>,
    /// File of the envelopes and of the commits, for findings.
    pub(super) file: String,
    pub(super) commit_file: String,
    state: Option<State>,
    /// Events and their leaf hashes since the last commit.
    leaves: Vec<LeafHash>,
    committed: u64,
    /// Bytes of the batch so far, and whether every line of it is still there.
    pub(super) batch_bytes: u64,
    pub(super) batch_whole: bool,
    own_before: usize,
    wal_offset: u64,
    fragments: Fragments,
    high: Vec<(NodeId, NodeHash)>,
    chains: Vec<[u8; 32]>,
    mac_key: Option<(u64, [u8; 32])>,
    pub(super) since: Option<Time>,
    pub(super) out: Part,
}

impl<'c> Fold<'c> {
    pub(super) fn new(ctx: &'c Context<'c>, file: String, commit_file: String, start: Start) -> Self {
        let size = start.state.frontier.size().0;
        Self {
            ctx,
            file,
            commit_file,
            state: Some(start.state),
            leaves: Vec::with_capacity(BATCH_EVENTS_MAX),
            committed: size,
            batch_bytes: 0,
            batch_whole: true,
            own_before: 0,
            wal_offset: 0,
            fragments: Fragments::default(),
            high: Vec::new(),
            chains: Vec::new(),
            mac_key: ctx.mac_key.map(|key| (0, key)),
            since: start.since,
            out: Part { size, missing: Missing::new(size), ..Part::default() },
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.out.findings.len() < PART_FINDINGS_MAX {
            let since = finding.since.or(self.since);
            self.out.findings.push(finding.since(since));
        } else {
            self.out.left_out += 1;
        }
    }

    /// Returns the position of the next event.
    pub(super) fn next(&self) -> u64 {
        self.committed + self.leaves.len() as u64
    }

    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    /// Takes the envelope of the next event; its leaf hash must follow by [`Fold::leaf`].
    pub(super) fn envelope(&mut self, line: &[u8], parsed: Option<EnvelopeHead<'_>>) {
        self.batch_bytes += line.len() as u64 + 1;
        if parsed.is_some_and(|parsed| parsed.is_ledger_event()) {
            self.own_event(line);
        }
    }

    fn own_event(&mut self, line: &[u8]) {
        let seq = self.next();
        match own::parse(seq, line) {
            Ok(own) => self.out.own.extend(own),
            Err(why) => {
                let detail = format!("a ledger event cannot be understood: {why}");
                self.add(Finding::fail("ledger-event-malformed", self.file.clone(), detail).at(seq));
            }
        }
    }

    /// Takes the leaf hash of the envelope.
    pub(super) fn leaf(&mut self, leaf: LeafHash) {
        self.leaves.push(leaf);
    }

    /// Takes the place of an event that is not there.
    pub(super) fn missing_event(&mut self) {
        self.batch_whole = false;
        self.leaves.push(LeafHash([0; 32]));
    }

    /// Takes the commit line that closes the batch.
    pub(super) fn commit(&mut self, line: &CommitLine<'_>, line_bytes: u64, macs: Option<&MacLine>) {
        let commit = &line.commit;
        let first = self.committed;
        if commit.size != self.next() {
            let detail = format!("a commit says size {} where there are {} events", commit.size, self.next());
            self.add(Finding::fail("commit-size", self.commit_file.clone(), detail).at(first));
            self.state = None;
        }
        self.check_batch(first, commit.len);
        if self.state.is_some() {
            self.fold(line);
        }
        self.check_macs(first, commit.epoch, macs);
        self.note_run(line, first);
        self.check_clocks(line);
        self.wal_offset += commit.len + line_bytes + 1;
        if let Some(mark) = self.out.marks.last_mut().filter(|mark| mark.frontier.size().0 == commit.size) {
            mark.commit = Some((commit.epoch, self.wal_offset));
        }
        self.out.commits += 1;
        self.out.events += self.leaves.len() as u64;
        self.out.bytes += self.batch_bytes;
        self.ctx.progress.fetch_add(self.batch_bytes, Ordering::Relaxed);
        self.committed = self.next();
        self.out.size = self.committed;
        self.leaves.clear();
        (self.batch_bytes, self.batch_whole) = (0, true);
        self.own_before = self.out.own.len();
    }

    fn check_batch(&mut self, first: u64, len: u64) {
        let events = self.leaves.len();
        let whole = self.batch_whole;
        if whole && len != self.batch_bytes {
            let detail = format!("a commit says {len} bytes where the batch has {}", self.batch_bytes);
            self.add(Finding::fail("commit-length", self.commit_file.clone(), detail).at(first));
        }
        if events == 0 || events > BATCH_EVENTS_MAX || (whole && events > 1 && self.batch_bytes > BATCH_BYTES_MAX as u64) {
            let detail = format!("a batch of {events} events and {} bytes is outside the limits", self.batch_bytes);
            self.add(Finding::fail("batch-limits", self.commit_file.clone(), detail).at(first));
        }
    }

    /// Folds the batch into tree and chain and compares both with what was committed.
    fn fold(&mut self, line: &CommitLine<'_>) {
        let Some(before) = self.state.take() else { return };
        let kept = self.out.marks.len();
        if let Some(after) = self.fold_leaves(before.clone(), line) {
            return self.accept(after, line);
        }
        self.out.marks.truncate(kept);
        let damaged = std::mem::take(&mut self.leaves);
        self.leaves.extend(damaged.iter().zip(self.committed..).map(|(leaf, seq)| self.ctx.tiles.leaf(self.ctx, seq).unwrap_or(*leaf)));
        let altered: Vec<u64> =
            damaged.iter().zip(&self.leaves).zip(self.committed..).filter(|((old, new), _)| old != new).map(|(_, seq)| seq).collect();
        match self.fold_leaves(before, line).filter(|_| !altered.is_empty()) {
            Some(after) => {
                let first = self.committed;
                // One that is not there at all was reported when it was missed.
                for seq in altered.into_iter().filter(|seq| damaged[(*seq - first) as usize].0 != [0; 32]) {
                    let detail = "the envelope is not the one that was sealed: its hash differs from the committed tree";
                    self.add(Finding::fail("event-altered", self.file.clone(), detail).at(seq));
                }
                self.accept(after, line);
            }
            None => {
                self.out.marks.truncate(kept);
                self.leaves.clone_from(&damaged);
                let detail = format!(
                    "events {} to {} do not give the root and chain of their commit; nothing after them in this file can be recomputed",
                    self.committed,
                    (self.next()).saturating_sub(1)
                );
                self.add(Finding::fail("root-differs", self.file.clone(), detail).at(self.committed));
            }
        }
    }

    fn fold_leaves(&mut self, mut state: State, line: &CommitLine<'_>) -> Option<State> {
        self.high.clear();
        self.chains.clear();
        let marks = &self.ctx.marks;
        let mut mark = marks.partition_point(|size| *size <= self.committed);
        let mut block = [3u8; 65];
        for leaf in &self.leaves {
            let high = &mut self.high;
            state.frontier.push_with(*leaf, |id, hash| {
                if id.level > 0 && id.level % 8 == 0 {
                    high.push((id, hash));
                }
            });
            block[1..33].copy_from_slice(&state.chain);
            block[33..].copy_from_slice(&leaf.0);
            state.chain.copy_from_slice(digest(&SHA256, &block).as_ref());
            if self.mac_key.is_some() {
                self.chains.push(state.chain);
            }
            if marks.get(mark) == Some(&state.frontier.size().0) {
                mark += 1;
                let (root, chain) = (state.frontier.root(), state.chain);
                self.out.marks.push(Mark { root, chain, frontier: state.frontier.clone(), commit: None });
            }
        }
        let good = state.frontier.root().0 == line.commit.root && state.chain == line.commit.chain;
        good.then_some(state)
    }

    fn accept(&mut self, after: State, line: &CommitLine<'_>) {
        self.fragments.leaves(self.ctx, self.committed, &self.leaves, &mut self.out.findings);
        self.fragments.nodes(self.ctx, &self.high, &mut self.out.findings);
        self.state = Some(after);
        self.since = Some(line.commit.time);
    }

    fn check_macs(&mut self, first: u64, epoch: u64, macs: Option<&MacLine>) {
        let wanted = if self.ctx.log.hmac { self.leaves.len() } else { 0 };
        let found = macs.map_or(0, |macs| macs.iter().len());
        if found != wanted {
            let detail = format!("the batch has {found} macs and must have {wanted}");
            return self.add(Finding::fail("mac-missing", self.commit_file.clone(), detail).at(first));
        }
        let (Some(macs), Some(key)) = (macs, self.epoch_mac_key(epoch)) else { return };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let mut wrong = Vec::new();
        for ((mac, chain), seq) in macs.iter().zip(&self.chains).zip(first..) {
            let message = [MAC_LABEL, &seq.to_be_bytes(), chain].concat();
            if hmac::verify(&key, &message, mac).is_err() {
                wrong.push(seq);
            }
            self.out.macs += 1;
        }
        for seq in wrong {
            self.add(
                Finding::fail("mac-differs", self.commit_file.clone(), "the mac of the event is not the one of its epoch's key").at(seq),
            );
        }
    }

    /// Evolves the mac key to `epoch`; an epoch that the log is too short for has none.
    fn epoch_mac_key(&mut self, epoch: u64) -> Option<[u8; 32]> {
        let (mut at, mut key) = self.mac_key?;
        if self.state.is_none() || epoch < at || epoch > self.committed {
            return None;
        }
        while at < epoch {
            let next = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), EVOLVE_LABEL);
            key.copy_from_slice(next.as_ref());
            at += 1;
        }
        self.mac_key = Some((at, key));
        Some(key)
    }

    fn note_run(&mut self, line: &CommitLine<'_>, first: u64) {
        let announced = |own: &&Own| matches!(own.says, Says::Created { .. } | Says::Epoch { .. });
        let announces = self.out.own[self.own_before..].iter().filter(announced).count();
        if announces > 1 {
            let detail = format!("one commit announces {announces} epochs");
            self.add(Finding::fail("epoch-twice", self.file.clone(), detail).at(first));
        }
        let (epoch, key, size) = (line.commit.epoch, line.commit.key, line.commit.size);
        if let Some(run) = self.out.runs.last_mut().filter(|run| !run.announces && announces == 0 && run.epoch == epoch && run.key == key) {
            run.size = size;
            return;
        }
        let since = self.out.last.as_ref().map(|last| last.time);
        self.out.runs.push(Run { first, size, epoch, key, announces: announces > 0, since });
    }

    fn check_clocks(&mut self, line: &CommitLine<'_>) {
        let commit = &line.commit;
        let point = Point { time: commit.time, mono: commit.mono, boot: commit.boot.clone() };
        let own = &self.out.own[self.own_before..];
        let (starts, steps) =
            (own.iter().any(|own| matches!(own.says, Says::Start)), own.iter().any(|own| matches!(own.says, Says::Clock)));
        if let Some(last) = self.out.last.clone() {
            for finding in between(&last, &point, starts, steps, &self.commit_file, self.committed) {
                self.add(finding);
            }
        }
        if self.out.first.is_none() {
            self.out.first = Some((point.clone(), starts));
        }
        self.out.last = Some(point);
    }

    pub(super) fn finish(mut self) -> Part {
        self.fragments.finish(self.ctx, &mut self.out.findings);
        self.out.end = self.state;
        self.out
    }

    pub(super) fn root_size(&self) -> Option<TreeSize> {
        self.state.as_ref().map(|state| state.frontier.size())
    }

    /// Returns the state after the last commit.
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }
}
