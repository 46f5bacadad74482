//! Stages that count or measure: a cell for each interval of time and combination of values.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use super::exact::{ExactSum, percentile};
use super::{AggregateError, Limits};
use crate::field::FieldPath;
use crate::hit::key_bytes;
use crate::interval::Interval;
use crate::key::KeyValue;
use crate::stage::{BUCKET, COUNT, Stage, point_name};
use crate::table::{Column, ColumnKind, Table, Truncated};

/// 10,000: combinations of values that one event may have; a list of any length in one field is no combination.
const COMBINATIONS_MAX: usize = 10_000;

type Cells = HashMap<Box<[KeyValue]>, Cell>;

/// The groups of one stage.
pub(crate) struct Groups {
    stage: Stage,
    interval: Option<Interval>,
    buckets: BTreeMap<Option<Timestamp>, Cells>,
    groups: usize,
    bytes: usize,
    missing: u64,
    limits: Limits,
}

/// What is held for one group.
enum Cell {
    Count(u64),
    Numbers(Vec<f64>),
    Stats(Box<Stats>),
}

/// Count, sum and bounds.
#[derive(Default)]
struct Stats {
    count: u64,
    sum: ExactSum,
    bounds: Option<(f64, f64)>,
}

impl Groups {
    pub(crate) fn takes(stage: &Stage) -> bool {
        matches!(
            stage,
            Stage::Count { .. }
                | Stage::Terms { .. }
                | Stage::Histogram { .. }
                | Stage::Percentiles { .. }
                | Stage::Stats { .. }
                | Stage::Distinct { .. }
        )
    }

    pub(crate) fn new(stage: Stage, limits: Limits) -> Self {
        Self { interval: stage.interval(), stage, buckets: BTreeMap::new(), groups: 0, bytes: 0, missing: 0, limits }
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(crate) fn keys(&self) -> usize {
        self.stage.group().len()
    }

    pub(crate) fn push(&mut self, seq: u64, time: Timestamp, event: &Value) -> Result<(), AggregateError> {
        let values: Vec<Vec<KeyValue>> = self.stage.group().iter().map(|field| distinct(field, event)).collect();
        let numbers: Option<Vec<f64>> = self.stage.value().map(|field| numbers(field, event));
        let found = values.iter().map(Vec::len).try_fold(1usize, usize::checked_mul).unwrap_or(usize::MAX);
        if values.len() > 1 && found > COMBINATIONS_MAX {
            return Err(AggregateError::TooManyCombinations { stage: self.stage.to_string(), seq, found, limit: COMBINATIONS_MAX });
        }
        if numbers.as_ref().is_some_and(Vec::is_empty) {
            self.missing += 1;
            return Ok(());
        }
        let mut chosen = vec![0; values.len()];
        loop {
            let keys: Vec<KeyValue> = values.iter().zip(&chosen).map(|(values, at)| values[*at].clone()).collect();
            match &numbers {
                None => self.add(&keys, time, None, 1)?,
                Some(numbers) => numbers.iter().try_for_each(|number| self.add(&keys, time, Some(*number), 1))?,
            }
            // The next combination, the last field first.
            let Some(field) = (0..values.len()).rev().find(|field| chosen[*field] + 1 < values[*field].len()) else { return Ok(()) };
            chosen[field] += 1;
            chosen[field + 1..].fill(0);
        }
    }

    pub(crate) fn add(&mut self, keys: &[KeyValue], time: Timestamp, value: Option<f64>, count: u64) -> Result<(), AggregateError> {
        let needs_key = matches!(self.stage, Stage::Terms { .. } | Stage::Distinct { .. });
        let value = value.filter(|value| value.is_finite());
        if needs_key && keys.iter().all(|key| *key == KeyValue::Null) || self.stage.value().is_some() && value.is_none() {
            self.missing += count;
            return Ok(());
        }
        self.cell(keys, time, |cell| cell.add(value, count))
    }

    /// Takes numbers of one group.
    pub(crate) fn add_values(&mut self, keys: &[KeyValue], time: Timestamp, values: &[f64]) -> Result<(), AggregateError> {
        let finite = values.iter().filter(|value| value.is_finite()).count();
        self.missing += (values.len() - finite) as u64;
        if finite == 0 {
            return Ok(());
        }
        self.cell(keys, time, |cell| match cell {
            Cell::Numbers(numbers) => {
                let before = numbers.capacity();
                numbers.extend(values.iter().filter(|value| value.is_finite()));
                8 * (numbers.capacity() - before)
            }
            cell => values.iter().filter(|value| value.is_finite()).map(|value| cell.add(Some(*value), 1)).sum(),
        })
    }

    /// Changes the cell of a group, a new one if there is none; `change` returns by how many bytes it grew.
    fn cell(&mut self, keys: &[KeyValue], time: Timestamp, change: impl FnOnce(&mut Cell) -> usize) -> Result<(), AggregateError> {
        let cells = self.buckets.entry(self.interval.map(|interval| interval.start_of(time))).or_default();
        if let Some(cell) = cells.get_mut(keys) {
            self.bytes += change(cell);
        } else {
            let mut cell = Cell::of(&self.stage);
            self.groups += 1;
            self.bytes += 96 + key_bytes(keys) + change(&mut cell);
            cells.insert(keys.into(), cell);
        }
        self.bound()
    }

    fn bound(&self) -> Result<(), AggregateError> {
        if self.groups > self.limits.groups {
            return Err(AggregateError::TooManyGroups { stage: self.stage.to_string(), limit: self.limits.groups });
        }
        if self.bytes > self.limits.bytes {
            return Err(AggregateError::TooMuchMemory { stage: self.stage.to_string(), limit: self.limits.bytes });
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<(), AggregateError> {
        self.missing += other.missing;
        for (bucket, others) in other.buckets {
            let cells = self.buckets.entry(bucket).or_default();
            for (keys, cell) in others {
                if let Some(own) = cells.get_mut(&keys) {
                    self.bytes += own.merge(cell);
                } else {
                    self.groups += 1;
                    self.bytes += 96 + key_bytes(&keys) + cell.bytes();
                    cells.insert(keys, cell);
                }
            }
            if self.groups > self.limits.groups || self.bytes > self.limits.bytes {
                break;
            }
        }
        self.bound()
    }

    pub(crate) fn finish(mut self) -> Table {
        let whole = self.interval.is_none() && self.keys() == 0;
        if whole && self.groups == 0 {
            self.buckets.entry(None).or_default().insert(Box::new([]), Cell::of(&self.stage));
        }
        let mut rows: Vec<(Option<Timestamp>, Box<[KeyValue]>, Cell)> =
            self.buckets.into_iter().flat_map(|(bucket, cells)| cells.into_iter().map(move |(keys, cell)| (bucket, keys, cell))).collect();
        let by_count = matches!(self.stage, Stage::Count { .. } | Stage::Terms { .. });
        rows.sort_unstable_by(|a, b| {
            let counts = if by_count { b.2.count().cmp(&a.2.count()) } else { std::cmp::Ordering::Equal };
            counts.then_with(|| (a.0, &a.1).cmp(&(b.0, &b.1)))
        });
        let mut truncated = None;
        if let Stage::Count { limit: Some(limit), .. } | Stage::Terms { limit: Some(limit), .. } = &self.stage {
            let rest = rows.split_off(usize::try_from(*limit).unwrap_or(usize::MAX).min(rows.len()));
            let count = rest.iter().map(|row| row.2.count()).sum();
            truncated = (!rest.is_empty()).then_some(Truncated { rows: rest.len() as u64, count });
        }
        let stage = &self.stage;
        let row = |(bucket, keys, cell): (Option<Timestamp>, Box<[KeyValue]>, Cell)| {
            let bucket = bucket.map(|time| Value::String(time.to_string()));
            bucket.into_iter().chain(keys.iter().map(KeyValue::to_value)).chain(cell.values(stage)).collect()
        };
        Table { columns: columns(stage), rows: rows.into_iter().map(row).collect(), truncated, missing: self.missing }
    }
}

impl Cell {
    fn of(stage: &Stage) -> Self {
        match stage {
            Stage::Percentiles { .. } => Self::Numbers(Vec::new()),
            Stage::Stats { .. } => Self::Stats(Box::default()),
            _ => Self::Count(0),
        }
    }

    /// Takes a number so many times; returns by how many bytes the cell has grown.
    fn add(&mut self, value: Option<f64>, times: u64) -> usize {
        let before = self.bytes();
        match (&mut *self, value) {
            (Self::Count(count), _) => *count += times,
            (Self::Numbers(numbers), Some(value)) => (0..times).for_each(|_| numbers.push(value)),
            (Self::Stats(stats), Some(value)) => stats.add(value, times),
            (Self::Numbers(_) | Self::Stats(_), None) => {}
        }
        self.bytes().saturating_sub(before)
    }

    fn merge(&mut self, other: Self) -> usize {
        let before = self.bytes();
        match (&mut *self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Numbers(numbers), Self::Numbers(more)) => numbers.extend(more),
            (Self::Stats(stats), Self::Stats(more)) => stats.merge(&more),
            // Two groups of one stage have the same cells.
            _ => {}
        }
        self.bytes().saturating_sub(before)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Count(_) => 0,
            Self::Numbers(numbers) => 8 * numbers.capacity(),
            Self::Stats(stats) => size_of::<Stats>() + 8 * stats.sum.parts(),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Numbers(numbers) => numbers.len() as u64,
            Self::Stats(stats) => stats.count,
        }
    }

    /// Returns the values of the columns after the keys.
    fn values(self, stage: &Stage) -> Vec<Value> {
        let count = Value::from(self.count());
        let number = |number: Option<f64>| number.map_or(Value::Null, Value::from);
        match (self, stage) {
            (_, Stage::Distinct { .. }) => Vec::new(),
            (Self::Numbers(mut numbers), Stage::Percentiles { points, .. }) => {
                let percentiles = points.iter().map(|point| number(percentile(&mut numbers, *point)));
                std::iter::once(count).chain(percentiles).collect()
            }
            (Self::Stats(stats), _) => {
                let (min, max) = (stats.bounds.map(|bounds| bounds.0), stats.bounds.map(|bounds| bounds.1));
                vec![count, number(stats.sum()), number(stats.mean()), number(min), number(max)]
            }
            _ => vec![count],
        }
    }
}

impl Stats {
    fn add(&mut self, value: f64, times: u64) {
        self.count += times;
        (0..times).for_each(|_| self.sum.add(value));
        let (min, max) = self.bounds.unwrap_or((value, value));
        self.bounds = Some((min.min(value), max.max(value)));
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.bounds = match (self.bounds, other.bounds) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    fn sum(&self) -> Option<f64> {
        self.sum.value().filter(|_| self.count > 0)
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean is as exact as f64")]
    fn mean(&self) -> Option<f64> {
        self.sum().map(|sum| sum / self.count as f64)
    }
}

/// Returns the columns of a stage that counts or measures.
fn columns(stage: &Stage) -> Vec<Column> {
    let bucket = stage.interval().map(|_| Column::new(BUCKET, ColumnKind::Time));
    let keys = stage.group().iter().map(|field| Column::new(field.column(), ColumnKind::Value));
    let names = match stage {
        Stage::Distinct { .. } => return keys.collect(),
        Stage::Percentiles { points, .. } => points.iter().map(point_name).collect(),
        Stage::Stats { .. } => ["sum", "mean", "min", "max"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    let numbers = names.into_iter().map(|name| Column::new(name, ColumnKind::Number));
    bucket.into_iter().chain(keys).chain([Column::new(COUNT, ColumnKind::Count)]).chain(numbers).collect()
}

/// Returns the different values of a field, or null.
fn distinct(field: &FieldPath, event: &Value) -> Vec<KeyValue> {
    let mut values = field.values(event);
    match values.len() {
        0 => vec![KeyValue::Null],
        1 => values,
        _ => {
            values.sort_unstable();
            values.dedup();
            values
        }
    }
}

/// Returns the numbers of a field; a text that is a number is one.
fn numbers(field: &FieldPath, event: &Value) -> Vec<f64> {
    let number = |key: KeyValue| match key {
        KeyValue::Text(text) => text.parse::<serde_json::Number>().ok()?.as_f64(),
        key => key.to_value().as_f64(),
    };
    field.values(event).into_iter().filter_map(number).filter(|number| number.is_finite()).collect()
}
