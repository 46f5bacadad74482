//! `query …`: how a query is understood, and what it can name.

use jiff::Timestamp;
use sealtrail_event::FIELDS;
use sealtrail_query::Search;
use serde_json::json;

use crate::args::QueryCommand;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::DERIVED;
use crate::filter;
use crate::rows::Rows;
use crate::run::Call;

pub(crate) fn run(call: &mut Call, command: &QueryCommand) -> Result<Exit, Failure> {
    match command {
        QueryCommand::Explain { query } => {
            let parsed = Search::parse_at(query, Timestamp::now()).map_err(|error| filter::wrong_query(&error, query))?;
            explain(call, &parsed)
        }
        QueryCommand::Fields => fields(call),
    }
}

/// Prints a search as it is understood, with every time resolved.
pub(crate) fn explain(call: &mut Call, search: &Search) -> Result<Exit, Failure> {
    if call.screen.wants_json() {
        let parsed = serde_json::to_value(search).unwrap_or_default();
        writeln!(call.screen.out(), "{}", json!({"query": search.to_string(), "parsed": parsed}))?;
    } else {
        writeln!(call.screen.out(), "{search}")?;
    }
    Ok(Exit::Yes)
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
