//! A report for people: figures by class and witness, then what is missing by cause, then what was found.

use std::io::{self, Write};

use jiff::Timestamp;
use sealtrail_trace::coverage::{Class, Finding, Gap, NOT_PROVEN, Report, Verdict, Witness, sight};
use serde_json::Value;

use super::Checkpoint;
use super::collect::Asked;
use crate::failure::Failure;
use crate::run::Call;
use crate::table::{Cell, Table};
use crate::theme::{self, Label};
use crate::visible::visible;
use crate::when::{Zone, count};

/// 20 actions of a gap, 50 gaps, findings and notes are shown; `-o json` and the certificate have more.
const ITEMS_SHOWN: usize = 20;
const LISTED_SHOWN: usize = 50;

pub(super) fn write(call: &mut Call, report: &Report, issued: &Checkpoint, asked: &Asked) -> Result<(), Failure> {
    let (zone, columns) = (call.zone.clone(), call.screen.columns);
    let out = call.screen.out();
    head(out, report, issued, asked)?;
    for class in Class::ALL {
        of_class(out, report, *class, columns)?;
    }
    not_on(out, report)?;
    gaps(out, report, &zone)?;
    losses(out, report, &zone)?;
    found(out, "findings", report.findings(), theme::BAD, &zone)?;
    found(out, "notes", report.notes(), theme::QUIET, &zone)?;
    writeln!(out, "\n{}", theme::HEAD.paint("what this does not prove"))?;
    for line in NOT_PROVEN {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

fn head(out: &mut dyn Write, report: &Report, issued: &Checkpoint, asked: &Asked) -> io::Result<()> {
    let (label, word) = match report.verdict() {
        Verdict::Complete => (theme::GOOD, "complete: every witness saw everything that it should have seen"),
        Verdict::Gaps => (theme::WARNING, "gaps: witnesses did not see what they should have seen"),
        Verdict::Findings => (theme::BAD, "findings: something contradicts itself, or should worry somebody"),
        Verdict::Nothing => (theme::WARNING, "nothing to compare: no action has two witnesses"),
    };
    let range = match asked.range.get("session_id").and_then(Value::as_str) {
        Some(id) => format!("session {id}"),
        None => format!("{} sessions", count(report.actions(Class::Session))),
    };
    writeln!(out, "{}  {}", theme::HEAD.paint("verdict"), label.paint(word))?;
    writeln!(
        out,
        "{}    {}, of the {} events of {}",
        theme::HEAD.paint("range"),
        visible(&range),
        count(issued.size),
        visible(&issued.origin)
    )
}

/// One table: each witness that could have seen the class.
fn of_class(out: &mut dyn Write, report: &Report, class: Class, columns: Option<usize>) -> io::Result<()> {
    let actions = report.actions(class);
    if actions == 0 {
        return Ok(());
    }
    let mut table = Table::new(["witness", "complete", "should", "seen", "partly", "missing", "never could", "pending"].into_iter());
    for witness in Witness::ALL {
        let tally = report.tally(class, *witness);
        if tally.should() == 0 && (report.heard(*witness) == 0 || !sight(class, *witness).sees) {
            continue;
        }
        let label = if tally.missing > 0 || tally.partial > 0 { theme::WARNING } else { theme::GOOD };
        let percent = tally.basis_points().map_or_else(|| "-".to_owned(), |points| format!("{}.{:02} %", points / 100, points % 100));
        let numbers = [tally.should(), tally.seen, tally.partial, tally.missing, tally.absent, tally.pending];
        let cells = [Cell::from(witness.word()), Cell::new(&percent, label)].into_iter();
        table.push(cells.chain(numbers.into_iter().map(|n| Cell::from(count(n)))));
    }
    writeln!(out, "\n{}  {}", theme::HEAD.paint(class.plural()), count(actions))?;
    table.write(out, columns)
}

fn not_on(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let nowhere: Vec<&str> = Witness::ALL.iter().filter(|witness| report.heard(**witness) == 0).map(|witness| witness.word()).collect();
    if !nowhere.is_empty() || !report.off().is_empty() {
        writeln!(out, "\n{}", theme::HEAD.paint("not on"))?;
    }
    if !nowhere.is_empty() {
        writeln!(out, "  in no session of the range: {}", nowhere.join(", "))?;
    }
    for off in report.off().iter().take(LISTED_SHOWN) {
        writeln!(out, "  {:<10}  session {}", off.witness.word(), visible(&off.session))?;
    }
    more(out, report.off().len(), LISTED_SHOWN)
}

fn gaps(out: &mut dyn Write, report: &Report, zone: &Zone) -> io::Result<()> {
    if report.gaps().is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", theme::WARNING.paint("gaps"))?;
    let mut cause = None;
    for gap in report.gaps().iter().take(LISTED_SHOWN) {
        if cause != Some(gap.cause) {
            cause = Some(gap.cause);
            writeln!(out, "  {}  {}", theme::HEAD.paint(gap.cause.word()), gap.cause.about())?;
        }
        one_gap(out, gap, zone)?;
    }
    more(out, report.gaps().len(), LISTED_SHOWN)
}

fn one_gap(out: &mut dyn Write, gap: &Gap, zone: &Zone) -> io::Result<()> {
    let agent = gap.agent.as_ref().map(|agent| format!(" of agent {}", visible(agent))).unwrap_or_default();
    let session = visible(&gap.session);
    writeln!(out, "    {} did not tell of {} {}{agent}, session {session}", gap.witness.word(), count(gap.count), gap.class.plural())?;
    for item in gap.items.iter().take(ITEMS_SHOWN) {
        let lacks = item.lacks.words();
        let lacks = if lacks.is_empty() { String::new() } else { format!("  without {}", lacks.join(", ")) };
        let by: Vec<&str> = item.seen_by.iter().map(|witness| witness.word()).collect();
        let (at, name) = (show(zone, item.at), visible(&item.name));
        writeln!(
            out,
            "      {at}  {}  {name}  seen by {}{lacks}  {}",
            visible(&item.key),
            by.join(", "),
            theme::QUIET.paint(visible(&item.event))
        )?;
    }
    let shown = gap.items.len().min(ITEMS_SHOWN) as u64;
    if gap.count > shown {
        writeln!(out, "      and {} more", count(gap.count - shown))?;
    }
    Ok(())
}

fn losses(out: &mut dyn Write, report: &Report, zone: &Zone) -> io::Result<()> {
    if report.losses().is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", theme::WARNING.paint("losses that were counted"))?;
    for loss in report.losses().iter().take(LISTED_SHOWN) {
        let lost = loss.lost.map_or_else(|| "nobody knows how many".to_owned(), count);
        let (from, to) = (show(zone, loss.span.0), show(zone, loss.span.1));
        let (witness, cause) = (visible(&loss.witness), visible(&loss.cause));
        writeln!(out, "  {witness}  {cause}  {lost} events  {from} to {to}  {}", theme::QUIET.paint(visible(&loss.event)))?;
    }
    more(out, report.losses().len(), LISTED_SHOWN)
}

fn found(out: &mut dyn Write, title: &str, findings: &[Finding], label: Label, zone: &Zone) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", label.paint(title))?;
    let mut kind = None;
    for finding in findings.iter().take(LISTED_SHOWN) {
        if kind != Some(finding.kind) {
            kind = Some(finding.kind);
            writeln!(out, "  {}  {}", theme::HEAD.paint(finding.kind.word()), finding.kind.about())?;
        }
        let session = if finding.session.is_empty() { String::new() } else { format!("session {}  ", visible(&finding.session)) };
        let key = if finding.key == finding.session { String::new() } else { format!("{}  ", visible(&finding.key)) };
        let at = if finding.session.is_empty() { String::new() } else { format!("{}  ", show(zone, finding.at)) };
        let events: Vec<String> = finding.events.iter().map(|event| visible(event)).collect();
        writeln!(out, "    {at}{session}{key}{}  {}", visible(&finding.detail), theme::QUIET.paint(events.join(" ")))?;
    }
    more(out, findings.len(), LISTED_SHOWN)
}

fn more(out: &mut dyn Write, all: usize, shown: usize) -> io::Result<()> {
    if all > shown { writeln!(out, "  and {} more: -o json", count((all - shown) as u64)) } else { Ok(()) }
}

fn show(zone: &Zone, unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map(|at| zone.at(at)).unwrap_or_default()
}
