//! JSON read strictly: what two readers could understand differently is refused.

use serde_json::{Map, Number, Value};

use crate::{DEPTH_MAX, RECORD_BYTES_MAX};

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Strict {
    /// The value.
    pub value: Value,
    /// How many numbers in it are too long for 64 bits; each is kept as a text with all its digits.
    pub numbers_as_text: usize,
}

/// Why bytes were refused; `at` is the offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// Too many bytes.
    #[error("a record has at most {RECORD_BYTES_MAX} bytes, this one has {found}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The bytes are no UTF-8.
    #[error("byte {at} is not UTF-8")]
    Utf8 {
        /// Where.
        at: usize,
    },
    /// Too many levels.
    #[error("byte {at}: more than {DEPTH_MAX} levels of objects and lists")]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// A member is there twice.
    #[error("byte {at}: an object has the member {name:?} twice")]
    Twice {
        /// Where.
        at: usize,
        /// Its name, cut to 64 characters.
        name: String,
    },
    /// The bytes are no JSON.
    #[error("byte {at}: expected {expected}")]
    Syntax {
        /// Where.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
}

/// Reads one JSON value: no duplicate members, no invalid UTF-8 or lone surrogates, at most [`DEPTH_MAX`] levels and
/// [`RECORD_BYTES_MAX`] bytes. A number that 64 bits cannot hold exactly becomes a text with the digits as they were written.
pub fn parse_strict(bytes: &[u8]) -> Result<Strict, StrictError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(StrictError::TooLarge { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| StrictError::Utf8 { at: error.valid_up_to() })?;
    let mut reader = Reader { text, at: 0, numbers_as_text: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.syntax("the end"));
    }
    Ok(Strict { value, numbers_as_text: reader.numbers_as_text })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    numbers_as_text: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, StrictError> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.word("true") => Ok(Value::Bool(true)),
            _ if self.word("false") => Ok(Value::Bool(false)),
            _ if self.word("null") => Ok(Value::Null),
            _ => Err(self.syntax("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, StrictError> {
        self.enter(depth)?;
        let mut members = Map::new();
        if self.sign(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.syntax("the name of a member in quotes"));
            }
            let name = self.string()?;
            if members.contains_key(&name) {
                return Err(StrictError::Twice { at, name: name.chars().take(64).collect() });
            }
            if !self.sign(b':') {
                return Err(self.syntax("`:`"));
            }
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            if self.sign(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.sign(b',') {
                return Err(self.syntax("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, StrictError> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.sign(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.sign(b']') {
                return Ok(Value::Array(items));
            }
            if !self.sign(b',') {
                return Err(self.syntax("`,` or `]`"));
            }
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), StrictError> {
        if depth == DEPTH_MAX {
            return Err(StrictError::TooDeep { at: self.at });
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<String, StrictError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let Some(plain) = rest.iter().position(|b| *b == b'"' || *b == b'\\' || *b < 0x20) else {
                self.at = self.text.len();
                return Err(self.syntax("the end of a text"));
            };
            // The three bytes that end a run are ASCII, so both ends are character boundaries.
            out.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => out.push(self.escape()?),
                _ => return Err(self.syntax("an escape for a control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, StrictError> {
        let Some(letter) = self.text.as_bytes().get(self.at + 1).copied() else { return Err(self.syntax("an escape")) };
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.syntax("an escape")),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\uXXXX`, or two of them for one character beyond the first 65,536.
    fn unicode(&mut self) -> Result<char, StrictError> {
        let unit = |at: usize| {
            let text = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
            if hex { u32::from_str_radix(text, 16).ok() } else { None }
        };
        let first = unit(self.at);
        let (found, bytes) = match first {
            Some(high @ 0xd800..=0xdbff) => {
                let low = unit(self.at + 6).filter(|low| (0xdc00..=0xdfff).contains(low));
                (low.and_then(|low| char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))), 12)
            }
            other => (other.and_then(char::from_u32), 6),
        };
        let Some(found) = found else { return Err(self.syntax("a whole character after \\u")) };
        self.at += bytes;
        Ok(found)
    }

    fn number(&mut self) -> Result<Value, StrictError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.digits();
        if whole == 0 || whole > 1 && self.text.as_bytes()[self.at - whole] == b'0' {
            return Err(self.syntax("a number without leading zeros"));
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_whole = false;
            if self.digits() == 0 {
                return Err(self.syntax("a digit"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            is_whole = false;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.syntax("a digit"));
            }
        }
        let text = &self.text[start..self.at];
        let found = number_of(text, is_whole);
        self.numbers_as_text += usize::from(found.is_none());
        Ok(found.map_or_else(|| Value::from(text), Value::Number))
    }

    fn digits(&mut self) -> usize {
        let count = self.text.as_bytes()[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn sign(&mut self, sign: u8) -> bool {
        self.space();
        let here = self.peek() == Some(sign);
        self.at += usize::from(here);
        here
    }

    fn word(&mut self, word: &str) -> bool {
        let here = self.text[self.at..].starts_with(word);
        self.at += if here { word.len() } else { 0 };
        here
    }

    fn syntax(&self, expected: &'static str) -> StrictError {
        StrictError::Syntax { at: self.at, expected }
    }
}

/// Returns the number when 64 bits hold it exactly.
fn number_of(text: &str, whole: bool) -> Option<Number> {
    if whole && text != "-0" {
        if let Ok(number) = text.parse::<u64>() {
            return Some(number.into());
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(number.into());
        }
    }
    let number: f64 = text.parse().ok()?;
    let same = decimal(text) == decimal(&format!("{number:e}"));
    if same { Number::from_f64(number) } else { None }
}

/// Returns the significant digits of a number and the power of ten of the last one.
fn decimal(text: &str) -> (String, i64) {
    let text = text.trim_start_matches('-');
    let (digits, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (String::new(), 0);
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let power = power.parse::<i64>().unwrap_or(i64::MAX);
    let count = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    (significant.to_owned(), power.saturating_add(count(zeros)).saturating_sub(count(fraction.len())))
}
