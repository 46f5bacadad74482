//! Times as the ledger writes them: UTC, nanoseconds, always 30 bytes.

use jiff::Timestamp;

/// A point in time, printed as `2026-01-02T03:04:05.000000006Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// Length of the printed form.
    pub const BYTES: usize = 30;

    /// Makes a time from the nanoseconds since 1970; times before 1970 or after 9999 are moved to the nearest allowed one.
    pub fn from_unix_ns(unix_ns: i128) -> Self {
        let last: Timestamp = Timestamp::MAX;
        Self(Timestamp::from_nanosecond(unix_ns.clamp(0, last.as_nanosecond())).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Returns the nanoseconds since 1970.
    pub fn unix_ns(self) -> i128 {
        self.0.as_nanosecond()
    }

    /// Parses exactly the printed form.
    pub fn parse(text: &str) -> Option<Self> {
        let time = Self(text.parse().ok()?);
        (text.len() == Self::BYTES && time.0 >= Timestamp::UNIX_EPOCH && time.to_string() == text).then_some(time)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}
