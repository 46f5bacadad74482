//! What a tool call is in our vocabulary: an event type, a verb, and the thing it touches.

use sealtrail_event::{Category, SlotName};
use serde_json::{Map, Value, json};

use crate::command::{self, Action};
use crate::draft::{Draft, token};
use crate::path;

/// 16 parts of a command line get events of their own: reads are left out first, then the last ones; those left out are counted.
const ACTIONS_MAX: usize = 16;

/// What one tool call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doing {
    pub(crate) event_type: &'static str,
    pub(crate) action: String,
    pub(crate) kind: &'static str,
    pub(crate) target: Option<String>,
    /// The parts of a command line that does several things.
    pub(crate) actions: Vec<Action>,
    /// Parts that were left out of `actions`.
    pub(crate) more: usize,
}

fn doing(event_type: &'static str, action: &str, kind: &'static str, target: Option<String>) -> Doing {
    Doing { event_type, action: action.to_owned(), kind, target, actions: Vec::new(), more: 0 }
}

/// Understands one call; `input` is redacted.
pub(crate) fn understand(tool: &str, input: Option<&Value>, cwd: Option<&str>) -> Doing {
    let text = |name: &str| input.and_then(|input| input.get(name)).and_then(Value::as_str);
    let file = |name: &str| text(name).map(|found| path::absolute(found, cwd));
    let owned = |name: &str| text(name).map(str::to_owned);
    match tool {
        "Read" => doing("data.file_read", "read", "file", file("file_path")),
        "Write" => doing("data.file_write", "write", "file", file("file_path")),
        "Edit" | "MultiEdit" => doing("data.file_write", "edit", "file", file("file_path")),
        "NotebookEdit" => doing("data.file_write", "edit", "file", file("notebook_path")),
        "NotebookRead" => doing("data.file_read", "read", "file", file("notebook_path")),
        "Grep" | "Glob" => doing("data.file_read", "search", "file", file("path").or_else(|| cwd.map(str::to_owned))),
        "LS" => doing("data.file_read", "list", "file", file("path")),
        "Bash" | "PowerShell" => text("command").map_or_else(|| doing("tool.command", "execute", "command", None), |line| shell(line, cwd)),
        "BashOutput" | "TaskOutput" | "Monitor" => doing("tool.command", "observe", "command", None),
        "KillShell" | "KillBash" | "TaskStop" => doing("tool.command", "stop", "command", None),
        "WebFetch" => doing("data.api_call", "fetch", "url", owned("url")),
        "WebSearch" => doing("data.api_call", "search", "url", None),
        "Agent" | "Task" => doing("agent.subagent_spawned", "delegate", "agent", owned("subagent_type")),
        "SendMessage" => doing("agent.message_sent", "send", "agent", owned("to")),
        "Skill" | "SlashCommand" => doing("skill.invoked", "invoke", "skill", owned("skill").or_else(|| owned("command"))),
        "TaskCreate" => doing("task.created", "create", "task", None),
        "TaskUpdate" | "TodoWrite" => doing("task.updated", "update", "task", owned("taskId")),
        "TaskGet" | "TaskList" => doing("task.read", "read", "task", owned("taskId")),
        "ToolSearch" => doing("tool.search", "search", "tool", None),
        "Workflow" => doing("workflow.started", "start", "workflow", owned("name")),
        "CronCreate" | "ScheduleWakeup" => doing("agent.scheduled", "schedule", "agent", None),
        "EnterWorktree" | "ExitWorktree" => doing("session.worktree", "switch", "worktree", file("path")),
        "AskUserQuestion" => doing("prompt.question_asked", "ask", "user", None),
        "EnterPlanMode" | "ExitPlanMode" => doing("agent.plan", "plan", "agent", None),
        mcp if mcp.starts_with("mcp__") => doing("mcp.tool_call", "call", "mcp_tool", Some(mcp.to_owned())),
        _ => doing("tool.call", "call", "tool", None),
    }
}

/// Understands a command line: one action gives the call its type, several make it a `tool.command` with parts.
fn shell(line: &str, cwd: Option<&str>) -> Doing {
    let mut actions = command::understand(line, cwd);
    if actions.len() == 1 {
        let only = actions.remove(0);
        let mut doing = doing(only.event_type, &only.action, only.resource, only.target.clone());
        doing.actions.push(only);
        return doing;
    }
    let more = actions.len().saturating_sub(ACTIONS_MAX);
    leave_out(&mut actions);
    Doing { actions, more, ..doing("tool.command", "execute", "command", None) }
}

/// Keeps the parts that change or send something, as far as there is room: nobody hides a deletion behind sixteen reads.
fn leave_out(actions: &mut Vec<Action>) {
    let tame = |action: &Action| action.event_type == "data.file_read" && !action.privileged;
    let mut room = ACTIONS_MAX.saturating_sub(actions.iter().filter(|action| !tame(action)).count());
    actions.retain(|action| {
        let keep = !tame(action) || room > 0;
        room -= usize::from(keep && tame(action));
        keep
    });
    actions.truncate(ACTIONS_MAX);
}

impl Doing {
    /// Tells whether the call has parts that get events of their own.
    pub(crate) fn has_parts(&self) -> bool {
        self.actions.len() > 1
    }

    /// Says in `draft` what is touched and what is done to it; a command line also under the name that searches use.
    pub(crate) fn describe(&self, draft: &mut Draft) {
        describe(draft, &self.action, self.kind, self.target.as_deref());
        let line = draft.member(SlotName::Input, "tool_input").and_then(|input| input.get("command")).cloned();
        if let Some(line @ Value::String(_)) = line {
            draft.put(SlotName::Input, "command", line);
        }
        match self.actions.as_slice() {
            [] => {}
            [only] => detail(draft, only),
            parts => {
                let list: Vec<Value> = parts.iter().map(part).collect();
                draft.put(SlotName::Resource, "actions", Value::Array(list));
                if self.more > 0 {
                    draft.put_in(SlotName::Content, "parts", "left_out", self.more.into());
                }
            }
        }
    }
}

/// Says in `draft` what is touched and what is done to it.
pub(crate) fn describe(draft: &mut Draft, action: &str, kind: &'static str, target: Option<&str>) {
    draft.operation().action = token(action);
    draft.resource().kind = token(kind);
    if let Some(target) = target {
        let name = match kind {
            "file" | "worktree" | "directory" => "path",
            "url" => "url",
            _ => "name",
        };
        draft.put_in(SlotName::Resource, "resource", name, target.into());
    }
}

/// Says what else is known of one action.
pub(crate) fn detail(draft: &mut Draft, action: &Action) {
    if !action.certain {
        draft.put_in(SlotName::Resource, "resource", "certain", false.into());
    }
    if !action.confirmed {
        draft.put_in(SlotName::Resource, "resource", "confirmed", false.into());
    }
    if action.privileged {
        draft.put_in(SlotName::Resource, "resource", "privileged", true.into());
    }
    if !action.detail.is_empty() {
        let detail: Map<String, Value> = action.detail.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        draft.put_in(SlotName::Resource, "resource", "detail", Value::Object(detail));
    }
}

fn part(action: &Action) -> Value {
    json!({"event_type": action.event_type, "action": action.action, "target": action.target})
}

/// Returns the category of a tool call of this type.
pub(crate) fn category_of(event_type: &str) -> Category {
    match event_type {
        "data.api_call" | "data.db_query" => Category::InfrastructureOperation,
        infra if infra.starts_with("infra.") => Category::InfrastructureOperation,
        _ => Category::ToolInvocation,
    }
}
