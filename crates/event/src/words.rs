//! Words of other vocabularies in ours: status, severity, sensitivity, event types; and what follows from an event type.

use crate::kind::{Category, Outcome, PolicyResult, Severity};

/// Returns the outcome that a status word means; a word nobody knows is [`Outcome::Unknown`].
pub fn outcome_of(word: &str) -> Outcome {
    outcome_word(word).unwrap_or(Outcome::Unknown)
}

/// Returns the outcome that a status word means, in any case; `None` for a word nobody knows.
pub fn outcome_word(word: &str) -> Option<Outcome> {
    let lower = lower(word)?;
    Some(match lower.as_str() {
        "success" | "succeeded" | "successful" | "ok" | "completed" | "complete" | "passed" | "allowed" | "approved" | "granted" => {
            Outcome::Success
        }
        "fail" | "failed" | "failure" | "unsuccessful" => Outcome::Failure,
        "deny" | "denied" | "blocked" | "refused" | "rejected" | "forbidden" => Outcome::Denied,
        "error" | "errored" | "exception" | "timeout" | "timed_out" | "cancelled" | "canceled" | "aborted" => Outcome::Error,
        "pending" | "initiated" | "started" | "running" | "in_progress" => Outcome::Pending,
        "unknown" | "lost" | "agent_lost" => Outcome::Unknown,
        _ => return None,
    })
}

/// Returns the severity that a word means, in any case.
pub fn severity_word(word: &str) -> Option<Severity> {
    let lower = lower(word)?;
    Some(match lower.as_str() {
        "debug" | "trace" => Severity::Debug,
        "info" | "informational" | "notice" | "low" => Severity::Info,
        "warning" | "warn" | "medium" => Severity::Warning,
        "high" | "error" => Severity::High,
        "critical" | "fatal" | "emergency" | "alert" => Severity::Critical,
        _ => return None,
    })
}

/// Returns the policy result that a word means, in any case.
pub fn policy_word(word: &str) -> Option<PolicyResult> {
    let lower = lower(word)?;
    Some(match lower.as_str() {
        "allowed" | "allow" | "permit" | "permitted" | "approved" => PolicyResult::Allowed,
        "denied" | "deny" | "forbid" | "blocked" => PolicyResult::Denied,
        "asked" | "ask" => PolicyResult::Asked,
        "not_evaluated" | "none" => PolicyResult::NotEvaluated,
        _ => return None,
    })
}

/// Returns the step of a data class on the ladder public 0, internal 1, confidential 2, restricted 3.
///
/// `sensitive` is `confidential`; labels beside the ladder (`pii`, `phi`, `pci`, `regulated`, …) have no step.
pub fn class_step(word: &str) -> Option<u8> {
    let lower = lower(word)?;
    Some(match lower.as_str() {
        "public" => 0,
        "internal" => 1,
        "confidential" | "sensitive" => 2,
        "restricted" | "secret" => 3,
        _ => return None,
    })
}

/// Words for event types in the gateway, governance and skill articles, and the type in domain form.
const EVENT_TYPES: &[(&str, &str)] = &[
    ("session_lifecycle", "session.lifecycle"),
    ("tool_invocation", "tool.invocation"),
    ("infrastructure_operation", "infra.operation"),
    ("policy_decision", "policy.decision"),
    ("cost", "cost.usage"),
    ("session_start", "session.started"),
    ("session_end", "session.ended"),
    ("policy_event", "policy.event"),
    ("security_event", "security.event"),
    ("ai_decision", "workflow.ai_decision"),
];

/// Actions of the `AuditEvent` interface, and the type in domain form.
const ACTIONS: &[(&str, &str)] = &[
    ("file_read", "data.file_read"),
    ("file_write", "data.file_write"),
    ("tool_execution", "tool.execution"),
    ("api_call", "data.api_call"),
];

/// Returns the event type in domain form for a word of another vocabulary.
pub fn event_type_word(word: &str) -> Option<&'static str> {
    EVENT_TYPES.iter().chain(ACTIONS).find(|(other, _)| *other == word).map(|(_, ours)| *ours)
}

/// Returns the word of another vocabulary for an event type.
pub(crate) fn event_type_as_sent(event_type: &str) -> Option<&'static str> {
    EVENT_TYPES.iter().find(|(_, ours)| *ours == event_type).map(|(other, _)| *other)
}

/// Returns the `AuditEvent` action for an event type.
pub(crate) fn action_of(event_type: &str) -> Option<&'static str> {
    ACTIONS.iter().find(|(_, ours)| *ours == event_type).map(|(other, _)| *other)
}

/// Returns the category of an event type, where one fits.
pub fn category_of(event_type: &str) -> Option<Category> {
    let (head, rest) = event_type.split_once('.').unwrap_or((event_type, ""));
    Some(match head {
        "session" => Category::SessionLifecycle,
        "infra" => Category::InfrastructureOperation,
        "policy" => Category::PolicyDecision,
        "cost" | "model" => Category::Cost,
        "tool" | "data" | "mcp" | "skill" => Category::ToolInvocation,
        "auth" if rest.starts_with("permission_") => Category::PolicyDecision,
        _ => return None,
    })
}

/// Returns the severity of an event that does not say it: by the type first, then by the outcome.
pub fn severity_of(event_type: &str, outcome: Option<Outcome>) -> Severity {
    match event_type {
        "ledger.fork" | "security.attack" => return Severity::Critical,
        "ledger.gap" | "ledger.clock" | "ledger.erase" | "system.audit_deleted" => return Severity::High,
        "agent.config_update" | "auth.permission_granted" | "auth.api_key_created" | "system.config_changed" => return Severity::Warning,
        _ => {}
    }
    match (event_type.split('.').next().unwrap_or(""), outcome) {
        ("security", _) => Severity::High,
        ("auth", Some(Outcome::Denied)) => Severity::High,
        (_, Some(Outcome::Failure | Outcome::Denied | Outcome::Error | Outcome::Unknown)) => Severity::Warning,
        _ => Severity::Info,
    }
}

/// Returns a short word in lower case; longer texts are no words (the longest known has 24 bytes).
fn lower(word: &str) -> Option<String> {
    (word.len() <= 24).then(|| word.to_ascii_lowercase())
}
