//! The one handler that is installed for every hook event.

use std::path::{Path, PathBuf};

use jsonc_parser::cst::CstInputValue;
use serde_json::{Value, json};

use crate::failure::Failure;

/// File name of the hook binary; a handler that starts a file of this name is ours.
const HOOK: &str = "sealtrail-hook";

/// Every hook event of the client but those of [`NOT_INSTALLED`], in the order in which they are installed.
pub(crate) const EVENTS: &[&str] = &[
    "SessionStart",
    "Setup",
    "InstructionsLoaded",
    "UserPromptSubmit",
    "UserPromptExpansion",
    "PreToolUse",
    "PermissionRequest",
    "PermissionDenied",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "Notification",
    "MessageDisplay",
    "SubagentStart",
    "SubagentStop",
    "TaskCreated",
    "TaskCompleted",
    "TeammateIdle",
    "Stop",
    "StopFailure",
    "PreCompact",
    "PostCompact",
    "PreModelSwitch",
    "PostModelSwitch",
    "Elicitation",
    "ElicitationResult",
    "ConfigChange",
    "CwdChanged",
    "DirectoryAdded",
    "FileChanged",
    "WorktreeRemove",
    "SessionEnd",
];

/// Hook events that are left alone, and why.
pub(crate) const NOT_INSTALLED: &[(&str, &str)] = &[("WorktreeCreate", "a hook there replaces how the client makes worktrees")];

/// 10 s: five times the default deadline of the hook, and far below the client's own limit of 600 s.
const TIMEOUT_S: u32 = 10;
/// 5 s: without a timeout of its own, a hook at the end of a session shares 1.5 s with all others.
const TIMEOUT_SESSION_END_S: u32 = 5;

/// What the client starts for a hook event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    /// Absolute path of the hook binary.
    pub(crate) command: PathBuf,
    /// The trail, when the hook would not find it by itself.
    pub(crate) home: Option<PathBuf>,
    /// Whether a tool call must not run when the hook itself fails.
    pub(crate) block: bool,
}

impl Handler {
    /// Returns the handler for one event as JSON.
    pub(crate) fn json(&self, event: &str) -> Value {
        let timeout = if event == "SessionEnd" { TIMEOUT_SESSION_END_S } else { TIMEOUT_S };
        let args = match &self.home {
            Some(home) => vec!["--home".to_owned(), home.display().to_string()],
            None => Vec::new(),
        };
        let mut handler = json!({"type": "command", "command": self.command.display().to_string(), "args": args, "timeout": timeout});
        if self.block && event == "PreToolUse" {
            handler["onFailure"] = json!("block");
        }
        handler
    }
}

/// Tells whether a handler in a settings file is ours: it starts a file of our hook's name, without a shell.
pub(crate) fn is_ours(handler: &Value) -> bool {
    let command = handler.get("command").and_then(Value::as_str).unwrap_or_default();
    handler.get("type").and_then(Value::as_str) == Some("command")
        && handler.get("args").is_some_and(Value::is_array)
        && Path::new(command).file_name().is_some_and(|name| name == HOOK)
}

/// Finds the hook binary beside the running program.
pub(crate) fn hook_binary() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::of("hook.missing", &error))?;
    let own = own.canonicalize().unwrap_or(own);
    let hook = own.with_file_name(HOOK);
    if hook.is_file() {
        return Ok(hook);
    }
    let folder = own.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    Err(Failure::new("hook.missing", crate::exit::Exit::Failed, format!("cannot find {HOOK} beside this program in {folder}"))
        .hint("build or install both programs: cargo build --bins, or cargo install --path crates/cli --path crates/hook")
        .hint("or make a trail without hooks: sealtrail init --no-hooks"))
}

/// Turns JSON into what the settings editor inserts.
pub(crate) fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect()),
    }
}
