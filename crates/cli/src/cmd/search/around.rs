//! `search --related-to`: what the same user, the same session and the same day saw around one event.

use jiff::Timestamp;
use sealtrail_index::Order;
use sealtrail_query::{Filter, Search as Plan, parse_span};
use serde_json::{Value, json};

use super::{Found, columns, options};
use crate::access::{self, Access};
use crate::args::Search;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter::{self, Wanted};
use crate::rows::Rows;
use crate::run::Call;
use crate::trail;

pub(super) fn run(call: &mut Call, args: &Search, id: &str) -> Result<Exit, Failure> {
    let context_ms = parse_span(&args.context).map_err(|error| filter::wrong_query(&error, &args.context))?;
    let mut trail = trail::open(call)?;
    let target = access_target(call, &mut trail, id)?;
    let at: Timestamp = text(&target, "timestamp").parse().map_err(|error| Failure::of("event.time", &error))?;
    let search = window(args, at, context_ms)?;
    let wanted = Wanted::of(search);
    let mut found = Found::default();
    let index = (!args.scan).then_some(&trail.index);
    let mut nothing = |_| {};
    let mut options = options(args);
    options.order = Order::Oldest;
    let hits = trail::hits(&trail.reader, index, &wanted.search, &options, &mut nothing)?;
    let mut names = columns(&args.fields);
    if args.fields.is_empty() {
        names.insert(1, "relation".to_owned());
    }
    let mut rows = Rows::new(&call.screen, names, call.zone.clone());
    let limit = if args.all { u64::MAX } else { args.limit };
    for hit in hits {
        let mut view = hit.map_err(|error| trail::unanswered(&error))?.view;
        let relations = relations(&target, &view, at);
        if relations.is_empty() || !wanted.shows(&view) {
            continue;
        }
        if rows.written() == limit {
            found.cut = true;
            break;
        }
        view["relation"] = json!(relations.join(","));
        rows.event(call.screen.out(), &view)?;
        found.written += 1;
    }
    rows.finish(call.screen.out())?;
    access::note(call, &mut trail, &Access { command: "search", query: &wanted.search.to_string(), count: found.written });
    found.tell(call, args)
}

fn access_target(call: &mut Call, trail: &mut trail::Trail, id: &str) -> Result<Value, Failure> {
    let found = trail.find(id);
    if let Err(failure) = found {
        access::note(call, trail, &Access { command: "search", query: id, count: 0 });
        return Err(failure);
    }
    Ok(found?.view())
}

/// Everything between `context_ms` before and after, as far as the other flags allow.
fn window(args: &Search, at: Timestamp, context_ms: u64) -> Result<Plan, Failure> {
    let span = jiff::SignedDuration::from_millis(i64::try_from(context_ms).unwrap_or(i64::MAX / 2));
    let edge = |edge: Result<Timestamp, jiff::Error>| edge.map_err(|error| Failure::of("time.wrong", &error));
    let (from, to) = (edge(at.checked_sub(span))?, edge(at.checked_add(span))?);
    let mut filter = Filter::new(at);
    filter.since(&from.to_string()).and_then(|filter| filter.until(&to.to_string())).map_err(|error| Failure::of("time.wrong", &error))?;
    let narrow = filter::build(&args.filter, args.query.as_deref(), Timestamp::now())?;
    Ok(Plan::from(filter.build().and(narrow)))
}

/// Names what an event has in common with the target.
fn relations(target: &Value, other: &Value, at: Timestamp) -> Vec<&'static str> {
    let same = |name: &str| {
        let wanted = text(target, name);
        !wanted.is_empty() && text(other, name) == wanted
    };
    let mut relations = Vec::new();
    if text(other, "audit_id") == text(target, "audit_id") {
        relations.push("itself");
    }
    if same("user_id") {
        relations.push("user");
    }
    if same("session_id") {
        relations.push("session");
    }
    let day = |time: Timestamp| time.to_zoned(jiff::tz::TimeZone::UTC).date();
    if text(other, "timestamp").parse::<Timestamp>().is_ok_and(|time| day(time) == day(at)) {
        relations.push("day");
    }
    relations
}
