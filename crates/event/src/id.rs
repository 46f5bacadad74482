//! Identifiers: parsed once at the edge, unable to carry free text afterwards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// 128 bytes: the longest id seen on the wire is a request id of 40; MCP tool names may reach 100.
const TOKEN_BYTES_MAX: usize = 128;

/// A short printable word without spaces, quotes or backslashes: the only kind of string an envelope holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = r"^[!#-\[\]-~]{1,128}$"))]
pub struct Token(Box<str>);

/// Why a text is not a [`Token`] or an [`AuditId`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// The text was empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text was longer than the limit.
    #[error("an id has at most {TOKEN_BYTES_MAX} bytes, this one has {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// A byte that an id must not hold.
    #[error("byte 0x{byte:02x} at {at} is not allowed in an id: use printable ASCII without space, quote or backslash")]
    Byte {
        /// The offending byte.
        byte: u8,
        /// Its offset.
        at: usize,
    },
}

impl Token {
    /// Parses `text`, which must be 1 to 128 printable ASCII bytes other than space, `"` and `\`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > TOKEN_BYTES_MAX {
            return Err(IdError::TooLong { found: text.len() });
        }
        match text.bytes().position(|b| !b.is_ascii_graphic() || b == b'"' || b == b'\\') {
            Some(at) => Err(IdError::Byte { byte: text.as_bytes()[at], at }),
            None => Ok(Self(text.into())),
        }
    }

    /// Makes a token of a text that is known to be one: a word of this crate, or a text that was checked before.
    pub(crate) fn known(text: &str) -> Self {
        debug_assert!(Self::parse(text).is_ok(), "{text:?} is no token");
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Token {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0.into()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The unique id of one event; ours are `audit_evt_` + 32 hex digits of a UUIDv7, so the id tells the time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AuditId(Token);

impl AuditId {
    /// Prefix of the ids that Sealtrail makes; other ids are accepted as they come.
    pub const PREFIX: &'static str = "audit_evt_";

    /// Accepts an id that somebody else made.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Token::parse(text).map(Self)
    }

    /// Makes an id from the milliseconds since 1970 and ten random bytes (UUIDv7, RFC 9562 section 5.7).
    pub fn new(unix_ms: u64, entropy: [u8; 10]) -> Self {
        let mut b = [0u8; 16];
        b[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
        b[6..].copy_from_slice(&entropy);
        b[6] = (b[6] & 0x0f) | 0x70;
        b[8] = (b[8] & 0x3f) | 0x80;
        let hex: String = b.iter().flat_map(|x| [x >> 4, x & 15]).map(|n| char::from(b"0123456789abcdef"[n as usize])).collect();
        Self(Token(format!("{}{hex}", Self::PREFIX).into()))
    }

    /// Returns the milliseconds since 1970 inside an id that Sealtrail made.
    pub fn unix_ms(&self) -> Option<u64> {
        let hex = self.as_str().strip_prefix(Self::PREFIX)?;
        if hex.len() != 32 || hex.as_bytes()[12] != b'7' {
            return None;
        }
        u64::from_str_radix(&hex[..12], 16).ok()
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
