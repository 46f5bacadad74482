//! Which class a hook event belongs to, as far as the hook can know without parsing all of it.

/// The classes for which an operator chooses a fail mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Start, end and other life signs of a session or an agent.
    SessionLifecycle,
    /// A tool is asked for, or ran.
    ToolInvocation,
    /// Something is allowed or denied.
    PolicyDecision,
    /// Everything else.
    Other,
}

impl Class {
    /// Every class, in order.
    pub const ALL: &[Self] = &[Self::SessionLifecycle, Self::ToolInvocation, Self::PolicyDecision, Self::Other];

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionLifecycle => "session_lifecycle",
            Self::ToolInvocation => "tool_invocation",
            Self::PolicyDecision => "policy_decision",
            Self::Other => "other",
        }
    }

    /// Finds the class by its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.as_str() == word)
    }

    /// Returns the class of a hook event of the client.
    pub fn of(hook_event_name: &str) -> Self {
        match hook_event_name {
            "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "PostToolBatch" => Self::ToolInvocation,
            "PermissionRequest" | "PermissionDenied" => Self::PolicyDecision,
            "SessionStart" | "SessionEnd" | "SubagentStart" | "SubagentStop" | "Stop" | "StopFailure" | "Setup" => Self::SessionLifecycle,
            _ => Self::Other,
        }
    }
}

/// Returns the value of the member `hook_event_name` of the outermost object, without parsing anything else.
///
/// Only that member counts: a tool input that holds the same words deeper down, or inside a string, does not.
pub fn hook_event_name(json: &[u8]) -> Option<&str> {
    let mut depth = 0usize;
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let end = string_end(json, at + 1)?;
                let text = &json[at + 1..end];
                at = end;
                if depth == 1 && text == b"hook_event_name" {
                    let value = after_colon(json, end + 1);
                    if let Some(value) = value {
                        return std::str::from_utf8(&json[value..string_end(json, value)?]).ok();
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns the place of the quote that ends the string which began before `at`.
fn string_end(json: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match json.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Returns the place after the opening quote of a string value that follows a colon at or after `at`.
fn after_colon(json: &[u8], at: usize) -> Option<usize> {
    let mut rest = json.iter().enumerate().skip(at).filter(|(_, byte)| !byte.is_ascii_whitespace());
    rest.next().filter(|(_, byte)| **byte == b':')?;
    rest.next().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at + 1)
}
