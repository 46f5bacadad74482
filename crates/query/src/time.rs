//! Times as people write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// 128 bytes: the longest sensible text, `1 year 2 months 3 weeks 4 days 5 hours 6 minutes 7 seconds ago`, has 63.
const TIME_BYTES_MAX: usize = 128;

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text means nothing, or more than one thing.
    #[error("no time: {text:?}; write 2026-03-01, 2026-03-01T14:30:00Z, \"2 weeks ago\", 90m, today or \"yesterday 14:00\"")]
    Unknown {
        /// The text, cut.
        text: String,
    },
    /// A bare number, or a date in an order that differs between countries.
    #[error("{text:?} can mean several times; write {instead}")]
    Ambiguous {
        /// The text, cut.
        text: String,
        /// What to write instead.
        instead: &'static str,
    },
    /// Outside the years -9999 to 9999.
    #[error("{text:?} lies outside the years that can be counted")]
    OutOfRange {
        /// The text, cut.
        text: String,
    },
}

/// Returns the moment that `text` means, seen at `now` in UTC. A date is its first moment.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, TimeError> {
    moment(text, &now.to_zoned(TimeZone::UTC)).map(|span| span.0)
}

/// Returns the moment that `text` means, seen at `now` in the time zone of `now`.
pub fn parse_time_in(text: &str, now: &Zoned) -> Result<Timestamp, TimeError> {
    moment(text, now).map(|span| span.0)
}

/// Returns the first moment of what `text` means and, when it means a whole day, the first moment after it.
pub(crate) fn moment(text: &str, now: &Zoned) -> Result<(Timestamp, Option<Timestamp>), TimeError> {
    let text = text.trim();
    let cut = || text.chars().take(40).collect::<String>();
    if text.is_empty() || text.len() > TIME_BYTES_MAX {
        return Err(TimeError::Unknown { text: cut() });
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TimeError::Ambiguous { text: cut(), instead: "a unit (90m, 2w, \"3 days ago\") or a date" });
    }
    if text.matches('/').count() == 2 {
        return Err(TimeError::Ambiguous { text: cut(), instead: "a date as year-month-day" });
    }
    let lower = text.to_ascii_lowercase();
    if let Some(found) = absolute(text, now).or_else(|| named(&lower, now)) {
        return found.ok_or_else(|| TimeError::OutOfRange { text: cut() });
    }
    let span = span(&lower).ok_or_else(|| TimeError::Unknown { text: cut() })?;
    let then = span.and_then(|span| now.checked_sub(span).ok());
    then.map(|then| (then.timestamp(), None)).ok_or_else(|| TimeError::OutOfRange { text: cut() })
}

/// What was understood: `None` outside when it is another form, `None` inside when it cannot be counted.
type Found = Option<Option<(Timestamp, Option<Timestamp>)>>;

/// `2026-03-01T14:30:00Z`, `2026-03-01 14:30`, `2026-03-01`.
fn absolute(text: &str, now: &Zoned) -> Found {
    if let Some(date) = date_of(text) {
        return Some(day(date, now));
    }
    if text.as_bytes().get(4) != Some(&b'-') || date_of(text.get(..10)?).is_none() {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(Some((time, None)));
    }
    let (date, clock) = text.split_at_checked(11)?;
    let at = date_of(date.get(..10)?)?.to_datetime(clock_of(clock)?);
    date.ends_with(['T', 't', ' ']).then(|| zoned(at, now))
}

/// `now`, `today`, `yesterday`, and the two days with a time: `yesterday 14:00`.
fn named(lower: &str, now: &Zoned) -> Found {
    let (word, clock) = lower.split_once(' ').map_or((lower, None), |(word, clock)| (word, Some(clock.trim_start_matches("at ").trim())));
    let back = match (word, clock) {
        ("now", None) => return Some(Some((now.timestamp(), None))),
        ("today", _) => 0.days(),
        ("yesterday", _) => 1.day(),
        _ => return None,
    };
    let date = now.date().checked_sub(back).ok();
    match clock {
        None => Some(date.and_then(|date| day(date, now))),
        Some(clock) => {
            let clock = clock_of(clock)?;
            Some(date.and_then(|date| zoned(date.to_datetime(clock), now)))
        }
    }
}

/// `2 weeks ago`, `24 hours`, `2w`, `1h30m`: numbers with units, `ago` or not.
#[expect(clippy::option_option, reason = "not a span, and a span that is too long, are two things")]
fn span(lower: &str) -> Option<Option<Span>> {
    let mut rest = lower.strip_suffix("ago").map_or(lower, |rest| rest.trim_end());
    let mut whole = Some(Span::new());
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest.get(..digits).filter(|digits| !digits.is_empty())?;
        rest = rest[digits..].trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[..letters];
        rest = rest[letters..].trim_start_matches([' ', ',']);
        let number = number.parse::<i64>().ok();
        let add = |add: fn(Span, i64) -> Result<Span, jiff::Error>, old: fn(&Span) -> i64| {
            let (span, number) = (whole?, number?);
            add(span, old(&span).checked_add(number)?).ok()
        };
        whole = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => add(Span::try_seconds, Span::get_seconds),
            "m" | "min" | "mins" | "minute" | "minutes" => add(Span::try_minutes, Span::get_minutes),
            "h" | "hr" | "hrs" | "hour" | "hours" => add(Span::try_hours, |span| span.get_hours().into()),
            "d" | "day" | "days" => add(Span::try_days, |span| span.get_days().into()),
            "w" | "week" | "weeks" => add(Span::try_weeks, |span| span.get_weeks().into()),
            "mo" | "month" | "months" => add(Span::try_months, |span| span.get_months().into()),
            "y" | "year" | "years" => add(Span::try_years, |span| span.get_years().into()),
            _ => return None,
        };
        any = true;
    }
    any.then_some(whole)
}

/// `2026-03-01`, nothing shorter and nothing longer.
fn date_of(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shape =
        bytes.len() == 10 && bytes.iter().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { *b == b'-' } else { b.is_ascii_digit() });
    if shape { text.parse().ok() } else { None }
}

/// `14:00`, `14:00:05`, `14:00:05.250`.
fn clock_of(text: &str) -> Option<Time> {
    let shape = text.len() >= 5 && text.as_bytes()[2] == b':' && text.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.');
    if shape { text.parse().ok() } else { None }
}

fn day(date: Date, now: &Zoned) -> Option<(Timestamp, Option<Timestamp>)> {
    let (start, _) = zoned(date.to_datetime(Time::midnight()), now)?;
    let next = date.tomorrow().ok().and_then(|next| zoned(next.to_datetime(Time::midnight()), now));
    Some((start, next.map(|(next, _)| next)))
}

fn zoned(at: DateTime, now: &Zoned) -> Option<(Timestamp, Option<Timestamp>)> {
    at.to_zoned(now.time_zone().clone()).ok().map(|zoned| (zoned.timestamp(), None))
}
