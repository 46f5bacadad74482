//! What each hook of the client becomes: one row per hook; the page `docs/format/hooks.md` shows the same table.

use sealtrail_event::{Category, Phase, Severity};

/// One hook event of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookRow {
    /// Its name on the wire (`hook_event_name`).
    pub hook: &'static str,
    /// The event it becomes; `*` where the tool call decides.
    pub event_type: &'static str,
    /// Category of that event.
    pub category: Option<Category>,
    /// Severity of that event, unless the outcome raises it.
    pub severity: Severity,
    /// Phase of that event.
    pub phase: Option<Phase>,
    /// The members it may have beside [`COMMON_FIELDS`].
    pub fields: &'static [&'static str],
}

/// Members that any hook may have.
pub const COMMON_FIELDS: &[&str] =
    &["session_id", "transcript_path", "cwd", "hook_event_name", "prompt_id", "permission_mode", "agent_id", "agent_type", "effort"];

/// The event of a hook that this version does not know.
pub const UNKNOWN_HOOK: &str = "session.hook_event";

const LIFE: Option<Category> = Some(Category::SessionLifecycle);
const TOOL: Option<Category> = Some(Category::ToolInvocation);
const POLICY: Option<Category> = Some(Category::PolicyDecision);

const fn row(hook: &'static str, event_type: &'static str, category: Option<Category>, fields: &'static [&'static str]) -> HookRow {
    HookRow { hook, event_type, category, severity: Severity::Info, phase: None, fields }
}

const fn debug(row: HookRow) -> HookRow {
    HookRow { severity: Severity::Debug, ..row }
}

const fn warning(row: HookRow) -> HookRow {
    HookRow { severity: Severity::Warning, ..row }
}

const fn phase(phase: Phase, row: HookRow) -> HookRow {
    HookRow { phase: Some(phase), ..row }
}

const SWITCH_FIELDS: &[&str] = &[
    "from_model",
    "to_model",
    "requested_model",
    "source",
    "context_tokens",
    "prompt_cache_warm",
    "cache_ttl",
    "estimated_cache_write_usd",
    "pricing",
];
const STOP_FIELDS: &[&str] = &["stop_hook_active", "last_assistant_message", "background_tasks", "session_crons"];
const TASK_FIELDS: &[&str] = &["task_id", "task_subject", "task_description", "teammate_name", "team_name"];

/// Every hook of the client version that this release was tested with, in the order in which a session may meet them.
pub const HOOKS: &[HookRow] = &[
    row("Setup", "session.setup", LIFE, &["trigger"]),
    row(
        "SessionStart",
        "session.started",
        LIFE,
        &[
            "source",
            "model",
            "session_title",
            "seconds_since_last_response",
            "context_tokens",
            "prompt_cache_likely_expired",
            "estimated_cache_write_usd",
        ],
    ),
    row(
        "InstructionsLoaded",
        "agent.instructions_loaded",
        None,
        &["file_path", "memory_type", "load_reason", "globs", "trigger_file_path", "parent_file_path"],
    ),
    row("UserPromptSubmit", "prompt.submitted", None, &["prompt", "source", "session_title"]),
    row("UserPromptExpansion", "prompt.expanded", None, &["expansion_type", "command_name", "command_args", "command_source", "prompt"]),
    phase(Phase::Intent, row("PreToolUse", "tool.requested", TOOL, &["tool_name", "tool_input", "tool_use_id", "mcp_server"])),
    phase(
        Phase::Verdict,
        row("PermissionRequest", "policy.approval_requested", POLICY, &["tool_name", "tool_input", "permission_suggestions", "mcp_server"]),
    ),
    phase(
        Phase::Verdict,
        warning(row("PermissionDenied", "policy.decision", POLICY, &["tool_name", "tool_input", "tool_use_id", "reason", "mcp_server"])),
    ),
    phase(
        Phase::Outcome,
        row("PostToolUse", "*", TOOL, &["tool_name", "tool_input", "tool_response", "tool_use_id", "duration_ms", "mcp_server"]),
    ),
    phase(
        Phase::Outcome,
        warning(row(
            "PostToolUseFailure",
            "*",
            TOOL,
            &["tool_name", "tool_input", "tool_use_id", "error", "is_interrupt", "duration_ms", "mcp_server"],
        )),
    ),
    row("PostToolBatch", "tool.batch", TOOL, &["tool_calls"]),
    debug(row("Notification", "session.notification", LIFE, &["message", "title", "notification_type"])),
    debug(row("MessageDisplay", "model.message_displayed", None, &["turn_id", "message_id", "index", "final", "delta"])),
    row("SubagentStart", "agent.subagent_spawned", LIFE, &[]),
    row(
        "SubagentStop",
        "agent.subagent_finished",
        LIFE,
        &["stop_hook_active", "agent_transcript_path", "last_assistant_message", "background_tasks", "session_crons"],
    ),
    row("TaskCreated", "task.created", None, TASK_FIELDS),
    row("TaskCompleted", "task.completed", None, TASK_FIELDS),
    row("TeammateIdle", "agent.teammate_idle", None, &["teammate_name", "team_name"]),
    row("Stop", "session.turn_finished", LIFE, STOP_FIELDS),
    warning(row("StopFailure", "session.turn_failed", LIFE, &["error", "error_details", "last_assistant_message"])),
    row("PreCompact", "session.compaction_started", LIFE, &["trigger", "custom_instructions"]),
    row("PostCompact", "session.compaction_finished", LIFE, &["trigger", "compact_summary"]),
    phase(Phase::Intent, row("PreModelSwitch", "model.switch_requested", None, SWITCH_FIELDS)),
    row("PostModelSwitch", "model.switched", None, SWITCH_FIELDS),
    row(
        "Elicitation",
        "mcp.elicitation_requested",
        None,
        &["mcp_server_name", "message", "mode", "url", "elicitation_id", "requested_schema"],
    ),
    row("ElicitationResult", "mcp.elicitation_answered", None, &["mcp_server_name", "action", "content", "mode", "elicitation_id"]),
    warning(row("ConfigChange", "agent.config_update", None, &["source", "file_path"])),
    debug(row("CwdChanged", "session.cwd_changed", LIFE, &["old_cwd", "new_cwd"])),
    row("DirectoryAdded", "agent.directory_added", POLICY, &["directory", "source"]),
    row("FileChanged", "data.file_changed", None, &["file_path", "event"]),
    row("WorktreeCreate", "session.worktree_created", LIFE, &["name"]),
    row("WorktreeRemove", "session.worktree_removed", LIFE, &["worktree_path"]),
    row("SessionEnd", "session.ended", LIFE, &["reason"]),
];

/// Returns the row of a hook, if this version knows it.
pub fn row_of(hook: &str) -> Option<&'static HookRow> {
    HOOKS.iter().find(|row| row.hook == hook)
}

/// Tells whether some hook has a member of this name.
pub(crate) fn is_hook_field(field: &str) -> bool {
    COMMON_FIELDS.contains(&field) || HOOKS.iter().any(|row| row.fields.contains(&field))
}

/// Tells whether this version knows `field` on the hook of `row`.
pub(crate) fn knows_field(row: &HookRow, field: &str) -> bool {
    COMMON_FIELDS.contains(&field) || row.fields.contains(&field)
}
