//! Events become a table: the pipe of a search, with bounds and without silent cuts.

mod exact;
mod groups;
mod picks;
mod rows;

use jiff::Timestamp;
use serde_json::Value;

use crate::key::KeyValue;
use crate::query::Query;
use crate::stage::Stage;
use crate::table::Table;
use groups::Groups;
use picks::Picks;

/// How much a pipe may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Groups of one stage, and rows of one table.
    pub groups: usize,
    /// Bytes of them, about: keys, numbers, events.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 1,000,000 groups of a short text are about 100 MB; so are 12 million numbers for exact percentiles.
        Self { groups: 1_000_000, bytes: 100 << 20 }
    }
}

/// Why there is no table. Nothing is cut silently: it is all, or an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// Too many different values.
    #[error("`{stage}` makes more than {limit} rows (the limit); narrow the query, or group by a field with fewer values")]
    TooManyGroups {
        /// The stage.
        stage: String,
        /// The limit.
        limit: usize,
    },
    /// Too many bytes.
    #[error("`{stage}` needs more than {limit} bytes (the limit); narrow the query, or ask for less with head")]
    TooMuchMemory {
        /// The stage.
        stage: String,
        /// The limit.
        limit: usize,
    },
    /// One event with long lists in several grouped fields.
    #[error("event {seq} has {found} combinations of values for `{stage}` (limit {limit}); leave it out, or group by fewer fields")]
    TooManyCombinations {
        /// The stage.
        stage: String,
        /// The event.
        seq: u64,
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Keys that are not those of the stage, or a merge of two pipes.
    #[error("cannot add to `{stage}`: it has {wanted} keys and takes {found}")]
    Different {
        /// The stage.
        stage: String,
        /// Its keys.
        wanted: usize,
        /// What came.
        found: String,
    },
}

/// Runs a pipe: takes events in any order, gives a table.
pub struct Aggregator {
    wheres: Vec<Query>,
    state: State,
    rest: Vec<Stage>,
    limits: Limits,
}

/// What the first stage holds.
enum State {
    Groups(Groups),
    Picks(Picks),
}

impl Aggregator {
    /// Starts with no events. An empty pipe gives the events themselves, in order of time.
    pub fn new(pipe: &[Stage], limits: Limits) -> Self {
        let first = pipe.iter().position(|stage| !matches!(stage, Stage::Where(_))).unwrap_or(pipe.len());
        let wheres = pipe[..first].iter().filter_map(|stage| if let Stage::Where(query) = stage { Some(query.clone()) } else { None });
        let rest = pipe.get(first + 1..).unwrap_or(&[]);
        let state = match pipe.get(first) {
            Some(stage) if Groups::takes(stage) => State::Groups(Groups::new(stage.clone(), limits)),
            stage => State::Picks(Picks::new(stage, rest.first(), limits)),
        };
        Self { wheres: wheres.collect(), state, rest: rest.to_vec(), limits }
    }

    /// Takes an event as the view shows it, or a match of a sequence by [`crate::Match::to_value`].
    pub fn push(&mut self, seq: u64, time: Timestamp, event: &Value) -> Result<(), AggregateError> {
        if !self.wheres.iter().all(|query| query.matches(event)) {
            return Ok(());
        }
        match &mut self.state {
            State::Groups(groups) => groups.push(seq, time, event),
            State::Picks(picks) => picks.push(seq, time, event),
        }
    }

    /// Whether [`Aggregator::add`] can be used instead of whole events: the first stage counts or measures.
    pub fn takes_keys(&self) -> bool {
        self.wheres.is_empty() && matches!(self.state, State::Groups(_))
    }

    /// Takes `count` equal events by the values of [`Stage::group`] (null where there is none) and a number of [`Stage::value`].
    ///
    /// An event with several values in a grouped field is added once for each combination, with several numbers once for each.
    pub fn add(&mut self, keys: &[KeyValue], time: Timestamp, value: Option<f64>, count: u64) -> Result<(), AggregateError> {
        match &mut self.state {
            State::Groups(groups) if self.wheres.is_empty() && keys.len() == groups.keys() => groups.add(keys, time, value, count),
            state => Err(state.different(format!("{} keys", keys.len()))),
        }
    }

    /// As [`Aggregator::add`] once for each of `values`, which must not be empty; it looks for the group only once.
    pub fn add_values(&mut self, keys: &[KeyValue], time: Timestamp, values: &[f64]) -> Result<(), AggregateError> {
        match &mut self.state {
            State::Groups(groups) if self.wheres.is_empty() && keys.len() == groups.keys() => groups.add_values(keys, time, values),
            state => Err(state.different(format!("{} keys", keys.len()))),
        }
    }

    /// Takes what another aggregator of the same pipe took.
    pub fn merge(&mut self, other: Self) -> Result<(), AggregateError> {
        if self.wheres != other.wheres || self.rest != other.rest {
            return Err(self.state.different("another pipe".to_owned()));
        }
        match (&mut self.state, other.state) {
            (State::Groups(groups), State::Groups(others)) if groups.stage() == others.stage() => groups.merge(others),
            (State::Picks(picks), State::Picks(others)) if picks.is_like(&others) => picks.merge(others),
            (state, _) => Err(state.different("another pipe".to_owned())),
        }
    }

    /// Returns the table after the last stage.
    pub fn finish(self) -> Result<Table, AggregateError> {
        let mut table = match self.state {
            State::Groups(groups) => groups.finish(),
            State::Picks(picks) => picks.finish(),
        };
        for stage in &self.rest {
            table = rows::apply(stage, table, self.limits)?;
        }
        Ok(table)
    }
}

impl State {
    fn different(&self, found: String) -> AggregateError {
        match self {
            Self::Groups(groups) => AggregateError::Different { stage: groups.stage().to_string(), wanted: groups.keys(), found },
            Self::Picks(picks) => AggregateError::Different { stage: picks.stage().to_owned(), wanted: 0, found },
        }
    }
}
