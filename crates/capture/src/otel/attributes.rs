//! The attributes of one record, redacted, as they are taken out one by one; what is left keeps its own name.

use sealtrail_event::{Envelope, Token};
use serde_json::{Map, Value};

use super::plain::whole;
use crate::draft::token;

/// Attributes that are not placed yet.
pub(super) struct Attributes(pub(super) Map<String, Value>);

impl Attributes {
    /// Returns a text, and leaves it.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// Returns a value, and leaves it.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Takes a value.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(key)
    }

    /// Takes a text that is a word of an envelope; any other value stays.
    pub(super) fn take_token(&mut self, key: &str) -> Option<Token> {
        let word = token(self.text(key)?)?;
        self.take(key);
        Some(word)
    }

    /// Takes a count, which the client sometimes writes as text; any other value stays.
    pub(super) fn take_count(&mut self, key: &str) -> Option<u64> {
        let count = match self.get(key)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => whole(text).and_then(|number| number.as_u64()),
            _ => None,
        }?;
        self.take(key);
        Some(count)
    }

    /// Takes money; any other value stays.
    pub(super) fn take_money(&mut self, key: &str) -> Option<f64> {
        let money = self.get(key)?.as_f64().filter(|money| money.is_finite() && *money >= 0.0)?;
        self.take(key);
        Some(money)
    }

    /// Returns a truth value, which the client sometimes writes as text, and leaves it.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Fills the members of an envelope that are known by other names here; the first name that fits wins, the others stay.
    pub(super) fn fill(&mut self, envelope: &mut Envelope) {
        for key in WORDS {
            if let Some(place @ None) = word(envelope, key) {
                *place = self.take_token(key);
            }
        }
        for key in COUNTS {
            if let Some(place @ None) = count(envelope, key) {
                *place = self.take_count(key);
            }
        }
        envelope.cost_usd = self.take_money("cost_usd");
    }
}

/// Attributes that are words of an envelope; of two for one member the better one first.
const WORDS: &[&str] = &[
    "session.id",
    "gen_ai.conversation.id",
    "prompt.id",
    "tool_use_id",
    "gen_ai.tool.call.id",
    "request_id",
    "agent_id",
    "gen_ai.agent.id",
    "parent_agent_id",
    "agent_type",
    "model",
    "gen_ai.response.model",
    "gen_ai.request.model",
    "tool_name",
    "gen_ai.tool.name",
    "permission_mode",
    "mcp_server.name",
];

/// Attributes that are counts of an envelope.
const COUNTS: &[&str] = &["duration_ms", "input_tokens", "gen_ai.usage.input_tokens", "output_tokens", "gen_ai.usage.output_tokens"];

fn word<'a>(envelope: &'a mut Envelope, key: &str) -> Option<&'a mut Option<Token>> {
    Some(match key {
        "session.id" | "gen_ai.conversation.id" => &mut envelope.session_id,
        "prompt.id" => &mut envelope.prompt_id,
        "tool_use_id" | "gen_ai.tool.call.id" => &mut envelope.tool_use_id,
        "request_id" => &mut envelope.request_id,
        "agent_id" | "gen_ai.agent.id" => &mut envelope.agent_id,
        "parent_agent_id" => &mut envelope.parent_agent_id,
        "agent_type" => &mut envelope.agent_type,
        "model" | "gen_ai.response.model" | "gen_ai.request.model" => &mut envelope.model,
        "tool_name" | "gen_ai.tool.name" => &mut envelope.tool_name,
        "permission_mode" => &mut envelope.permission_mode,
        "mcp_server.name" => &mut envelope.mcp_server,
        _ => return None,
    })
}

fn count<'a>(envelope: &'a mut Envelope, key: &str) -> Option<&'a mut Option<u64>> {
    Some(match key {
        "duration_ms" => &mut envelope.duration_ms,
        "input_tokens" | "gen_ai.usage.input_tokens" => &mut envelope.input_tokens,
        "output_tokens" | "gen_ai.usage.output_tokens" => &mut envelope.output_tokens,
        _ => return None,
    })
}
