//! Events as a timeline: a heading for each day, a line for each event, oldest first, long pauses said.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::field::text;
use crate::theme;
use crate::visible::{brief, fit, visible, width};
use crate::when::{Zone, span};

/// Longer texts are cut; `-o json` has them whole.
const ABOUT_CHARS_MAX: usize = 160;
/// Who and what are given this many columns at most.
const NAME_COLUMNS_MAX: usize = 28;
/// 5 min: a longer pause is worth a line of its own.
const PAUSE_SECONDS: i64 = 300;

/// One event, in words.
struct Line {
    at: Option<Timestamp>,
    who: String,
    kind: String,
    about: String,
    verdict: String,
    outcome: String,
}

/// Lines that are put in order and written at the end.
pub(crate) struct Timeline {
    zone: Zone,
    columns: Option<usize>,
    lines: Vec<Line>,
}

impl Timeline {
    /// Starts a timeline.
    pub(crate) fn new(zone: Zone, columns: Option<usize>) -> Self {
        Self { zone, columns, lines: Vec::new() }
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, event: &Value) {
        let agent = text(event, "agent");
        let relation = text(event, "relation");
        let about = brief(&text(event, "summary"), ABOUT_CHARS_MAX);
        let tool = text(event, "tool_name");
        let verdict = [text(event, "verdict"), text(event, "policy_result")].into_iter().find(|word| !word.is_empty()).unwrap_or_default();
        self.lines.push(Line {
            at: text(event, "timestamp").parse().ok(),
            who: visible(&if agent.is_empty() { text(event, "user_id") } else { agent }),
            kind: visible(&text(event, "event_type")),
            about: [visible(&tool), about, if relation.is_empty() { relation } else { format!("({relation})") }]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
            verdict: visible(&verdict),
            outcome: visible(&text(event, "outcome")),
        });
    }

    /// Writes everything, in order of time.
    pub(crate) fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.lines.sort_by_key(|line| line.at);
        let widest = |of: fn(&Line) -> &str| self.lines.iter().map(|line| width(of(line))).max().unwrap_or(0).min(NAME_COLUMNS_MAX);
        let (who, kind) = (widest(|line| &line.who), widest(|line| &line.kind));
        let mut day = String::new();
        let mut before: Option<Timestamp> = None;
        for line in &self.lines {
            let (today, clock) = line.at.map_or(("at no time".to_owned(), String::new()), |at| self.zone.day_and_clock(at));
            if today != day {
                writeln!(out, "{}{}", if day.is_empty() { "" } else { "\n" }, theme::HEAD.paint(&today))?;
                day = today;
            } else if let Some(pause) = line.at.zip(before).map(|(now, before)| now.as_second() - before.as_second())
                && pause >= PAUSE_SECONDS
            {
                writeln!(out, "  {}", theme::QUIET.paint(format!("… {} …", span(pause))))?;
            }
            before = line.at.or(before);
            self.line(out, line, &clock, who, kind)?;
        }
        self.lines.clear();
        Ok(())
    }

    fn line(&self, out: &mut dyn Write, line: &Line, clock: &str, who: usize, kind: usize) -> io::Result<()> {
        let told = match (line.verdict.as_str(), line.outcome.as_str()) {
            ("" | "not_evaluated", "") => String::new(),
            ("" | "not_evaluated", outcome) => format!("  [{outcome}]"),
            (verdict, "") => format!("  [{verdict}]"),
            (verdict, outcome) if verdict == outcome => format!("  [{outcome}]"),
            (verdict, outcome) => format!("  [{verdict}, {outcome}]"),
        };
        let used = 2 + width(clock) + 2 + who + 2 + kind + 2 + width(&told);
        let room = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(used).max(12));
        let label = theme::of_outcome(if line.outcome.is_empty() { &line.verdict } else { &line.outcome });
        let (name, kind_shown) = (fit(&line.who, who), fit(&line.kind, kind));
        writeln!(
            out,
            "  {}  {name}{:pad$}  {}{:kind_pad$}  {}{}",
            theme::QUIET.paint(clock),
            "",
            theme::KIND.paint(&kind_shown),
            "",
            fit(&line.about, room),
            label.paint(told),
            pad = who - width(&name),
            kind_pad = kind - width(&kind_shown),
        )
    }
}
