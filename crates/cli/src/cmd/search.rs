//! `search`: every event that matches, newest first.

use jiff::Timestamp;
use sealtrail_event::canonical;
use sealtrail_ledger::prove::{ProveError, Prover};
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::access::{self, Access};
use crate::args::{Output, Search};
use crate::cmd::query;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field;
use crate::filter::{self, Wanted};
use crate::progress::Progress;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};

pub(crate) fn run(call: &mut Call, args: &Search) -> Result<Exit, Failure> {
    let mut wanted = filter::wanted(&args.filter, args.query.as_deref(), Timestamp::now())?;
    if args.all {
        wanted.show_everything();
    }
    if args.explain {
        return query::explain(call, &wanted.query);
    }
    if args.proof && !call.screen.wants_json() {
        return Err(Failure::usage("a seal needs a format that can hold it").hint("add --output json or --output ndjson"));
    }
    if args.proof && !args.fields.is_empty() {
        return Err(Failure::usage("a seal proves whole events: --proof and --fields exclude each other"));
    }
    call.screen.detail(&format!("query: {}", wanted.query));
    let mut trail = trail::open(call)?;
    let mut found = Found::default();
    // Noted before the result is looked at: what a reader saw before it went away was read.
    let listed = list(call, &trail, args, &wanted, &mut found);
    access::note(call, &mut trail, &Access { command: "search", query: &wanted.query.to_string(), count: found.written });
    listed?;
    wanted.tell(&mut call.screen);
    if found.cut {
        call.screen.warn(&format!("stopped at --limit {}: there may be more; raise the limit, or use --all", args.limit));
    }
    if found.written == 0 {
        call.screen.say("nothing matches");
    }
    if found.unsealed > 0 {
        call.screen.warn(&format!("{} events are newer than the published checkpoint and have no seal yet; search again", found.unsealed));
        return Ok(Exit::Incomplete);
    }
    Ok(if args.require_match && found.written == 0 { Exit::None } else { Exit::Yes })
}

#[derive(Default)]
struct Found {
    written: u64,
    cut: bool,
    unsealed: u64,
}

fn list(call: &mut Call, trail: &Trail, args: &Search, wanted: &Wanted, found: &mut Found) -> Result<(), Failure> {
    let mut rows = Rows::new(&call.screen, columns(&args.fields), call.zone.clone());
    let limit = if args.all { u64::MAX } else { args.limit };
    let size = trail.reader.size().0;
    let mut progress = Progress::new(&call.screen, "searching");
    if args.proof {
        trail.wait_for_checkpoint(size);
    }
    let mut prover = if args.proof { Some(Prover::new(&trail.reader).map_err(|error| trail::unproved(&error))?) } else { None };
    let mut seen = 0u64;
    let events: Box<dyn Iterator<Item = _> + '_> =
        if args.oldest_first { Box::new(trail.reader.iter(Seq(0))) } else { Box::new(trail.reader.iter_back()) };
    for stored in events {
        let stored = stored.map_err(|error| trail::unreadable(&error))?;
        seen += 1;
        if seen.is_multiple_of(1024) {
            progress.at(seen, size);
        }
        let mut view = stored.view();
        if !wanted.matches(&view) {
            continue;
        }
        if rows.written() == limit {
            found.cut = true;
            break;
        }
        if let Some(prover) = &mut prover {
            view["seal"] = match prover.seal(&stored) {
                Err(ProveError::NotPublished { .. }) => {
                    found.unsealed += 1;
                    Value::Null
                }
                sealed => sealed.map_err(|error| trail::unproved(&error))?,
            };
        }
        shaped(&mut view, &args.fields, call.screen.output());
        found.written += 1;
        rows.event(call.screen.out(), &view)?;
    }
    progress.finish();
    Ok(rows.finish(call.screen.out())?)
}

/// Returns the columns that were asked for, in canonical names.
pub(crate) fn columns(fields: &[String]) -> Vec<String> {
    if fields.is_empty() {
        field::DEFAULT.iter().map(|name| (*name).to_owned()).collect()
    } else {
        fields.iter().map(|name| canonical(name).to_owned()).collect()
    }
}

/// With `--fields`, a JSON object holds these members only; without, the whole event.
fn shaped(view: &mut Value, fields: &[String], output: Output) {
    if fields.is_empty() || !matches!(output, Output::Json | Output::Ndjson) {
        return;
    }
    let chosen: serde_json::Map<String, Value> = fields
        .iter()
        .map(|name| {
            let path = canonical(name);
            let value = field::at(view, path).cloned().unwrap_or_else(|| match field::text(view, path) {
                text if text.is_empty() => Value::Null,
                text => Value::String(text),
            });
            (path.to_owned(), value)
        })
        .collect();
    *view = Value::Object(chosen);
}
