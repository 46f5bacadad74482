//! The trigrams of the texts of one event: three bytes that follow each other, with the case folded.

use sealtrail_query::fold;

/// 6,000 different trigrams: about 20 KB of program text; of an event with more, the rest is not indexed.
const GRAMS_MAX: usize = 6_000;
/// A power of two, more than twice the number of trigrams.
const PLACES: usize = 1 << 14;

/// Collects trigrams, each once.
pub(crate) struct Grams {
    found: Vec<[u8; 3]>,
    /// A hash table: the trigram, and the number of the event it was seen in.
    seen: Vec<(u32, u32)>,
    event: u32,
    full: bool,
    folded: Vec<u8>,
}

impl Grams {
    pub(crate) fn new() -> Self {
        Self { found: Vec::new(), seen: vec![(0, 0); PLACES], event: 0, full: false, folded: Vec::new() }
    }

    /// Begins the next event.
    pub(crate) fn clear(&mut self) {
        self.found.clear();
        self.full = false;
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.seen.fill((0, 0));
            self.event = 1;
        }
    }

    /// Adds a text, folded.
    pub(crate) fn add(&mut self, text: &str) {
        if text.is_ascii() {
            self.folded.clear();
            self.folded.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
        } else {
            self.folded = fold(text).into_bytes();
        }
        let folded = std::mem::take(&mut self.folded);
        self.add_folded(&folded);
        self.folded = folded;
    }

    fn add_folded(&mut self, text: &[u8]) {
        for gram in text.array_windows::<3>() {
            let number = u32::from_be_bytes([0, gram[0], gram[1], gram[2]]);
            if !self.insert(number) {
                continue;
            }
            if self.found.len() >= GRAMS_MAX {
                self.full = true;
                return;
            }
            self.found.push(*gram);
        }
    }

    /// Whether `number` was not there yet.
    fn insert(&mut self, number: u32) -> bool {
        let mut at = (number.wrapping_mul(0x9E37_79B1) >> 18) as usize;
        loop {
            let Some(place) = self.seen.get_mut(at % PLACES) else { return false };
            if place.1 != self.event {
                *place = (number, self.event);
                return true;
            }
            if place.0 == number {
                return false;
            }
            at += 1;
        }
    }

    /// Whether there were more than are indexed.
    pub(crate) fn full(&self) -> bool {
        self.full
    }

    pub(crate) fn found(&self) -> &[[u8; 3]] {
        &self.found
    }
}
