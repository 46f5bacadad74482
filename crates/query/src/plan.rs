//! The plan: a query as data, and how it is written.

use std::fmt;

use jiff::Timestamp;
use sealtrail_event::Severity;
use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::literals::{Required, of_regex};
use crate::operand::{Number, Operand};

/// 1 MiB: the compiled size of one regular expression; the usual ones need a few KiB.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// One condition on an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// Every condition holds; of none, this is everything.
    And(Vec<Expr>),
    /// One condition holds.
    Or(Vec<Expr>),
    /// The condition does not hold.
    Not(Box<Expr>),
    /// A field passes a test.
    Field(FieldPath, Test),
    /// The text stands in a command, a path, a prompt or another searched field.
    Text(Operand),
}

/// What a field is tested for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// It is there.
    Exists,
    /// A value is this.
    Is(Operand),
    /// A value is one of these.
    In(Vec<Operand>),
    /// A value contains this, without the case of letters.
    Has(Operand),
    /// A value matches the regular expression.
    Matches(Pattern),
    /// A value is less, greater, ….
    Compare(Order, Bound),
}

/// How a value is ordered against a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    LessOrEqual,
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    GreaterOrEqual,
}

/// What a value is ordered against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// A number.
    Number(Numeral),
    /// A moment.
    Time(Timestamp),
    /// A severity.
    Severity(Severity),
    /// A step of the ladder public 0, internal 1, confidential 2, restricted 3.
    Class(u8),
    /// A text, by the order of its bytes.
    Text(String),
}

/// A number in the notation in which it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Numeral {
    written: String,
    pub(crate) number: Number,
}

/// A regular expression, compiled once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(pub(crate) regex::Regex);

impl Expr {
    /// Returns every field that the condition names.
    pub fn fields(&self) -> Vec<&FieldPath> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(inner) => inner.fields(),
            Self::Field(field, _) => vec![field],
            Self::Text(_) => Vec::new(),
        }
    }
}

impl Pattern {
    /// Compiles a regular expression, up to a size.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        // Behind an even number of backslashes a quote may have one more or not; only the bare one is kept.
        let mut bare = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some(quote @ ('"' | '\'')) => bare.push(quote),
                    Some(next) => bare.extend(['\\', next]),
                    None => bare.push('\\'),
                },
                _ => bare.push(c),
            }
        }
        let built = regex::RegexBuilder::new(&bare).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).nest_limit(64).build();
        built.map(Self).map_err(|error| {
            let why = error.to_string();
            let last = why.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            QueryError::new(0, format!("no regular expression: {last}"))
        })
    }
}

impl Pattern {
    /// Returns the regular expression.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the expression is found in a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Returns what a folded text contains in which the expression is found: all of [any of these]. See [`crate::fold`].
    pub fn required_literals(&self) -> Required {
        of_regex(self.0.as_str())
    }
}

impl Order {
    pub(crate) const ALL: &[(&str, Self)] =
        &[("<=", Self::LessOrEqual), (">=", Self::GreaterOrEqual), ("<", Self::Less), (">", Self::Greater)];

    /// Whether a value that compares so with the bound passes.
    pub fn holds(self, found: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        }
    }

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, order)| *order == self).map_or("<", |(sign, _)| sign)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |f: &mut fmt::Formatter<'_>, word: &str, parts: &[Expr]| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Expr::And(_) | Expr::Or(_) => write!(f, "({part})")?,
                    part => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => many(f, "and", parts),
            Self::Or(parts) => many(f, "or", parts),
            Self::Not(inner) => match &**inner {
                Expr::And(_) | Expr::Or(_) => write!(f, "not ({inner})"),
                inner => write!(f, "not {inner}"),
            },
            Self::Field(field, test) => write_test(f, field, test),
            Self::Text(text) => write!(f, "{text}"),
        }
    }
}

fn write_test(f: &mut fmt::Formatter<'_>, field: &FieldPath, test: &Test) -> fmt::Result {
    match test {
        Test::Exists => write!(f, "{field} exists"),
        Test::Is(value) => write!(f, "{field}={value}"),
        Test::Has(value) => write!(f, "{field}:{value}"),
        Test::In(values) => {
            write!(f, "{field} in (")?;
            for (index, value) in values.iter().enumerate() {
                write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        }
        Test::Matches(pattern) => {
            // A pattern keeps its backslashes and line ends; no quote in it stands behind a backslash.
            write!(f, "{field}~\"{}\"", pattern.0.as_str().replace('"', "\\\""))
        }
        Test::Compare(order, bound) => {
            write!(f, "{field}{}", order.as_str())?;
            match bound {
                Bound::Number(number) => f.write_str(&number.written),
                Bound::Time(time) => write!(f, "{time}"),
                Bound::Severity(severity) => write!(f, "{severity}"),
                Bound::Class(step) => f.write_str(CLASSES.get(usize::from(*step)).copied().unwrap_or("restricted")),
                Bound::Text(text) => write!(f, "{}", Operand::literal(text)),
            }
        }
    }
}

/// The ladder of data classes.
const CLASSES: &[&str] = &["public", "internal", "confidential", "restricted"];

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl Numeral {
    /// Returns the number, rounded to what an `f64` holds.
    pub fn as_f64(&self) -> f64 {
        self.number.as_f64()
    }

    /// Returns the number when it was written as a whole one.
    pub fn as_whole(&self) -> Option<i128> {
        if let Number::Whole(number) = self.number { Some(number) } else { None }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Number::parse(text).map(|number| Self { written: text.to_owned(), number })
    }
}

impl TryFrom<String> for Numeral {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text).ok_or_else(|| QueryError::new(0, format!("`{text}` is no number")))
    }
}

impl From<Numeral> for String {
    fn from(numeral: Numeral) -> Self {
        numeral.written
    }
}
