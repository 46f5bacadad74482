//! `search`: events, reports and sequences; events come newest first.

mod around;
mod report;

use jiff::Timestamp;
use sealtrail_event::canonical;
use sealtrail_index::{Answer, Hits, Options, Order};
use sealtrail_ledger::prove::{ProveError, Prover};
use sealtrail_query::{FieldPath, Sequence};
use serde_json::Value;

use crate::access::{self, Access};
use crate::args::{Filter, Output, Search};
use crate::cmd::{jobs, query, saved};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field;
use crate::filter::{self, Wanted};
use crate::progress::Progress;
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};

/// Two, or as many as the machine has: a report over a large trail uses them.
const THREADS_MAX: usize = 8;

pub(crate) fn run(call: &mut Call, args: &Search) -> Result<Exit, Failure> {
    check(call, args)?;
    if let (Some(id), None) = (&args.related_to, &args.save) {
        return around::run(call, args, id);
    }
    let mut wanted = match &args.sequence {
        None => filter::wanted(&args.filter, args.query.as_deref(), Timestamp::now())?,
        Some(text) => sequence(args, text)?,
    };
    if args.all {
        wanted.show_everything();
    }
    if is_everything(args) {
        wanted.without_readings();
    }
    if args.explain {
        return query::explain(call, &wanted.search);
    }
    if let Some(name) = &args.save {
        return saved::save(call, name, args);
    }
    if args.background {
        return jobs::start(call, args, &wanted);
    }
    let mut trail = trail::open(call)?;
    call.screen.detail(&format!("query: {}", wanted.search));
    let mut found = Found::default();
    // Noted before the result is looked at: what a reader saw before it went away was read.
    let listed = answer(call, &trail, args, &wanted, &mut found);
    access::note(call, &mut trail, &Access { command: "search", query: &wanted.search.to_string(), count: found.written });
    listed?;
    wanted.tell(&mut call.screen);
    found.tell(call, args)
}

/// Refuses flags that exclude each other.
fn check(call: &Call, args: &Search) -> Result<(), Failure> {
    if args.proof && !call.screen.wants_json() {
        return Err(Failure::usage("a seal needs a format that can hold it").hint("add --output json or --output ndjson"));
    }
    if args.proof && !args.fields.is_empty() {
        return Err(Failure::usage("a seal proves whole events: --proof and --fields exclude each other"));
    }
    if args.sequence.is_some() && args.query.is_some() {
        return Err(
            Failure::usage("--sequence and a query exclude each other").hint("write it as a query: sequence by user_id [...] [...]")
        );
    }
    Ok(())
}

/// Tells whether nothing but a time was asked for.
fn is_everything(args: &Search) -> bool {
    let times = Filter { since: args.filter.since.clone(), until: args.filter.until.clone(), ..Filter::default() };
    args.sequence.is_none() && args.query.as_deref().unwrap_or_default().trim().is_empty() && args.filter == times
}

/// Makes the search of `--sequence`, narrowed by the filter flags.
fn sequence(args: &Search, text: &str) -> Result<Wanted, Failure> {
    let by = args.by.iter().map(|name| FieldPath::parse(name).map_err(|error| filter::wrong_query(&error, name)));
    let by = by.collect::<Result<Vec<_>, _>>()?;
    let within_ms = args.within_seconds.map(|seconds| seconds.saturating_mul(1000));
    let sequence = Sequence::from_selectors(text, by, within_ms).map_err(|error| filter::wrong_query(&error, text))?;
    let narrow = filter::build(&args.filter, None, Timestamp::now())?;
    Ok(Wanted::of(sealtrail_query::Search::from(sequence).narrowed(narrow)))
}

/// What was written.
#[derive(Default)]
struct Found {
    written: u64,
    cut: bool,
    unsealed: u64,
}

impl Found {
    /// Says how the search ended.
    fn tell(&self, call: &mut Call, args: &Search) -> Result<Exit, Failure> {
        if self.cut {
            call.screen.warn(&format!("stopped at --limit {}: there may be more; raise the limit, or use --all", args.limit()));
        }
        if self.written == 0 {
            call.screen.say("nothing matches");
        }
        if self.unsealed > 0 {
            let newer = format!("{} events are newer than the published checkpoint and have no seal yet; search again", self.unsealed);
            call.screen.warn(&newer);
            return Ok(Exit::Incomplete);
        }
        Ok(if args.require_match && self.written == 0 { Exit::None } else { Exit::Yes })
    }
}

fn answer(call: &mut Call, trail: &Trail, args: &Search, wanted: &Wanted, found: &mut Found) -> Result<(), Failure> {
    let progress = std::cell::RefCell::new(Progress::new(&call.screen, "searching"));
    let mut at = |now: sealtrail_index::Progress| progress.borrow_mut().at(now.done, now.total);
    let index = (!args.scan).then_some(&trail.index);
    let answered = sealtrail_index::run(&trail.reader, index, &wanted.search, &options(args), &mut at);
    let written = match answered.map_err(|error| trail::unanswered(&error))? {
        Answer::Events(hits) => list(call, trail, args, wanted, found, hits),
        Answer::Table(table) => {
            progress.borrow_mut().finish();
            report::table(call, args, &table, found)
        }
        Answer::Matches(matches) => {
            progress.borrow_mut().finish();
            report::matches(call, args, &wanted.search, &matches, found)
        }
    };
    progress.into_inner().finish();
    written
}

fn options(args: &Search) -> Options {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let order = if args.oldest_first { Order::Oldest } else { Order::Newest };
    Options { order, threads, ..Options::default() }
}

fn list(call: &mut Call, trail: &Trail, args: &Search, wanted: &Wanted, found: &mut Found, hits: Hits<'_>) -> Result<(), Failure> {
    let mut rows = Rows::of_events(&call.screen, columns(call.screen.output(), &args.fields), call.zone.clone());
    let numbered = call.screen.is_table();
    let limit = args.limit();
    if args.proof {
        trail.wait_for_checkpoint(trail.reader.size().0);
    }
    let mut prover = if args.proof { Some(Prover::new(&trail.reader).map_err(|error| trail::unproved(&error))?) } else { None };
    for hit in hits {
        let mut hit = hit.map_err(|error| trail::unanswered(&error))?;
        if !wanted.shows(&hit.view) {
            continue;
        }
        if rows.written() == limit {
            found.cut = true;
            break;
        }
        if let Some(prover) = &mut prover {
            hit.view["seal"] = match prover.seal(&hit.stored) {
                Err(ProveError::NotPublished { .. }) => {
                    found.unsealed += 1;
                    Value::Null
                }
                sealed => sealed.map_err(|error| trail::unproved(&error))?,
            };
        }
        if numbered {
            hit.view[field::NUMBER] = hit.seq.0.into();
        }
        shaped(&mut hit.view, &args.fields, call.screen.output());
        found.written += 1;
        rows.event(call.screen.out(), &hit.view)?;
    }
    Ok(rows.finish(call.screen.out())?)
}

/// Returns the columns that were asked for, in canonical names.
pub(crate) fn columns(output: Output, fields: &[String]) -> Vec<String> {
    if fields.is_empty() {
        let number = (output == Output::Table).then_some(&field::NUMBER);
        number.into_iter().chain(field::DEFAULT).map(|name| (*name).to_owned()).collect()
    } else {
        fields.iter().map(|name| canonical(name).to_owned()).collect()
    }
}

/// With `--fields`, a JSON object holds these members only; without, the whole event.
pub(crate) fn shaped(view: &mut Value, fields: &[String], output: Output) {
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
