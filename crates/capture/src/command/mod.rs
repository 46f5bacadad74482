//! Command lines understood: what a shell command does, in our vocabulary.
//!
//! It is **not** a shell: nothing is expanded, executed or looked up, and what cannot be known is marked as not certain.

use std::collections::BTreeMap;

/// One thing that a command line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The event type, for example `data.file_read`, `infra.git`, `tool.command`.
    pub event_type: &'static str,
    /// What is done: `read`, `write`, `delete`, `push`, …
    pub action: String,
    /// The kind of resource: `file`, `url`, `database`, `repository`, `cloud`, `package`, `command`, …
    pub resource: &'static str,
    /// What it is done to: a path, a URL without credentials, a program.
    pub target: Option<String>,
    /// More, by name (`program`, `service`, `branch`, `sql`, …).
    pub detail: BTreeMap<&'static str, String>,
    /// False where the target depends on something only the running shell knows (a variable, a glob, a substitution).
    pub certain: bool,
    /// True behind `sudo`, `doas` or `su -c`.
    pub privileged: bool,
}

/// Returns what `command` does, in the order of the text; relative paths are resolved against `cwd`.
pub fn understand(command: &str, cwd: Option<&str>) -> Vec<Action> {
    let _ = (command, cwd);
    Vec::new()
}
