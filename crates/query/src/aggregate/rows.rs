//! Stages after the first: from table to table.

use std::cmp::Ordering;

use jiff::Timestamp;
use sealtrail_event::{Kind, class_step, severity_word};
use serde_json::Value;

use super::groups::Groups;
use super::{AggregateError, Limits};
use crate::field::FieldPath;
use crate::key::KeyValue;
use crate::stage::{BUCKET, SortBy, Stage};
use crate::table::{Column, ColumnKind, Table};

/// What a row is sorted by: least first or greatest first, without a value last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    value: Option<KeyValue>,
    descending: bool,
}

/// Runs one stage on a table.
pub(crate) fn apply(stage: &Stage, mut table: Table, limits: Limits) -> Result<Table, AggregateError> {
    let at_most = |n: &u64| usize::try_from(*n).unwrap_or(usize::MAX);
    match stage {
        Stage::Head(n) => table.rows.truncate(at_most(n)),
        Stage::Tail(n) => drop(table.rows.drain(..table.rows.len().saturating_sub(at_most(n)))),
        Stage::Sort(by) => {
            let mut rows: Vec<(Vec<SortKey>, Vec<Value>)> =
                table.rows.iter().map(|row| (sort_keys(by, &table.object(row)), row.clone())).collect();
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            table.rows = rows.into_iter().map(|(_, row)| row).collect();
        }
        Stage::Where(query) => {
            let kept: Vec<bool> = table.objects().map(|row| query.matches(&row)).collect();
            let mut kept = kept.into_iter();
            table.rows.retain(|_| kept.next().unwrap_or(false));
        }
        Stage::Fields(fields) => {
            let column = |field: &FieldPath| {
                let known = table.columns.iter().find(|column| column.name == field.column());
                known.cloned().unwrap_or_else(|| Column::new(field.column(), ColumnKind::Value))
            };
            let columns = fields.iter().map(column).collect();
            table.rows = table.objects().map(|row| project(fields, &row)).collect();
            table.columns = columns;
        }
        stage if Groups::takes(stage) => {
            let mut groups = Groups::new(stage.clone(), limits);
            for (seq, row) in (0..).zip(table.objects()) {
                let time = row.get(BUCKET).and_then(Value::as_str).and_then(|time| time.parse().ok());
                groups.push(seq, time.unwrap_or(Timestamp::UNIX_EPOCH), &row)?;
            }
            let grouped = groups.finish();
            let truncated = grouped.truncated.or(table.truncated);
            return Ok(Table { truncated, missing: grouped.missing + table.missing, ..grouped });
        }
        // `first` and `last` choose events in order of time: a checked pipe has them first.
        _ => {}
    }
    Ok(table)
}

/// Returns the values of fields as a row: as they stand, several as a list.
pub(crate) fn project(fields: &[FieldPath], event: &Value) -> Vec<Value> {
    fields.iter().map(|field| field.found(event)).collect()
}

/// Returns what a row is sorted by.
pub(crate) fn sort_keys(by: &[SortBy], event: &Value) -> Vec<SortKey> {
    by.iter().map(|by| SortKey { value: ordinal(&by.field, event), descending: by.descending }).collect()
}

/// Returns the first value of a field in the order that its words have: times by moment, severities and classes by their ladder.
fn ordinal(field: &FieldPath, event: &Value) -> Option<KeyValue> {
    let value = field.values(event).into_iter().next()?;
    let KeyValue::Text(text) = &value else { return Some(value) };
    let whole = match field.kind() {
        Some(Kind::Time) => text.parse::<Timestamp>().ok().map(|time| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)),
        Some(Kind::Severity) => severity_word(text).map(|severity| severity as i64),
        Some(Kind::Class) => class_step(text).map(i64::from),
        _ => None,
    };
    Some(whole.map_or(value, KeyValue::Whole))
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (Some(a), Some(b)) if self.descending => b.cmp(a),
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
