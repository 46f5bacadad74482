//! The right-hand side of a predicate.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::QueryError;
use crate::glob::{Glob, Piece};
use crate::literals::{Required, fold};

/// A text, a pattern or a network to compare with; written and stored in the notation of the query language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Operand {
    /// The notation: wildcards bare, everything else that could be one behind a backslash.
    written: String,
    pub(crate) form: Form,
}

/// What an operand is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// This text; `lower` for comparisons without case, `number` when it is one.
    Text { text: String, lower: String, number: Option<Number> },
    /// A pattern, and the same in lower case.
    Glob { exact: Glob, lower: Glob },
    /// An address range.
    Net { text: String, net: Net },
}

/// What an operand means, for whoever plans a search.
#[derive(Clone, Debug, PartialEq)]
pub enum OperandView<'a> {
    /// This text. A number, truth value or null in an event may be it, too.
    Text {
        /// The text.
        text: &'a str,
        /// Its number, when it is one.
        number: Option<f64>,
    },
    /// A pattern over the whole of a text.
    Glob {
        /// Every match begins with this.
        prefix: String,
        /// Whether everything that begins with the prefix matches.
        is_prefix: bool,
        /// Every match contains these, in this order and not on top of each other.
        literals: Vec<String>,
    },
    /// An address range: the addresses in it, and its own text.
    Network {
        /// The text.
        text: &'a str,
        /// Any address in the range.
        address: IpAddr,
        /// The bits that all addresses of the range share.
        prefix: u8,
    },
}

/// A number as written: whole numbers are compared exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(i128),
    Real(f64),
}

/// A network: address and prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Operand {
    /// Makes an operand of pieces; `at` is where they stand, for the error.
    pub(crate) fn new(pieces: &[Piece], at: usize) -> Result<Self, QueryError> {
        let written: String = pieces.iter().map(write_piece).collect();
        if pieces.iter().any(|piece| !matches!(piece, Piece::Char(_))) {
            let lower: Vec<Piece> = pieces.iter().flat_map(lower_piece).collect();
            return Ok(Self { written, form: Form::Glob { exact: Glob::new(pieces, at)?, lower: Glob::new(&lower, at)? } });
        }
        let text = plain(pieces);
        let form = match Net::parse(&text) {
            Some(net) => Form::Net { text, net },
            None => Form::Text { lower: text.to_lowercase(), number: Number::parse(&text), text },
        };
        Ok(Self { written, form })
    }

    /// Makes an operand of text in which `*` and `?` are wildcards unless a backslash stands before them.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::new(&pieces_of(text), 0)
    }

    /// Makes an operand that means `text` and nothing else.
    pub fn literal(text: &str) -> Self {
        let written = text.chars().map(|c| write_piece(&Piece::Char(c))).collect();
        Self { written, form: Form::Text { text: text.to_owned(), lower: text.to_lowercase(), number: Number::parse(text) } }
    }

    /// Returns what the operand means.
    pub fn view(&self) -> OperandView<'_> {
        match &self.form {
            Form::Text { text, number, .. } => OperandView::Text { text, number: number.map(Number::as_f64) },
            Form::Glob { exact, .. } => {
                OperandView::Glob { prefix: exact.prefix(), is_prefix: exact.is_prefix(), literals: exact.literals() }
            }
            Form::Net { text, net } => OperandView::Network { text, address: net.address, prefix: net.prefix },
        }
    }

    /// Returns what a folded text contains that is, contains or matches the operand: all of [any of these]. See [`fold`].
    ///
    /// Says nothing of networks, and nothing of values that are equal by their meaning (`status=fail`).
    pub fn required_literals(&self) -> Required {
        match &self.form {
            Form::Text { text, .. } if !text.is_empty() => vec![vec![fold(text)]],
            Form::Glob { lower, .. } => lower.literals().iter().map(|run| vec![fold(run)]).collect(),
            Form::Text { .. } | Form::Net { .. } => Vec::new(),
        }
    }

    /// Returns the text, when it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.form {
            Form::Text { text, .. } | Form::Net { text, .. } => Some(text),
            Form::Glob { .. } => None,
        }
    }

    /// Whether a scalar is what the operand says, with the case of letters.
    pub(crate) fn equals(&self, value: &Value) -> bool {
        match (&self.form, value) {
            (Form::Text { text, .. }, Value::String(found)) => found == text,
            (Form::Glob { exact, .. }, Value::String(found)) => exact.matches(found),
            (Form::Net { text, net }, Value::String(found)) => found == text || found.parse().is_ok_and(|address| net.contains(address)),
            _ => self.equals_scalar(value),
        }
    }

    /// Whether a scalar contains what the operand says, without the case of letters.
    pub(crate) fn within(&self, value: &Value) -> bool {
        match (&self.form, value) {
            (Form::Text { lower, .. }, Value::String(found)) => found.to_lowercase().contains(lower.as_str()),
            (Form::Glob { lower, .. }, Value::String(found)) => lower.matches(&found.to_lowercase()),
            (Form::Net { .. }, Value::String(_)) => self.equals(value),
            _ => self.equals_scalar(value),
        }
    }

    /// Whether a number, truth value or null is what the operand says.
    fn equals_scalar(&self, value: &Value) -> bool {
        match (&self.form, value) {
            (Form::Text { number: Some(wanted), .. }, Value::Number(found)) => wanted.compare(found) == Some(Ordering::Equal),
            (Form::Text { text, .. }, Value::Bool(found)) => text == if *found { "true" } else { "false" },
            (Form::Text { text, .. }, Value::Null) => text == "null",
            (Form::Glob { exact, .. }, Value::Number(found)) => exact.matches(&found.to_string()),
            (Form::Glob { exact, .. }, Value::Bool(found)) => exact.matches(if *found { "true" } else { "false" }),
            _ => false,
        }
    }
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
            return None;
        }
        let real = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Real);
        text.parse().ok().map(Self::Whole).or_else(real)
    }

    #[expect(clippy::cast_precision_loss, reason = "asked for as f64")]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }

    /// Compares `found` with this number.
    pub(crate) fn compare(self, found: &serde_json::Number) -> Option<Ordering> {
        let whole = found.as_i64().map(i128::from).or_else(|| found.as_u64().map(i128::from));
        match (whole, self) {
            (Some(found), Self::Whole(wanted)) => Some(found.cmp(&wanted)),
            (_, Self::Real(wanted)) => found.as_f64()?.partial_cmp(&wanted),
            #[expect(clippy::cast_precision_loss, reason = "a whole number is compared with a fraction")]
            (None, Self::Whole(wanted)) => found.as_f64()?.partial_cmp(&(wanted as f64)),
        }
    }
}

impl Net {
    /// Parses `address/prefix`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = Some(prefix).filter(|text| text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
        (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, prefix })
    }

    /// Whether the network holds `address`; an IPv4 address written as IPv6 counts as IPv4.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(found)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(net) & mask == u32::from(found) & mask
            }
            (IpAddr::V6(net), IpAddr::V6(found)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(net) & mask == u128::from(found) & mask
            }
            _ => false,
        }
    }
}

/// Splits text into pieces: `*` and `?` are wildcards unless a backslash stands before them.
pub(crate) fn pieces_of(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        pieces.push(match (c, chars.peek()) {
            ('\\', Some(next @ ('*' | '?' | '\\'))) => {
                let next = *next;
                chars.next();
                Piece::Char(next)
            }
            ('*', _) => Piece::Many,
            ('?', _) => Piece::One,
            (c, _) => Piece::Char(c),
        });
    }
    pieces
}

/// Returns the characters of pieces that are no wildcards, and wildcards as they are written.
pub(crate) fn plain(pieces: &[Piece]) -> String {
    let char_of = |piece: &Piece| match piece {
        Piece::Char(c) => *c,
        Piece::One => '?',
        Piece::Many => '*',
    };
    pieces.iter().map(char_of).collect()
}

fn write_piece(piece: &Piece) -> String {
    match piece {
        Piece::Char(c @ ('*' | '?' | '\\')) => format!("\\{c}"),
        Piece::Char(c) => c.to_string(),
        Piece::One => "?".to_owned(),
        Piece::Many => "*".to_owned(),
    }
}

fn lower_piece(piece: &Piece) -> Vec<Piece> {
    match piece {
        Piece::Char(c) => c.to_lowercase().map(Piece::Char).collect(),
        other => vec![*other],
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, &self.written, false)
    }
}

/// Writes text in double quotes; what is already behind a backslash stays so unless `escape` asks for more backslashes.
pub(crate) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str, escape: bool) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' if escape => f.write_str("\\\\")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

impl TryFrom<String> for Operand {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text)
    }
}

impl From<Operand> for String {
    fn from(operand: Operand) -> Self {
        operand.written
    }
}
