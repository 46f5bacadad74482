//! Times and ids in few bytes: a report over a million actions keeps some of each.

use jiff::Timestamp;

/// The prefix of ids that the recorder makes.
const OWN: &str = "audit_evt_";

/// An audit id: 16 bytes when the recorder made it, the text when somebody else did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Id {
    Own(u128),
    Other(Box<str>),
}

impl Id {
    pub(super) fn new(text: &str) -> Self {
        let hex =
            text.strip_prefix(OWN).filter(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        match hex.and_then(|hex| u128::from_str_radix(hex, 16).ok()) {
            Some(own) => Self::Own(own),
            None => Self::Other(text.into()),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Own(own) => format!("{OWN}{own:032x}"),
            Self::Other(text) => text.to_string(),
        }
    }
}

/// Returns a time in milliseconds since 1970; nothing for what is no time.
pub(super) fn unix_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Returns a time as text.
pub(super) fn time(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// Keeps the smaller of two, where nothing is larger than anything: the same whichever comes first.
pub(super) fn least<T: Ord>(kept: &mut Option<T>, found: T) {
    if kept.as_ref().is_none_or(|kept| found < *kept) {
        *kept = Some(found);
    }
}
