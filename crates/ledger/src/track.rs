//! Follows a log batch by batch and believes nothing: the same hashes, chain, keys and signatures as the writer, recomputed.

use std::path::PathBuf;

use sealtrail_tlog::{Frontier, LeafHash, Root, VerifierKey, leaf_hash};
use serde_json::Value;

use crate::edge::Edge;
use crate::head::{Clocks, chain_next, chain_start};
use crate::line::{Commit, CommitLine, EnvelopeLine, KeyKind, Kind, Line, LineError, MacLine, SlotLine};
use crate::read::wal::Batch;

/// The last state of a log that follows from its files.
#[derive(Clone)]
pub(crate) struct Tracker {
    pub(crate) origin: String,
    pub(crate) log_key: VerifierKey,
    pub(crate) hmac: bool,
    pub(crate) frontier: Frontier,
    pub(crate) chain: [u8; 32],
    pub(crate) epoch: u64,
    /// Key of the epoch; none before event 0.
    pub(crate) key: Option<VerifierKey>,
    pub(crate) edge: Edge,
    /// Clocks of the last commit.
    pub(crate) clocks: Option<Clocks>,
    /// What was claimed about the log elsewhere, to be met on the way.
    pub(crate) marks: Vec<Mark>,
}

/// A size and root that were published or noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) root: Root,
}

/// Why a batch, whole as bytes, is not the next one of this log.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// A line is not what the format says.
    #[error("a line of the batch that starts at event {first} is damaged")]
    Line {
        /// Size of the log before the batch.
        first: u64,
        /// What is wrong.
        source: LineError,
    },
    /// A value is not the one that follows from what is before.
    #[error("the {what} of the batch that starts at event {first} is wrong")]
    Wrong {
        /// Size of the log before the batch.
        first: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The log is not the one that was published.
    #[error("{} says that the first {size} events have the root {root}, and they do not", path.display())]
    Contradiction {
        /// The file that says so.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// Its root.
        root: Root,
    },
}

impl Tracker {
    /// Starts before event 0.
    pub(crate) fn new(origin: &str, log_key: VerifierKey, hmac: bool) -> Self {
        Self {
            chain: chain_start(origin),
            origin: origin.to_owned(),
            log_key,
            hmac,
            frontier: Frontier::new(),
            epoch: 0,
            key: None,
            edge: Edge::default(),
            clocks: None,
            marks: Vec::new(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size().0
    }

    /// Takes the next batch, or leaves everything as it was and says what is wrong with it.
    pub(crate) fn batch(&mut self, batch: &Batch<'_>) -> Result<(), TrackError> {
        let first = self.size();
        let mut next = self.clone_for_batch();
        let mut nodes = Vec::new();
        let announced = next.lines(batch.lines, &mut nodes)?;
        let wrong = |what| TrackError::Wrong { first, what };
        // Event 0 announces the key that signs its own commit; every other key signs only what comes after.
        let own_key = if self.key.is_none() { announced.clone() } else { None };
        let key = next.key.clone().or(own_key.map(|own| own.key)).ok_or(wrong("first event"))?;
        check_commit(&batch.commit, &next, &key, announced.as_ref().is_some_and(|own| own.broken)).map_err(wrong)?;
        next.meet_marks(first)?;
        next.adopt(announced).map_err(wrong)?;
        next.clocks = Some(clocks_of(&batch.commit.commit));
        (next.edge, next.marks) = (std::mem::take(&mut self.edge), std::mem::take(&mut self.marks));
        for (id, hash) in nodes {
            next.edge.push(id, hash);
        }
        *self = next;
        Ok(())
    }

    /// A copy without the edge, which only a good batch changes.
    fn clone_for_batch(&mut self) -> Self {
        let edge = std::mem::take(&mut self.edge);
        let copy = self.clone();
        self.edge = edge;
        copy
    }

    fn lines(&mut self, lines: &[u8], nodes: &mut Vec<crate::head::TileNode>) -> Result<Option<Announced>, TrackError> {
        let first = self.size();
        let bad = |source| TrackError::Line { first, source };
        let wrong = |what| TrackError::Wrong { first, what };
        let (mut announced, mut macs) = (None, None);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if macs.is_some() {
                return Err(wrong("order of lines"));
            }
            match Line::kind(line) {
                Some(Kind::Envelope) => {
                    let envelope = EnvelopeLine::parse(line).map_err(bad)?;
                    if envelope.seq != self.size() {
                        return Err(wrong("order of events"));
                    }
                    if envelope.is_ledger_event() {
                        announced = Announced::of(line).or(announced);
                    }
                    self.leaf(leaf_hash(line), |id, hash| nodes.push((id, hash)));
                }
                Some(Kind::Slot) if self.size() > first => {
                    if SlotLine::parse(line).map_err(bad)?.seq + 1 != self.size() {
                        return Err(wrong("order of slots"));
                    }
                }
                Some(Kind::Mac) => macs = Some(MacLine::parse(line).map_err(bad)?),
                _ => return Err(wrong("order of lines")),
            }
        }
        let wanted = if self.hmac { self.size() - first } else { 0 };
        if macs.map_or(0, |macs| macs.iter().len() as u64) != wanted {
            return Err(wrong("number of macs"));
        }
        Ok(announced)
    }

    /// Takes one leaf.
    pub(crate) fn leaf(&mut self, leaf: LeafHash, mut node: impl FnMut(sealtrail_tlog::NodeId, sealtrail_tlog::NodeHash)) {
        self.frontier.push_with(leaf, |id, hash| {
            if id.level.is_multiple_of(sealtrail_tlog::tile::TILE_HEIGHT) {
                node(id, hash);
            }
        });
        self.chain = chain_next(&self.chain, &leaf);
    }

    /// Takes an announcement into effect: of epoch 0 first, then of one epoch after the other.
    pub(crate) fn adopt(&mut self, announced: Option<Announced>) -> Result<(), &'static str> {
        let Some(announced) = announced else { return Ok(()) };
        let wanted = if self.key.is_some() { self.epoch + 1 } else { 0 };
        if announced.epoch != wanted || crate::keys::epoch_of(&self.origin, &announced.key) != Some(wanted) {
            return Err("announced epoch");
        }
        self.epoch = wanted;
        self.key = Some(announced.key);
        Ok(())
    }

    /// Compares with every mark whose size lies after `from` and not after the current one.
    pub(crate) fn meet_marks(&self, from: u64) -> Result<(), TrackError> {
        for mark in &self.marks {
            let met = mark.size > from && mark.size <= self.size();
            if met && (mark.size != self.size() || mark.root != self.frontier.root()) {
                return Err(TrackError::Contradiction { path: mark.path.clone(), size: mark.size, root: mark.root });
            }
        }
        Ok(())
    }
}

/// The key that a `ledger.created` or `ledger.epoch` announces.
#[derive(Clone)]
pub(crate) struct Announced {
    pub(crate) epoch: u64,
    pub(crate) key: VerifierKey,
    pub(crate) broken: bool,
}

impl Announced {
    /// Reads the announcement out of an envelope line, if it is one.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let envelope: Value = serde_json::from_slice(line).ok()?;
        if !matches!(envelope.get("event_type")?.as_str()?, "ledger.created" | "ledger.epoch") {
            return None;
        }
        let says = envelope.get("ledger")?;
        let key = VerifierKey::parse(says.get("key")?.as_str()?).ok()?;
        Some(Self { epoch: says.get("epoch")?.as_u64()?, key, broken: says.get("break").is_some_and(|broken| *broken == true) })
    }
}

fn check_commit(line: &CommitLine<'_>, next: &Tracker, key: &VerifierKey, broken: bool) -> Result<(), &'static str> {
    let commit = &line.commit;
    if commit.size != next.size() {
        return Err("size");
    }
    if commit.root != next.frontier.root().0 {
        return Err("root");
    }
    if commit.chain != next.chain {
        return Err("chain");
    }
    if commit.epoch != next.epoch {
        return Err("epoch");
    }
    let key = match (commit.key, broken) {
        (KeyKind::Epoch, _) => key,
        (KeyKind::Log, true) => &next.log_key,
        (KeyKind::Log, false) => return Err("kind of key"),
    };
    key.verify_raw(&Commit::signed_text(&next.origin, line.body), &line.sig).map_err(|_| "signature")
}

pub(crate) fn clocks_of(commit: &Commit) -> Clocks {
    Clocks { time: commit.time, mono: commit.mono, boot: commit.boot.clone() }
}
