//! Missing slots against the recorded erasures and holds.

use std::collections::BTreeMap;

use sealtrail_event::SlotName;

use super::own::{Own, Says, bit};
use super::slots::Missing;
use crate::report::{Erasure, Finding};

type Ranges = Vec<(u64, u64)>;

struct Erase {
    seq: u64,
    ranges: Ranges,
    slots: u8,
    done: bool,
}

struct Hold {
    seq: u64,
    released: u64,
    ranges: Ranges,
    slots: u8,
}

/// Everything that the log says about what may be missing.
pub(super) struct Erasures {
    erases: Vec<Erase>,
    holds: Vec<Hold>,
    taken: BTreeMap<u64, u64>,
}

fn covers(ranges: &[(u64, u64)], seq: u64) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&seq))
}

impl Erasures {
    /// Reads the events of the whole log, in order.
    pub(super) fn new<'a>(own: impl Iterator<Item = &'a Own>) -> Self {
        let (mut erases, mut holds): (Vec<Erase>, Vec<(String, Hold)>) = (Vec::new(), Vec::new());
        for Own { seq, says } in own {
            let seq = *seq;
            match says {
                Says::Erase { ranges, slots } => erases.push(Erase { seq, ranges: ranges.clone(), slots: *slots, done: false }),
                Says::Erased { erase, .. } => erases.iter_mut().filter(|known| known.seq == *erase).for_each(|known| known.done = true),
                Says::Hold { hold, ranges, slots } => {
                    holds.push((hold.clone(), Hold { seq, released: u64::MAX, ranges: ranges.clone(), slots: *slots }));
                }
                Says::Release { hold } => {
                    let named = holds.iter_mut().filter(|(name, held)| name == hold && held.released == u64::MAX);
                    named.for_each(|(_, held)| held.released = seq);
                }
                _ => {}
            }
        }
        Self { erases, holds: holds.into_iter().map(|(_, hold)| hold).collect(), taken: BTreeMap::new() }
    }

    /// Judges the slots that one part misses.
    pub(super) fn judge(&mut self, missing: &Missing, file: &str) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for (seq, bits) in missing.iter() {
            for name in SlotName::ALL.iter().filter(|name| bits & bit(**name) != 0) {
                if let Some((kind, detail)) = self.judge_one(seq, *name) {
                    found.push(Finding::fail(kind, file, detail).at(seq));
                }
            }
        }
        found
    }

    fn judge_one(&mut self, seq: u64, name: SlotName) -> Option<(&'static str, String)> {
        let word = name.as_str();
        let covering = |erase: &&Erase| erase.seq > seq && erase.slots & bit(name) != 0 && covers(&erase.ranges, seq);
        let lawful = self.erases.iter().filter(covering).find(|erase| !self.held(seq, name, erase.seq));
        if let Some(lawful) = lawful {
            *self.taken.entry(lawful.seq).or_default() += 1;
            return None;
        }
        match self.erases.iter().find(covering) {
            Some(erase) => {
                Some(("erased-on-hold", format!("slot {word} is gone; event {} ordered that while it was on legal hold", erase.seq)))
            }
            None => Some(("slot-missing", format!("slot {word} is gone and no erasure of it is recorded"))),
        }
    }

    fn held(&self, seq: u64, name: SlotName, at: u64) -> bool {
        let held = |hold: &Hold| hold.seq < at && at < hold.released && hold.slots & bit(name) != 0 && covers(&hold.ranges, seq);
        self.holds.iter().any(held)
    }

    /// Returns the orders that are recorded as carried out and touch events `first` to `size` (not included).
    pub(super) fn done_in(&self, first: u64, size: u64) -> bool {
        let touches = |erase: &Erase| erase.done && erase.ranges.iter().any(|(from, to)| *from < size && *to >= first);
        self.erases.iter().any(touches)
    }

    /// Returns the order that is recorded as carried out for a slot.
    pub(super) fn done_for(&self, seq: u64, name: SlotName) -> Option<u64> {
        let done = |erase: &&Erase| erase.done && erase.seq > seq && erase.slots & bit(name) != 0 && covers(&erase.ranges, seq);
        self.erases.iter().find(done).map(|erase| erase.seq)
    }

    /// Returns what was lawfully erased, by the event that ordered it.
    pub(super) fn taken(&self) -> Vec<Erasure> {
        self.taken.iter().map(|(erase, slots)| Erasure { erase: *erase, slots: *slots }).collect()
    }
}
