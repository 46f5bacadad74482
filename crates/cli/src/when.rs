//! Times as people see them; machine formats keep what was recorded.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::failure::Failure;

/// The zone in which tables show times. UTC unless asked otherwise: this is evidence.
#[derive(Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// Finds `utc`, `local` or a zone of the time zone database.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "utc" | "UTC" => Ok(Self(TimeZone::UTC)),
            "local" => Ok(Self(TimeZone::system())),
            name => TimeZone::get(name).map(Self).map_err(|error| {
                Failure::because("usage.tz", crate::exit::Exit::Usage, format!("no time zone {name:?}"), &error)
                    .hint("use utc, local, or a name such as Europe/Berlin")
            }),
        }
    }

    /// Shows a recorded time to the millisecond; text that is no time is shown as it is.
    pub(crate) fn show(&self, recorded: &str) -> String {
        match recorded.parse::<Timestamp>() {
            Ok(at) => self.at(at),
            Err(_) => recorded.to_owned(),
        }
    }

    /// Shows a time as a day with its zone, and as the time of that day.
    pub(crate) fn day_and_clock(&self, at: Timestamp) -> (String, String) {
        let zoned = at.to_zoned(self.0.clone());
        let zone = if self.0 == TimeZone::UTC { "UTC".to_owned() } else { zoned.strftime("%:z").to_string() };
        (format!("{} {zone}", zoned.strftime("%Y-%m-%d, %A")), zoned.strftime("%H:%M:%S%.3f").to_string())
    }

    /// Shows a time to the millisecond.
    pub(crate) fn at(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(self.0.clone());
        let zone = if self.0 == TimeZone::UTC { "Z".to_owned() } else { zoned.strftime("%:z").to_string() };
        format!("{}{zone}", zoned.strftime("%Y-%m-%d %H:%M:%S%.3f"))
    }
}

/// Says a length of time in words, to two units.
pub(crate) fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} days"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

/// Says a number of seconds in words, to one unit.
pub(crate) fn ago(seconds: i64) -> String {
    match seconds {
        ..0 => "in the future".to_owned(),
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// Says a number of bytes in words.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Writes a count with thin groups: `1 285 000`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut shown = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(c);
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Protects what people read: times carry their zone, counts are grouped, durations have one unit.
    #[test]
    fn times_and_counts_read_well() {
        assert_eq!(Zone::parse("utc").unwrap().show("2026-11-21T04:05:06.123456789Z"), "2026-11-21 04:05:06.123Z");
        assert_eq!(Zone::parse("Europe/Berlin").unwrap().show("2026-11-21T04:05:06Z"), "2026-11-21 05:05:06.000+01:00");
        assert_eq!(Zone::parse("utc").unwrap().show("yesterday-ish"), "yesterday-ish");
        assert_eq!(count(1_285_000), "1 285 000");
        assert_eq!(ago(3), "3 s ago");
        assert_eq!(
            (span(59), span(330), span(3600), span(93_600)),
            ("59 s".to_owned(), "5 min".to_owned(), "1 h".to_owned(), "1 days 2 h".to_owned())
        );
        assert_eq!(bytes(1536), "1.5 KiB");
    }
}
