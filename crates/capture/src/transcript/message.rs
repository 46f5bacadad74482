//! Lines of the conversation: what people said, what a model answered, and with how many tokens.

use sealtrail_event::{Outcome, Phase, Severity, SlotName, Token};
use serde_json::{Value, json};

use crate::calls;
use crate::draft::{Draft, token, word};
use crate::hash::{self, Hash};
use crate::tools;
use crate::transcript::call;
use crate::transcript::line::Line;
use crate::transcript::reading::{Open, Reading, place_rest};

/// 1,024 blocks of one line get events of their own; the client writes one or a few.
const BLOCKS_MAX: usize = 1_024;

/// The answer of a model, of which more lines may come.
pub(crate) struct Pending {
    id: String,
    /// The first line of it, without its content: tells time, session and agent.
    line: Line,
    prompt: Option<Token>,
    last: Line,
    /// What was told already, when it seemed complete.
    told: Option<Hash>,
}

/// What was told of an answer.
pub(crate) struct Told {
    /// When its first line was written.
    unix_ns: u64,
    usage: Hash,
}

impl Pending {
    /// Tells whether a line may be followed by more of this answer: its own ones, results of tools that ran before it was complete, and the
    /// client's bookkeeping.
    pub(crate) fn goes_on(&self, line: &Line) -> bool {
        match line.kind.as_str() {
            "assistant" => line.answer.as_ref() == Some(&self.id),
            "user" => line.members.contains_key("toolUseResult") || line.members.contains_key("sourceToolAssistantUUID"),
            "system" | "api-request" => false,
            _ => true,
        }
    }

    /// Returns a fingerprint of the tokens that the answer took.
    fn usage_hash(&self) -> Hash {
        hash::of_value(self.last.message("usage").unwrap_or(&Value::Null))
    }
}

/// A line of the model.
pub(crate) fn assistant(reading: &mut Reading, line: &Line) -> Vec<Draft> {
    let mut drafts = Vec::new();
    match line.message("content") {
        Some(Value::Array(blocks)) => {
            for (number, block) in blocks.iter().take(BLOCKS_MAX).enumerate() {
                drafts.push(said(reading, line, number, block));
            }
        }
        Some(content) => drafts.push(said(reading, line, 0, content)),
        None => {}
    }
    if drafts.is_empty() {
        drafts.push(said(reading, line, 0, &Value::Null));
    }
    place_rest(&mut drafts[0], line, &["requestId"]);
    // What the client made up itself (an error told as an answer) took no tokens.
    let invented = line.message("model").and_then(Value::as_str) == Some("<synthetic>");
    match &line.answer {
        Some(_) if invented => drafts[0].envelope.reason = Some(word("synthetic")),
        Some(id) => note(reading, id, line),
        None => {}
    }
    drafts
}

/// Keeps the newest line of an answer: its tokens count.
fn note(reading: &mut Reading, id: &str, line: &Line) {
    let last = line.without_content();
    match &mut reading.pending {
        Some(pending) if pending.id == id => pending.last = last,
        pending => {
            let prompt = reading.prompt.clone();
            let told = reading.told.get(id);
            let mut first = line.without_content();
            first.unix_ns = told.map_or(first.unix_ns, |told| told.unix_ns);
            *pending = Some(Pending { id: id.to_owned(), line: first, prompt, last, told: told.map(|told| told.usage) });
        }
    }
}

/// Makes the event of an answer: one for all of its lines.
pub(crate) fn response(reading: &mut Reading, pending: Pending) -> Option<Draft> {
    let usage_hash = pending.usage_hash();
    if pending.told == Some(usage_hash) {
        return None;
    }
    reading.note_told(pending.id.clone(), Told { unix_ns: pending.line.unix_ns, usage: usage_hash });
    let key = match pending.told {
        None => format!("message/{}", pending.id),
        Some(_) => format!("message/{}/{}", pending.id, hash::hex(&usage_hash)),
    };
    let mut draft = reading.start_as(&pending.line, "model.response", &key);
    draft.envelope.prompt_id = pending.prompt;
    let last = &pending.last;
    let usage = last.message("usage");
    let count = |name: &str| usage.and_then(|usage| usage.get(name)).and_then(Value::as_u64);
    if pending.told.is_some() {
        // More came after the answer seemed complete: this tells it anew, and counts instead of the first.
        draft.envelope.reason = Some(word("updated"));
    } else {
        draft.envelope.phase = Some(Phase::Outcome);
        draft.envelope.outcome = Some(Outcome::Success);
    }
    draft.envelope.request_id = last.word("requestId").and_then(token);
    draft.envelope.model = last.message("model").and_then(Value::as_str).and_then(token);
    draft.envelope.input_tokens = count("input_tokens");
    draft.envelope.output_tokens = count("output_tokens");
    let members = [
        ("message_id", json!(last.message("id"))),
        ("request_ref", json!(last.word("requestRef"))),
        ("requested_model", json!(last.word("requestedModel"))),
        ("stop_reason", json!(last.message("stop_reason"))),
        ("cache_read_tokens", json!(count("cache_read_input_tokens"))),
        ("cache_creation_tokens", json!(count("cache_creation_input_tokens"))),
        ("usage", json!(usage)),
    ];
    for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
        draft.put(SlotName::Content, name, value);
    }
    Some(draft)
}

/// One block of what the model said.
fn said(reading: &mut Reading, line: &Line, number: usize, block: &Value) -> Draft {
    let kind = block.get("type").and_then(Value::as_str);
    let mut draft = match kind {
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => asked(reading, line, number, block),
        _ => {
            let mut draft = reading.start(line, "model.message", number);
            draft.envelope.source = kind.and_then(token);
            match (kind, block) {
                (Some("text"), _) if block.get("text").is_some_and(Value::is_string) => {
                    draft.put(SlotName::Output, "response", block["text"].clone());
                }
                (_, Value::Null) => {}
                (_, Value::String(text)) => draft.put(SlotName::Output, "response", text.as_str().into()),
                _ => draft.put(SlotName::Output, "block", block.clone()),
            }
            draft
        }
    };
    draft.envelope.request_id = line.word("requestId").and_then(token);
    draft.envelope.model = line.message("model").and_then(Value::as_str).and_then(token);
    if line.members.get("isApiErrorMessage") == Some(&Value::Bool(true)) {
        (draft.envelope.outcome, draft.envelope.severity) = (Some(Outcome::Error), Severity::Warning);
    }
    draft
}

/// The model asks for a tool.
fn asked(reading: &mut Reading, line: &Line, number: usize, block: &Value) -> Draft {
    let text = |name: &str| block.get(name).and_then(Value::as_str);
    let tool = text("name").unwrap_or_default();
    let doing = tools::understand(tool, block.get("input"), line.word("cwd"));
    let mut draft = reading.start(line, "tool.requested", number);
    draft.envelope.phase = Some(Phase::Intent);
    draft.envelope.tool_use_id = text("id").and_then(token);
    draft.envelope.tool_name = token(tool);
    draft.envelope.action_type = Some(word(doing.event_type));
    if let Some(input) = block.get("input") {
        draft.put(SlotName::Input, "tool_input", input.clone());
    }
    doing.describe(&mut draft);
    calls::name_server(&mut draft);
    if let Some(call) = draft.envelope.tool_use_id.clone() {
        reading.remember(call, Open { tool: draft.envelope.tool_name.clone(), doing });
    }
    draft
}

/// A line of the other side: what a person said, or what a tool gave back.
pub(crate) fn user(reading: &mut Reading, line: &Line) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut words = Vec::new();
    let blocks = match line.message("content") {
        Some(Value::Array(blocks)) => blocks.as_slice(),
        Some(other) => std::slice::from_ref(other),
        None => &[],
    };
    let results = blocks.iter().filter(|block| is_result(block)).count();
    for (number, block) in blocks.iter().take(BLOCKS_MAX).enumerate() {
        if is_result(block) {
            drafts.push(call::result(reading, line, number, block, results == 1));
        } else {
            words.push(block.clone());
        }
    }
    if !words.is_empty() || drafts.is_empty() {
        drafts.push(told(reading, line, blocks.len().min(BLOCKS_MAX), words));
    }
    place_rest(&mut drafts[0], line, &["toolUseResult"]);
    drafts
}

fn is_result(block: &Value) -> bool {
    block.get("type").and_then(Value::as_str) == Some("tool_result")
}

/// What a person said to the agent, or the client on a person's behalf.
fn told(reading: &mut Reading, line: &Line, number: usize, mut words: Vec<Value>) -> Draft {
    let prompt = match words.len() {
        1 => match words.remove(0) {
            Value::Object(block) if block.get("type").and_then(Value::as_str) == Some("text") => {
                block.get("text").cloned().unwrap_or_default()
            }
            other => other,
        },
        _ => Value::Array(words),
    };
    let mut draft = reading.start(line, if is_prompt(line, &prompt) { "prompt.submitted" } else { "transcript.user" }, number);
    draft.envelope.source = line.word("promptSource").or_else(|| line.word("turnOrigin")).and_then(token);
    draft.envelope.permission_mode = line.word("permissionMode").and_then(token);
    draft.put(SlotName::Prompt, "prompt", prompt);
    draft
}

/// Tells whether a line of the user's side began a turn. The client writes its own remarks, the output of local commands, summaries and what a
/// parent agent asked as lines of the same kind.
fn is_prompt(line: &Line, prompt: &Value) -> bool {
    let is = |name: &str| line.members.get(name) == Some(&Value::Bool(true));
    if is("isMeta") || is("isSidechain") || is("isCompactSummary") || is("repeatsCompactSummary") || line.agent.is_some() {
        return false;
    }
    if line.word("promptSource").is_some() || line.word("turnOrigin").is_some() {
        return true;
    }
    let text = prompt.as_str().unwrap_or_default();
    !["<local-command-", "<command-name>", "<bash-"].iter().any(|begin| text.starts_with(begin))
}

impl Line {
    /// Returns the line without the content of its message.
    fn without_content(&self) -> Self {
        let mut members = self.members.clone();
        if let Some(Value::Object(message)) = members.get_mut("message") {
            message.shift_remove("content");
        }
        Self {
            kind: self.kind.clone(),
            uuid: self.uuid.clone(),
            session: self.session.clone(),
            agent: self.agent.clone(),
            unix_ns: self.unix_ns,
            answer: self.answer.clone(),
            hash: None,
            computed: Vec::new(),
            members,
            rules: Vec::new(),
        }
    }
}
