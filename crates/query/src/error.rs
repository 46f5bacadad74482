//! Errors in a query: where, what, and what to write instead.

use std::fmt::Write as _;

/// Why a text is no query; `at` is the byte of the text it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Offset in bytes into the text, at most its length.
    pub at: usize,
    /// What was tried and found.
    pub message: String,
    /// What to write instead, where we know.
    pub hint: Option<String>,
}

impl QueryError {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Shows the line of `text` that the error is about, with a caret under the character.
    pub fn show(&self, text: &str) -> String {
        let at = (0..=self.at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[start..].lines().next().unwrap_or("");
        // 60 characters before and after: a long query does not fill the screen.
        let before = text[start..at].chars().count();
        let skipped = before.saturating_sub(60);
        let shown: String = line.chars().skip(skipped).take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut out = format!("{}\n  {shown}\n  {}^", self.message, " ".repeat(before - skipped));
        if let Some(hint) = &self.hint {
            let _a_string_takes_all = write!(out, "\nhint: {hint}");
        }
        out
    }
}
