//! What the index knows of a condition on each document of a segment: it holds, it may hold, or it does not.

use crate::bits::Bits;

/// The documents for which a condition holds, and those for which it may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// It holds.
    pub(crate) yes: Bits,
    /// It holds, or only the event itself can tell. All of `yes` are here.
    pub(crate) maybe: Bits,
}

impl Found {
    /// Makes the answer of a leaf.
    pub(crate) fn new(yes: Bits, unsure: Bits) -> Self {
        let mut maybe = unsure;
        maybe.or(&yes);
        Self { yes, maybe }
    }

    /// Makes the answer for a condition that holds everywhere, or nowhere.
    pub(crate) fn always(holds: bool, docs: u32) -> Self {
        let bits = if holds { Bits::all(docs) } else { Bits::none(docs) };
        Self { yes: bits.clone(), maybe: bits }
    }

    pub(crate) fn and(&mut self, other: &Self) {
        self.yes.and(&other.yes);
        self.maybe.and(&other.maybe);
    }

    pub(crate) fn or(&mut self, other: &Self) {
        self.yes.or(&other.yes);
        self.maybe.or(&other.maybe);
    }

    #[must_use]
    pub(crate) fn not(self) -> Self {
        Self { yes: self.maybe.not(), maybe: self.yes.not() }
    }
}
