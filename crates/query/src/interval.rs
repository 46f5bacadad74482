//! Spans of time: the width of a bucket, and the longest a sequence may take.

use std::fmt;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::error::QueryError;

/// 10,000: buckets of a size nobody needs; keeps every sum far from the ends of its type.
const COUNT_MAX: u32 = 10_000;

/// 100 years in milliseconds: a sequence that may take longer has no bound.
const SPAN_MS_MAX: u64 = 100 * 366 * DAY_MS;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The width of the buckets of a histogram, in UTC. Weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval {
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Names of units; the first of each is the one that is displayed.
const UNITS: &[(Unit, &[&str])] = &[
    (Unit::Second, &["s", "second", "seconds"]),
    (Unit::Minute, &["m", "minute", "minutes"]),
    (Unit::Hour, &["h", "hour", "hours", "hourly"]),
    (Unit::Day, &["d", "day", "days", "daily"]),
    (Unit::Week, &["w", "week", "weeks", "weekly"]),
    (Unit::Month, &["mo", "month", "months", "monthly"]),
    (Unit::Year, &["y", "year", "years", "yearly"]),
];

impl Interval {
    /// Parses `5m`, `1h`, `day`, `1w`, `1mo`, `year`.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let word = text[digits..].trim().to_ascii_lowercase();
        let unit = UNITS.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(unit, _)| *unit);
        let count = if digits == 0 { Some(1) } else { text[..digits].parse().ok() };
        match (count.filter(|count| (1..=COUNT_MAX).contains(count)), unit) {
            (Some(count), Some(unit)) => Ok(Self { count, unit }),
            _ => {
                let cut: String = text.chars().take(40).collect();
                let message = format!("`{cut}` is no interval of 1 to {COUNT_MAX} units");
                Err(QueryError::new(0, message).hint("write 5m, 1h, 1d, 1w, 1mo or 1y"))
            }
        }
    }

    /// Returns the width in milliseconds and the beginning of one bucket since 1970, when every bucket is as wide as the next.
    pub fn fixed_ms(self) -> Option<(i64, i64)> {
        let (unit, start) = match self.unit {
            Unit::Second => (1000, 0),
            Unit::Minute => (60_000, 0),
            Unit::Hour => (3_600_000, 0),
            Unit::Day => (86_400_000, 0),
            // Monday, 1970-01-05.
            Unit::Week => (7 * 86_400_000, 4 * 86_400_000),
            Unit::Month | Unit::Year => return None,
        };
        Some((unit * i64::from(self.count), start))
    }

    /// Returns the beginning of the bucket that `time` lies in.
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        if let Some((width, start)) = self.fixed_ms() {
            // Floored to milliseconds first: a moment before 1970 with a fraction lies in the millisecond before it.
            let ms = i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).unwrap_or(0);
            let bucket = (ms - start).div_euclid(width) * width + start;
            return Timestamp::from_millisecond(bucket).unwrap_or(Timestamp::MIN);
        }
        let day = time.to_zoned(TimeZone::UTC).date();
        let months = if self.unit == Unit::Year { 12 } else { 1 } * i64::from(self.count);
        let month = (i64::from(day.year()) * 12 + i64::from(day.month()) - 1).div_euclid(months) * months;
        let first = date(0, 1, 1).checked_add(month.months()).ok();
        first.and_then(|first| first.to_zoned(TimeZone::UTC).ok()).map_or(Timestamp::MIN, |first| first.timestamp())
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = UNITS.iter().find(|(unit, _)| *unit == self.unit).map_or("s", |(_, names)| names[0]);
        write!(f, "{}{name}", self.count)
    }
}

impl TryFrom<String> for Interval {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text)
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

/// Returns the milliseconds that `300s`, `15m`, `1h30m`, `500ms`, `2d` or `30 min` mean.
pub fn parse_span(text: &str) -> Result<u64, QueryError> {
    let cut: String = text.chars().take(40).collect();
    let wrong = || QueryError::new(0, format!("`{cut}` is no span of time")).hint("write 300s, 15m, 1h30m or 2d");
    let lower = text.trim().to_ascii_lowercase();
    let mut rest = lower.as_str();
    let mut sum: u64 = 0;
    while !rest.is_empty() || sum == 0 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" | "millisecond" | "milliseconds" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => 1000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => DAY_MS,
            "w" | "week" | "weeks" => 7 * DAY_MS,
            _ => return Err(wrong()),
        };
        rest = rest[letters..].trim_start_matches([' ', ',']);
        sum = number
            .checked_mul(unit)
            .and_then(|ms| sum.checked_add(ms))
            .filter(|sum| (1..=SPAN_MS_MAX).contains(sum))
            .ok_or_else(|| QueryError::new(0, format!("a span is from 1 ms to 100 years, `{cut}` is not")))?;
    }
    Ok(sum)
}

/// Writes milliseconds in the largest unit that leaves nothing over.
pub(crate) fn write_span(ms: u64) -> String {
    let units = [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    units
        .iter()
        .find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit))
        .map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}
