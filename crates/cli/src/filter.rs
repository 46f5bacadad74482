//! The filter flags and the query become one query.

use std::cell::Cell;

use jiff::Timestamp;
use sealtrail_query::{Expr, FieldPath, Filter, Operand, Query, QueryError, Search, Source, Test, TimeError};
use serde_json::Value;

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field;
use crate::screen::Screen;

/// Events by which the ledger keeps its books. Every command that opens the trail adds some, so a list would begin with them.
const BOOKKEEPING: &[&str] = &["ledger.start", "ledger.stop", "ledger.epoch"];
/// Readings of the trail. A list without any condition would show mostly the lists before it; one with a condition shows those that match.
const READING: &str = "system.audit_log_accessed";

/// What a list shows.
pub(crate) struct Wanted {
    pub(crate) search: Search,
    bookkeeping: bool,
    readings: bool,
    hidden: Cell<u64>,
    hidden_readings: Cell<u64>,
}

impl Wanted {
    /// Shows whatever a search finds.
    pub(crate) fn of(search: Search) -> Self {
        Self { search, bookkeeping: false, readings: true, hidden: Cell::new(0), hidden_readings: Cell::new(0) }
    }

    /// Returns the condition on single events; refuses a search that is more than that.
    pub(crate) fn query(&self) -> Result<&Query, Failure> {
        match (&self.search.source, &self.search.pipe[..]) {
            (Source::Events(query), []) => Ok(query),
            _ => Err(Failure::usage("only a condition on single events can be followed, no report and no sequence")),
        }
    }

    /// Tells whether an event that was found is shown; one that only the books keep out is counted.
    pub(crate) fn shows(&self, event: &Value) -> bool {
        if !self.bookkeeping && BOOKKEEPING.contains(&field::text(event, "event_type").as_str()) {
            self.hidden.set(self.hidden.get() + 1);
            return false;
        }
        if !self.readings && !self.bookkeeping && field::text(event, "event_type") == READING {
            self.hidden_readings.set(self.hidden_readings.get() + 1);
            return false;
        }
        true
    }

    /// Leaves out nothing that matches.
    pub(crate) fn show_everything(&mut self) {
        self.bookkeeping = true;
    }

    /// As it was in force elsewhere.
    pub(crate) fn showing(self, bookkeeping: bool, readings: bool) -> Self {
        Self { bookkeeping, readings, ..self }
    }

    /// Returns whether the ledger's books and the readings of the trail are shown.
    pub(crate) fn what_is_shown(&self) -> (bool, bool) {
        (self.bookkeeping, self.readings)
    }

    /// Leaves out the readings of the trail.
    pub(crate) fn without_readings(&mut self) {
        self.readings = false;
    }

    /// Says what was left out.
    pub(crate) fn tell(&self, screen: &mut Screen) {
        let kinds = [(&self.hidden, "starts, stops and epochs of the ledger"), (&self.hidden_readings, "readings of the trail")];
        let told: Vec<String> =
            kinds.iter().filter(|(count, _)| count.get() > 0).map(|(count, kind)| format!("{} {kind}", count.get())).collect();
        if !told.is_empty() {
            screen.say(&format!("left out: {} (--bookkeeping shows them)", told.join(", ")));
        }
    }
}

/// Returns what the flags and the text mean at `now`. Whoever asks for the ledger's events gets all of them.
pub(crate) fn wanted(flags: &args::Filter, text: Option<&str>, now: Timestamp) -> Result<Wanted, Failure> {
    let text = text.unwrap_or_default();
    let search = Search::parse_at(text, now).map_err(|error| wrong_query(&error, text))?;
    let named = flags.event_type.is_some() || text.contains("ledger");
    let bookkeeping = flags.bookkeeping || named;
    Ok(Wanted { bookkeeping, ..Wanted::of(search.narrowed(build(flags, None, now)?)) })
}

/// Returns the query that the flags and the text mean at `now`.
pub(crate) fn build(flags: &args::Filter, text: Option<&str>, now: Timestamp) -> Result<Query, Failure> {
    let mut filter = Filter::new(now);
    let fields = [
        ("user_id", &flags.user_id),
        ("session_id", &flags.session_id),
        ("event_type", &flags.event_type),
        ("sensitivity_level", &flags.sensitivity_level),
        ("source_ip", &flags.source_ip),
        ("agent_id", &flags.agent_id),
        ("tool_name", &flags.tool),
        ("outcome", &flags.outcome),
        ("status", &flags.status),
        ("policy_result", &flags.policy_result),
        ("severity", &flags.severity),
        ("compliance_tags", &flags.tag),
        ("mcp_server", &flags.mcp_server),
        ("project_id", &flags.project_id),
        ("application_id", &flags.application_id),
        ("model", &flags.model),
        ("department", &flags.department),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        filter.any_of(name, [value.as_str()]).map_err(|error| wrong_query(&error, value))?;
    }
    if let Some(since) = &flags.since {
        filter.since(since).map_err(|error| wrong_time("--since", &error))?;
    }
    if let Some(until) = &flags.until {
        filter.until(until).map_err(|error| wrong_time("--until", &error))?;
    }
    if let Some(text) = text {
        filter.query(text).map_err(|error| wrong_query(&error, text))?;
    }
    Ok(filter.build())
}

/// Returns the query: one of the fields is one of the texts, letter by letter.
pub(crate) fn any_exactly(fields: &[&str], texts: &[&str]) -> Result<Query, Failure> {
    let wanted: Vec<Operand> = texts.iter().map(|text| Operand::literal(text)).collect();
    let field = |name: &&str| FieldPath::parse(name).map(|field| Expr::Field(field, Test::In(wanted.clone())));
    let any = fields.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(|error| wrong_query(&error, &fields.join(" ")))?;
    Ok(Query::new(Expr::Or(any)))
}

/// Returns the query: the field is there.
pub(crate) fn has(field: &str) -> Result<Query, Failure> {
    let path = FieldPath::parse(field).map_err(|error| wrong_query(&error, field))?;
    Ok(Query::new(Expr::Field(path, Test::Exists)))
}

/// Returns the query that holds where `query` does not.
pub(crate) fn not(query: &Query) -> Query {
    Query::new(Expr::Not(Box::new(query.plan().clone())))
}

/// Returns the query that holds where one of both does.
pub(crate) fn either(a: &Query, b: &Query) -> Query {
    Query::new(Expr::Or(vec![a.plan().clone(), b.plan().clone()]))
}

/// Returns the query: not before and not after these times, where given.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Query, Failure> {
    let mut filter = Filter::new(Timestamp::UNIX_EPOCH);
    if let Some(from) = from {
        filter.since(&from.to_string()).map_err(|error| Failure::of("time.wrong", &error))?;
    }
    if let Some(to) = to {
        filter.until(&to.to_string()).map_err(|error| Failure::of("time.wrong", &error))?;
    }
    Ok(filter.build())
}

/// Makes the failure of a text that is no query, with the line and a caret under the place.
pub(crate) fn wrong_query(error: &QueryError, text: &str) -> Failure {
    let shown = QueryError { hint: None, ..error.clone() }.show(text);
    let failure = Failure::new("query.wrong", Exit::Usage, format!("cannot understand the query: {shown}"));
    match &error.hint {
        Some(hint) => failure.hint(hint),
        None => failure.hint("list what a query can name: sealtrail query fields"),
    }
}

pub(crate) fn wrong_time(flag: &str, error: &TimeError) -> Failure {
    Failure::because("time.wrong", Exit::Usage, format!("cannot understand {flag}"), error)
        .hint("write 2026-03-01, 2026-03-01T14:00Z, \"2 weeks ago\", 24h, or yesterday 14:00")
}
