//! What is wrong with a configuration, and where.

use std::fmt;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Fine, but not acted on, or worth a second look.
    Notice,
    /// The configuration cannot be used.
    Error,
}

/// One thing about a configuration that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub level: Level,
    /// The file, as it was given.
    pub file: String,
    /// Line, from 1; 0 when it is about the whole file.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// The place, in the grammar of [`crate::get()`]; empty for the whole file.
    pub path: String,
    /// What was found, and what is expected.
    pub message: String,
    /// An edit that helps.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
