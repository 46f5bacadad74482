//! What `status` counts over the whole trail: by the columns of the index, so that no old segment is read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sealtrail_index::{Answer, Options};
use sealtrail_query::{FieldPath, Query, Search, Source, Stage, Table};
use sealtrail_tlog::Seq;
use sealtrail_trace::story::rank;
use serde_json::Value;

use crate::failure::Failure;
use crate::field::{at, text};
use crate::filter;
use crate::trail::{self, Trail};

/// 1,000 sessions that may be open or not are looked at one by one.
const UNCLEAR_MAX: usize = 1_000;
const TURNS: &[&str] = &["session.started", "session.ended"];

/// What was counted.
#[derive(Default)]
pub(super) struct Counted {
    /// The first events, so many, were counted; behind them the index has nothing yet.
    pub(super) to: u64,
    pub(super) gaps: u64,
    pub(super) lost: u64,
    pub(super) lost_uncounted: bool,
    pub(super) late: u64,
    pub(super) unparsed: u64,
    pub(super) erased: u64,
    pub(super) open: u64,
    pub(super) newest: Option<Timestamp>,
    sessions: BTreeSet<String>,
    /// By session: how often it began and how often it ended.
    turns: BTreeMap<String, (u64, u64)>,
    /// By how near the witness was: calls asked for, calls that ended, calls that ended in a way that nobody saw.
    calls: BTreeMap<usize, (u64, u64, u64)>,
}

/// Tool calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) total: u64,
    /// How many have no end that somebody saw, running ones among them.
    pub(super) unknown: u64,
}

impl Counted {
    /// Counts what the index has by its columns, and the few events behind it one by one.
    pub(super) fn new(trail: &Trail) -> Result<Self, Failure> {
        let (size, indexed) = (trail.reader.size().0, trail.index.indexed_to());
        let behind = size.saturating_sub(indexed);
        let mut counted = Columns { trail, to: indexed }.counted()?;
        counted.to = indexed;
        if behind <= trail::CATCH_UP_MAX {
            for stored in trail.reader.iter(Seq(indexed)) {
                counted.add(&stored.map_err(|error| trail::unreadable(&error))?.view());
            }
            counted.to = size;
        }
        counted.newest = newest(trail);
        counted.open = counted.open(trail)?;
        Ok(counted)
    }

    fn add(&mut self, view: &Value) {
        let session = text(view, "session_id");
        match text(view, "event_type").as_str() {
            "ledger.gap" => {
                self.gaps += 1;
                match at(view, "ledger.lost").and_then(Value::as_u64) {
                    Some(lost) => self.lost += lost,
                    None => self.lost_uncounted = true,
                }
            }
            "system.unparsed" => self.unparsed += 1,
            kind => self.turn(&session, kind, 1),
        }
        if !text(view, "tool_use_id").is_empty() {
            self.call(view, 1);
        }
        self.late += u64::from(at(view, "late_ms").is_some());
        self.erased += u64::from(at(view, "erased").is_some());
        self.sessions.insert(session);
    }

    fn turn(&mut self, session: &str, kind: &str, count: u64) {
        let (started, ended) = match kind {
            _ if session.is_empty() => return,
            "session.started" => (count, 0),
            "session.ended" => (0, count),
            _ => return,
        };
        let turns = self.turns.entry(session.to_owned()).or_default();
        *turns = (turns.0 + started, turns.1 + ended);
    }

    fn call(&mut self, told: &Value, count: u64) {
        let (intent, end, unknown) = match (text(told, "phase").as_str(), text(told, "outcome").as_str()) {
            ("intent", _) => (count, 0, 0),
            ("outcome", "unknown") => (0, 0, count),
            ("outcome", _) => (0, count, 0),
            _ => return,
        };
        let calls = self.calls.entry(rank(told)).or_default();
        *calls = (calls.0 + intent, calls.1 + end, calls.2 + unknown);
    }

    /// Returns how many sessions there were.
    pub(super) fn sessions(&self) -> u64 {
        self.sessions.iter().filter(|id| !id.is_empty()).count() as u64
    }

    /// Returns the calls. Of all witnesses that tell of calls the nearest counts, since each tells the same calls; of one witness a call has one
    /// intent and one end, and either may have been missed.
    pub(super) fn calls(&self) -> Calls {
        let (intents, ends, unknown) = self.calls.values().next().copied().unwrap_or_default();
        let total = intents.max(ends + unknown);
        Calls { total, unknown: total - ends }
    }

    /// Counts sessions that began and did not end. Where one began more often than it ended, its newest event of the two decides: it may have
    /// been taken up again, or only have begun anew within itself.
    fn open(&self, trail: &Trail) -> Result<u64, Failure> {
        let (mut open, mut looked_at) = (0, 0);
        for (session, (started, ended)) in &self.turns {
            let unclear = *ended > 0 && started > ended && looked_at < UNCLEAR_MAX;
            looked_at += usize::from(unclear);
            open += u64::from(if unclear { began_last(trail, session, self.to)? } else { started > ended });
        }
        Ok(open)
    }
}

fn began_last(trail: &Trail, session: &str, to: u64) -> Result<bool, Failure> {
    let query = filter::any_exactly(&["event_type"], TURNS)?.and(filter::any_exactly(&["session_id"], &[session])?);
    let (options, mut nothing) = (Options { before: Some(Seq(to)), limit: Some(1), ..Options::default() }, |_| {});
    let mut hits = trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)?;
    // An event that cannot be read is `verify-integrity`'s to name; until then the session counts as open.
    Ok(hits.next().and_then(Result::ok).is_none_or(|hit| text(&hit.view, "event_type") == "session.started"))
}

/// The part of a trail that the index has.
struct Columns<'a> {
    trail: &'a Trail,
    to: u64,
}

impl Columns<'_> {
    fn counted(&self) -> Result<Counted, Failure> {
        let gaps = Stage::Stats { field: path("ledger.lost")?, by: Vec::new(), every: None };
        let gaps = self.table(filter::any_exactly(&["event_type"], &["ledger.gap"])?, gaps)?;
        let mut counted = Counted {
            gaps: number(&gaps, "count") + gaps.missing,
            lost: number(&gaps, "sum"),
            lost_uncounted: gaps.missing > 0,
            late: self.events(filter::has("late_ms")?)?,
            unparsed: self.events(filter::any_exactly(&["event_type"], &["system.unparsed"])?)?,
            erased: self.events(filter::has("erased")?)?,
            ..Counted::default()
        };
        let sessions = self.table(filter::has("session_id")?, Stage::Distinct { fields: vec![path("session_id")?] })?;
        counted.sessions = sessions.objects().map(|row| text(&row, "session_id")).collect();
        let turns = filter::any_exactly(&["event_type"], TURNS)?;
        for row in self.table(turns, count_by(&["session_id", "event_type"])?)?.objects() {
            counted.turn(&text(&row, "session_id"), &text(&row, "event_type"), count_in(&row));
        }
        let calls = filter::has("tool_use_id")?.and(filter::any_exactly(&["phase"], &["intent", "outcome"])?);
        for row in self.table(calls, count_by(&["witness", "phase", "outcome"])?)?.objects() {
            counted.call(&row, count_in(&row));
        }
        Ok(counted)
    }

    fn table(&self, query: Query, stage: Stage) -> Result<Table, Failure> {
        let search = Search::new(Source::Events(query), vec![stage]).map_err(|error| filter::wrong_query(&error, "status"))?;
        let options = Options { before: Some(Seq(self.to)), ..Options::default() };
        let mut nothing = |_| {};
        match sealtrail_index::run(&self.trail.reader, Some(&self.trail.index), &search, &options, &mut nothing) {
            Ok(Answer::Table(table)) => Ok(table),
            Ok(Answer::Events(_) | Answer::Matches(_)) => Ok(Table::default()),
            Err(error) => Err(trail::unanswered(&error)),
        }
    }

    fn events(&self, query: Query) -> Result<u64, Failure> {
        Ok(number(&self.table(query, count_by(&[])?)?, "count"))
    }
}

/// When the last event was recorded. Events are recorded in order; the clock may have been set back, so that is as good as it gets.
fn newest(trail: &Trail) -> Option<Timestamp> {
    let last = trail.reader.iter_back().next()?.ok()?;
    text(&last.view(), "recorded_at").parse().ok()
}

fn path(name: &str) -> Result<FieldPath, Failure> {
    FieldPath::parse(name).map_err(|error| filter::wrong_query(&error, name))
}

fn count_by(fields: &[&str]) -> Result<Stage, Failure> {
    Ok(Stage::Count { by: fields.iter().map(|name| path(name)).collect::<Result<_, _>>()?, limit: None })
}

fn count_in(row: &Value) -> u64 {
    row["count"].as_u64().unwrap_or_default()
}

/// A number of the only row; 0 of none. A sum comes as a number with a fraction.
fn number(table: &Table, column: &str) -> u64 {
    let value = table.objects().next().map_or(Value::Null, |row| row[column].clone());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and a sum of counts is not negative")]
    let whole = |number: f64| number as u64;
    value.as_u64().or_else(|| value.as_f64().map(whole)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn calls(told: &[(&str, &str, &str, u64)]) -> Calls {
        let mut counted = Counted::default();
        for (witness, phase, outcome, count) in told {
            counted.call(&json!({"witness": witness, "phase": phase, "outcome": outcome}), *count);
        }
        counted.calls()
    }

    /// Protects the number of calls from counting each once per witness, and one without an end from being taken for one that ended.
    #[test]
    fn calls_are_counted_as_the_nearest_witness_tells_them() {
        let hooks = [("hook", "intent", "", 5), ("hook", "outcome", "success", 2), ("recorder", "outcome", "unknown", 1)];
        let transcript = [("transcript", "intent", "", 9), ("transcript", "outcome", "success", 9)];
        assert_eq!(calls(&hooks), Calls { total: 5, unknown: 3 });
        assert_eq!(calls(&[&hooks[..], &transcript[..]].concat()), Calls { total: 5, unknown: 3 });
        assert_eq!(calls(&transcript), Calls { total: 9, unknown: 0 });
        assert_eq!(calls(&[("hook", "outcome", "failure", 4)]), Calls { total: 4, unknown: 0 });
        assert_eq!(calls(&[]), Calls::default());
    }
}
