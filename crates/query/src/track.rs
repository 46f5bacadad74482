//! The open sequences of one key.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::hit::Match;
use crate::sequence::Sequence;

/// A sequence laid out: each event of a match is a stage, and what must not come lies before, between or after them.
pub(crate) struct Stages {
    /// The bit of the step of each stage.
    wanted: Vec<u64>,
    /// For each stage, the steps that must not come between it and the next; those after the last are `trailing`.
    between: Vec<u64>,
    leading: u64,
    trailing: u64,
    until: u64,
    maxspan_ns: Option<i128>,
}

/// A sequence that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    pub(crate) events: Vec<u64>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// When the last event came, before the first one, that must not come before it.
    led: Option<Timestamp>,
    /// Whether something came between its events that must not.
    spoilt: bool,
}

/// The open sequences of one key.
#[derive(Default)]
pub(crate) struct Track {
    /// Slot `i` holds the one that waits for stage `i + 1`.
    slots: Vec<Option<Partial>>,
    /// When the last event came that must not come before the first.
    led: Option<Timestamp>,
    /// Its matches in the list of those that wait.
    pub(crate) waiting: Vec<(i128, u64)>,
}

impl Stages {
    pub(crate) fn of(sequence: &Sequence) -> Self {
        let maxspan_ns = sequence.maxspan_ms().map(|ms| i128::from(ms) * 1_000_000);
        let (mut wanted, mut between, mut leading) = (Vec::new(), Vec::new(), 0);
        for (number, step) in sequence.steps().iter().enumerate() {
            let bit = 1 << number;
            match (step.missing, between.last_mut()) {
                (true, None) => leading |= bit,
                (true, Some(after)) => *after |= bit,
                (false, _) => {
                    wanted.extend((0..step.runs).map(|_| bit));
                    between.extend((0..step.runs).map(|_| 0));
                }
            }
        }
        let trailing = between.pop().unwrap_or(0);
        let until = if sequence.until().is_some() { 1 << sequence.steps().len() } else { 0 };
        Self { wanted, between, leading, trailing, until, maxspan_ns }
    }

    /// Whether an event that these steps take matters to a key with nothing open.
    pub(crate) fn begins(&self, steps: u64) -> bool {
        steps & (self.wanted[0] | self.leading) != 0
    }

    /// Whether these steps must not come after a match.
    pub(crate) fn trails(&self, steps: u64) -> bool {
        steps & self.trailing != 0
    }

    fn too_long(&self, from: Timestamp, to: Timestamp) -> bool {
        self.maxspan_ns.is_some_and(|span| to.as_nanosecond() - from.as_nanosecond() > span)
    }

    /// Judges a sequence that has all its events: `None`, it is no match; a moment, it is one if nothing that must not follow comes until then.
    ///
    /// Something must not come before, or after: there is a time as long as maxspan, around the match, in which it does not.
    #[expect(clippy::option_option, reason = "no match, a match at once, and a match at a moment")]
    pub(crate) fn verdict(&self, partial: &Partial) -> Option<Option<i128>> {
        if partial.spoilt {
            return None;
        }
        let from = if self.leading == 0 { Some(partial.first) } else { partial.led };
        let (Some(from), Some(span)) = (from, self.maxspan_ns) else { return Some(None) };
        if self.trailing != 0 {
            return Some(Some(from.as_nanosecond() + span));
        }
        (self.leading == 0 || self.too_long(from, partial.last)).then_some(None)
    }
}

impl Track {
    /// Takes an event; returns the sequence that is complete with it.
    pub(crate) fn advance(&mut self, stages: &Stages, steps: u64, (seq, time): (u64, Timestamp)) -> Option<Partial> {
        let mut complete = None;
        let last = stages.wanted.len() - 1;
        // From the end: an event moves each sequence by one stage only.
        for stage in (0..=last).rev().filter(|stage| steps & stages.wanted[*stage] != 0) {
            let moved = match stage.checked_sub(1) {
                None => Some(Partial { events: Vec::new(), first: time, last: time, led: self.led, spoilt: false }),
                Some(before) => self.slots.get_mut(before).and_then(Option::take).filter(|open| !stages.too_long(open.first, time)),
            };
            let Some(mut moved) = moved else { continue };
            moved.events.push(seq);
            moved.last = time;
            if stage == last {
                complete = Some(moved);
                continue;
            }
            if self.slots.len() <= stage {
                self.slots.resize_with(stage + 1, || None);
            }
            self.slots[stage] = Some(moved);
        }
        for (slot, between) in self.slots.iter_mut().zip(&stages.between) {
            if steps & between != 0
                && let Some(open) = slot.as_mut().filter(|open| open.events.last() != Some(&seq))
            {
                open.spoilt = true;
            }
        }
        if steps & stages.leading != 0 {
            self.led = Some(time);
        }
        if steps & stages.until != 0 {
            self.slots.clear();
        }
        complete
    }

    /// Drops what can no longer matter at `now`.
    pub(crate) fn sweep(&mut self, stages: &Stages, now: Timestamp, waiting: &BTreeMap<(i128, u64), Match>) {
        for slot in &mut self.slots {
            *slot = slot.take().filter(|open| !stages.too_long(open.first, now));
        }
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        self.led = self.led.filter(|led| !stages.too_long(*led, now));
        self.waiting.retain(|key| waiting.contains_key(key));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none) && self.led.is_none() && self.waiting.is_empty()
    }

    pub(crate) fn partials(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    pub(crate) fn bytes(&self) -> usize {
        let open: usize = self.slots.iter().flatten().map(|open| 8 * open.events.capacity()).sum();
        open + self.slots.capacity() * size_of::<Option<Partial>>() + 24 * self.waiting.capacity()
    }
}
