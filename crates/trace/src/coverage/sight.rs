//! Who can see what. The table is what `docs/coverage.md` prints; a test compares the two.

use super::words::{Class, Phases, Witness};

/// What one witness can see of one class of actions.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// The class.
    pub class: Class,
    /// The witness.
    pub witness: Witness,
    /// Whether it can see such an action at all.
    pub sees: bool,
    /// The phases that it must have told before the action counts as seen; some kinds of actions waive some of them.
    pub must: Phases,
    /// By what it sees them.
    pub by: &'static str,
    /// What it never sees of them: no gap.
    pub blind: &'static str,
}

const BOTH: Phases = Phases::INTENT.and(Phases::OUTCOME);
const NONE: Phases = Phases::NONE;

const fn sees(class: Class, witness: Witness, must: Phases, by: &'static str, blind: &'static str) -> Sight {
    Sight { class, witness, sees: true, must, by, blind }
}

const fn never(class: Class, witness: Witness, blind: &'static str) -> Sight {
    Sight { class, witness, sees: false, must: NONE, by: "", blind }
}

const HANDED_IN: &str = "whatever nobody handed in: never a gap";
const NO_PROMPT: &str = "everything: requests carry no prompt id";
const NOT_MCP: &str = "everything that is no call of an MCP tool";

/// Every class and witness, in order.
pub const SIGHTS: &[Sight] = &[
    sees(
        Class::ToolCall,
        Witness::Hook,
        BOTH,
        "`PreToolUse`, `PermissionRequest`, `PermissionDenied`, `PostToolUse`, `PostToolUseFailure`, `PostToolBatch`",
        "the intent of a call of an unknown tool or with input that the tool refuses: only `PostToolBatch` tells of it; a denied call has no `PostToolUse`",
    ),
    sees(
        Class::ToolCall,
        Witness::Transcript,
        BOTH,
        "`tool_use` and `tool_result` blocks",
        "sessions with `--no-session-persistence`; lines that were not written yet when the client was killed",
    ),
    sees(
        Class::ToolCall,
        Witness::Otel,
        Phases::VERDICT.and(Phases::OUTCOME),
        "`tool_decision`, `tool_result`",
        "calls of unknown tools or with refused input; the result of a denied call",
    ),
    sees(
        Class::ToolCall,
        Witness::Gateway,
        Phases::INTENT,
        "`tool_use` blocks of answers; `tool_result` blocks of the next request",
        "a result that no request follows",
    ),
    sees(
        Class::ToolCall,
        Witness::Mcp,
        BOTH,
        "`tools/call` with `claudecode/toolUseId`",
        "calls of tools that are not behind it; denied calls",
    ),
    sees(Class::ToolCall, Witness::Api, NONE, "records with a `tool_use_id`", HANDED_IN),
    never(Class::ModelCall, Witness::Hook, "everything: no hook names a request"),
    sees(
        Class::ModelCall,
        Witness::Transcript,
        Phases::OUTCOME,
        "`requestId` of assistant lines",
        "attempts that failed; side requests (titles, compaction)",
    ),
    sees(
        Class::ModelCall,
        Witness::Otel,
        Phases::OUTCOME,
        "`api_request`, `api_error`",
        "attempts before the last one of a request that failed; the client's trial of another model",
    ),
    sees(Class::ModelCall, Witness::Gateway, BOTH, "the request and its answer", "requests that do not go through it"),
    never(Class::ModelCall, Witness::Mcp, NOT_MCP),
    sees(Class::ModelCall, Witness::Api, NONE, "records with a `request_id`", HANDED_IN),
    sees(Class::Prompt, Witness::Hook, NONE, "`UserPromptSubmit`, and `prompt_id` of every hook", ""),
    sees(Class::Prompt, Witness::Transcript, NONE, "`promptId` of user lines", ""),
    sees(Class::Prompt, Witness::Otel, NONE, "`user_prompt`, and `prompt.id` of every event", ""),
    never(Class::Prompt, Witness::Gateway, NO_PROMPT),
    never(Class::Prompt, Witness::Mcp, NOT_MCP),
    sees(Class::Prompt, Witness::Api, NONE, "records with a `prompt_id`", HANDED_IN),
    sees(Class::Subagent, Witness::Hook, NONE, "`SubagentStart`, `SubagentStop`, and `agent_id` of every hook inside it", ""),
    sees(Class::Subagent, Witness::Transcript, NONE, "`subagents/agent-<id>.jsonl`", "the client's own agents for compaction"),
    sees(Class::Subagent, Witness::Otel, NONE, "`agent_id` of events inside it", "a subagent that did nothing"),
    sees(Class::Subagent, Witness::Gateway, NONE, "`x-claude-code-agent-id` of its requests", "a subagent that asked no model"),
    never(Class::Subagent, Witness::Mcp, NOT_MCP),
    sees(Class::Subagent, Witness::Api, NONE, "records with an `agent_id`", HANDED_IN),
    sees(
        Class::Session,
        Witness::Hook,
        Phases::INTENT,
        "`SessionStart`, `SessionEnd`, and `session_id` of every hook",
        "the end of a client that was killed",
    ),
    sees(Class::Session, Witness::Transcript, NONE, "`<session>.jsonl`", ""),
    sees(Class::Session, Witness::Otel, NONE, "`session.id` of every event", ""),
    sees(Class::Session, Witness::Gateway, NONE, "`X-Claude-Code-Session-Id` of requests", ""),
    sees(Class::Session, Witness::Mcp, NONE, "`CLAUDE_CODE_SESSION_ID` of a server on standard input and output", "over HTTP, everything"),
    sees(Class::Session, Witness::Api, NONE, "records with a `session_id`", HANDED_IN),
];

/// Returns what a witness can see of a class.
pub fn sight(class: Class, witness: Witness) -> &'static Sight {
    // The table holds every pair in this order; a test checks it.
    &SIGHTS[class as usize * Witness::ALL.len() + witness as usize]
}
