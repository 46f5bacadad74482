//! Numbers that do not depend on the order in which they came.

/// A sum without rounding: a list of numbers that do not overlap, whose sum is exact (Shewchuk's expansions).
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    parts: Vec<f64>,
    /// Whether the sum left the range of `f64`.
    beyond: bool,
}

impl ExactSum {
    /// Adds a finite number.
    pub(crate) fn add(&mut self, number: f64) {
        let mut high = number;
        let mut kept = 0;
        for index in 0..self.parts.len() {
            let (mut a, mut b) = (high, self.parts[index]);
            if a.abs() < b.abs() {
                (a, b) = (b, a);
            }
            high = a + b;
            let low = b - (high - a);
            if low != 0.0 {
                self.parts[kept] = low;
                kept += 1;
            }
        }
        self.parts.truncate(kept);
        self.parts.push(high);
        self.beyond |= !high.is_finite();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.beyond |= other.beyond;
        other.parts.iter().for_each(|part| self.add(*part));
    }

    /// Returns how many numbers are held.
    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Returns the sum rounded once; `None` beyond the range.
    pub(crate) fn value(&self) -> Option<f64> {
        if self.beyond {
            return None;
        }
        let mut parts = self.parts.iter().rev();
        let mut high = parts.next().copied().unwrap_or(0.0);
        let mut low = 0.0;
        while let Some(part) = parts.next() {
            let sum = high + part;
            low = part - (sum - high);
            high = sum;
            if low != 0.0 {
                // Exactly half way: what is further down says which way to round.
                let doubled = low * 2.0;
                let next = parts.next().copied().unwrap_or(0.0);
                if (low < 0.0 && next < 0.0 || low > 0.0 && next > 0.0) && high + doubled - high == doubled {
                    high += doubled;
                }
                break;
            }
        }
        Some(high).filter(|sum| sum.is_finite()).map(|sum| if low == 0.0 { sum + 0.0 } else { sum })
    }
}

/// Returns the value at `point` percent of the way from the least to the greatest, between two values by the share of the way.
///
/// This is `percentile_cont` of SQL and the default of numpy.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank below the length of a slice of f64"
)]
pub(crate) fn percentile(values: &mut [f64], point: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = point * last as f64 / 100.0;
    let below = (rank.floor() as usize).min(last);
    let share = rank - below as f64;
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    match above.iter().copied().min_by(f64::total_cmp) {
        Some(high) if share > 0.0 => Some(low + (high - low) * share),
        _ => Some(low),
    }
}
