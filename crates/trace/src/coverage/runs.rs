//! The numbers that a witness gave its events: contiguous, or with holes.

use std::collections::BTreeMap;

/// 4,096 runs: a trail with more holes than that is full of holes, whatever the others are.
const RUNS_MAX: usize = 4_096;

/// A set of numbers, kept as its runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(BTreeMap<u64, u64>);

impl Runs {
    /// Adds a number.
    pub(super) fn add(&mut self, n: u64) {
        let before = self.0.range(..=n).next_back().map(|(from, to)| (*from, *to));
        if before.is_some_and(|(_, to)| n <= to) {
            return;
        }
        let after = n.checked_add(1).and_then(|next| self.0.get(&next).copied());
        if let (Some(_), Some(next)) = (after, n.checked_add(1)) {
            self.0.remove(&next);
        }
        let end = after.unwrap_or(n);
        match before.filter(|(_, to)| to.checked_add(1) == Some(n)) {
            Some((from, _)) => self.0.insert(from, end),
            None if self.0.len() >= RUNS_MAX => None,
            None => self.0.insert(n, end),
        };
    }

    /// Returns how many numbers are missing between the first and the last, and the first of them.
    pub(super) fn holes(&self) -> Option<(u64, u64)> {
        let mut missing = 0_u64;
        let mut first = None;
        for ((_, to), (next, _)) in self.0.iter().zip(self.0.iter().skip(1)) {
            first = first.or(to.checked_add(1));
            missing = missing.saturating_add(next.saturating_sub(*to).saturating_sub(1));
        }
        first.map(|first| (missing, first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the proof of lost telemetry: numbers in any order are contiguous or have exactly the holes that they have.
    #[test]
    fn holes_are_counted_in_any_order() {
        let of = |numbers: &[u64]| {
            let mut runs = Runs::default();
            numbers.iter().for_each(|n| runs.add(*n));
            runs.holes()
        };
        assert_eq!(of(&[0, 1, 2, 3]), None);
        assert_eq!(of(&[3, 1, 0, 2, 2]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), None);
        assert_eq!(of(&[0, 1, 5, 6, 9]), Some((5, 2)));
        assert_eq!(of(&[9, 6, 5, 1, 0]), Some((5, 2)));
        assert_eq!(of(&[u64::MAX, 0]), Some((u64::MAX - 1, 1)));
    }
}
