//! Bytes to JSON, strictly: what is ambiguous is not understood, and what is not understood is kept as bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// 16 MiB: the largest hook seen is 0.84 MB (a file of 360 KB written twice into one JSON); 20 times that is still one
/// parse of about 50 MB of memory.
pub const HOOK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// 64: hooks nest 7 deep; MCP tools may send any JSON.
pub const DEPTH_MAX: usize = 64;

/// 256 numbers; no hook seen has one.
const LONG_NUMBERS_MAX: usize = 256;

const DUPLICATE: &str = "duplicate key";
const DEEP: &str = "nesting too deep";

/// Why bytes are not one unambiguous JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Larger than the limit.
    #[error("cannot parse a hook of {found} bytes: the limit is {HOOK_BYTES_MAX}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("cannot parse a hook: byte {at} is not UTF-8")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// An object names a member twice.
    #[error("cannot parse a hook: line {line} column {column} names a member for the second time")]
    DuplicateKey {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Nested too deeply.
    #[error("cannot parse a hook: line {line} column {column} is nested deeper than {DEPTH_MAX}")]
    TooDeep {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Not JSON.
    #[error("cannot parse a hook: line {line} column {column} is not JSON")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but no object.
    #[error("cannot parse a hook: it is JSON but not an object")]
    NotObject,
}

impl ParseError {
    /// Returns the reason as it stands in the envelope.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::TooDeep { .. } => "too_deep",
            Self::NotJson { .. } => "not_json",
            Self::NotObject => "not_object",
        }
    }
}

/// One hook, parsed and not yet redacted.
pub(crate) struct Parsed {
    pub(crate) members: Map<String, Value>,
    /// The numbers with more digits than are surely kept, as they were written.
    pub(crate) long_numbers: Vec<String>,
}

/// Parses one JSON object; refuses duplicate members, deep nesting, bad UTF-8 and anything after the object.
pub(crate) fn strict(bytes: &[u8]) -> Result<Parsed, ParseError> {
    if bytes.len() > HOOK_BYTES_MAX {
        return Err(ParseError::TooLarge { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| ParseError::NotUtf8 { at: error.valid_up_to() })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Value::Object(members)) => Ok(Parsed { members, long_numbers: long_numbers(text) }),
        Ok(_) => Err(ParseError::NotObject),
        Err(error) => Err(refusal(&error)),
    }
}

fn refusal(error: &serde_json::Error) -> ParseError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    if text.starts_with(DUPLICATE) {
        ParseError::DuplicateKey { line, column }
    } else if text.starts_with(DEEP) {
        ParseError::TooDeep { line, column }
    } else {
        ParseError::NotJson { line, column }
    }
}

/// Returns the numbers outside strings with more digits than are surely kept: 15 in a double, 18 in an integer.
fn long_numbers(text: &str) -> Vec<String> {
    let (mut found, mut in_string, mut escaped, mut start) = (Vec::new(), false, false, None);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        if matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') {
            start.get_or_insert(at);
            continue;
        }
        if let Some(number) = start.take().map(|start| &text[start..at])
            && found.len() < LONG_NUMBERS_MAX
            && is_long(number)
        {
            found.push(number.to_owned());
        }
        in_string = byte == b'"';
    }
    found
}

fn is_long(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits > 18 || (digits > 15 && number.contains(['.', 'e', 'E']))
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX { Err(E::custom(DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = from.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(DUPLICATE));
            }
            let value = from.next_value_seed(self.deeper()?)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}
