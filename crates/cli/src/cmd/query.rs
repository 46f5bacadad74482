//! `query …`: how a query is understood, and what it can name.

use jiff::Timestamp;
use sealtrail_engine::Home;
use sealtrail_event::FIELDS;
use sealtrail_index::Explain;
use sealtrail_query::Search;
use serde_json::json;

use crate::access::{self, Access};
use crate::args::QueryCommand;
use crate::exit::Exit;
use crate::failure::{Failure, lines};
use crate::field::DERIVED;
use crate::filter;
use crate::home;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail;

pub(crate) fn run(call: &mut Call, command: &QueryCommand) -> Result<Exit, Failure> {
    match command {
        QueryCommand::Explain { query } => {
            let parsed = Search::parse_at(query, Timestamp::now()).map_err(|error| filter::wrong_query(&error, query))?;
            explain(call, &parsed)
        }
        QueryCommand::Fields => fields(call),
    }
}

/// Prints a search as it is understood, with every time resolved, and, where there is a trail, how the index would answer it.
pub(crate) fn explain(call: &mut Call, search: &Search) -> Result<Exit, Failure> {
    let plan = plan(call, search)?;
    if call.screen.wants_json() {
        let parsed = serde_json::to_value(search).unwrap_or_default();
        writeln!(call.screen.out(), "{}", json!({"query": search.to_string(), "parsed": parsed, "plan": plan}))?;
    } else if let Some(plan) = plan {
        writeln!(call.screen.out(), "{}", lines(&plan.to_string()))?;
    } else {
        writeln!(call.screen.out(), "{search}")?;
    }
    Ok(Exit::Yes)
}

/// How many events a condition has is told, so this is a reading too.
fn plan(call: &mut Call, search: &Search) -> Result<Option<Explain>, Failure> {
    if !Home::new(home::find(&call.global)?).exists() {
        return Ok(None);
    }
    let mut trail = trail::open(call)?;
    let plan = sealtrail_index::explain(search, Some(&trail.index), &trail.reader);
    access::note(call, &mut trail, &Access { command: "query explain", query: &search.to_string(), count: 0 });
    Ok(Some(plan))
}

fn fields(call: &mut Call) -> Result<Exit, Failure> {
    let mut rows = Rows::new(&call.screen, ["field", "type", "place", "aliases", "meaning"].map(str::to_owned).to_vec(), call.zone.clone());
    for field in FIELDS {
        let row = json!({"field": field.path, "type": field.kind.as_str(), "place": field.place.as_str(), "aliases": field.aliases.join(" "), "meaning": field.doc});
        rows.event(call.screen.out(), &row)?;
    }
    for (name, meaning) in DERIVED {
        rows.event(call.screen.out(), &json!({"field": name, "type": "column", "place": "derived", "aliases": "", "meaning": meaning}))?;
    }
    rows.finish(call.screen.out())?;
    Ok(Exit::Yes)
}
