//! What was granted when an action was done: by which rule of which settings file, since when, and when that ended.
//!
//! The client decided; nothing here decides anything. The recorded files are held against the recorded action by the client's own rules of
//! precedence, and what the record does not hold is named instead of guessed.

mod bash;
mod habit;
mod judge;
mod offer;
mod path;
mod report;
mod rule;
mod shell;
mod snapshot;

pub use judge::{ByRule, Ground, Ruling, judge};
pub use report::{Finding, Lost, Report, report};
pub use snapshot::{File, InForce, Snapshots};

use serde_json::Value;

/// One tool call, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// The tool, as named on the wire.
    pub tool: &'a str,
    /// Its input; null when the trail does not hold it.
    pub input: &'a Value,
    /// The working folder.
    pub cwd: Option<&'a str>,
    /// The permission mode; empty when not known.
    pub mode: &'a str,
}

impl<'a> Action<'a> {
    /// Returns the command line, for tools that run one.
    pub(crate) fn command(&self) -> Option<&'a str> {
        matches!(self.tool, "Bash" | "Monitor").then(|| self.input.get("command").and_then(Value::as_str)).flatten()
    }

    /// Returns the file that the action is about, absolute and plain.
    pub(crate) fn path(&self, home: Option<&str>) -> Option<String> {
        let named = ["file_path", "notebook_path", "path"].iter().find_map(|name| self.input.get(*name).and_then(Value::as_str));
        let named = named.or_else(|| matches!(self.tool, "Grep" | "Glob" | "LS").then_some("."))?;
        path::absolute(named, self.cwd, home)
    }
}

/// The lists of a settings file, in the order in which the client asks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Forbidden.
    Deny,
    /// A person is asked.
    Ask,
    /// Permitted.
    Allow,
}

impl List {
    /// Returns the name of the list in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Ask => "ask",
            Self::Allow => "allow",
        }
    }
}
