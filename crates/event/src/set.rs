//! Members of the envelope by their paths: a value that was found to fit is put in place.

use serde_json::Value;

use crate::envelope::Envelope;
use crate::id::{AuditId, Token};
use crate::kind::{Outcome, Phase, PolicyResult, Severity};

impl Envelope {
    /// Sets the member at the path of a field to a value that fits it; any other value leaves it as it was.
    ///
    /// The id, the time and the type make the envelope ([`Envelope::new`]) and are not set here.
    pub(crate) fn set(&mut self, path: &str, value: Value) {
        match path.split_once('.') {
            Some(("resource", inner)) => self.set_resource(inner, value),
            Some(("operation", inner)) => self.set_operation(inner, value),
            Some(("result", inner)) => self.set_result(inner, value),
            Some(_) => {}
            None => match value {
                Value::String(text) => self.set_text(path, &text),
                Value::Number(number) if path == "cost_usd" => self.cost_usd = number.as_f64().or(self.cost_usd),
                value => self.set_count(path, &value),
            },
        }
    }

    fn set_text(&mut self, path: &str, text: &str) {
        let place = match path {
            "severity" => return self.severity = Severity::parse(text).unwrap_or(self.severity),
            "phase" => return self.phase = Phase::parse(text).or(self.phase),
            "outcome" => return self.outcome = Outcome::parse(text).or(self.outcome),
            "policy_result" => return self.policy_result = PolicyResult::parse(text).unwrap_or(self.policy_result),
            "parent_audit_id" => return self.parent_audit_id = AuditId::parse(text).ok(),
            "status" => &mut self.status,
            "session_id" => &mut self.session_id,
            "prompt_id" => &mut self.prompt_id,
            "tool_use_id" => &mut self.tool_use_id,
            "request_id" => &mut self.request_id,
            "agent_id" => &mut self.agent_id,
            "parent_agent_id" => &mut self.parent_agent_id,
            "agent_type" => &mut self.agent_type,
            "subagent_id" => &mut self.subagent_id,
            "workflow_id" => &mut self.workflow_id,
            "execution_id" => &mut self.execution_id,
            "parent_execution" => &mut self.parent_execution,
            "application_id" => &mut self.application_id,
            "project_id" => &mut self.project_id,
            "hook_event_name" => &mut self.hook_event_name,
            "tool_name" => &mut self.tool_name,
            "action_type" => &mut self.action_type,
            "mcp_server" => &mut self.mcp_server,
            "permission_mode" => &mut self.permission_mode,
            "model" => &mut self.model,
            "client_version" => &mut self.client_version,
            "source" => &mut self.source,
            "reason" => &mut self.reason,
            "end_reason" => &mut self.end_reason,
            "data_classification" => &mut self.data_classification,
            "prompt_hash" => &mut self.prompt_hash,
            "response_hash" => &mut self.response_hash,
            _ => return,
        };
        *place = Token::parse(text).ok();
    }

    fn set_count(&mut self, path: &str, value: &Value) {
        let place = match path {
            "duration_ms" => &mut self.duration_ms,
            "input_tokens" => &mut self.input_tokens,
            "output_tokens" => &mut self.output_tokens,
            "tokens_used" => &mut self.tokens_used,
            _ => return,
        };
        *place = value.as_u64();
    }

    fn set_resource(&mut self, name: &str, value: Value) {
        let resource = self.resource.get_or_insert_default();
        match name {
            "type" => resource.kind = token(&value),
            "size_bytes" => resource.size_bytes = value.as_u64(),
            "sensitivity_level" => resource.sensitivity_level = token(&value),
            "classification" => resource.classification = token(&value),
            _ => {}
        }
    }

    fn set_operation(&mut self, name: &str, value: Value) {
        let operation = self.operation.get_or_insert_default();
        match name {
            "action" => operation.action = token(&value),
            "partial" => operation.partial = value.as_bool(),
            "record_count" => operation.record_count = value.as_u64(),
            _ => {}
        }
    }

    fn set_result(&mut self, name: &str, value: Value) {
        let result = self.result.get_or_insert_default();
        match name {
            "status" => result.status = token(&value),
            "read_duration_ms" => result.read_duration_ms = value.as_u64(),
            "size_bytes" => result.size_bytes = value.as_u64(),
            "audit_hash" => result.audit_hash = token(&value),
            _ => {}
        }
    }
}

fn token(value: &Value) -> Option<Token> {
    value.as_str().and_then(|text| Token::parse(text).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::fields::{FIELDS, Kind, Place, get};
    use crate::kind::Witness;

    #[test]
    fn every_field_of_the_envelope_can_be_set() {
        // Protects a new field from being forgotten here: what a record says of it would not be lost, but it would not be in the envelope.
        let word = |word: &str| Token::parse(word).unwrap();
        let bare = Envelope::new(AuditId::parse("id").unwrap(), word("data.file_read"), word("2026-03-16T14:32:47Z"), Witness::Api);
        for field in FIELDS.iter().filter(|field| field.place == Place::Envelope) {
            let value = match field.kind {
                Kind::Count => json!(7),
                Kind::Money => json!(0.5),
                Kind::Flag => json!(true),
                Kind::Severity => json!("high"),
                Kind::Outcome => json!("denied"),
                Kind::Phase => json!("intent"),
                Kind::PolicyResult => json!("denied"),
                _ => json!("word"),
            };
            let mut envelope = bare.clone();
            envelope.set(field.path, value.clone());
            let view = serde_json::to_value(&envelope).unwrap();
            let made_with = ["audit_id", "event_type", "timestamp"].contains(&field.path);
            assert_eq!(get(&view, field.path) == Some(&value), !made_with, "{}", field.path);
        }
    }
}
