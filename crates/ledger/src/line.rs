//! Every line of the ledger, as bytes: strict parsers and the encoders they mirror (`docs/format/ledger.md`, section 2).
//!
//! A parser accepts exactly the bytes that the encoder writes for the value it returns, so `encode(parse(x)) = x` without
//! encoding again: literals are compared, numbers have no leading zero, base64 is canonical, times are printed back.
//! No parser allocates in proportion to anything but its input, and none panics.

mod base64;
mod commit;
mod event;
mod state;
mod time;

pub use commit::{CHAIN_LABEL, COMMIT_LABEL, Commit, CommitLine, KeyKind, MacLine};
pub use event::{Commitment, Commitments, EnvelopeLine, LEDGER_EVENT, SLOT_LABEL, SlotLine, write_envelope, write_slot};
pub use state::{Compression, FileSum, HighWater, LogInfo, Manifest, ManifestFiles, PlainBytes};
pub use time::Time;

pub(crate) use base64::push_base64;
pub(crate) use event::{EnvelopeHead, SlotParts, slot_head};

/// 4,096 events: the largest batch.
pub const BATCH_EVENTS_MAX: usize = 4_096;
/// 8 MiB: the largest batch of more than one event.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// 255 bytes: the longest origin.
pub const ORIGIN_BYTES_MAX: usize = 255;
/// A slot line: the largest value and at most 128 bytes of frame (20 digits, the longest name, the salt, the member names).
pub const SLOT_LINE_BYTES_MAX: usize = sealtrail_event::SLOT_BYTES_MAX + 128;
/// A mac line: 44/33 of 4,096 x 32 bytes and its frame.
pub const MAC_LINE_BYTES_MAX: usize = 4_096 * 32 * 4 / 3 + 64;
/// A commit line: 2 hashes, 1 signature, 5 numbers of at most 20 digits, a time and a boot id of at most 128 bytes.
pub const COMMIT_LINE_BYTES_MAX: usize = 1_024;
/// A vkey: an origin with `/epoch/<E>`, 8 hex digits and 44 base64 characters.
pub const VKEY_BYTES_MAX: usize = 512;
/// The longest line of any kind, with its newline.
pub const LINE_BYTES_MAX: usize = SLOT_LINE_BYTES_MAX + 1;

/// What kind of line was being read; names the object in a [`LineError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An envelope line.
    Envelope,
    /// A slot line.
    Slot,
    /// A mac line.
    Mac,
    /// A commit line.
    Commit,
    /// A segment's manifest.
    Manifest,
    /// The high-water mark.
    HighWater,
    /// `log.json`.
    Log,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Envelope => "envelope line",
            Self::Slot => "slot line",
            Self::Mac => "mac line",
            Self::Commit => "commit line",
            Self::Manifest => "manifest",
            Self::HighWater => "high-water mark",
            Self::Log => "log.json",
        })
    }
}

/// Why bytes are not a line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The bytes differ from the fixed text or form at an offset.
    #[error("cannot read a {kind}: expected {expected} at byte {at}")]
    Expected {
        /// The line's kind.
        kind: Kind,
        /// What should be there.
        expected: &'static str,
        /// Where.
        at: usize,
    },
    /// The line is longer than the format allows.
    #[error("cannot read a {kind}: it has {found} bytes, the limit is {limit}")]
    TooLong {
        /// The line's kind.
        kind: Kind,
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The line starts like none of the four kinds.
    #[error("cannot tell the kind of a line of {found} bytes: expected an envelope, slot, mac or commit line")]
    Unknown {
        /// Bytes found.
        found: usize,
    },
}

/// One line of a batch, borrowed from its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Line<'a> {
    /// An envelope line.
    Envelope(EnvelopeLine<'a>),
    /// A slot line.
    Slot(SlotLine<'a>),
    /// A mac line.
    Mac(MacLine),
    /// A commit line.
    Commit(CommitLine<'a>),
}

impl<'a> Line<'a> {
    /// Parses one line (without its newline) of any of the four kinds.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        match Self::kind(line) {
            Some(Kind::Envelope) => EnvelopeLine::parse(line).map(Self::Envelope),
            Some(Kind::Slot) => SlotLine::parse(line).map(Self::Slot),
            Some(Kind::Mac) => MacLine::parse(line).map(Self::Mac),
            Some(Kind::Commit) => CommitLine::parse(line).map(Self::Commit),
            _ => Err(LineError::Unknown { found: line.len() }),
        }
    }

    /// Tells the kind of a line by its first bytes, without reading the rest.
    pub fn kind(line: &[u8]) -> Option<Kind> {
        match line {
            [b'{', b'"', b'v', b'"', b':', ..] => Some(Kind::Envelope),
            [b'{', b'"', b'i', b'"', b':', ..] => Some(Kind::Slot),
            [b'{', b'"', b'm', b'a', b'c', b'"', b':', ..] => Some(Kind::Mac),
            [b'{', b'"', b'c', b'o', b'm', b'm', b'i', b't', b'"', b':', ..] => Some(Kind::Commit),
            _ => None,
        }
    }
}

/// Walks over a line; every step either moves on or says what was expected where.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    kind: Kind,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn new(kind: Kind, bytes: &'a [u8], limit: usize) -> Result<Self, LineError> {
        if bytes.len() > limit {
            return Err(LineError::TooLong { kind, found: bytes.len(), limit });
        }
        Ok(Self { kind, bytes, at: 0 })
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn error(&self, expected: &'static str) -> LineError {
        LineError::Expected { kind: self.kind, expected, at: self.at }
    }

    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes `text` if it stands here.
    #[inline(always)]
    pub(crate) fn take(&mut self, text: &str) -> bool {
        let here = self.rest().starts_with(text.as_bytes());
        self.at += if here { text.len() } else { 0 };
        here
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, text: &'static str) -> Result<(), LineError> {
        if self.take(text) { Ok(()) } else { Err(self.error(text)) }
    }

    #[inline(always)]
    pub(crate) fn end(&self) -> Result<(), LineError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.error("the end of the line")) }
    }

    /// Takes `n` bytes.
    #[inline(always)]
    pub(crate) fn bytes(&mut self, n: usize, expected: &'static str) -> Result<&'a [u8], LineError> {
        let taken = self.rest().get(..n).ok_or_else(|| self.error(expected))?;
        self.at += n;
        Ok(taken)
    }

    /// Takes a decimal number without sign, leading zero or overflow.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<u64, LineError> {
        let rest = self.rest();
        let (mut value, mut digits) = (0u64, 0);
        while let Some(digit) = rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            let next = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit)));
            value = next.ok_or_else(|| self.error("a number below 2^64"))?;
            digits += 1;
        }
        if digits == 0 || (digits > 1 && rest.first() == Some(&b'0')) {
            return Err(self.error("a number"));
        }
        self.at += digits;
        Ok(value)
    }

    /// Takes the canonical base64 of exactly `N` bytes.
    pub(crate) fn base64<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], LineError> {
        let text = self.rest().get(..N.div_ceil(3) * 4).ok_or_else(|| self.error(expected))?;
        let value = base64::decode(text).ok_or_else(|| self.error(expected))?;
        self.at += text.len();
        Ok(value)
    }

    /// Takes the canonical base64 of a hash, decoded where it is wanted; after an error `hash` holds anything.
    #[inline(always)]
    pub(crate) fn hash(&mut self, hash: &mut [u8; 32], expected: &'static str) -> Result<(), LineError> {
        match self.rest().first_chunk::<44>() {
            Some(text) if base64::decode_hash(text, hash) => {
                self.at += text.len();
                Ok(())
            }
            _ => Err(self.error(expected)),
        }
    }

    /// Takes lower-case hex of exactly `N` bytes.
    pub(crate) fn hex<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], LineError> {
        let text = self.rest().get(..2 * N).ok_or_else(|| self.error(expected))?;
        let mut value = [0u8; N];
        for (byte, pair) in value.iter_mut().zip(text.chunks_exact(2)) {
            let (Some(high), Some(low)) = (hex_digit(pair[0]), hex_digit(pair[1])) else { return Err(self.error(expected)) };
            *byte = high << 4 | low;
        }
        self.at += 2 * N;
        Ok(value)
    }

    /// Takes printable ASCII without space, quote and backslash, 1 to `limit` bytes, up to the closing quote, and the quote.
    pub(crate) fn word(&mut self, limit: usize, expected: &'static str) -> Result<&'a str, LineError> {
        let rest = self.rest();
        let n = rest.iter().take(limit + 1).take_while(|b| b.is_ascii_graphic() && !matches!(**b, b'"' | b'\\')).count();
        if n == 0 || n > limit || rest.get(n) != Some(&b'"') {
            return Err(self.error(expected));
        }
        let word = std::str::from_utf8(&rest[..n]).map_err(|_| self.error(expected))?;
        self.at += n + 1;
        Ok(word)
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, LineError> {
        if self.take("true") {
            return Ok(true);
        }
        if self.take("false") { Ok(false) } else { Err(self.error("true or false")) }
    }

    pub(crate) fn time(&mut self) -> Result<Time, LineError> {
        let text = self.word(Time::BYTES, "a time in UTC with nanoseconds")?;
        Time::parse(text).ok_or(LineError::Expected {
            kind: self.kind,
            expected: "a time in UTC with nanoseconds",
            at: self.at - text.len() - 1,
        })
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Appends lower-case hex of `bytes`.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|n| b"0123456789abcdef"[usize::from(n)]));
}

/// Appends a decimal number.
pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut room = [0u8; 20];
    let mut at = room.len();
    loop {
        at -= 1;
        room[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&room[at..]);
}
