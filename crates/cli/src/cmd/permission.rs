//! `permission`: what was granted when an action was done, by which rule of which file, and when that ended.

use std::io::{self, Write};

use sealtrail_index::{Options, Order};
use sealtrail_query::Query;
use sealtrail_tlog::Seq;
use sealtrail_trace::permission::{self, Ground, Lost, Report, Ruling};
use serde_json::Value;

use crate::access;
use crate::args::Permission;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::run::Call;
use crate::theme;
use crate::trail::{self, Trail};
use crate::visible::{brief, visible};

/// What an action says of itself is cut to this on a terminal.
const ABOUT_CHARS_MAX: usize = 160;

/// 10,000 snapshots of other sessions after the action: years of one person's sessions.
const LATER_MAX: u64 = 10_000;

pub(crate) fn run(call: &mut Call, args: &Permission) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let stored = access::find(call, &mut trail, "permission", &args.audit_id)?;
    let target = stored.view();
    let session = text(&target, "session_id");
    let events = if session.is_empty() { vec![target.clone()] } else { of_session(&trail, &session)? };
    let later = snapshots_after(&trail, stored.seq, &session)?;
    let Some(report) = permission::report(&target, &events, &later) else {
        let what = format!("{} is no tool call: no rule permits or forbids it", args.audit_id);
        return Err(Failure::new("permission.no_call", Exit::Failed, what)
            .hint("name an event of a call: sealtrail search 'phase=intent' --session-id ID"));
    };
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", report.to_json())?;
    } else {
        let zone = call.zone.clone();
        prose(call.screen.out(), &report, &|time| zone.show(time))?;
    }
    Ok(Exit::Yes)
}

/// Loads the events of a session, in the order of the ledger, without the outputs of tools.
fn of_session(trail: &Trail, id: &str) -> Result<Vec<Value>, Failure> {
    let mut events = found(trail, filter::any_exactly(&["session_id"], &[id])?, Options::default())?;
    for view in events.iter_mut().filter_map(Value::as_object_mut) {
        view.shift_remove("tool_response");
    }
    Ok(events)
}

/// Loads the snapshots that other sessions took after the event.
fn snapshots_after(trail: &Trail, seq: Seq, session: &str) -> Result<Vec<Value>, Failure> {
    let query = filter::any_exactly(&["event_type"], &["auth.permission_snapshot"])?;
    let mut events = found(trail, query, Options { after: Some(seq), limit: Some(LATER_MAX), ..Options::default() })?;
    events.retain(|event| text(event, "session_id") != session);
    Ok(events)
}

fn found(trail: &Trail, query: Query, options: Options) -> Result<Vec<Value>, Failure> {
    let (options, mut nothing) = (Options { order: Order::Oldest, ..options }, |_| {});
    let hits = trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)?;
    hits.map(|hit| hit.map(|hit| hit.view).map_err(|error| trail::unanswered(&error))).collect()
}

fn prose(out: &mut dyn Write, report: &Report, time: &dyn Fn(&str) -> String) -> io::Result<()> {
    let mode = if report.mode.is_empty() { "not told" } else { &report.mode };
    writeln!(out, "{}  {}", theme::HEAD.paint(visible(&report.tool)), brief(&report.about, ABOUT_CHARS_MAX))?;
    line(out, "event", &report.audit_id)?;
    line(out, "when", &time(&report.timestamp))?;
    line(out, "mode", mode)?;
    line(out, "ruling", report.ruling.word())?;
    ground(out, &report.ruling, time)?;
    line(out, "decided", &report.decided)?;
    for event in &report.asked {
        line(out, "", &format!("told by {event}"))?;
    }
    line(out, "outcome", if report.outcome.is_empty() { "not known" } else { &report.outcome })?;
    match &report.lost {
        Some(lost) => ended(out, lost, time)?,
        None if matches!(report.ruling, Ruling::Granted(_)) => line(out, "unauthorised since", "never, as far as the trail goes")?,
        None => {}
    }
    for finding in &report.findings {
        writeln!(out, "\n{}  {}: {}", theme::BAD.paint("finding"), finding.kind, visible(&finding.why))?;
    }
    if !report.unknown.is_empty() {
        writeln!(out, "\n{}", theme::WARNING.paint("not known"))?;
        for unknown in &report.unknown {
            writeln!(out, "  {}", visible(unknown))?;
        }
    }
    Ok(())
}

/// Writes the rules and what else decided.
fn ground(out: &mut dyn Write, ruling: &Ruling, time: &dyn Fn(&str) -> String) -> io::Result<()> {
    let Some(Ground { rules, because }) = ruling.ground() else { return Ok(()) };
    for by in rules {
        line(out, "", &format!("by {} in {} of {} ({} settings)", by.rule, by.list.as_str(), by.path, by.scope.as_str()))?;
        line(out, "", &format!("since {} (snapshot {})", time(&by.at), by.event))?;
    }
    if because.is_empty() { Ok(()) } else { line(out, "", because) }
}

fn ended(out: &mut dyn Write, lost: &Lost, time: &dyn Fn(&str) -> String) -> io::Result<()> {
    let before = if lost.before { ", before the action" } else { "" };
    line(out, "unauthorised since", &format!("{} (snapshot {}){before}", time(&lost.at), lost.event))?;
    line(out, "", &format!("by a change of {}: {} since", lost.path, lost.ruling.word()))?;
    ground(out, &lost.ruling, time)
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<18}  {}", visible(value))
}
