//! A plain table: one line a row, cut to the terminal, coloured by label.

use std::fmt;
use std::io::{self, Write};

use crate::field::NUMBER;
use crate::theme::{self, Label};
use crate::visible::{fit, visible, width};

/// No column is made narrower than this while another one is wider.
const COLUMN_MIN: usize = 8;
/// Columns of long texts are cut first, down to this.
const LONG_MIN: usize = 24;
const LONG: &[&str] = &["SUMMARY", "QUERY", "ABOUT", "MEANING", "VALUE", "WHY", "SHARED"];
/// Half a time or half an id says nothing: these are cut last.
const WHOLE: &[&str] = &[NUMBER, "TIMESTAMP", "STARTED", "LAST", "AUDIT_ID", "SESSION_ID", "JOB"];

/// One cell: text that is already safe to show, and its label.
pub(crate) struct Cell {
    text: String,
    label: Label,
}

impl Cell {
    /// Makes a cell of text from anywhere.
    pub(crate) fn new(text: &str, label: Label) -> Self {
        Self { text: visible(text), label }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, theme::PLAIN)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(&text, theme::PLAIN)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.label.paint(&self.text).fmt(f)
    }
}

/// Rows under a head.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Starts a table.
    pub(crate) fn new<'a>(head: impl Iterator<Item = &'a str>) -> Self {
        Self { head: head.map(str::to_uppercase).collect(), rows: Vec::new() }
    }

    /// Adds a row with as many cells as the head has.
    pub(crate) fn push(&mut self, cells: impl Iterator<Item = Cell>) {
        self.rows.push(cells.collect());
    }

    /// Writes the table; with `columns`, no line is longer than that.
    pub(crate) fn write(&self, out: &mut dyn Write, columns: Option<usize>) -> io::Result<()> {
        let widths = self.layout(columns);
        let head = self.head.iter().map(|name| (name.as_str(), theme::HEAD));
        write_line(out, head, &widths)?;
        for row in &self.rows {
            write_line(out, row.iter().map(|cell| (cell.text.as_str(), cell.label)), &widths)?;
        }
        Ok(())
    }

    /// Gives every column what it needs. Where the line is too narrow for that: first long texts are cut, then columns without a value
    /// go, then ids, where a row has a shorter name, and the first of two times; then anything is cut, times and ids last.
    fn layout(&self, columns: Option<usize>) -> Vec<Option<usize>> {
        let natural = self.natural();
        let mut widths = natural.clone();
        let Some(columns) = columns else { return widths };
        let numbered = self.head.iter().any(|name| name == NUMBER);
        let has_last = self.head.iter().any(|name| name == "LAST");
        let steps: [&dyn Fn(usize) -> bool; 4] =
            [&|_| false, &|at| self.rows.iter().all(|row| row[at].text.is_empty()), &|at| numbered && self.head[at] == "AUDIT_ID", &|at| {
                has_last && self.head[at] == "STARTED"
            }];
        let mut left_out = vec![false; widths.len()];
        for step in steps {
            left_out.iter_mut().enumerate().for_each(|(at, out)| *out |= step(at));
            widths = natural.iter().zip(&left_out).map(|(width, out)| width.filter(|_| !out)).collect();
            self.shrink(&mut widths, columns, LONG_MIN, |name| LONG.contains(&name));
            if taken(&widths) <= columns {
                return widths;
            }
        }
        self.shrink(&mut widths, columns, COLUMN_MIN, |name| !WHOLE.contains(&name));
        self.shrink(&mut widths, columns, COLUMN_MIN, |_| true);
        widths
    }

    fn natural(&self) -> Vec<Option<usize>> {
        let mut widths: Vec<usize> = self.head.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            for (have, cell) in widths.iter_mut().zip(row) {
                *have = (*have).max(width(&cell.text));
            }
        }
        widths.into_iter().map(Some).collect()
    }

    /// Takes from the widest of the columns that may be cut until the line fits.
    fn shrink(&self, widths: &mut [Option<usize>], columns: usize, least: usize, may: impl Fn(&str) -> bool) {
        while taken(widths) > columns {
            let named = widths.iter_mut().zip(&self.head).filter(|(_, name)| may(name));
            let Some(widest) = named.filter_map(|(width, _)| width.as_mut()).filter(|width| **width > least).max() else { break };
            *widest -= 1;
        }
    }
}

/// Columns of a line, with two between its cells.
fn taken(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + 2 * shown.count().saturating_sub(1)
}

fn write_line<'a>(out: &mut dyn Write, cells: impl Iterator<Item = (&'a str, Label)>, widths: &[Option<usize>]) -> io::Result<()> {
    let last = widths.iter().rposition(Option::is_some).unwrap_or(0);
    for (at, ((text, label), columns)) in cells.zip(widths).enumerate() {
        let Some(columns) = *columns else { continue };
        let text = fit(text, columns);
        let pad = if at == last { 0 } else { columns - width(&text) + 2 };
        write!(out, "{}{:pad$}", label.paint(text), "")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(columns: Option<usize>) -> String {
        let mut table = Table::new(["#", "timestamp", "tool_name", "summary", "audit_id"].into_iter());
        let cells =
            ["4711", "2026-11-21 02:44:26.105Z", "", "rm -rf /srv/customers --no-preserve-root", "audit_evt_5a2c8f9e1d3b5a2c8f9e1d3b"];
        table.push(cells.into_iter().map(Cell::from));
        let mut out = Vec::new();
        table.write(&mut out, columns).unwrap();
        String::from_utf8(out).unwrap().lines().nth(1).unwrap().to_owned()
    }

    /// Protects evidence on a narrow terminal: ids are whole or not there, times are whole, what is long is cut with a sign.
    #[test]
    fn a_narrow_table_cuts_what_is_long_and_never_an_id() {
        let id = "audit_evt_5a2c8f9e1d3b5a2c8f9e1d3b";
        assert!(shown(None).contains("--no-preserve-root") && shown(None).ends_with(id));
        assert!(shown(Some(110)).contains("rm -rf") && shown(Some(110)).contains('…') && shown(Some(110)).ends_with(id));
        let narrow = shown(Some(70));
        assert!(narrow.starts_with("4711  2026-11-21 02:44:26.105Z") && !narrow.contains("audit_evt"), "{narrow}");
        for columns in 20..140 {
            assert!(width(&strip(&shown(Some(columns)))) <= columns.max(40), "{columns}");
        }
    }

    fn strip(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }
}
