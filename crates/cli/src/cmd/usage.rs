//! `usage`: tokens and money by session, agent and model.

use jiff::Timestamp;
use sealtrail_index::{Options, Order};
use sealtrail_trace::usage::{Price, Row, Usage};
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::args;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::filter;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail;

const FIELDS: &[&str] = &[
    "session_id",
    "agent_id",
    "model",
    "answers",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "cost_usd",
    "cost_source",
];

/// Events that tell of answers.
const ANSWERS: &[&str] = &["model.response", "model.call"];
/// The client's own account of a session; it is of the whole session, and says nothing about a part of it.
const ACCOUNT: &str = "transcript.cost_state";

pub(crate) fn run(call: &mut Call, args: &args::Usage) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let prices = prices(call)?;
    let mut types = ANSWERS.to_vec();
    if args.filter == args::Filter::default() {
        types.push(ACCOUNT);
    }
    let wanted = filter::build(&args.filter, None, Timestamp::now())?.and(filter::any_exactly(&["event_type"], &types)?);
    let wanted = match &args.session {
        Some(session) => wanted.and(filter::any_exactly(&["session_id"], &[session])?),
        None => wanted,
    };
    let told = wanted.to_string();
    let mut usage = Usage::default();
    let options = Options { order: Order::Oldest, ..Options::default() };
    let (mut nothing, mut count) = (|_| {}, 0);
    for hit in trail::hits(&trail.reader, Some(&trail.index), &wanted.into(), &options, &mut nothing)? {
        usage.add(&hit.map_err(|error| trail::unanswered(&error))?.view);
        count += 1;
    }
    access::note(call, &mut trail, &Access { command: "usage", query: &told, count });
    let mut rows = Rows::new(&call.screen, FIELDS.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    let sessions: Vec<String> = usage.sessions().into_iter().map(str::to_owned).collect();
    let lines = usage.rows(&prices);
    for session in &sessions {
        for row in lines.iter().filter(|row| row.session_id == *session) {
            rows.event(call.screen.out(), &line(row))?;
        }
        rows.event(call.screen.out(), &total(session, &usage, &prices))?;
    }
    rows.finish(call.screen.out())?;
    if usage.disagreements() > 0 {
        call.screen
            .warn(&format!("of {} answers two witnesses tell different numbers of tokens: the transcript's count", usage.disagreements()));
    }
    if usage.left_out() > 0 {
        call.screen.warn(&format!("{} answers were too many to be counted: ask for a shorter time", usage.left_out()));
    }
    Ok(Exit::Yes)
}

/// One agent and model of a session.
fn line(row: &Row) -> Value {
    let agent = if row.agent_id.is_empty() { "main" } else { &row.agent_id };
    let mut line = json!({"session_id": row.session_id, "agent_id": agent, "model": row.model});
    extend(&mut line, row.sum.to_json());
    line
}

/// All agents and models of a session.
fn total(session: &str, usage: &Usage, prices: &[Price]) -> Value {
    let mut line = json!({"session_id": session, "agent_id": "(all)", "model": "(all)"});
    extend(&mut line, usage.session(session, prices).to_json());
    line
}

fn extend(line: &mut Value, members: Value) {
    if let (Value::Object(line), Value::Object(members)) = (line, members) {
        line.extend(members);
    }
}

/// Returns the prices of the configuration; without one, no cost is computed.
fn prices(call: &Call) -> Result<Vec<Price>, Failure> {
    let loaded = config::load(&crate::home::find(&call.global)?)?;
    let price = |price: &sealtrail_config::Price| Price {
        model: price.model.clone(),
        input: price.input,
        output: price.output,
        cache_read: price.cache_read,
        cache_write: price.cache_write,
    };
    Ok(loaded.config.audit.gateway.prices.iter().map(price).collect())
}
