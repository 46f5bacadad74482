//! Cursors: where a list goes on, and of which question. A cursor opens nothing: whoever forges one asks for another place in what he may see anyway.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::refusal::Refusal;

const VERSION: u8 = 1;

/// Version, question, moment of the first page, time and position of the last event.
const BYTES: usize = 1 + 16 + 16 + 16 + 8;

/// Where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The question.
    pub(crate) question: [u8; 16],
    /// When the first page was asked for: `24 hours ago` means the same on every page.
    pub(crate) asked: Timestamp,
    /// Time of the last event; only an order by time looks at it.
    pub(crate) time: Timestamp,
    /// Position of the last event.
    pub(crate) seq: u64,
}

impl Cursor {
    /// Returns the cursor as text.
    pub(crate) fn to_text(self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.question);
        bytes.extend_from_slice(&self.asked.as_nanosecond().to_be_bytes());
        bytes.extend_from_slice(&self.time.as_nanosecond().to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let no_cursor = Refusal::Cursor { why: "it is no cursor of this server" };
        if text.len() > 2 * BYTES {
            return Err(no_cursor);
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return Err(no_cursor) };
        let parts = || {
            let (version, rest) = bytes.split_first()?;
            let (question, rest) = rest.split_first_chunk::<16>()?;
            let (asked, rest) = rest.split_first_chunk::<16>()?;
            let (time, rest) = rest.split_first_chunk::<16>()?;
            let moment = |bytes: &[u8; 16]| Timestamp::from_nanosecond(i128::from_be_bytes(*bytes)).ok();
            let seq = u64::from_be_bytes(*rest.first_chunk::<8>().filter(|_| rest.len() == 8)?);
            (*version == VERSION).then_some(Self { question: *question, asked: moment(asked)?, time: moment(time)?, seq })
        };
        parts().ok_or(no_cursor)
    }
}

/// Returns what stands for a question: texts, in an order that is fixed.
pub(crate) fn question(texts: &[&str]) -> [u8; 16] {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    let mut short = [0; 16];
    short.copy_from_slice(&context.finish().as_ref()[..16]);
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Protects paging: a cursor comes back as it was, and what is none is refused, whatever its bytes.
    #[test]
    fn cursors_come_back() {
        let cursor = Cursor {
            question: question(&["a", "b"]),
            asked: "2026-03-16T14:22:18.123456789Z".parse().unwrap(),
            time: Timestamp::MIN,
            seq: u64::MAX,
        };
        assert_eq!(Cursor::parse(&cursor.to_text()).unwrap(), cursor);
        assert_ne!(question(&["ab", ""]), question(&["a", "b"]));
        let long = "A".repeat(10_000);
        for wrong in ["", "x", "!!", "AAAA", &cursor.to_text()[1..], &format!("{}AAAA", cursor.to_text()), &long] {
            assert!(Cursor::parse(wrong).is_err(), "{wrong}");
        }
    }
}
