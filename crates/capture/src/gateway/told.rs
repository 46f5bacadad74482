//! What was told already: a retried request repeats results, and a retried answer repeats calls.

use std::collections::{HashSet, VecDeque};

use crate::hash;

/// 65,536 calls of 16 bytes each in two places: 2 MiB. A retry comes within minutes.
const TOLD_MAX: usize = 65_536;

/// The newest things that were told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Told {
    /// Notes something; tells whether it is new.
    pub fn first(&mut self, kind: &str, session: Option<&str>, id: &str) -> bool {
        let text = format!("{kind}\0{}\0{id}", session.unwrap_or_default());
        let hash = hash::sha256(text.as_bytes());
        // 64 bits: among 65,536 the chance of two alike is one in ten thousand million.
        let short = hash.first_chunk::<8>().copied().map(u64::from_be_bytes).unwrap_or_default();
        if !self.known.insert(short) {
            return false;
        }
        self.order.push_back(short);
        if self.order.len() > TOLD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the memory and the pairing: the same thing is new once, and the oldest is forgotten when there are too many.
    #[test]
    fn something_is_new_once_and_forgotten_late() {
        let mut told = Told::default();
        assert!(told.first("intent", Some("s"), "0"));
        assert!(!told.first("intent", Some("s"), "0"));
        assert!(told.first("outcome", Some("s"), "0"));
        for n in 0..TOLD_MAX {
            told.first("x", None, &n.to_string());
        }
        assert_eq!((told.known.len(), told.order.len()), (TOLD_MAX, TOLD_MAX));
        assert!(told.first("intent", Some("s"), "0"));
    }
}
