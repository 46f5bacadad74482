//! How a search would be answered, and what it would cost.

use std::fmt;

use sealtrail_event::Kind;
use sealtrail_ledger::read::Reader;
use sealtrail_query::{Bound, Expr, FieldPath, Operand, Query, Search, Source, Stage, Test};
use serde::Serialize;

use crate::class::{Class, class_of, is_text, root_of};
use crate::index::Index;
use crate::layout::State;
use crate::leaf::FieldLeaf;
use crate::literals::required;
use crate::places::places;
use crate::plan::Plan;

/// 4 segments are asked for the number of candidates; the others are taken to be like them.
const SAMPLE: usize = 4;

/// How a search would be answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explain {
    /// The search as it was understood.
    pub search: String,
    /// Whether there is an index.
    pub index: State,
    /// Events in the log.
    pub events: u64,
    /// Events that no index has, which are all looked at.
    pub tail: u64,
    /// The queries of the search: one, or one for each step of a sequence.
    pub queries: Vec<ExplainQuery>,
    /// Stages, and how the first is answered.
    pub pipe: Vec<String>,
}

/// How one query would be answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainQuery {
    /// The query.
    pub query: String,
    /// Its conditions.
    pub conditions: Vec<ExplainCondition>,
    /// Events that the index would name, about; absent without an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<u64>,
    /// Of these, the ones that it is not certain of, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<u64>,
}

/// How one condition would be answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainCondition {
    /// The condition.
    pub condition: String,
    /// By what.
    pub by: By,
    /// What one should know of it.
    pub note: String,
}

/// What answers a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// One term of the dictionary for each value asked for.
    Term,
    /// Every value of the field that the dictionary has is judged.
    Dictionary,
    /// A column of numbers or times.
    Column,
    /// Trigrams of texts; the events are looked at.
    Trigrams,
    /// A hash of the value; the events are looked at.
    Hash,
    /// Nothing: every event that has the field, or every event, is looked at.
    Events,
}

/// Tells how a search would be answered.
pub fn explain(search: &Search, index: Option<&Index>, reader: &Reader) -> Explain {
    let events = reader.size().0;
    let queries: Vec<&Query> = match &search.source {
        Source::Events(query) => vec![query],
        Source::Sequence(sequence) => sequence.steps().iter().chain(sequence.until()).map(|step| &step.query).collect(),
    };
    Explain {
        search: search.to_string(),
        index: index.map_or(State::Missing, Index::state),
        events,
        tail: events.saturating_sub(index.map_or(0, Index::indexed_to)),
        queries: queries.into_iter().map(|query| explain_query(query, index)).collect(),
        pipe: search
            .pipe
            .iter()
            .enumerate()
            .map(|(at, stage)| explain_stage(stage, at == 0 && matches!(search.source, Source::Events(_))))
            .collect(),
    }
}

fn explain_query(query: &Query, index: Option<&Index>) -> ExplainQuery {
    let mut conditions = Vec::new();
    walk(query.plan(), &mut conditions);
    let counted = index.filter(|index| index.state() == State::Ready).and_then(|index| count(query, index));
    ExplainQuery {
        query: query.to_string(),
        conditions,
        candidates: counted.map(|(all, _)| all),
        unsure: counted.map(|(_, unsure)| unsure),
    }
}

fn walk(expr: &Expr, conditions: &mut Vec<ExplainCondition>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| walk(part, conditions)),
        Expr::Not(inner) => walk(inner, conditions),
        Expr::Field(field, test) => {
            let (by, note) = explain_field(field, test);
            conditions.push(ExplainCondition { condition: expr.to_string(), by, note });
        }
        Expr::Text(operand) => {
            let (by, note) = explain_text(operand);
            conditions.push(ExplainCondition { condition: expr.to_string(), by, note });
        }
    }
}

/// Returns how the main part of a field's values is looked for.
fn explain_field(field: &FieldPath, test: &Test) -> (By, String) {
    let leaf = FieldLeaf::new(field, test);
    let path = places(field).into_iter().next().map(|place| place.flat).unwrap_or_default();
    let class = class_of(&path);
    let items = if field.has_items() { "; which item of the list it is, only the event tells" } else { "" };
    let number = matches!(field.kind(), Some(Kind::Count | Kind::Money));
    let told = |by, note: &str| (by, format!("{note}{items}"));
    match test {
        Test::Compare(_, Bound::Time(_)) if class == Class::Time => told(By::Column, "times in nanoseconds"),
        _ if class == Class::Time => told(By::Events, "the text of a time is not indexed: compare with a time"),
        Test::Exists => told(By::Dictionary, "which events have the field"),
        Test::Compare(_, Bound::Number(_)) | Test::Is(_) | Test::In(_) if number => told(By::Column, "numbers"),
        Test::Compare(_, Bound::Number(_)) => told(By::Column, "numbers; texts that are numbers by the dictionary"),
        _ if leaf.is_exact() && class == Class::Id => told(By::Hash, "four bytes of each value"),
        _ if leaf.is_exact() => told(By::Term, "of texts over 96 bytes the events are looked at"),
        _ if class == Class::Id => told(By::Events, "of ids only whole ones are found"),
        _ if class == Class::Word && is_text(root_of(&path)) && literal(test) => {
            told(By::Trigrams, "when these name many events, the values of up to 96 bytes are judged")
        }
        _ => told(By::Dictionary, "every value is judged; of values over 96 bytes the events are looked at"),
    }
}

fn explain_text(operand: &Operand) -> (By, String) {
    if operand.required_literals().iter().flatten().any(|text| text.len() >= 3) {
        return (By::Trigrams, "in commands, paths, prompts, …".to_owned());
    }
    (By::Events, "less than three letters in a row: every event is looked at".to_owned())
}

/// Whether every alternative of a test asks for three letters in a row.
fn literal(test: &Test) -> bool {
    required(test).is_some_and(|ways| ways.iter().all(|way| way.iter().any(|texts| texts.iter().all(|text| text.len() >= 3))))
}

/// Returns about how many events the index would name, and how many of these it is not certain of.
fn count(query: &Query, index: &Index) -> Option<(u64, u64)> {
    let plan = Plan::new(query);
    let segments: Vec<_> = index.segments().collect();
    let (mut docs, mut all, mut unsure) = (0u64, 0u64, 0u64);
    for segment in segments.iter().rev().step_by(segments.len().div_ceil(SAMPLE).max(1)) {
        let found = plan.answer(segment, &None).ok()?;
        docs += u64::from(segment.docs);
        all += found.maybe.count();
        unsure += found.maybe.count() - found.yes.count();
    }
    let total: u64 = segments.iter().map(|segment| u64::from(segment.docs)).sum();
    let scale =
        |count: u64| if docs == 0 { 0 } else { (u128::from(count) * u128::from(total) / u128::from(docs)).try_into().unwrap_or(u64::MAX) };
    Some((scale(all), scale(unsure)))
}

fn explain_stage(stage: &Stage, first: bool) -> String {
    let by = match stage {
        _ if !first => "on the rows before it",
        Stage::Count { .. }
        | Stage::Terms { .. }
        | Stage::Histogram { .. }
        | Stage::Percentiles { .. }
        | Stage::Stats { .. }
        | Stage::Distinct { .. } => "from columns where the index is certain, else from the events",
        Stage::First { .. } | Stage::Last { .. } => "chosen by the column of times, then read",
        _ => "every event that matches is read",
    };
    format!("{stage}: {by}")
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Term => "term",
            Self::Dictionary => "dictionary",
            Self::Column => "column",
            Self::Trigrams => "trigrams",
            Self::Hash => "hash",
            Self::Events => "events",
        }
    }
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "search   {}", self.search)?;
        match self.index {
            State::Ready => {
                writeln!(f, "index    {} of {} events; {} are looked at one by one", self.events - self.tail, self.events, self.tail)?
            }
            State::Missing => writeln!(f, "index    none: {} events are looked at one by one", self.events)?,
            State::Foreign => writeln!(f, "index    of another log or version: {} events are looked at one by one", self.events)?,
        }
        for query in &self.queries {
            writeln!(f, "query    {}", if query.query.is_empty() { "every event" } else { &query.query })?;
            for condition in &query.conditions {
                writeln!(f, "  {:<12} {}  ({})", condition.by.as_str(), condition.condition, condition.note)?;
            }
            if let (Some(candidates), Some(unsure)) = (query.candidates, query.unsure) {
                writeln!(f, "  about {candidates} candidates, of {unsure} only the event itself can tell")?;
            }
        }
        for stage in &self.pipe {
            writeln!(f, "stage    {stage}")?;
        }
        write!(f, "Every event that is shown is read from the ledger and judged again.")
    }
}
