//! `trace-chain`: who led to an event, what it led to, and which links nobody saw.

use std::io::{self, Write};

use sealtrail_index::{Options, Order};
use sealtrail_ledger::read::Stored;
use serde_json::{Value, json};

use crate::access;
use crate::args::Trace;
use crate::cmd::session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::run::Call;
use crate::theme;
use crate::trail::{self, Trail};
use crate::visible::{brief, fit, visible};
use sealtrail_trace::chain::{self, Chain, Link};
use sealtrail_trace::story::Story;

/// What a link says of itself is cut to this on a terminal.
const ABOUT_CHARS_MAX: usize = 100;

pub(crate) fn run(call: &mut Call, args: &Trace) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let stored = access::find(call, &mut trail, "trace-chain", &args.audit_id)?;
    let view = stored.view();
    let session = text(&view, "session_id");
    let chain =
        if session.is_empty() { chain::of_records(&view, &related(&trail, &stored, &view)?) } else { of_session(&trail, &session, &view)? };
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", to_json(&chain, &view))?;
    } else {
        let columns = call.screen.columns.unwrap_or(usize::MAX);
        prose(call.screen.out(), &chain, &text(&view, "audit_id"), columns)?;
    }
    Ok(Exit::Yes)
}

fn of_session(trail: &Trail, session: &str, view: &Value) -> Result<Chain, Failure> {
    let story: Story = session::load(trail, session)?;
    Ok(chain::of_session(view, &story))
}

/// Returns the records that name this one, or that it names: by parent event, by run, by request.
fn related(trail: &Trail, target: &Stored, view: &Value) -> Result<Vec<Value>, Failure> {
    let names = ["audit_id", "parent_audit_id", "execution_id", "parent_execution", "request_id"];
    let ids: Vec<String> = names.iter().map(|name| text(view, name)).filter(|id| !id.is_empty()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (query, mut nothing) = (filter::any_exactly(&names, &ids)?, |_| {});
    let options = Options { order: Order::Oldest, ..Options::default() };
    let mut found = Vec::new();
    for hit in trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)? {
        let hit = hit.map_err(|error| trail::unanswered(&error))?;
        if hit.seq != target.seq {
            found.push(hit.view);
        }
    }
    Ok(found)
}

fn to_json(chain: &Chain, target: &Value) -> Value {
    let list = |links: &[Link]| {
        links.iter().map(|link| json!({"depth": link.depth, "kind": link.kind, "id": link.id, "about": link.about, "outcome": link.outcome, "audit_id": link.event})).collect::<Vec<_>>()
    };
    json!({"audit_id": text(target, "audit_id"), "above": list(&chain.above), "event": list(std::slice::from_ref(&chain.target))[0], "below": list(&chain.below), "missing": chain.missing})
}

fn prose(out: &mut dyn Write, chain: &Chain, id: &str, columns: usize) -> io::Result<()> {
    for link in &chain.above {
        line(out, link, false, columns)?;
    }
    line(out, &chain.target, true, columns)?;
    for link in &chain.below {
        line(out, link, false, columns)?;
    }
    if chain.missing.is_empty() {
        writeln!(out, "\nnothing is missing between the person and {}", visible(id))?;
    } else {
        writeln!(out, "\n{}", theme::WARNING.paint("missing"))?;
        for missing in &chain.missing {
            writeln!(out, "  {}", visible(missing))?;
        }
    }
    Ok(())
}

fn line(out: &mut dyn Write, link: &Link, target: bool, columns: usize) -> io::Result<()> {
    let branch = if link.depth == 0 { String::new() } else { format!("{}└ ", "  ".repeat(link.depth - 1)) };
    let mark = if target { "  <- this event" } else { "" };
    let outcome = if link.outcome.is_empty() { String::new() } else { format!("  [{}]", link.outcome) };
    let room = columns.saturating_sub(branch.chars().count() + link.kind.len() + outcome.len() + mark.len() + 2);
    let about = fit(&format!("{} {}", visible(&link.id), brief(&link.about, ABOUT_CHARS_MAX)), room.max(12));
    let outcome = theme::of_outcome(&link.outcome).paint(outcome);
    writeln!(out, "{branch}{}  {}{outcome}{}", theme::HEAD.paint(&link.kind), about.trim_end(), theme::HINT.paint(mark))
}
