//! What a pipe gives: rows under named columns.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Rows, and what is to be known of those that are not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; each has a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// What a `limit=` left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncated>,
    /// Events that matched but lack the field that is counted or measured.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What stands in it.
    pub kind: ColumnKind,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Values of a field.
    Value,
    /// The beginning of an interval of time.
    Time,
    /// How many.
    Count,
    /// A number that was computed; null where there was nothing to compute.
    Number,
    /// A whole event: the only column, and its rows are to be shown as events.
    Event,
}

/// What a `limit=` left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Rows.
    pub rows: u64,
    /// The sum of their counts.
    pub count: u64,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }
}

impl Table {
    /// Whether the rows are whole events.
    pub fn is_events(&self) -> bool {
        matches!(&self.columns[..], [Column { kind: ColumnKind::Event, .. }])
    }

    /// Returns the rows as JSON objects; those of events are the events.
    pub fn objects(&self) -> impl Iterator<Item = Value> + '_ {
        self.rows.iter().map(|row| self.object(row))
    }

    pub(crate) fn object(&self, row: &[Value]) -> Value {
        match row {
            [event] if self.is_events() => event.clone(),
            row => Value::Object(
                self.columns.iter().zip(row).map(|(column, value)| (column.name.clone(), value.clone())).collect::<Map<_, _>>(),
            ),
        }
    }
}
