//! `trace-chain`: who led to an event, what it led to, and which links nobody saw.

use std::collections::BTreeMap;
use std::io::{self, Write};

use sealtrail_index::{Options, Order};
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
use crate::when::Zone;
use sealtrail_trace::answers::{self, Answers, Question};
use sealtrail_trace::chain::{self, Chain, Link};
use sealtrail_trace::permission::{self, Report};
use sealtrail_trace::story::Story;

/// What a link says of itself is cut to this on a terminal.
const ABOUT_CHARS_MAX: usize = 100;
/// What an answer says of itself is cut to this.
const WHAT_CHARS_MAX: usize = 200;
/// A question is answered with so many lines; `-v` shows all.
const ENTRIES_MAX: usize = 12;
/// The margins and the time of a line.
const TIME_COLUMNS: usize = 28;
/// 64 steps up and 64 down; damaged data may name itself.
const DEPTH_MAX: usize = 64;
/// 10,000 records of one chain are told, 1,000 ids asked for at once.
const RECORDS_MAX: usize = 10_000;
const IDS_MAX: usize = 1_000;

pub(crate) fn run(call: &mut Call, args: &Trace) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let stored = access::find(call, &mut trail, "trace-chain", &args.audit_id)?;
    let view = stored.view();
    let session = text(&view, "session_id");
    let (chain, answers, granted) = if session.is_empty() {
        let related = related(&trail, &view)?;
        let chain = chain::of_records(&view, &related);
        let answers = answers::of_records(&view, &related, &chain);
        (chain, answers, None)
    } else {
        let views = session::views(&trail, &session)?;
        let granted = permission::report(&view, &views, &[]);
        let mut story = Story::default();
        views.into_iter().for_each(|view| story.add(view));
        let chain = chain::of_session(&view, &story);
        let answers = answers::of_session(&view, &story, &chain);
        (chain, answers, granted)
    };
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", to_json(&chain, &answers, granted.as_ref(), &view))?;
    } else {
        let (columns, all, zone) = (call.screen.columns.unwrap_or(usize::MAX), call.global.verbose > 0, call.zone.clone());
        prose(call.screen.out(), &chain, columns)?;
        let told = Told { zone: &zone, all, columns };
        answered(call.screen.out(), &answers, granted.as_ref(), &told)?;
        missing(call.screen.out(), &chain, &text(&view, "audit_id"))?;
    }
    Ok(Exit::Yes)
}

/// Returns the records above and below this one, however far: by parent event and by run.
fn related(trail: &Trail, target: &Value) -> Result<Vec<Value>, Failure> {
    let mut known = BTreeMap::from([(text(target, "audit_id"), target.clone())]);
    let ways = [
        [("parent_audit_id", "audit_id"), ("parent_execution", "execution_id")],
        [("audit_id", "parent_audit_id"), ("execution_id", "parent_execution")],
    ];
    for way in ways {
        let mut edge = vec![target.clone()];
        for _ in 0..DEPTH_MAX {
            edge = step(trail, &way, &edge, &mut known)?;
            if edge.is_empty() {
                break;
            }
        }
    }
    known.remove(&text(target, "audit_id"));
    let mut found: Vec<Value> = known.into_values().collect();
    found.sort_by_key(|view| text(view, "timestamp"));
    Ok(found)
}

/// Finds the records whose member is what a record of the edge names.
fn step(trail: &Trail, way: &[(&str, &str)], edge: &[Value], known: &mut BTreeMap<String, Value>) -> Result<Vec<Value>, Failure> {
    let mut next = Vec::new();
    for (name, is) in way {
        let ids: Vec<String> = edge.iter().map(|view| text(view, name)).filter(|id| !id.is_empty()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for some in ids.chunks(IDS_MAX) {
            let (query, mut nothing) = (filter::any_exactly(&[is], some)?, |_| {});
            let options = Options { order: Order::Oldest, ..Options::default() };
            for hit in trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)? {
                let view = hit.map_err(|error| trail::unanswered(&error))?.view;
                let id = text(&view, "audit_id");
                if known.len() < RECORDS_MAX && !known.contains_key(&id) {
                    known.insert(id, view.clone());
                    next.push(view);
                }
            }
        }
    }
    Ok(next)
}

fn to_json(chain: &Chain, answers: &Answers, granted: Option<&Report>, target: &Value) -> Value {
    let list = |links: &[Link]| {
        links.iter().map(|link| json!({"depth": link.depth, "kind": link.kind, "id": link.id, "about": link.about, "outcome": link.outcome, "audit_id": link.event})).collect::<Vec<_>>()
    };
    json!({
        "audit_id": text(target, "audit_id"), "above": list(&chain.above), "event": list(std::slice::from_ref(&chain.target))[0],
        "below": list(&chain.below), "answers": answers.to_json(), "permission": granted.map(Report::to_json), "missing": chain.missing,
    })
}

fn prose(out: &mut dyn Write, chain: &Chain, columns: usize) -> io::Result<()> {
    for link in &chain.above {
        line(out, link, false, columns)?;
    }
    line(out, &chain.target, true, columns)?;
    for link in &chain.below {
        line(out, link, false, columns)?;
    }
    Ok(())
}

/// How answers are shown.
struct Told<'a> {
    zone: &'a Zone,
    all: bool,
    columns: usize,
}

/// Says what the settings that were recorded granted for this action.
fn permitted(report: &Report) -> String {
    let rules = report.ruling.ground().map(|ground| {
        let rules = ground.rules.iter().map(|by| format!("{} {} in {}", by.list.as_str(), by.rule, by.path)).collect::<Vec<_>>().join("; ");
        [rules, ground.because.clone()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
    });
    let rules = rules.filter(|text| !text.is_empty()).map(|text| format!(" by {text}")).unwrap_or_default();
    let decided = if report.decided.is_empty() { String::new() } else { format!("; {}", report.decided) };
    format!("this action: {}{rules}{decided} (more: sealtrail permission {})", report.ruling.word(), report.audit_id)
}

/// Writes the questions of an investigation with what was found; a question without an answer says so.
fn answered(out: &mut dyn Write, answers: &Answers, granted: Option<&Report>, told: &Told<'_>) -> io::Result<()> {
    let (all, columns, zone) = (told.all, told.columns, told.zone);
    writeln!(out, "\n{} {}", theme::HEAD.paint("answers for"), visible(&answers.scope))?;
    for question in Question::ALL {
        let entries = answers.of(*question);
        let shown = if all { entries.len() } else { entries.len().min(ENTRIES_MAX) };
        writeln!(out, "\n{}", theme::HEAD.paint(question.words()))?;
        if let Some(report) = granted.filter(|_| *question == Question::Permitted) {
            writeln!(out, "  {}", visible(&permitted(report)))?;
        }
        for entry in &entries[..shown] {
            let at = theme::QUIET.paint(zone.show(&entry.at));
            let times = if entry.times > 1 { format!("  ({} times)", entry.times) } else { String::new() };
            let agent = if matches!(entry.agent.as_str(), "" | "main") { String::new() } else { format!("  by {}", visible(&entry.agent)) };
            let outcome = if entry.outcome.is_empty() { String::new() } else { format!("  [{}]", visible(&entry.outcome)) };
            let used = TIME_COLUMNS + agent.len() + times.len() + outcome.len();
            let what = fit(&brief(&entry.what, WHAT_CHARS_MAX), columns.saturating_sub(used).max(24));
            writeln!(out, "  {at}  {what}{times}{agent}{}", theme::of_outcome(&entry.outcome).paint(outcome))?;
        }
        if shown < entries.len() {
            writeln!(out, "  … and {} more: -v, or -o json", entries.len() - shown)?;
        } else if entries.is_empty() {
            writeln!(out, "  {}", theme::QUIET.paint("no event tells of any"))?;
        }
    }
    Ok(())
}

fn missing(out: &mut dyn Write, chain: &Chain, id: &str) -> io::Result<()> {
    if chain.missing.is_empty() {
        return writeln!(out, "\nnothing is missing between the person and {}", visible(id));
    }
    writeln!(out, "\n{}", theme::WARNING.paint("what is missing"))?;
    for missing in &chain.missing {
        writeln!(out, "  {}", visible(missing))?;
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
