//! Ordered series of events: what must follow what, by which keys, in which time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::interval::write_span;
use crate::query::Query;

/// 32: steps as written; one bit of a word for each.
pub(crate) const STEPS_MAX: usize = 32;

/// 8: keys of a sequence or a grouping.
pub(crate) const KEYS_MAX: usize = 8;

/// 100: how often one step may be asked for, as in EQL.
pub(crate) const RUNS_MAX: u32 = 100;

/// 128: events of one match.
pub(crate) const EVENTS_MAX: usize = 128;

/// Events that follow each other, with equal keys: the `sequence` of EQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Data", into = "Data")]
pub struct Sequence {
    by: Vec<FieldPath>,
    maxspan_ms: Option<u64>,
    steps: Vec<Step>,
    until: Option<Step>,
}

/// One event of a sequence, or one that must not come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which events it takes.
    pub query: Query,
    /// Fields whose values join it to the other steps, after those of the whole sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<FieldPath>,
    /// Whether it must not come: `![…]`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// How often in a row it is wanted.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub runs: u32,
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_once(runs: &u32) -> bool {
    *runs == 1
}

/// A sequence as it is stored, before it is checked.
#[derive(Serialize, Deserialize)]
struct Data {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<FieldPath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maxspan_ms: Option<u64>,
    steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Step>,
}

impl Step {
    /// Makes a step that takes the events of `query` once, without keys of its own.
    pub fn new(query: Query) -> Self {
        Self { query, by: Vec::new(), missing: false, runs: 1 }
    }
}

impl Sequence {
    /// Makes a sequence; says what is wrong with it.
    pub fn new(by: Vec<FieldPath>, maxspan_ms: Option<u64>, steps: Vec<Step>, until: Option<Step>) -> Result<Self, QueryError> {
        let wrong = |message: String| Err(QueryError::new(0, message));
        if steps.len() > STEPS_MAX {
            return wrong(format!("a sequence has at most {STEPS_MAX} steps, this one has {}", steps.len()));
        }
        if let Some(step) = steps.iter().find(|step| step.runs == 0 || step.runs > RUNS_MAX || step.missing && step.runs > 1) {
            let at_most = if step.missing { 1 } else { RUNS_MAX };
            return wrong(format!("runs={} is not from 1 to {at_most}", step.runs));
        }
        let events: usize = steps.iter().filter(|step| !step.missing).map(|step| step.runs as usize).sum();
        if events == 0 || events + steps.iter().filter(|step| step.missing).count() < 2 {
            return Err(QueryError::new(0, "a sequence has at least two steps, one of them without `!`").hint("write sequence [a] [b]"));
        }
        if events > EVENTS_MAX {
            return wrong(format!("a match has at most {EVENTS_MAX} events, this sequence asks for {events}"));
        }
        if maxspan_ms.is_none() && steps.iter().any(|step| step.missing) {
            return Err(QueryError::new(0, "a step that must not come needs an end of waiting").hint("add: with maxspan=5m"));
        }
        if maxspan_ms == Some(0) {
            return wrong("maxspan is at least 1 ms".to_owned());
        }
        let keys = steps[0].by.len();
        if by.len() + keys > KEYS_MAX {
            return wrong(format!("a sequence has at most {KEYS_MAX} keys, this one has {}", by.len() + keys));
        }
        if let Some(step) = steps.iter().chain(&until).find(|step| step.by.len() != keys) {
            let message = format!("each step has as many keys as the first: {keys}, and not {}", step.by.len());
            return Err(QueryError::new(0, message).hint("write [a] by x [b] by y"));
        }
        Ok(Self { by, maxspan_ms, steps, until })
    }

    /// Returns the fields that must be equal in all events.
    pub fn by(&self) -> &[FieldPath] {
        &self.by
    }

    /// Returns the longest time from the first event to the last, in milliseconds.
    pub fn maxspan_ms(&self) -> Option<u64> {
        self.maxspan_ms
    }

    /// Returns the steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the event that ends every open sequence of its keys.
    pub fn until(&self) -> Option<&Step> {
        self.until.as_ref()
    }

    /// Returns the key fields of a step: those of the sequence, then its own.
    pub fn keys_of<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a FieldPath> {
        self.by.iter().chain(&step.by)
    }

    /// Returns the sequence in which every step must match `query`, too.
    #[must_use]
    pub fn narrowed(mut self, query: &Query) -> Self {
        for step in self.steps.iter_mut().chain(&mut self.until) {
            step.query = query.clone().and(std::mem::replace(&mut step.query, Query::everything()));
        }
        self
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sequence")?;
        write_by(f, &self.by)?;
        if let Some(ms) = self.maxspan_ms {
            write!(f, " with maxspan={}", write_span(ms))?;
        }
        for step in &self.steps {
            write!(f, " {step}")?;
        }
        self.until.as_ref().map_or(Ok(()), |until| write!(f, " until {until}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", if self.missing { "!" } else { "" }, self.query)?;
        write_by(f, &self.by)?;
        if self.runs == 1 { Ok(()) } else { write!(f, " with runs={}", self.runs) }
    }
}

/// Writes ` by a, b`, or nothing.
pub(crate) fn write_by(f: &mut fmt::Formatter<'_>, by: &[FieldPath]) -> fmt::Result {
    for (index, field) in by.iter().enumerate() {
        write!(f, "{} {field}", if index == 0 { " by" } else { "," })?;
    }
    Ok(())
}

impl TryFrom<Data> for Sequence {
    type Error = QueryError;
    fn try_from(data: Data) -> Result<Self, QueryError> {
        Self::new(data.by, data.maxspan_ms, data.steps, data.until)
    }
}

impl From<Sequence> for Data {
    fn from(sequence: Sequence) -> Self {
        Self { by: sequence.by, maxspan_ms: sequence.maxspan_ms, steps: sequence.steps, until: sequence.until }
    }
}
