//! Stages that choose or order whole events: `first`, `last`, `sort`, `fields`.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use super::rows::{SortKey, project, sort_keys};
use super::{AggregateError, Limits};
use crate::field::FieldPath;
use crate::key::KeyValue;
use crate::stage::{SortBy, Stage};
use crate::table::{Column, ColumnKind, Table};

/// The place of an event: what it is sorted by, its time, its number.
type Place = (Vec<SortKey>, Timestamp, u64);

/// Events that are held, in order.
pub(crate) struct Picks {
    name: String,
    by: Vec<FieldPath>,
    sort: Vec<SortBy>,
    fields: Option<Vec<FieldPath>>,
    /// How many are held of each group.
    most: Option<usize>,
    latest: bool,
    groups: HashMap<Box<[KeyValue]>, BTreeMap<Place, Vec<Value>>>,
    rows: usize,
    bytes: usize,
    limits: Limits,
}

impl Picks {
    pub(crate) fn new(stage: Option<&Stage>, next: Option<&Stage>, limits: Limits) -> Self {
        let name = stage.map_or("events".to_owned(), Stage::to_string);
        let number = |n: u64| Some(usize::try_from(n).unwrap_or(usize::MAX));
        let held = Self {
            name,
            by: Vec::new(),
            sort: Vec::new(),
            fields: None,
            most: None,
            latest: false,
            groups: HashMap::new(),
            rows: 0,
            bytes: 0,
            limits,
        };
        match (stage, next) {
            (Some(Stage::First { n, by }), _) => Self { by: by.clone(), most: number(*n), ..held },
            (Some(Stage::Last { n, by }), _) => Self { by: by.clone(), most: number(*n), latest: true, ..held },
            // Only those are held that the next stage keeps.
            (Some(Stage::Sort(sort)), Some(Stage::Head(n))) => Self { sort: sort.clone(), most: number(*n), ..held },
            (Some(Stage::Sort(sort)), Some(Stage::Tail(n))) => Self { sort: sort.clone(), most: number(*n), latest: true, ..held },
            (Some(Stage::Sort(sort)), _) => Self { sort: sort.clone(), ..held },
            (Some(Stage::Fields(fields)), Some(Stage::Head(n))) => Self { fields: Some(fields.clone()), most: number(*n), ..held },
            (Some(Stage::Fields(fields)), _) => Self { fields: Some(fields.clone()), ..held },
            _ => held,
        }
    }

    pub(crate) fn stage(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.most == other.most
    }

    pub(crate) fn push(&mut self, seq: u64, time: Timestamp, event: &Value) -> Result<(), AggregateError> {
        let group: Box<[KeyValue]> = self.by.iter().map(|field| field.values(event).into_iter().next().unwrap_or(KeyValue::Null)).collect();
        let place = (sort_keys(&self.sort, event), time, seq);
        if !self.wants(&group, &place) {
            return Ok(());
        }
        let row = self.fields.as_ref().map_or_else(|| vec![event.clone()], |fields| project(fields, event));
        self.insert(group, place, row)
    }

    /// Whether an event in this place would be held: most are not, and are not copied.
    fn wants(&self, group: &[KeyValue], place: &Place) -> bool {
        let (Some(most), Some(held)) = (self.most, self.groups.get(group)) else { return true };
        let edge = if self.latest { held.first_key_value() } else { held.last_key_value() };
        held.len() < most || edge.is_some_and(|(edge, _)| if self.latest { place > edge } else { place < edge })
    }

    fn insert(&mut self, group: Box<[KeyValue]>, place: Place, row: Vec<Value>) -> Result<(), AggregateError> {
        let held = self.groups.entry(group).or_default();
        self.rows += 1;
        self.bytes += 96 + row.iter().map(weight).sum::<usize>();
        held.insert(place, row);
        if self.most.is_some_and(|most| held.len() > most)
            && let Some((_, gone)) = if self.latest { held.pop_first() } else { held.pop_last() }
        {
            self.rows -= 1;
            self.bytes = self.bytes.saturating_sub(96 + gone.iter().map(weight).sum::<usize>());
        }
        if self.rows > self.limits.groups {
            return Err(AggregateError::TooManyGroups { stage: self.name.clone(), limit: self.limits.groups });
        }
        if self.bytes > self.limits.bytes {
            return Err(AggregateError::TooMuchMemory { stage: self.name.clone(), limit: self.limits.bytes });
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<(), AggregateError> {
        for (group, held) in other.groups {
            for (place, row) in held {
                if self.wants(&group, &place) {
                    self.insert(group.clone(), place, row)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Table {
        let mut rows: Vec<(Place, Vec<Value>)> = self.groups.into_values().flatten().collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let columns = match &self.fields {
            None => vec![Column::new("event", ColumnKind::Event)],
            Some(fields) => fields.iter().map(|field| Column::new(field.column(), ColumnKind::Value)).collect(),
        };
        Table { columns, rows: rows.into_iter().map(|(_, row)| row).collect(), truncated: None, missing: 0 }
    }
}

/// Returns about how many bytes a value takes.
fn weight(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight).sum(),
            // The name, its hash and its place in the map.
            Value::Object(members) => members.iter().map(|(name, value)| 48 + name.len() + weight(value)).sum(),
            _ => 0,
        }
}
