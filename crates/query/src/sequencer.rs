//! Sequences found in a stream of events: a state machine for each key.
//!
//! ```text
//!   steps        [A]  ![x]  [B]  [C]  ![y]        until [U]
//!   slots        A ──────── AB ── (ABC: a match, or waiting for maxspan to pass without y)
//! ```
//!
//! A slot holds at most one open sequence; a later one takes its place. An event moves the sequence of the slot before its
//! step into the slot of its step. An event that must not come spoils the open sequence between whose events it lies; a spoilt one
//! moves on as any other and is dropped at its end.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use crate::hit::{Hit, Match, key_bytes};
use crate::key::KeyValue;
use crate::sequence::Sequence;
use crate::track::{Partial, Stages, Track};

/// How much is held open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceLimits {
    /// Open sequences, and keys with any.
    pub open: usize,
    /// Bytes of them, and of events that wait for their turn.
    pub bytes: usize,
}

impl Default for SequenceLimits {
    fn default() -> Self {
        // 250,000 x about 300 bytes is 75 MB: with the rest of a search below 200 MB.
        Self { open: 250_000, bytes: 100 << 20 }
    }
}

/// Why a sequence cannot be searched further. What was found until then is right, but not everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// Too many are open at once.
    #[error("too many open sequences: {open} with {bytes} bytes at event {seq} (limit {} with {} bytes); narrow the first step, the time, or maxspan", limits.open, limits.bytes)]
    TooManyOpen {
        /// Open sequences and keys.
        open: usize,
        /// Their bytes.
        bytes: usize,
        /// The event at which it was too much.
        seq: u64,
        /// The limits.
        limits: SequenceLimits,
    },
    /// An event came after a later one.
    #[error("event {seq} of {time} came after one of {after}: a sequence is searched in order of time")]
    OutOfOrder {
        /// The event.
        seq: u64,
        /// Its time.
        time: Timestamp,
        /// The time that had been reached.
        after: Timestamp,
    },
}

/// Finds the matches of a sequence in events that come in order of (time, seq).
pub struct Sequencer<'a> {
    sequence: &'a Sequence,
    stages: Stages,
    limits: SequenceLimits,
    slack_ns: i128,
    tracks: HashMap<Box<[KeyValue]>, Track>,
    /// Matches whose last `![…]` may still come, by the moment after which it may.
    waiting: BTreeMap<(i128, u64), Match>,
    /// Events that wait until nothing earlier can come.
    early: BTreeMap<(Timestamp, u64), Option<Hit>>,
    reached: Option<(Timestamp, u64)>,
    newest: Option<Timestamp>,
    made: u64,
    held: Held,
    sweep_at: Held,
}

/// How much is open.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    open: usize,
    bytes: usize,
}

impl<'a> Sequencer<'a> {
    /// Starts with nothing open.
    pub fn new(sequence: &'a Sequence, limits: SequenceLimits) -> Self {
        Self {
            sequence,
            stages: Stages::of(sequence),
            limits,
            slack_ns: 0,
            tracks: HashMap::new(),
            waiting: BTreeMap::new(),
            early: BTreeMap::new(),
            reached: None,
            newest: None,
            made: 0,
            held: Held::default(),
            sweep_at: Held { open: 1024, bytes: 1 << 20 },
        }
    }

    /// Lets events come up to so many milliseconds late; each one then waits as long.
    #[must_use]
    pub fn with_slack(mut self, ms: u64) -> Self {
        self.slack_ns = i128::from(ms) * 1_000_000;
        self
    }

    /// Takes the next event and returns the matches that are complete with it, in order of completion.
    pub fn push(&mut self, seq: u64, time: Timestamp, event: &Value) -> Result<Vec<Match>, SequenceError> {
        self.take(seq, time, self.sequence.hit(seq, time, event))
    }

    /// Takes the next event that some step takes.
    pub fn push_hit(&mut self, hit: Hit) -> Result<Vec<Match>, SequenceError> {
        self.take(hit.seq, hit.time, Some(hit))
    }

    /// Ends the events: returns what is still to be told.
    pub fn finish(mut self) -> Result<Vec<Match>, SequenceError> {
        let mut found = Vec::new();
        while let Some(((time, seq), hit)) = self.early.pop_first() {
            self.step(seq, time, hit, &mut found)?;
        }
        found.extend(self.waiting.into_values().map(|found| Match { settled: false, ..found }));
        Ok(found)
    }

    fn take(&mut self, seq: u64, time: Timestamp, hit: Option<Hit>) -> Result<Vec<Match>, SequenceError> {
        let mut found = Vec::new();
        if self.slack_ns == 0 {
            self.step(seq, time, hit, &mut found)?;
            return Ok(found);
        }
        if let Some(hit) = &hit {
            self.held.bytes += hit.bytes();
        }
        if hit.is_some() {
            self.early.insert((time, seq), hit);
        }
        self.newest = self.newest.max(Some(time));
        let edge = self.newest.map_or(i128::MIN, |newest| newest.as_nanosecond() - self.slack_ns);
        while let Some(entry) = self.early.first_entry().filter(|entry| entry.key().0.as_nanosecond() < edge) {
            let ((time, seq), hit) = entry.remove_entry();
            self.held.bytes = self.held.bytes.saturating_sub(hit.as_ref().map_or(0, Hit::bytes));
            self.step(seq, time, hit, &mut found)?;
        }
        self.bound(seq, time)?;
        Ok(found)
    }

    /// Takes an event in order.
    fn step(&mut self, seq: u64, time: Timestamp, hit: Option<Hit>, found: &mut Vec<Match>) -> Result<(), SequenceError> {
        if let Some((after, _)) = self.reached.filter(|reached| *reached >= (time, seq)) {
            return Err(SequenceError::OutOfOrder { seq, time, after });
        }
        self.reached = Some((time, seq));
        let now = time.as_nanosecond();
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 < now) {
            found.push(entry.remove());
        }
        for (key, steps) in hit.map(|hit| hit.joins).unwrap_or_default() {
            self.advance(key, steps, (seq, time), found);
        }
        self.bound(seq, time)
    }

    /// Moves the open sequences of one key.
    fn advance(&mut self, key: Box<[KeyValue]>, steps: u64, event: (u64, Timestamp), found: &mut Vec<Match>) {
        if !self.stages.begins(steps) && !self.tracks.contains_key(&key) {
            return;
        }
        let track = self.tracks.entry(key.clone()).or_insert_with_key(|key| {
            self.held.open += 1;
            self.held.bytes += 128 + key_bytes(key);
            Track::default()
        });
        if self.stages.trails(steps) {
            for waiting in track.waiting.drain(..) {
                self.waiting.remove(&waiting);
            }
        }
        let (open, bytes) = (track.partials(), track.bytes());
        let complete = track.advance(&self.stages, steps, event);
        self.held.open = (self.held.open + track.partials()).saturating_sub(open);
        self.held.bytes = (self.held.bytes + track.bytes()).saturating_sub(bytes);
        if let Some(partial) = complete
            && let Some(until_ns) = self.stages.verdict(&partial)
        {
            let Partial { events, first, last, .. } = partial;
            let complete = Match { keys: key.to_vec(), events, first, last, settled: true };
            match until_ns {
                None => found.push(complete),
                Some(until_ns) => {
                    self.made += 1;
                    self.held.bytes += complete.bytes();
                    track.waiting.push((until_ns, self.made));
                    self.waiting.insert((until_ns, self.made), complete);
                }
            }
        }
        if track.is_empty() {
            self.held.open = self.held.open.saturating_sub(1);
            self.held.bytes = self.held.bytes.saturating_sub(128 + key_bytes(&key) + track.bytes());
            self.tracks.remove(&key);
        }
    }

    /// Drops what can no longer become a match when much is open, and refuses when much still is.
    fn bound(&mut self, seq: u64, time: Timestamp) -> Result<(), SequenceError> {
        if self.held.open + self.waiting.len() < self.sweep_at.open && self.held.bytes < self.sweep_at.bytes {
            return Ok(());
        }
        let (stages, waiting) = (&self.stages, &self.waiting);
        let mut held = Held::default();
        self.tracks.retain(|key, track| {
            track.sweep(stages, time, waiting);
            let kept = !track.is_empty();
            if kept {
                held.open += 1 + track.partials();
                held.bytes += 128 + key_bytes(key) + track.bytes();
            }
            kept
        });
        held.bytes += self.early.values().flatten().map(Hit::bytes).sum::<usize>();
        held.bytes += self.waiting.values().map(Match::bytes).sum::<usize>();
        let open = held.open + self.waiting.len();
        if open > self.limits.open || held.bytes > self.limits.bytes {
            return Err(SequenceError::TooManyOpen { open, bytes: held.bytes, seq, limits: self.limits });
        }
        self.held = held;
        // Twice what is left, or a quarter above the limit: each sweep is paid for by as many events.
        let next = |left: usize, limit: usize, least: usize| (2 * left).min(limit / 4 * 5) + least;
        self.sweep_at = Held { open: next(open, self.limits.open, 1024), bytes: next(held.bytes, self.limits.bytes, 1 << 20) };
        Ok(())
    }
}

impl Sequence {
    /// Returns the matches in `hits`, which may come in any order, in the order of their first events.
    pub fn find(&self, mut hits: Vec<Hit>, limits: SequenceLimits) -> Result<Vec<Match>, SequenceError> {
        hits.sort_by_key(|hit| (hit.time, hit.seq));
        let mut sequencer = Sequencer::new(self, limits);
        let mut found = Vec::new();
        for hit in hits {
            found.extend(sequencer.push_hit(hit)?);
        }
        found.extend(sequencer.finish()?);
        found.sort_by(|a, b| (a.first, &a.events).cmp(&(b.first, &b.events)));
        Ok(found)
    }
}
