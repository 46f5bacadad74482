//! The filter flags and the query become one query.

use jiff::Timestamp;
use sealtrail_query::{Filter, Query, QueryError, TimeError};

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;

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
    ];
    for (field, value) in fields {
        let Some(value) = value else { continue };
        filter.any_of(field, [value.as_str()]).map_err(|error| wrong_query(&error, value))?;
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

/// Makes the failure of a text that is no query, with the line and a caret under the place.
pub(crate) fn wrong_query(error: &QueryError, text: &str) -> Failure {
    let shown = QueryError { hint: None, ..error.clone() }.show(text);
    let failure = Failure::new("query.wrong", Exit::Usage, format!("cannot understand the query: {shown}"));
    match &error.hint {
        Some(hint) => failure.hint(hint),
        None => failure.hint("list what a query can name: sealtrail query fields"),
    }
}

fn wrong_time(flag: &str, error: &TimeError) -> Failure {
    Failure::because("time.wrong", Exit::Usage, format!("cannot understand {flag}"), error)
        .hint("write 2026-03-01, 2026-03-01T14:00Z, \"2 weeks ago\", 24h, or yesterday 14:00")
}
