//! What the client does whatever the files say: what it never asks about, and what it always asks about.

/// Tools that the client runs without a question.
pub(crate) const NEVER_ASKED: &[&str] = &[
    "Agent",
    "Task",
    "AskUserQuestion",
    "CronCreate",
    "CronDelete",
    "CronList",
    "EnterPlanMode",
    "EnterWorktree",
    "ListMcpResourcesTool",
    "ReadMcpResourceTool",
    "SendMessage",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "TaskUpdate",
    "TodoWrite",
    "ToolSearch",
];

/// Folders and files that no rule permits to change: they decide what is permitted, or what runs by itself.
const PROTECTED_FOLDERS: &[&str] = &[".git", ".vscode", ".idea", ".husky", ".cargo", ".devcontainer", ".yarn", ".mvn", ".claude"];
const PROTECTED_FILES: &[&str] = &[
    ".gitconfig",
    ".gitmodules",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    ".zlogin",
    ".profile",
    ".envrc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnp.cjs",
    ".pnpmfile.cjs",
    "bunfig.toml",
    ".bazelrc",
    ".pre-commit-config.yaml",
    ".devcontainer.json",
    ".ripgreprc",
    "pyrightconfig.json",
    ".mcp.json",
    ".claude.json",
    "gradle-wrapper.properties",
    "maven-wrapper.properties",
];

/// Tells whether the client asks before it changes this file, whatever the rules permit.
pub(crate) fn is_protected(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        if last && PROTECTED_FILES.contains(&part) {
            return true;
        }
        if !last && PROTECTED_FOLDERS.contains(&part) && !(part == ".claude" && parts.peek() == Some(&"worktrees")) {
            return true;
        }
        if !last && part == ".config" && parts.peek() == Some(&"git") {
            return true;
        }
    }
    false
}
