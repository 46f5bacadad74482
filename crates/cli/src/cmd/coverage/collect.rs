//! The sessions of a range, read some at a time: a report needs one session whole, never all of them.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use sealtrail_index::{Hit, Options, Order};
use sealtrail_query::Query;
use sealtrail_tlog::Seq;
use sealtrail_trace::coverage::{Loose, Report, Session};
use serde_json::{Value, json};

use crate::args::{Coverage, Filter};
use crate::cmd::session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::progress::Progress;
use crate::run::Call;
use crate::trail::{self, Trail};

/// 1,000,000 sessions of some 100 bytes each while they are counted.
const SESSIONS_MAX: usize = 1_000_000;
/// 1,000 sessions are asked for by one search.
const IDS_MAX: usize = 1_000;
/// 131,072 events of as many actions at the most are held at a time, some 90 MB; a larger session is held alone.
const EVENTS_MAX: u64 = 131_072;
/// Events that name no session may have been told a little before or after those that do.
const LOOSE_SLACK_HOURS: i64 = 1;
/// Members that no comparison needs, and that can be large.
const DROPPED: &[&str] = &["tool_response", "tool_results", "tool_calls", "prompt", "response", "output", "error"];

/// What was asked for.
pub(super) struct Asked {
    /// As it stands in the certificate.
    pub(super) range: Value,
    /// As it stands in the record of this reading.
    pub(super) query: String,
    /// Events that were looked at.
    pub(super) events: u64,
}

/// Judges the sessions of the range, as far as the checkpoint covers them.
pub(super) fn report(call: &mut Call, trail: &Trail, args: &Coverage, size: u64, now: Timestamp) -> Result<(Report, Asked), Failure> {
    let source = Source { trail, size };
    let report = Report::new(&args.require, now.as_millisecond());
    match &args.session {
        Some(id) => {
            let id = if id == "last" { session::last(trail)? } else { id.clone() };
            one(&source, report, &id)
        }
        None => many(call, &source, report, args, now),
    }
}

/// Judges one session.
fn one(source: &Source<'_>, report: Report, id: &str) -> Result<(Report, Asked), Failure> {
    let mut report = report.only(id);
    let query = filter::any_exactly(&["session_id"], &[id])?;
    let mut session = Session::new(id);
    let mut events = 0;
    source.each(query, |hit| {
        events += 1;
        session.add(&hit.view);
        Ok(())
    })?;
    if events == 0 {
        return Err(Failure::new("session.missing", Exit::Failed, format!("no session {id} in the trail"))
            .hint("list them: sealtrail session list"));
    }
    source.losses(&mut report)?;
    let (from, to) = session.span();
    let slack = LOOSE_SLACK_HOURS.hours();
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let (from, to) = (at(from).checked_sub(slack), at(to).checked_add(slack));
    let mut loose = source.loose(filter::between(from.ok(), to.ok())?)?;
    loose.join(&mut session);
    report.take(session);
    report.finish(&Loose::default(), None);
    let range = json!({"session_id": id});
    Ok((report, Asked { range, query: format!("session_id={id}"), events }))
}

/// Judges every session with an event in the range, each one whole.
fn many(call: &mut Call, source: &Source<'_>, mut report: Report, args: &Coverage, now: Timestamp) -> Result<(Report, Asked), Failure> {
    let flags = Filter { since: args.since.clone(), until: args.until.clone(), ..Filter::default() };
    let wanted = filter::build(&flags, None, now)?;
    let mut sessions: BTreeMap<String, u64> = BTreeMap::new();
    let mut span: Option<(Timestamp, Timestamp)> = None;
    source.each(wanted.clone().and(filter::has("session_id")?), |hit| {
        if let Ok(at) = text(&hit.view, "timestamp").parse::<Timestamp>() {
            span = Some(span.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        }
        *sessions.entry(text(&hit.view, "session_id")).or_default() += 1;
        if sessions.len() > SESSIONS_MAX {
            return Err(Failure::usage(format!("more than {SESSIONS_MAX} sessions: narrow the range with --since and --until")));
        }
        Ok(())
    })?;
    source.losses(&mut report)?;
    let mut loose = source.loose(wanted.clone())?;
    let mut progress = Progress::new(&call.screen, "judging");
    let (mut done, mut events) = (0, 0);
    for batch in batches(&sessions) {
        done += batch.len() as u64;
        let mut held: BTreeMap<&str, Session> = batch.iter().map(|id| (*id, Session::new(id))).collect();
        source.each(filter::any_exactly(&["session_id"], &batch)?, |hit| {
            events += 1;
            if let Some(session) = held.get_mut(text(&hit.view, "session_id").as_str()) {
                session.add(&hit.view);
            }
            Ok(())
        })?;
        for mut session in held.into_values() {
            loose.join(&mut session);
            report.take(session);
        }
        progress.at(done, sessions.len() as u64);
    }
    progress.finish();
    report.finish(&loose, span.map(|(from, to)| (from.as_millisecond(), to.as_millisecond())));
    let range = json!({"since": args.since, "until": args.until, "query": wanted.to_string()});
    Ok((report, Asked { range, query: wanted.to_string(), events }))
}

/// Splits sessions into batches that are held at the same time.
fn batches(sessions: &BTreeMap<String, u64>) -> Vec<Vec<&str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut held = u64::MAX;
    for (id, events) in sessions {
        held = held.saturating_add(*events);
        match found.last_mut().filter(|batch| held <= EVENTS_MAX && batch.len() < IDS_MAX) {
            Some(batch) => batch.push(id),
            None => {
                found.push(vec![id]);
                held = *events;
            }
        }
    }
    found
}

/// Where events come from: the trail, as far as the checkpoint covers it.
struct Source<'a> {
    trail: &'a Trail,
    size: u64,
}

impl Source<'_> {
    /// Hands over every event that matches, oldest first, without what is large and not needed.
    fn each(&self, query: Query, mut take: impl FnMut(Hit) -> Result<(), Failure>) -> Result<(), Failure> {
        let options = Options { order: Order::Oldest, before: Some(Seq(self.size)), ..Options::default() };
        let mut nothing = |_| {};
        for hit in trail::hits(&self.trail.reader, Some(&self.trail.index), &query.into(), &options, &mut nothing)? {
            let mut hit = hit.map_err(|error| trail::unanswered(&error))?;
            if let Some(members) = hit.view.as_object_mut() {
                DROPPED.iter().for_each(|name| drop(members.shift_remove(*name)));
            }
            take(hit)?;
        }
        Ok(())
    }

    /// Gives the report every record of lost events.
    fn losses(&self, report: &mut Report) -> Result<(), Failure> {
        self.each(filter::any_exactly(&["event_type"], &["ledger.gap", "system.witness_gap"])?, |hit| {
            report.lost(&hit.view);
            Ok(())
        })
    }

    /// Finds the events of calls and requests that name no session.
    fn loose(&self, range: Query) -> Result<Loose, Failure> {
        let joinable = filter::either(&filter::has("tool_use_id")?, &filter::has("request_id")?);
        let without = filter::not(&filter::has("session_id")?);
        let mut loose = Loose::default();
        self.each(range.and(joinable).and(without), |hit| {
            loose.add(&hit.view);
            Ok(())
        })?;
        Ok(loose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the memory of a report over many sessions: batches hold as many events as they may, and a large session is alone.
    #[test]
    fn sessions_are_held_in_batches() {
        let sessions: BTreeMap<String, u64> =
            [("a", 10), ("b", EVENTS_MAX), ("c", EVENTS_MAX - 1), ("d", 1), ("e", 1)].map(|(id, n)| (id.to_owned(), n)).into();
        assert_eq!(batches(&sessions), [vec!["a"], vec!["b"], vec!["c", "d"], vec!["e"]]);
        assert!(batches(&BTreeMap::new()).is_empty());
    }
}
