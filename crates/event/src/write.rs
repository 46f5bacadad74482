//! The envelope as JSON text, written straight: every string in it is a token and needs no escape.
//!
//! The bytes are those of the derived `Serialize` (a test compares them); this way costs a third.

use crate::envelope::{Envelope, Operation, OperationResult, Resource};
use crate::id::Token;

impl Envelope {
    /// Appends the envelope as one compact JSON object to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        self.write_members_to(out);
        out.push(b'}');
    }

    /// Appends the members of the envelope, without the braces around them.
    pub fn write_members_to(&self, out: &mut Vec<u8>) {
        let mut to = Members { out, first: true };
        to.word("audit_id", self.audit_id.as_str());
        to.word("event_type", self.event_type.as_str());
        to.word("timestamp", self.timestamp.as_str());
        to.token("recorded_at", self.recorded_at.as_ref());
        to.count("schema_version", Some(self.schema_version.into()));
        to.word("domain", self.domain.as_str());
        to.maybe("category", self.category.map(crate::Category::as_str));
        to.word("severity", self.severity.as_str());
        to.maybe("phase", self.phase.map(crate::Phase::as_str));
        to.maybe("outcome", self.outcome.map(crate::Outcome::as_str));
        to.token("status", self.status.as_ref());
        to.word("witness", self.witness.as_str());
        to.word("grade", self.grade.as_str());
        to.word("policy_result", self.policy_result.as_str());
        to.token("shape", self.shape.as_ref());
        self.write_ids(&mut to);
        self.write_facts(&mut to);
        self.write_measures(&mut to);
    }

    fn write_ids(&self, to: &mut Members<'_>) {
        to.token("session_id", self.session_id.as_ref());
        to.token("prompt_id", self.prompt_id.as_ref());
        to.token("tool_use_id", self.tool_use_id.as_ref());
        to.token("request_id", self.request_id.as_ref());
        to.token("agent_id", self.agent_id.as_ref());
        to.token("parent_agent_id", self.parent_agent_id.as_ref());
        to.token("agent_type", self.agent_type.as_ref());
        to.token("subagent_id", self.subagent_id.as_ref());
        to.maybe("parent_audit_id", self.parent_audit_id.as_ref().map(crate::AuditId::as_str));
        to.token("workflow_id", self.workflow_id.as_ref());
        to.token("execution_id", self.execution_id.as_ref());
        to.token("parent_execution", self.parent_execution.as_ref());
        to.token("application_id", self.application_id.as_ref());
        to.token("project_id", self.project_id.as_ref());
    }

    fn write_facts(&self, to: &mut Members<'_>) {
        to.token("hook_event_name", self.hook_event_name.as_ref());
        to.token("tool_name", self.tool_name.as_ref());
        to.token("action_type", self.action_type.as_ref());
        to.token("mcp_server", self.mcp_server.as_ref());
        to.token("permission_mode", self.permission_mode.as_ref());
        to.token("model", self.model.as_ref());
        to.token("client_version", self.client_version.as_ref());
        to.token("source", self.source.as_ref());
        to.token("reason", self.reason.as_ref());
        to.token("end_reason", self.end_reason.as_ref());
        to.token("data_classification", self.data_classification.as_ref());
        if let Some(resource) = &self.resource {
            to.object("resource", |to| resource.write(to));
        }
        if let Some(operation) = &self.operation {
            to.object("operation", |to| operation.write(to));
        }
        if let Some(result) = &self.result {
            to.object("result", |to| result.write(to));
        }
    }

    fn write_measures(&self, to: &mut Members<'_>) {
        to.count("duration_ms", self.duration_ms);
        to.count("input_tokens", self.input_tokens);
        to.count("output_tokens", self.output_tokens);
        to.count("tokens_used", self.tokens_used);
        if let Some(cost) = self.cost_usd {
            to.json("cost_usd", &cost);
        }
        to.token("prompt_hash", self.prompt_hash.as_ref());
        to.token("response_hash", self.response_hash.as_ref());
        to.count("late_ms", self.late_ms);
        to.count("redactions", self.redactions.map(u64::from));
        if let Some(ledger) = &self.ledger {
            to.json("ledger", ledger);
        }
    }
}

impl Resource {
    fn write(&self, to: &mut Members<'_>) {
        to.token("type", self.kind.as_ref());
        to.count("size_bytes", self.size_bytes);
        to.token("sensitivity_level", self.sensitivity_level.as_ref());
        to.token("classification", self.classification.as_ref());
    }
}

impl Operation {
    fn write(&self, to: &mut Members<'_>) {
        to.token("action", self.action.as_ref());
        if let Some(partial) = self.partial {
            to.json("partial", &partial);
        }
        to.count("record_count", self.record_count);
    }
}

impl OperationResult {
    fn write(&self, to: &mut Members<'_>) {
        to.token("status", self.status.as_ref());
        to.count("read_duration_ms", self.read_duration_ms);
        to.count("size_bytes", self.size_bytes);
        to.token("audit_hash", self.audit_hash.as_ref());
    }
}

/// Writes the members of one object.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Members<'_> {
    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn word(&mut self, name: &str, word: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    fn maybe(&mut self, name: &str, word: Option<&str>) {
        if let Some(word) = word {
            self.word(name, word);
        }
    }

    fn token(&mut self, name: &str, token: Option<&Token>) {
        self.maybe(name, token.map(Token::as_str));
    }

    fn count(&mut self, name: &str, count: Option<u64>) {
        let Some(mut count) = count else { return };
        self.name(name);
        // 20 digits: the longest u64.
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (count % 10) as u8;
            count /= 10;
            if count == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[start..]);
    }

    fn object(&mut self, name: &str, write: impl FnOnce(&mut Members<'_>)) {
        self.name(name);
        self.out.push(b'{');
        write(&mut Members { out: self.out, first: true });
        self.out.push(b'}');
    }

    /// Writes a value that is no token as the derived way does: JSON has a text for each of them.
    fn json(&mut self, name: &str, value: &impl serde::Serialize) {
        self.name(name);
        let text = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
        self.out.extend_from_slice(&text);
    }
}
