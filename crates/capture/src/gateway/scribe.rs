//! The events of one call: asked for before it leaves, ended however it ends.

use std::sync::Arc;

use sealtrail_event::{AuditId, Event, Outcome, Phase, PolicyResult, Severity, SlotName, Token, category_of};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, time_token, token, word};
use crate::gateway::answer::{Answer, is_call};
use crate::gateway::call::BatchCall;
use crate::gateway::exchange::{BudgetCrossed, Ending, Exchange, How, State, judge};
use crate::gateway::request::Request;
use crate::gateway::results;
use crate::hash;
use crate::hook::disclose;
use crate::redact::Redactor;
use crate::redacted;

/// Makes the events.
#[derive(Clone, Debug)]
pub struct Scribe {
    redactor: Arc<Redactor>,
    content: bool,
    /// Highest class of the data that applications send, where it was configured.
    pub classification: Option<Token>,
    /// Name of the application, where it was configured; else the program that calls.
    pub application: Option<Token>,
}

impl Scribe {
    /// Makes a scribe; `content` says whether redacted content is told, not only hashes.
    pub fn new(redactor: Arc<Redactor>, content: bool) -> Self {
        Self { redactor, content, classification: None, application: None }
    }

    /// Tells whether redacted content is told.
    pub fn content(&self) -> bool {
        self.content
    }

    /// Returns the events of a call that is about to leave: the results that it brings, and the request itself first.
    pub fn requested(&self, exchange: &Exchange, unix_ns: u64, state: &mut State, ids: &mut dyn FnMut() -> AuditId) -> Vec<Event> {
        let mut draft = self.draft(exchange, unix_ns, exchange.id.clone(), name_of(exchange, "request"));
        draft.envelope.phase = Some(Phase::Intent);
        let request = &exchange.request;
        draft.envelope.prompt_hash = exchange.prompt_hash.and_then(|hash| token(&hash::hex(&hash)));
        draft.operation().record_count = request.messages.or(request.requests);
        draft.resource().size_bytes = exchange.body_bytes;
        draft.put(SlotName::Content, "request", facts(exchange));
        self.tell_messages(&mut draft, request);
        let mut events = vec![draft.finish()];
        events.extend(results::ended(self, exchange, unix_ns, state, ids));
        events
    }

    /// Returns the events of a call's end: the answer first, then each tool call that it makes.
    pub fn answered(
        &self,
        exchange: &Exchange,
        ending: &Ending,
        answer: &Answer,
        unix_ns: u64,
        state: &mut State,
        ids: &mut dyn FnMut() -> AuditId,
    ) -> Vec<Event> {
        let mut draft = self.draft(exchange, unix_ns, ids(), name_of(exchange, "response"));
        draft.envelope.phase = Some(Phase::Outcome);
        draft.envelope.parent_audit_id = Some(exchange.id.clone());
        if let Some(batch) = &answer.batch_id {
            let made = exchange.call.batch == Some(BatchCall::Make);
            if made {
                state.batches.made(batch, exchange.id.clone());
            }
            draft.put(SlotName::Content, "batch", json!({"id": batch, "made": made}));
        }
        self.tell_end(&mut draft, exchange, ending, answer);
        self.tell_answer(&mut draft, answer);
        let id = draft.envelope.audit_id.clone();
        let request_id = draft.envelope.request_id.clone();
        let mut events = vec![draft.finish()];
        let mut calls = results::asked(self, exchange, &mut answer.blocks.values(), &id, unix_ns, state, ids);
        for call in &mut calls {
            call.envelope.request_id.clone_from(&request_id);
        }
        events.append(&mut calls);
        events
    }

    /// Returns the event of a budget that was used up.
    pub fn crossed(&self, exchange: &Exchange, crossed: &BudgetCrossed, unix_ns: u64, id: AuditId) -> Event {
        let mut draft = self.draft(exchange, unix_ns, id, "budget.crossed");
        draft.envelope.parent_audit_id = Some(exchange.id.clone());
        draft.envelope.severity = Severity::High;
        draft.envelope.category = Some(sealtrail_event::Category::Cost);
        draft.envelope.policy_result = if crossed.blocks { PolicyResult::Denied } else { PolicyResult::Allowed };
        draft.envelope.reason = token(&format!("budget_{}", crossed.per));
        draft.envelope.tokens_used = Some(crossed.tokens);
        draft.envelope.cost_usd = Some(crossed.usd).filter(|usd| *usd > 0.0);
        draft.put(SlotName::Content, "policy_rule", crossed.rule.as_str().into());
        draft.finish()
    }

    /// Starts an event of a call.
    pub(crate) fn draft(&self, exchange: &Exchange, unix_ns: u64, id: AuditId, kind: &str) -> Draft {
        let mut draft = Draft::at(unix_ns, id, kind, sealtrail_event::Witness::Gateway);
        let (caller, request) = (&exchange.caller, &exchange.request);
        let envelope = &mut draft.envelope;
        envelope.recorded_at = Some(time_token(unix_ns));
        envelope.category = category_of(kind);
        envelope.session_id = exchange.session().and_then(token);
        envelope.agent_id = caller.agent_id.as_deref().and_then(token);
        envelope.parent_agent_id = caller.parent_agent_id.as_deref().and_then(token);
        envelope.model = request.model.as_deref().or(exchange.call.model.as_deref()).and_then(token);
        envelope.client_version = caller.client_version().and_then(token);
        envelope.application_id = self.application.clone().or_else(|| caller.program().and_then(token));
        envelope.data_classification = self.classification.clone();
        envelope.source = token(exchange.call.form.as_str());
        let who = [
            ("user_id", Some(exchange.person())),
            ("credential", caller.credential.as_deref()),
            ("account_uuid", request.account_uuid.as_deref()),
            ("device_id", request.device_id.as_deref()),
            ("source_ip", caller.source_ip.as_deref()),
            ("user_agent", caller.user_agent.as_deref()),
        ];
        for (name, value) in who {
            if let Some(value) = value {
                let (value, _) = redacted::text(&self.redactor, value);
                draft.put(SlotName::Identity, name, value.into_inner().into());
            }
        }
        draft
    }

    /// Returns a value without its secrets, and the rules that matched.
    pub(crate) fn redacted(&self, name: &str, value: Value) -> (Value, Vec<String>) {
        let members = Map::from_iter([(name.to_owned(), value)]);
        let (members, rules) = redacted::members(&self.redactor, members);
        let value = members.into_inner().into_iter().next().map(|(_, value)| value).unwrap_or_default();
        (value, rules)
    }

    /// Says which messages were sent before, and of the others what may be told.
    fn tell_messages(&self, draft: &mut Draft, request: &Request) {
        let Some(followed) = &request.followed else { return };
        let mut messages = json!({
            "count": followed.count,
            "sha256": hash::hex(&followed.hash),
            "kept": followed.kept,
            "new": followed.new.len(),
        });
        if followed.kept > 0 {
            messages["kept_sha256"] = hash::hex(&followed.kept_hash).into();
        }
        draft.put(SlotName::Content, "messages", messages);
        if !self.content {
            return;
        }
        let mut rules = Vec::new();
        let mut told = Vec::new();
        for (text, hash) in request.new_messages.iter().zip(&followed.new) {
            let value = serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.as_str().into());
            let (message, found) = self.redacted("message", value);
            let mut one = json!({"message": message});
            if found.is_empty() {
                one["sha256"] = hash::hex(hash).into();
            }
            rules.extend(found);
            told.push(one);
        }
        draft.put(SlotName::Prompt, "prompt", Value::Array(told));
        disclose(draft, &rules);
    }

    fn tell_end(&self, draft: &mut Draft, exchange: &Exchange, ending: &Ending, answer: &Answer) {
        let envelope = &mut draft.envelope;
        let minted = ending.request_id.is_none();
        let own = || exchange.id.as_str().replacen(AuditId::PREFIX, "gw_", 1);
        envelope.request_id = ending.request_id.as_deref().and_then(token).or_else(|| token(&own()));
        envelope.status = ending.status.and_then(|status| token(&status.to_string()));
        envelope.duration_ms = Some(ending.duration_ms);
        envelope.response_hash = ending.response_hash.and_then(|hash| token(&hash::hex(&hash)));
        envelope.prompt_hash = exchange.prompt_hash.or(ending.late_prompt.map(|(hash, _)| hash)).and_then(|hash| token(&hash::hex(&hash)));
        envelope.model = answer.model.as_deref().and_then(token).or(envelope.model.take());
        envelope.input_tokens = answer.tokens("input_tokens");
        envelope.output_tokens = answer.tokens("output_tokens");
        envelope.cost_usd = ending.cost_usd;
        let (outcome, reason) = judge(exchange, ending, answer);
        envelope.outcome = Some(outcome);
        envelope.reason = reason.as_deref().and_then(token);
        envelope.severity = if outcome == Outcome::Success { Severity::Info } else { Severity::Warning };
        if let How::Denied { reason, rule } = &ending.how {
            envelope.policy_result = PolicyResult::Denied;
            envelope.end_reason = Some(word("budget_exhausted")).filter(|_| *reason == "budget_session");
            draft.put(SlotName::Content, "policy_rule", rule.as_str().into());
        }
        draft.operation().partial = Some(true).filter(|_| matches!(ending.how, How::ClientGone | How::UpstreamCut | How::Stopped));
        draft.result().size_bytes = Some(ending.response_bytes);
        self.tell_passed(draft, ending, answer, minted);
    }

    /// Says how much of the answer was passed on, and when.
    fn tell_passed(&self, draft: &mut Draft, ending: &Ending, answer: &Answer, minted: bool) {
        let mut passed = json!({"bytes": ending.response_bytes, "events": answer.events});
        if let Some(first) = ending.first_byte_ms {
            passed["first_byte_ms"] = first.into();
        }
        if let Some((_, bytes)) = ending.late_prompt {
            passed["request_bytes"] = bytes.into();
        }
        if minted {
            passed["request_id_minted"] = true.into();
        }
        if let Some(why) = ending.unread {
            passed["unread"] = why.into();
        }
        if let Some((read, unread)) = answer.results {
            (passed["results"], passed["results_unread"]) = (read.into(), unread.into());
        }
        draft.put(SlotName::Content, "passed", passed);
        if let Some(after) = &ending.retry_after {
            let (after, _) = redacted::head(&self.redactor, after, 64);
            draft.put(SlotName::Content, "retry_after", after.into_inner().into());
        }
    }

    pub(super) fn tell_answer(&self, draft: &mut Draft, answer: &Answer) {
        let mut rules = Vec::new();
        for (name, value) in [
            ("stop_reason", answer.stop_reason.as_deref()),
            ("message_id", answer.message_id.as_deref()),
            ("error_type", answer.error.as_ref().map(|(kind, _)| kind.as_str())),
        ] {
            if let Some(value) = value {
                let (value, found) = redacted::text(&self.redactor, value);
                draft.put(SlotName::Content, name, value.into_inner().into());
                rules.extend(found);
            }
        }
        if !answer.usage.is_empty() {
            draft.put(SlotName::Content, "usage", Value::Object(answer.usage.clone()));
        }
        if let Some((_, message)) = answer.error.as_ref().filter(|_| self.content) {
            let (message, found) = redacted::text(&self.redactor, message);
            draft.put(SlotName::Output, "error", message.into_inner().into());
            rules.extend(found);
        }
        if answer.blocks.is_empty() {
            return disclose(draft, &rules);
        }
        let mut blocks = Vec::new();
        for block in answer.blocks.values() {
            let mut one = json!({"type": block.kind, "size_bytes": block.size_bytes});
            if is_call(&block.kind) {
                one["tool_use_id"] = block.id.clone().into();
            }
            blocks.push(one);
        }
        if answer.blocks_left_out > 0 {
            blocks.push(json!({"left_out": answer.blocks_left_out}));
        }
        draft.put(SlotName::Content, "blocks", Value::Array(blocks));
        if self.content {
            let texts: Vec<Value> = answer
                .blocks
                .values()
                .filter(|block| !is_call(&block.kind) && !block.text.is_empty())
                .map(|block| json!({"type": block.kind, "text": block.text, "whole": block.whole}))
                .collect();
            let (response, found) = self.redacted("response", Value::Array(texts));
            draft.put(SlotName::Output, "response", response);
            rules.extend(found);
        }
        disclose(draft, &rules);
    }
}

fn name_of(exchange: &Exchange, end: &str) -> &'static str {
    match (exchange.call.what.is_answered_by_model(), end) {
        (true, "request") => "model.request",
        (true, _) => "model.response",
        (false, "request") => "gateway.request",
        (false, _) => "gateway.response",
    }
}

/// What of the request is told whatever the configuration: words, counts and sizes.
fn facts(exchange: &Exchange) -> Value {
    let (call, request) = (&exchange.call, &exchange.request);
    let mut facts = json!({"action": call.what.as_str(), "form": call.form.as_str(), "stream": request.stream});
    let counts = [
        ("max_tokens", request.max_tokens),
        ("messages", request.messages),
        ("tools", request.tools),
        ("requests", request.requests),
        ("system_bytes", Some(request.system_bytes).filter(|bytes| *bytes > 0)),
        ("tools_bytes", Some(request.tools_bytes).filter(|bytes| *bytes > 0)),
        ("messages_bytes", Some(request.messages_bytes).filter(|bytes| *bytes > 0)),
    ];
    for (name, count) in counts {
        if let Some(count) = count {
            facts[name] = count.into();
        }
    }
    if let Some(why) = request.unread {
        facts["unread"] = why.into();
    }
    facts
}
