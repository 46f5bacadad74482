//! Colours by label, in one table. Sixteen colours, and never the only carrier of a meaning.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

/// A label of the theme.
#[derive(Clone, Copy)]
pub(crate) struct Label(Style);

const fn color(color: AnsiColor) -> Label {
    Label(Style::new().fg_color(Some(anstyle::Color::Ansi(color))))
}

/// No colour.
pub(crate) const PLAIN: Label = Label(Style::new());
/// The word `error`.
pub(crate) const ERROR: Label = Label(Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold());
/// The word `warning`, and what needs a look.
pub(crate) const WARNING: Label = color(AnsiColor::Yellow);
/// The word `hint`.
pub(crate) const HINT: Label = color(AnsiColor::Cyan);
/// Headings.
pub(crate) const HEAD: Label = Label(Style::new().bold());
/// What holds.
pub(crate) const GOOD: Label = color(AnsiColor::Green);
/// What does not.
pub(crate) const BAD: Label = color(AnsiColor::Red);
/// Times, ids and other things that should stay in the background.
pub(crate) const QUIET: Label = Label(Style::new().dimmed());
/// Event types.
pub(crate) const KIND: Label = color(AnsiColor::Cyan);

/// Text with its label.
pub(crate) struct Painted<T>(Style, T);

impl Label {
    /// Gives `text` this label.
    pub(crate) fn paint<T: Display>(self, text: T) -> Painted<T> {
        Painted(self.0, text)
    }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.0.render(), self.1, self.0.render_reset())
    }
}

/// Returns the label of a severity.
pub(crate) fn of_severity(word: &str) -> Label {
    match word {
        "high" | "critical" => BAD,
        "warning" => WARNING,
        "debug" => QUIET,
        _ => PLAIN,
    }
}

/// Returns the label of an outcome word.
pub(crate) fn of_outcome(word: &str) -> Label {
    match word {
        "success" | "allowed" | "ok" => GOOD,
        "failure" | "denied" | "error" => BAD,
        "unknown" | "pending" | "asked" | "running" | "stopped" => WARNING,
        "not_evaluated" => QUIET,
        _ => PLAIN,
    }
}
