//! What one event says, as far as the matrix needs it. Nothing is filled in that the event does not say.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use super::moment::unix_ms;
use super::words::{Phases, Witness};
use crate::field::at;

/// 16 bytes of SHA-256: two inputs of one call that differ are never taken for the same.
pub(super) type Print = [u8; 16];

/// Members that hold a path: witnesses show it relative or absolute, so only its last part is compared.
const PATHS: &[&str] = &["file_path", "path", "notebook_path"];

/// 64 levels, as events have at most; deeper values are left out of the hash on all sides alike.
const DEPTH_MAX: u8 = 64;

/// How an action ended, as far as witnesses can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Good,
    Bad,
    Denied,
    /// Nobody could tell, or it is not over.
    Open,
}

/// One event.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'a str,
    /// The witness, if it is one of the matrix.
    pub(super) witness: Option<Witness>,
    pub(super) at: i64,
    pub(super) session: &'a str,
    pub(super) prompt: &'a str,
    pub(super) call: &'a str,
    pub(super) request: &'a str,
    pub(super) agent: &'a str,
    pub(super) child: &'a str,
    pub(super) parent: &'a str,
    pub(super) phases: Phases,
    pub(super) end: Option<End>,
    pub(super) reason: &'a str,
    pub(super) source: &'a str,
    pub(super) tool: &'a str,
    pub(super) server: &'a str,
    pub(super) model: &'a str,
    pub(super) tokens: [Option<u64>; 2],
    pub(super) hook: &'a str,
    pub(super) late_ms: Option<u64>,
    pub(super) view: &'a Value,
}

impl<'a> Told<'a> {
    /// Reads an event; nothing when it has no id or no time.
    pub(super) fn new(view: &'a Value) -> Option<Self> {
        let word = |name: &str| at(view, name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| at(view, name).and_then(Value::as_u64);
        let phases = Phases::parse(word("phase"));
        let id = word("audit_id");
        let time = unix_ms(word("timestamp")).or_else(|| unix_ms(word("recorded_at")));
        Some(Self {
            id: if id.is_empty() { return None } else { id },
            kind: word("event_type"),
            witness: Witness::parse(word("witness")),
            at: time?,
            session: word("session_id"),
            prompt: word("prompt_id"),
            call: word("tool_use_id"),
            request: word("request_id"),
            agent: word("agent_id"),
            child: word("subagent_id"),
            parent: word("parent_audit_id"),
            phases,
            end: end(word("outcome"), word("policy_result"), phases),
            reason: word("reason"),
            source: attribute(view, "query_source").and_then(Value::as_str).unwrap_or_default(),
            tool: word("tool_name"),
            server: word("mcp_server"),
            model: word("model"),
            tokens: [number("input_tokens"), number("output_tokens")],
            hook: word("hook_event_name"),
            late_ms: number("late_ms"),
            view,
        })
    }

    /// Tells whether it is about a call of the model, not about a tool or a session.
    pub(super) fn is_model_call(&self) -> bool {
        matches!(self.kind, "model.request" | "model.response" | "model.call") && self.call.is_empty()
    }

    /// Tells whether it shows that a request was answered, although it is no event of the answer itself: a line of the answer, or the span of the request.
    pub(super) fn shows_answer(&self) -> bool {
        let by = match self.witness {
            Some(Witness::Transcript) => true,
            Some(Witness::Otel) => self.kind == "otel.claude_code.llm_request",
            _ => false,
        };
        by && !self.request.is_empty() && !self.is_model_call()
    }

    /// Tells whether it is a request beside the talk of an agent: it offers no tools.
    pub(super) fn asks_aside(&self) -> bool {
        let tools = self.member("request.tools").and_then(Value::as_u64).unwrap_or(0);
        self.kind == "model.request" && tools == 0 && self.member("request.messages").is_some()
    }

    /// Tells whether it only shows traffic with the model's API: lines of a bill, no trail of actions.
    pub(super) fn is_api_level(&self) -> bool {
        const BILLS: &[&str] = &["model.", "cost.", "gateway.", "otel.api_", "otel.metric", "otel.claude_code.llm_request"];
        let billed = BILLS.iter().any(|kind| self.kind.starts_with(kind));
        self.witness == Some(Witness::Gateway) || (billed && self.witness != Some(Witness::Hook))
    }

    /// Returns the number that the exporter gave the event in its process.
    pub(super) fn sequence(&self) -> Option<u64> {
        let found = attribute(self.view, "event.sequence")?;
        found.as_u64().or_else(|| found.as_str()?.parse().ok())
    }

    /// Returns the hook that an exporter says is registered.
    pub(super) fn registered(&self) -> Option<&'a str> {
        let hook = attribute(self.view, "hook_event").filter(|_| self.kind.ends_with("hook_registered"))?;
        hook.as_str().filter(|name| !name.is_empty())
    }

    /// Tells that the API itself runs the call: the client never sees it as one of its own.
    pub(super) fn is_run_by_api(&self) -> bool {
        self.member("block_type").is_some()
    }

    /// Tells that the client's transcript was deleted or cut.
    pub(super) fn deletes_transcript(&self) -> bool {
        let gone = ["delet", "remov", "clean", "truncat", "purge", "vanish", "gone"];
        self.kind.starts_with("transcript.") && gone.iter().any(|word| self.kind.contains(word))
    }

    /// Tells that sealed lines of the client's transcript are no longer what they were; a file with another name is the same.
    pub(super) fn changes_transcript(&self) -> bool {
        self.kind == "transcript.changed" && self.reason != "moved"
    }

    /// Returns the hash of the input that was asked for; nothing where redaction replaced a part of it or it is not there.
    pub(super) fn input(&self) -> Option<Print> {
        let redacted = at(self.view, "redactions").and_then(Value::as_u64).unwrap_or(0) > 0;
        let asked = self.phases.has(Phases::INTENT) && !redacted;
        let input = at(self.view, "tool_input").filter(|input| asked && input.is_object())?;
        let mut context = Context::new(&SHA256);
        feed(&mut context, input, 0);
        context.finish().as_ref().first_chunk::<16>().copied()
    }

    /// Returns the member of an event by its dotted name.
    pub(super) fn member(&self, name: &str) -> Option<&'a Value> {
        at(self.view, name)
    }
}

/// Returns an attribute of telemetry, which keeps its own name.
fn attribute<'a>(view: &'a Value, name: &str) -> Option<&'a Value> {
    view.get("attributes")?.get(name)
}

/// Says how it ended: only an outcome tells that it was done, but any word of a refusal is one.
fn end(outcome: &str, policy: &str, phases: Phases) -> Option<End> {
    if outcome == "denied" || policy == "denied" {
        return Some(End::Denied);
    }
    match outcome {
        _ if !phases.has(Phases::OUTCOME) => None,
        "success" => Some(End::Good),
        "failure" | "error" => Some(End::Bad),
        _ => Some(End::Open),
    }
}

/// Feeds a value with its members in order and its paths cut to their last part.
fn feed(context: &mut Context, value: &Value, depth: u8) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            context.update(b"{");
            for name in names {
                context.update(Value::from(name.as_str()).to_string().as_bytes());
                match &members[name] {
                    Value::String(path) if PATHS.contains(&name.as_str()) => context.update(last_part(path).as_bytes()),
                    other => feed(context, other, depth + 1),
                }
                context.update(b",");
            }
            context.update(b"}");
        }
        Value::Array(items) => {
            context.update(b"[");
            for item in items {
                feed(context, item, depth + 1);
                context.update(b",");
            }
            context.update(b"]");
        }
        other => context.update(other.to_string().as_bytes()),
    }
}

fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}
