//! Stages of a pipe: what becomes of the events that were found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::interval::Interval;
use crate::query::Query;
use crate::sequence::{KEYS_MAX, write_by};

/// 16: stages of one pipe.
pub(crate) const STAGES_MAX: usize = 16;

/// 32: percentiles asked for at once.
const POINTS_MAX: usize = 32;

/// 64: columns of one table.
const COLUMNS_MAX: usize = 64;

/// 10,000: events that `first`, `last` and `sort … | head` hold, for each group.
pub(crate) const EVENTS_HELD_MAX: u64 = 10_000;

/// One stage of a pipe. The first one gets events, each further one the rows of the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// How many, for each combination of values. Many first.
    Count {
        /// The fields; of none, one number.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<FieldPath>,
        /// How many rows are shown; what is left out is told as a number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// How many, for each value of a field that is there. Many first.
    Terms {
        /// The field.
        field: FieldPath,
        /// How many rows are shown; what is left out is told as a number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// How many, for each interval of time that has any, in order of time.
    Histogram {
        /// The width of a bucket.
        interval: Interval,
        /// One number for each combination of values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<FieldPath>,
    },
    /// Exact percentiles of the numbers of a field, between two numbers by the share of the way.
    Percentiles {
        /// The field.
        field: FieldPath,
        /// From 0 to 100.
        points: Vec<f64>,
        /// One row for each combination of values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<FieldPath>,
        /// One row for each interval of time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        every: Option<Interval>,
    },
    /// Count, sum, mean, least and greatest of the numbers of a field.
    Stats {
        /// The field.
        field: FieldPath,
        /// One row for each combination of values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<FieldPath>,
        /// One row for each interval of time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        every: Option<Interval>,
    },
    /// Each combination of values once, in the order of the values.
    Distinct {
        /// The fields.
        fields: Vec<FieldPath>,
    },
    /// The earliest events, in order of time.
    First {
        /// How many.
        n: u64,
        /// So many for each combination of values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<FieldPath>,
    },
    /// The latest events, in order of time.
    Last {
        /// How many.
        n: u64,
        /// So many for each combination of values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<FieldPath>,
    },
    /// The first rows.
    Head(u64),
    /// The last rows.
    Tail(u64),
    /// The rows in the order of fields; equal ones stay in their order.
    Sort(Vec<SortBy>),
    /// Those that match.
    Where(Query),
    /// These fields as columns.
    Fields(Vec<FieldPath>),
}

/// A field to sort by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SortBy {
    /// The field or column.
    pub field: FieldPath,
    /// Whether the greatest comes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// What a stage gets and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Events in order of time.
    Stream,
    /// Events, in some order.
    Events,
    /// Rows of a table.
    Columns(Vec<String>),
}

/// The name of the column that counts.
pub(crate) const COUNT: &str = "count";

/// The name of the column of buckets.
pub(crate) const BUCKET: &str = "timestamp";

impl Stage {
    /// Returns the shape of what the stage gives, or what is wrong with it after a stage that gives `input`.
    pub(crate) fn check(&self, input: &Shape) -> Result<Shape, QueryError> {
        for field in self.fields() {
            input.has(field)?;
        }
        let bucket = |every: &Option<Interval>| every.map(|_| BUCKET.to_owned());
        let numbers = |by: &[FieldPath], every: &Option<Interval>, rest: Vec<String>| {
            columns(bucket(every).into_iter().chain(by.iter().map(FieldPath::column)).chain([COUNT.to_owned()]).chain(rest))
        };
        if self.interval().is_some() && matches!(input, Shape::Columns(names) if !names.iter().any(|name| name == BUCKET)) {
            return Err(QueryError::new(0, "the rows before this stage have no time").hint(format!("keep the column {BUCKET}")));
        }
        match self {
            Self::Count { by, .. } => numbers(by, &None, Vec::new()),
            Self::Histogram { by, interval } => numbers(by, &Some(*interval), Vec::new()),
            Self::Terms { field, .. } => numbers(std::slice::from_ref(field), &None, Vec::new()),
            Self::Percentiles { points, by, every, .. } => {
                if points.is_empty() || points.len() > POINTS_MAX {
                    return Err(QueryError::new(0, format!("1 to {POINTS_MAX} percentiles can be asked for, not {}", points.len())));
                }
                if let Some(point) = points.iter().find(|point| !(0.0..=100.0).contains(*point)) {
                    return Err(QueryError::new(0, format!("a percentile is from 0 to 100, not {point}")));
                }
                numbers(by, every, points.iter().map(point_name).collect())
            }
            Self::Stats { by, every, .. } => numbers(by, every, ["sum", "mean", "min", "max"].map(str::to_owned).to_vec()),
            Self::Distinct { fields } | Self::Fields(fields) => columns(fields.iter().map(FieldPath::column)),
            Self::First { n, .. } | Self::Last { n, .. } if *n == 0 || *n > EVENTS_HELD_MAX => {
                Err(QueryError::new(0, format!("from 1 to {EVENTS_HELD_MAX} events can be asked for, not {n}")))
            }
            Self::First { .. } | Self::Last { .. } if *input != Shape::Stream => {
                Err(QueryError::new(0, "only events have a first and a last").hint("write head 5 or tail 5 for rows"))
            }
            Self::Head(_) | Self::Tail(_) if *input == Shape::Stream => {
                Err(QueryError::new(0, "events have no order of rows here").hint("write first 5 or last 5"))
            }
            Self::First { .. } | Self::Last { .. } => Ok(Shape::Events),
            Self::Sort(_) if *input == Shape::Stream => Ok(Shape::Events),
            Self::Head(_) | Self::Tail(_) | Self::Sort(_) | Self::Where(_) => Ok(input.clone()),
        }
    }

    /// Returns the fields by which the stage groups, in order.
    pub fn group(&self) -> &[FieldPath] {
        match self {
            Self::Count { by, .. } | Self::Histogram { by, .. } | Self::Percentiles { by, .. } | Self::Stats { by, .. } => by,
            Self::First { by, .. } | Self::Last { by, .. } | Self::Distinct { fields: by } => by,
            Self::Terms { field, .. } => std::slice::from_ref(field),
            Self::Head(_) | Self::Tail(_) | Self::Sort(_) | Self::Where(_) | Self::Fields(_) => &[],
        }
    }

    /// Returns the field whose numbers the stage looks at.
    pub fn value(&self) -> Option<&FieldPath> {
        match self {
            Self::Percentiles { field, .. } | Self::Stats { field, .. } => Some(field),
            _ => None,
        }
    }

    /// Returns the interval of time by which the stage groups.
    pub fn interval(&self) -> Option<Interval> {
        match self {
            Self::Histogram { interval, .. } => Some(*interval),
            Self::Percentiles { every, .. } | Self::Stats { every, .. } => *every,
            _ => None,
        }
    }

    /// Returns every field that the stage names.
    pub fn fields(&self) -> Vec<&FieldPath> {
        match self {
            Self::Where(query) => query.plan().fields(),
            Self::Fields(fields) => fields.iter().collect(),
            Self::Sort(by) => by.iter().map(|by| &by.field).collect(),
            _ => self.group().iter().chain(self.value()).collect(),
        }
    }
}

impl Shape {
    /// Checks that a field is one of the columns; an event may have any field.
    pub(crate) fn has(&self, field: &FieldPath) -> Result<(), QueryError> {
        self.has_name(&field.column()).or_else(|error| self.has_name(field.canonical()).map_err(|_| error))
    }

    /// Checks that a name is one of the columns.
    pub(crate) fn has_name(&self, wanted: &str) -> Result<(), QueryError> {
        let Self::Columns(names) = self else { return Ok(()) };
        if names.iter().any(|name| name == wanted) {
            return Ok(());
        }
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        Err(QueryError::new(0, format!("no column `{wanted}` before this stage")).hint(format!("there is {}", names.join(", "))))
    }
}

/// Checks the names of columns.
fn columns(names: impl Iterator<Item = String>) -> Result<Shape, QueryError> {
    let names: Vec<String> = names.collect();
    if let Some((_, twice)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        return Err(QueryError::new(0, format!("the column `{twice}` would be there twice")));
    }
    if names.is_empty() || names.len() > COLUMNS_MAX {
        return Err(QueryError::new(0, format!("a table has 1 to {COLUMNS_MAX} columns, not {}", names.len())));
    }
    Ok(Shape::Columns(names))
}

/// Returns the name of the column of a percentile.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "used in map over references")]
pub(crate) fn point_name(point: &f64) -> String {
    format!("p{point}")
}

/// Checks a whole pipe.
pub(crate) fn check_pipe(stages: &[Stage]) -> Result<(), QueryError> {
    if stages.len() > STAGES_MAX {
        return Err(QueryError::new(0, format!("a pipe has at most {STAGES_MAX} stages, this one has {}", stages.len())));
    }
    let mut shape = Shape::Stream;
    for stage in stages {
        if stage.group().len() > KEYS_MAX {
            return Err(QueryError::new(0, format!("at most {KEYS_MAX} fields can be grouped by, not {}", stage.group().len())));
        }
        shape = stage.check(&shape)?;
    }
    Ok(())
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limited = |f: &mut fmt::Formatter<'_>, limit: &Option<u64>| limit.map_or(Ok(()), |limit| write!(f, " limit={limit}"));
        let every = |f: &mut fmt::Formatter<'_>, every: &Option<Interval>| every.map_or(Ok(()), |every| write!(f, " every {every}"));
        match self {
            Self::Count { by, limit } => {
                f.write_str("count")?;
                write_by(f, by)?;
                limited(f, limit)
            }
            Self::Terms { field, limit } => {
                write!(f, "terms {field}")?;
                limited(f, limit)
            }
            Self::Histogram { interval, by } => {
                write!(f, "histogram {interval}")?;
                write_by(f, by)
            }
            Self::Percentiles { field, points, by, every: interval } => {
                write!(f, "percentiles {field} ")?;
                write_list(f, points)?;
                write_by(f, by)?;
                every(f, interval)
            }
            Self::Stats { field, by, every: interval } => {
                write!(f, "stats {field}")?;
                write_by(f, by)?;
                every(f, interval)
            }
            Self::Distinct { fields } => f.write_str("distinct ").and_then(|()| write_list(f, fields)),
            Self::Fields(fields) => f.write_str("fields ").and_then(|()| write_list(f, fields)),
            Self::Sort(by) => f.write_str("sort ").and_then(|()| write_list(f, by)),
            Self::First { n, by } => write!(f, "first {n}").and_then(|()| write_by(f, by)),
            Self::Last { n, by } => write!(f, "last {n}").and_then(|()| write_by(f, by)),
            Self::Head(n) => write!(f, "head {n}"),
            Self::Tail(n) => write!(f, "tail {n}"),
            Self::Where(query) => write!(f, "where {query}"),
        }
    }
}

impl fmt::Display for SortBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.field, if self.descending { " desc" } else { "" })
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}
