//! Times as people write them.

use jiff::Timestamp;
use sealtrail_query::{TimeError, parse_time};

#[test]
fn every_written_form_means_one_moment() {
    // Protects `--since` and `--until`: each documented form, seen at a fixed moment.
    let now: Timestamp = "2026-03-31T12:30:15Z".parse().unwrap();
    let cases = [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"),
        ("2026-03-01T10:20:30.5+02:00", "2026-03-01T08:20:30.5Z"),
        ("2026-03-01T14:00Z", "2026-03-01T14:00:00Z"),
        ("2026-03-01 10:20", "2026-03-01T10:20:00Z"),
        ("2026-03-01T10:20:30", "2026-03-01T10:20:30Z"),
        ("2 weeks ago", "2026-03-17T12:30:15Z"),
        ("24 hours", "2026-03-30T12:30:15Z"),
        ("1 hour", "2026-03-31T11:30:15Z"),
        ("90 days ago", "2025-12-31T12:30:15Z"),
        ("2w", "2026-03-17T12:30:15Z"),
        ("90m", "2026-03-31T11:00:15Z"),
        ("1h30m", "2026-03-31T11:00:15Z"),
        ("1 day, 2 hours ago", "2026-03-30T10:30:15Z"),
        ("30min", "2026-03-31T12:00:15Z"),
        ("1 month ago", "2026-02-28T12:30:15Z"),
        ("1y", "2025-03-31T12:30:15Z"),
        ("now", "2026-03-31T12:30:15Z"),
        ("today", "2026-03-31T00:00:00Z"),
        ("Yesterday", "2026-03-30T00:00:00Z"),
        ("yesterday 14:00", "2026-03-30T14:00:00Z"),
        ("today at 08:05:01", "2026-03-31T08:05:01Z"),
        (" 10 s ", "2026-03-31T12:30:05Z"),
    ];
    for (text, wanted) in cases {
        assert_eq!(parse_time(text, now).unwrap(), wanted.parse::<Timestamp>().unwrap(), "{text}");
    }
}

#[test]
fn what_could_mean_two_things_is_an_error() {
    // Protects against a search over the wrong days: nothing is guessed, and nothing overflows.
    let now: Timestamp = "2026-03-31T12:30:15Z".parse().unwrap();
    for text in ["90", "03/04/2026", "20260301"] {
        assert!(matches!(parse_time(text, now), Err(TimeError::Ambiguous { .. })), "{text}");
    }
    for text in [
        "",
        "soon",
        "2 fortnights",
        "monday",
        "yesterday 25:00",
        "2026-02-30",
        "2026-3-1",
        "1 hour from now",
        "-1h",
        "ago",
        "yesterday14:00",
        "12:00",
        "é",
        "2026-03-01é",
        "1.5h",
    ] {
        assert!(matches!(parse_time(text, now), Err(TimeError::Unknown { .. })), "{text}: {:?}", parse_time(text, now));
    }
    for text in ["99999999999999999999 days", "99999 years ago", "9223372036854775807s 1s"] {
        assert!(matches!(parse_time(text, now), Err(TimeError::OutOfRange { .. })), "{text}: {:?}", parse_time(text, now));
    }
}
