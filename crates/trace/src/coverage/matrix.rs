//! How many of the actions of a class a witness saw.

use super::judge::Cell;

/// Counts of one class and witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seen with every phase that it should have told.
    pub seen: u64,
    /// Seen without some of them.
    pub partial: u64,
    /// Not seen, and should have been.
    pub missing: u64,
    /// Not seen, and never could be: no gap.
    pub absent: u64,
    /// Too young to say.
    pub pending: u64,
}

impl Tally {
    /// Returns how many the witness should have seen.
    pub fn should(&self) -> u64 {
        self.seen + self.partial + self.missing
    }

    /// Returns the part of these that it saw whole, in hundredths of a percent, rounded down: 100 % is only what is whole.
    pub fn basis_points(&self) -> Option<u64> {
        let parts = u128::from(self.seen) * 10_000;
        let parts = parts.checked_div(u128::from(self.should()))?;
        u64::try_from(parts).ok()
    }

    pub(super) fn count(&mut self, cell: Cell) {
        let counter = match cell {
            Cell::Seen => &mut self.seen,
            Cell::Partial(_) => &mut self.partial,
            Cell::Missing => &mut self.missing,
            Cell::Absent => &mut self.absent,
            Cell::Pending => &mut self.pending,
        };
        *counter += 1;
    }
}
