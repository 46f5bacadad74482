//! A plain table: one line a row, cut to the terminal, coloured by label.

use std::fmt;
use std::io::{self, Write};

use crate::theme::{self, Label};
use crate::visible::{fit, visible, width};

/// No column is made narrower than this while another one is wider.
const COLUMN_MIN: usize = 8;

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
        let widths = self.widths(columns);
        let head = self.head.iter().map(|name| (name.as_str(), theme::HEAD));
        write_line(out, head, &widths)?;
        for row in &self.rows {
            write_line(out, row.iter().map(|cell| (cell.text.as_str(), cell.label)), &widths)?;
        }
        Ok(())
    }

    /// Gives every column what it needs, then takes from the widest one until the line fits.
    fn widths(&self, columns: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            for (have, cell) in widths.iter_mut().zip(row) {
                *have = (*have).max(width(&cell.text));
            }
        }
        let Some(columns) = columns else { return widths };
        let room = columns.saturating_sub(2 * widths.len().saturating_sub(1));
        let mut total: usize = widths.iter().sum();
        while total > room {
            let Some(widest) = widths.iter_mut().filter(|w| **w > COLUMN_MIN).max() else { break };
            *widest -= 1;
            total -= 1;
        }
        widths
    }
}

fn write_line<'a>(out: &mut dyn Write, cells: impl Iterator<Item = (&'a str, Label)>, widths: &[usize]) -> io::Result<()> {
    let last = widths.len().saturating_sub(1);
    for (at, ((text, label), columns)) in cells.zip(widths).enumerate() {
        let text = fit(text, *columns);
        let pad = if at == last { 0 } else { columns - width(&text) + 2 };
        write!(out, "{}{:pad$}", label.paint(text), "")?;
    }
    writeln!(out)
}
