//! The value of a field by which events are grouped.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A scalar as a key: numbers are equal by value, texts by their bytes. The order is null, false, true, numbers, texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A whole number too large for [`KeyValue::Whole`].
    Large(u64),
    /// Any other number: the bits of a finite `f64` that is no whole number.
    Real(u64),
    /// A text.
    Text(Box<str>),
}

impl KeyValue {
    /// Returns the key of a scalar; `None` for lists and objects.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::number(number),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// Returns the key of a number.
    pub fn real(number: f64) -> Self {
        // 2^63 is exact as f64; a whole number below it is the same number as i64.
        const EDGE: f64 = 9_223_372_036_854_775_808.0;
        if number.fract() == 0.0 && (-EDGE..EDGE).contains(&number) {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and inside the range of i64")]
            return Self::Whole(number as i64);
        }
        Self::Real(number.to_bits())
    }

    fn number(number: &Number) -> Self {
        let whole = number.as_i64().map(Self::Whole).or_else(|| number.as_u64().map(Self::Large));
        whole.unwrap_or_else(|| number.as_f64().map_or(Self::Null, Self::real))
    }

    /// Returns the JSON value.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Whole(number) => (*number).into(),
            Self::Large(number) => (*number).into(),
            Self::Real(bits) => f64::from_bits(*bits).into(),
            Self::Text(text) => Value::String(text.to_string()),
        }
    }

    /// Returns about how many bytes the key takes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Whole(_) | Self::Large(_) | Self::Real(_) => 2,
            Self::Text(_) => 3,
        }
    }

    fn compare_numbers(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Large(a), Self::Large(b)) => a.cmp(b),
            (Self::Large(_), Self::Whole(_)) => Ordering::Greater,
            (Self::Whole(_), Self::Large(_)) => Ordering::Less,
            // A fraction lies below 2^53 in size or beyond 2^63: as f64 it never equals a whole number here, and rounding the whole one keeps the order.
            _ => self.as_f64().total_cmp(&other.as_f64()).then(self.is_real().cmp(&other.is_real())),
        }
    }

    fn is_real(&self) -> bool {
        matches!(self, Self::Real(_))
    }

    #[expect(clippy::cast_precision_loss, reason = "only the order is asked for")]
    fn as_f64(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Large(number) => *number as f64,
            Self::Real(bits) => f64::from_bits(*bits),
            _ => 0.0,
        }
    }
}

impl Ord for KeyValue {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            _ if self.rank() == 2 && other.rank() == 2 => self.compare_numbers(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for KeyValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
