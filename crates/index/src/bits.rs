//! Sets of documents of one segment.

/// A set of numbers below a bound, one bit each: 64 KiB for a whole partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: u32,
}

impl Bits {
    /// Makes the empty set of numbers below `len`.
    pub(crate) fn none(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(64) as usize], len }
    }

    /// Makes the set of all numbers below `len`.
    pub(crate) fn all(len: u32) -> Self {
        let mut all = Self { words: vec![u64::MAX; len.div_ceil(64) as usize], len };
        all.trim();
        all
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn insert(&mut self, at: u32) {
        if let Some(word) = self.words.get_mut((at / 64) as usize) {
            *word |= 1 << (at % 64);
        }
    }

    pub(crate) fn contains(&self, at: u32) -> bool {
        self.words.get((at / 64) as usize).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub(crate) fn remove(&mut self, at: u32) {
        if let Some(word) = self.words.get_mut((at / 64) as usize) {
            *word &= !(1 << (at % 64));
        }
    }

    /// Takes out what is not from `from` to `to`, `to` not included.
    pub(crate) fn clip(&mut self, from: u32, to: u32) {
        (0..from.min(self.len)).chain(to..self.len).for_each(|at| self.remove(at));
    }

    /// Adds the numbers from `from` to `to`, `to` not included.
    pub(crate) fn insert_range(&mut self, from: u32, to: u32) {
        let to = to.min(self.len);
        if from >= to {
            return;
        }
        let (first, last) = ((from / 64) as usize, ((to - 1) / 64) as usize);
        for (at, word) in self.words.iter_mut().enumerate().take(last + 1).skip(first) {
            let low = if at == first { u64::MAX << (from % 64) } else { u64::MAX };
            let high = if at == last { u64::MAX >> (63 - (to - 1) % 64) } else { u64::MAX };
            *word |= low & high;
        }
    }

    /// Keeps those for which `keep` says so.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        for (word, at) in self.words.iter_mut().zip(0u32..) {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !keep(at * 64 + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    pub(crate) fn and(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    pub(crate) fn or(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Takes out what is in `other`.
    pub(crate) fn minus(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    #[must_use]
    pub(crate) fn not(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Calls `see` with the numbers, small ones first.
    pub(crate) fn each(&self, mut see: impl FnMut(u32)) {
        for (word, at) in self.words.iter().zip(0u32..) {
            let mut left = *word;
            while left != 0 {
                see(at * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }

    /// Returns the numbers from `from` to `from + 511` as eight words; `from` is a multiple of 512.
    pub(crate) fn words_at(&self, from: u32) -> &[u64] {
        let first = (from / 64) as usize;
        self.words.get(first..self.words.len().min(first + 8)).unwrap_or_default()
    }

    /// Adds what [`Bits::words_at`] returned for `from`.
    pub(crate) fn insert_words(&mut self, from: u32, words: &[u64]) {
        let first = (from / 64) as usize;
        self.words.iter_mut().skip(first).zip(words).for_each(|(word, other)| *word |= other);
    }

    /// Returns the numbers, small ones first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0u32..).flat_map(|(word, at)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at * 64 + bit)
            })
        })
    }

    /// Returns the largest number below `to`.
    pub(crate) fn last_before(&self, to: u32) -> Option<u32> {
        let to = to.min(self.len);
        let mut at = (to / 64) as usize;
        let mut word = self.words.get(at).map_or(0, |word| word & ((1u64 << (to % 64)) - 1));
        loop {
            if word != 0 {
                return Some(u32::try_from(at).ok()? * 64 + 63 - word.leading_zeros());
            }
            at = at.checked_sub(1)?;
            word = *self.words.get(at)?;
        }
    }

    /// Returns the smallest number from `from` on.
    pub(crate) fn first_from(&self, from: u32) -> Option<u32> {
        let mut at = (from / 64) as usize;
        let mut word = self.words.get(at)? & (u64::MAX << (from % 64));
        loop {
            if word != 0 {
                return Some(u32::try_from(at).ok()? * 64 + word.trailing_zeros());
            }
            at += 1;
            word = *self.words.get(at)?;
        }
    }

    /// Clears the bits from `len` on.
    fn trim(&mut self) {
        if let (false, Some(last)) = (self.len.is_multiple_of(64), self.words.last_mut()) {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Bits;

    /// Protects every operation, at lengths around a word: they are those of a plain set.
    #[test]
    fn bits_are_a_set() {
        let mut rng = fastrand::Rng::with_seed(7);
        for len in [0u32, 1, 63, 64, 65, 128, 200] {
            let pick = |rng: &mut fastrand::Rng| -> BTreeSet<u32> { (0..len).filter(|_| rng.bool()).collect() };
            let (a, b) = (pick(&mut rng), pick(&mut rng));
            let make = |set: &BTreeSet<u32>| {
                let mut bits = Bits::none(len);
                set.iter().for_each(|at| bits.insert(*at));
                bits
            };
            let is = |bits: &Bits, set: BTreeSet<u32>| {
                assert_eq!(bits.iter().collect::<BTreeSet<_>>(), set);
                assert_eq!(bits.count(), set.len() as u64);
                assert_eq!(bits.is_empty(), set.is_empty());
            };
            let with = |change: fn(&mut Bits, &Bits)| {
                let mut bits = make(&a);
                change(&mut bits, &make(&b));
                bits
            };
            is(&with(Bits::and), a.intersection(&b).copied().collect());
            is(&with(Bits::or), a.union(&b).copied().collect());
            is(&with(Bits::minus), a.difference(&b).copied().collect());
            is(&make(&a).not(), (0..len).filter(|at| !a.contains(at)).collect());
            is(&Bits::all(len), (0..len).collect());
            let mut even = make(&a);
            even.retain(|at| at % 2 == 0);
            is(&even, a.iter().copied().filter(|at| at % 2 == 0).collect());
            let mut all = BTreeSet::new();
            make(&a).each(|at| assert!(all.insert(at)));
            assert_eq!(all, a);
            for from in 0..len + 2 {
                let mut bits = make(&a);
                bits.insert_range(from, from + 70);
                is(&bits, a.iter().copied().chain(from..(from + 70).min(len)).collect());
            }
            for at in 0..len + 2 {
                assert_eq!(make(&a).last_before(at), a.range(..at).next_back().copied());
                assert_eq!(make(&a).first_from(at), a.range(at..).next().copied());
                assert_eq!(make(&a).contains(at), a.contains(&at));
            }
        }
    }
}
