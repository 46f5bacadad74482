//! Bytes to JSON, strictly: what is ambiguous is not understood, and what is not understood is kept as bytes.

use sealtrail_event::{StrictError, parse_strict};
use serde_json::{Map, Value};

/// Why bytes are not one unambiguous JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not strict JSON.
    #[error("cannot read a hook: {0}")]
    Strict(#[from] StrictError),
    /// JSON, but no object.
    #[error("cannot read a hook: it is JSON but not an object")]
    NotObject,
}

impl ParseError {
    /// Returns the reason as it stands in the envelope.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Strict(StrictError::TooLarge { .. }) => "too_large",
            Self::Strict(StrictError::Utf8 { .. }) => "not_utf8",
            Self::Strict(StrictError::Twice { .. }) => "duplicate_key",
            Self::Strict(StrictError::TooDeep { .. }) => "too_deep",
            Self::Strict(StrictError::Syntax { .. }) => "not_json",
            Self::NotObject => "not_object",
        }
    }
}

/// One hook, parsed and not yet redacted.
pub(crate) struct Parsed {
    pub(crate) members: Map<String, Value>,
    /// Numbers that 64 bits cannot hold: each is a text with its digits.
    pub(crate) numbers_as_text: usize,
}

/// Reads one JSON object.
pub(crate) fn strict(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let read = parse_strict(bytes)?;
    match read.value {
        Value::Object(members) => Ok(Parsed { members, numbers_as_text: read.numbers_as_text }),
        _ => Err(ParseError::NotObject),
    }
}
