//! Many events, written in the format that was asked for, one at a time.

use std::io::{self, Write};

use serde_json::Value;

use crate::args::Output;
use crate::field;
use crate::screen::Screen;
use crate::table::Table;
use crate::timeline::Timeline;
use crate::when::Zone;

/// Writes events; made once, fed one event after the other, finished.
pub(crate) struct Rows {
    output: Output,
    fields: Vec<String>,
    zone: Zone,
    table: Table,
    written: u64,
    columns: Option<usize>,
    flush_each: bool,
    timeline: Option<Timeline>,
}

impl Rows {
    /// Chooses the format; `fields` are canonical names.
    pub(crate) fn new(screen: &Screen, fields: Vec<String>, zone: Zone) -> Self {
        let table = Table::new(fields.iter().map(String::as_str));
        let output = if screen.output() == Output::Timeline { Output::Table } else { screen.output() };
        Self { output, fields, zone, table, written: 0, columns: screen.columns, flush_each: false, timeline: None }
    }

    /// As [`Self::new`], for events: these can be a timeline.
    pub(crate) fn of_events(screen: &Screen, fields: Vec<String>, zone: Zone) -> Self {
        let timeline = (screen.output() == Output::Timeline).then(|| Timeline::new(zone.clone(), screen.columns));
        Self { timeline, ..Self::new(screen, fields, zone) }
    }

    /// Writes a table, whatever was asked for: as a part of prose.
    pub(crate) fn into_table(mut self) -> Self {
        self.output = Output::Table;
        self
    }

    /// Writes each event through at once, for `tail -f`.
    pub(crate) fn flush_each(mut self) -> Self {
        self.flush_each = true;
        self
    }

    /// Returns how many events were given.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes one event, or keeps it for the table.
    pub(crate) fn event(&mut self, out: &mut dyn Write, event: &Value) -> io::Result<()> {
        let first = self.written == 0;
        self.written += 1;
        if let Some(timeline) = &mut self.timeline {
            timeline.push(event);
            return Ok(());
        }
        match self.output {
            Output::Json => {
                out.write_all(if first { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut *out, event)?;
            }
            Output::Ndjson => writeln!(out, "{event}")?,
            Output::Id => writeln!(out, "{}", field::text(event, "audit_id"))?,
            Output::Csv => self.separated(out, event, ',', first)?,
            Output::Tsv => self.separated(out, event, '\t', first)?,
            Output::Auto | Output::Table | Output::Timeline | Output::Proof if self.flush_each => self.line(out, event)?,
            Output::Auto | Output::Table | Output::Timeline | Output::Proof => {
                self.table.push(self.fields.iter().map(|name| field::cell(event, name, &self.zone)))
            }
        }
        if self.flush_each { out.flush() } else { Ok(()) }
    }

    /// Ends the document.
    pub(crate) fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(timeline) = &mut self.timeline {
            return timeline.write(out);
        }
        match self.output {
            Output::Json if self.written == 0 => writeln!(out, "[]"),
            Output::Json => writeln!(out, "\n]"),
            Output::Auto | Output::Table | Output::Timeline | Output::Proof if self.written > 0 && !self.flush_each => {
                self.table.write(out, self.columns)
            }
            _ => Ok(()),
        }
    }

    fn separated(&self, out: &mut dyn Write, event: &Value, separator: char, first: bool) -> io::Result<()> {
        let quote: fn(&str) -> String = if separator == ',' { csv } else { tsv };
        if first {
            let head: Vec<String> = self.fields.iter().map(|name| quote(name)).collect();
            writeln!(out, "{}", head.join(&separator.to_string()))?;
        }
        let cells: Vec<String> = self.fields.iter().map(|name| quote(&field::text(event, name))).collect();
        writeln!(out, "{}", cells.join(&separator.to_string()))
    }

    /// One event as one line of fixed columns: a table cannot be laid out before its last row is known.
    fn line(&self, out: &mut dyn Write, event: &Value) -> io::Result<()> {
        let cells: Vec<String> = self.fields.iter().map(|name| field::cell(event, name, &self.zone).to_string()).collect();
        writeln!(out, "{}", cells.join("  "))
    }
}

/// A cell of a tab-separated line: no raw control characters, so one event is one line.
fn tsv(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// A cell of RFC 4180, with `'` before what a spreadsheet would run as a formula.
fn csv(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) || formula { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the reader's spreadsheet: a recorded value is never run as a formula.
    #[test]
    fn a_formula_in_a_value_stays_text() {
        assert_eq!(csv("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(csv("plain"), "plain");
        assert_eq!(csv("a,b"), "\"a,b\"");
    }

    /// Protects line-based tools: one event is one line, whatever a value holds.
    #[test]
    fn a_line_end_in_a_value_does_not_end_the_line() {
        assert_eq!(tsv("a\tb\nc\\"), "a\\tb\\nc\\\\");
    }
}
