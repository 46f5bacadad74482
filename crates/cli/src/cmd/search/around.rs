//! `search --related-to`: what the same user, the same session and the same day saw around one event, in order of time.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sealtrail_index::Order;
use sealtrail_query::Query;
use serde_json::{Value, json};

use super::{Found, columns, options};
use crate::access::{self, Access};
use crate::args::Search;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::{self, text};
use crate::filter::{self, Wanted};
use crate::rows::Rows;
use crate::run::Call;
use crate::trail::{self, Trail};

pub(super) fn run(call: &mut Call, args: &Search, id: &str) -> Result<Exit, Failure> {
    let context_ms = sealtrail_query::parse_span(&args.context).map_err(|error| filter::wrong_query(&error, &args.context))?;
    let mut trail = trail::open(call)?;
    let target = access_target(call, &mut trail, id)?;
    let at: Timestamp = text(&target, "timestamp").parse().map_err(|error| Failure::of("event.time", &error))?;
    let window = window(args, at, context_ms)?;
    let (close, day) = (close(&target)?, day(at)?);
    // Those with the same user or session first: on a busy day the others would fill the list.
    let parts = [window.clone().and(close.clone()), window.clone().and(day).and(filter::not(&close))];
    let mut found = Found::default();
    let mut views = Vec::new();
    for part in parts {
        gather(&trail, args, part, &mut views, &mut found)?;
    }
    views.sort_by_key(|view| text(view, "timestamp").parse::<Timestamp>().ok());
    let mut names = columns(call.screen.output(), &args.fields);
    if args.fields.is_empty() {
        let at = names.iter().position(|name| name == "event_type").unwrap_or(0);
        names.insert(at, "relation".to_owned());
    }
    let mut rows = Rows::of_events(&call.screen, names, call.zone.clone());
    for mut view in views {
        view["relation"] = json!(relations(&target, &view, at).join(","));
        rows.event(call.screen.out(), &view)?;
        found.written += 1;
    }
    let written = rows.finish(call.screen.out());
    let question = format!("related to {id}: {window}");
    access::note(call, &mut trail, &Access { command: "search", query: &question, count: found.written });
    written?;
    found.tell(call, args)
}

/// Adds the events that match until the limit is reached.
fn gather(trail: &Trail, args: &Search, query: Query, views: &mut Vec<Value>, found: &mut Found) -> Result<(), Failure> {
    let limit = usize::try_from(args.limit()).unwrap_or(usize::MAX);
    let wanted = Wanted::of(query.into());
    let mut nothing = |_| {};
    let options = sealtrail_index::Options { order: Order::Oldest, ..options(args) };
    for hit in trail::hits(&trail.reader, (!args.scan).then_some(&trail.index), &wanted.search, &options, &mut nothing)? {
        let mut hit = hit.map_err(|error| trail::unanswered(&error))?;
        if !wanted.shows(&hit.view) {
            continue;
        }
        if views.len() >= limit {
            found.cut = true;
            break;
        }
        hit.view[field::NUMBER] = hit.seq.0.into();
        views.push(hit.view);
    }
    Ok(())
}

fn access_target(call: &mut Call, trail: &mut Trail, id: &str) -> Result<Value, Failure> {
    let found = trail.find(id);
    if let Err(failure) = found {
        access::note(call, trail, &Access { command: "search", query: id, count: 0 });
        return Err(failure);
    }
    Ok(found?.view())
}

/// Everything between `context_ms` before and after, as far as the other flags allow.
fn window(args: &Search, at: Timestamp, context_ms: u64) -> Result<Query, Failure> {
    let span = jiff::SignedDuration::from_millis(i64::try_from(context_ms).unwrap_or(i64::MAX / 2));
    let edge = |edge: Result<Timestamp, jiff::Error>| edge.map_err(|error| Failure::of("time.wrong", &error));
    let (from, to) = (edge(at.checked_sub(span))?, edge(at.checked_add(span))?);
    let narrow = filter::build(&args.filter, args.query.as_deref(), Timestamp::now())?;
    Ok(filter::between(Some(from), Some(to))?.and(narrow))
}

/// The target itself, its user and its session.
fn close(target: &Value) -> Result<Query, Failure> {
    let mut close = filter::any_exactly(&["audit_id"], &[&text(target, "audit_id")])?;
    for name in ["user_id", "session_id"] {
        let value = text(target, name);
        if !value.is_empty() {
            close = filter::either(&close, &filter::any_exactly(&[name], &[&value])?);
        }
    }
    Ok(close)
}

/// The day of the target, in UTC.
fn day(at: Timestamp) -> Result<Query, Failure> {
    let midnight = at.to_zoned(TimeZone::UTC).start_of_day();
    let last = midnight.and_then(|midnight| midnight.tomorrow()?.timestamp().checked_sub(jiff::SignedDuration::from_nanos(1)));
    let first = at.to_zoned(TimeZone::UTC).start_of_day();
    let wrong = |error| Failure::of("time.wrong", &error);
    filter::between(Some(first.map_err(wrong)?.timestamp()), Some(last.map_err(wrong)?))
}

/// Names what an event has in common with the target.
fn relations(target: &Value, other: &Value, at: Timestamp) -> Vec<&'static str> {
    let same = |name: &str| {
        let wanted = text(target, name);
        !wanted.is_empty() && text(other, name) == wanted
    };
    let mut relations = Vec::new();
    for (name, relation) in [("audit_id", "itself"), ("user_id", "user"), ("session_id", "session")] {
        if same(name) {
            relations.push(relation);
        }
    }
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
    if text(other, "timestamp").parse::<Timestamp>().is_ok_and(|time| day(time) == day(at)) {
        relations.push("day");
    }
    relations
}
