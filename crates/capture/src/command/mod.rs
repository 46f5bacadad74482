//! Command lines understood: what a shell command does, in our vocabulary.
//!
//! It is **not** a shell: nothing is expanded, executed or looked up. What only the running shell can know (a variable, a glob, the output of
//! another command) makes an action uncertain; it is never guessed.
//!
//! Invariants:
//! - Any text ends in a list of at most [`ACTIONS_MAX`] actions; nesting, text and words are bounded, and what a bound cut off is said.
//! - A target holds no credentials and no query values of an address; SQL is told without its literals.
//! - A reader adds a program by adding a row to `table.rs`.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod against_bash;
mod braces;
mod cloud;
mod data;
mod files;
mod git;
mod grammar;
mod lex;
mod net;
mod options;
mod packages;
mod reach;
mod script;
mod table;
mod walk;
mod word;
mod wrap;

use std::collections::BTreeMap;

/// 64 KiB of one command line are read; a longer one is a program, told by its text.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// 256 actions of one line are told; the last one then says that there are more.
pub const ACTIONS_MAX: usize = 256;
/// 16 levels of `$(…)`, `bash -c`, `xargs` and the like.
const NESTING_MAX: usize = 16;

/// One thing that a command line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The event type, for example `data.file_read`, `infra.git`, `tool.command`.
    pub event_type: &'static str,
    /// What is done: `read`, `write`, `delete`, `push`, …; one word without spaces.
    pub action: String,
    /// The kind of resource: `file`, `url`, `database`, `repository`, `cloud`, `package`, `script`, `command`.
    pub resource: &'static str,
    /// What it is done to: a path, an address without credentials, a program.
    pub target: Option<String>,
    /// More, by name (`program`, `service`, `branch`, `sql`, …).
    pub detail: BTreeMap<&'static str, String>,
    /// False where the target depends on something only the running shell knows.
    pub certain: bool,
    /// True behind `sudo`, `doas` or `su -c`.
    pub privileged: bool,
    /// True where the exit status 0 of the whole line says that this was done and went well.
    pub confirmed: bool,
}

impl Action {
    fn new(event_type: &'static str, action: &str, resource: &'static str) -> Self {
        Self {
            event_type,
            action: action.to_owned(),
            resource,
            target: None,
            detail: BTreeMap::new(),
            certain: true,
            privileged: false,
            confirmed: true,
        }
    }
}

/// Returns what `command` does, in the order of the text; relative paths are resolved against `cwd`.
///
/// Commands without an effect beside their output (`echo`, `cd`, `test`) are left out, unless nothing else is there. Text that is too long,
/// too deep or does too much ends in a `tool.command` whose detail `unread` says why.
pub fn understand(command: &str, cwd: Option<&str>) -> Vec<Action> {
    let end = command.floor_char_boundary(TEXT_BYTES_MAX);
    let mut walk = walk::Walk::new(cwd);
    walk.script(&command[..end]);
    if end < command.len() {
        walk.leave_unread("length");
    }
    walk.finish()
}
