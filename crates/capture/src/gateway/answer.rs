//! The model's answer, put together from its events or read as a whole.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// 1,024 blocks: an answer has some dozens.
const BLOCKS_MAX: usize = 1_024;

/// 4 MiB of the inputs of tools, and of text when it is kept: more than the model can say in one answer.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One block of content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// `text`, `thinking`, `tool_use`, …
    pub kind: String,
    /// Id of a tool call.
    pub id: Option<String>,
    /// Name of the tool.
    pub name: Option<String>,
    /// Bytes of text, thinking or input.
    pub size_bytes: u64,
    /// The input as JSON text, or the text where it is kept.
    pub text: String,
    /// Whether all of `text` is there.
    pub whole: bool,
    /// Whether the block came to its end.
    pub ended: bool,
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Id of the message.
    pub message_id: Option<String>,
    /// Id of a batch, where that is what was answered.
    pub batch_id: Option<String>,
    /// Results of a batch that were read on the way, and lines that were not.
    pub results: Option<(u64, u64)>,
    /// The model that answered.
    pub model: Option<String>,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// Counts, as they came: `input_tokens`, `output_tokens`, `cache_read_input_tokens`, …
    pub usage: Map<String, Value>,
    /// Class and words of an error.
    pub error: Option<(String, String)>,
    /// The blocks by their number.
    pub blocks: BTreeMap<u64, Block>,
    /// Blocks that were too many to be kept.
    pub blocks_left_out: u64,
    /// Events that came.
    pub events: u64,
    /// Whether the stream came to the end of its message.
    pub ended: bool,
    /// Whether text is kept, not only counted.
    pub keeps_text: bool,
    kept_bytes: usize,
}

impl Answer {
    /// Makes an empty answer.
    pub fn new(keeps_text: bool) -> Self {
        Self { keeps_text, ..Self::default() }
    }

    /// Returns a count of the usage.
    pub fn tokens(&self, name: &str) -> Option<u64> {
        self.usage.get(name)?.as_u64()
    }

    /// Takes one event of a stream.
    pub(crate) fn event(&mut self, data: &[u8]) {
        self.events += 1;
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        let index = event.get("index").and_then(Value::as_u64).unwrap_or_default();
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "message_start" => self.head(event.get("message").unwrap_or(&Value::Null)),
            "content_block_start" => self.block_starts(index, event.get("content_block").unwrap_or(&Value::Null)),
            "content_block_delta" => self.block_grows(index, event.get("delta").unwrap_or(&Value::Null)),
            "content_block_stop" => {
                if let Some(block) = self.blocks.get_mut(&index) {
                    block.ended = true;
                }
            }
            "message_delta" => {
                self.stop(event.get("delta").unwrap_or(&Value::Null));
                self.count(event.get("usage"));
            }
            "message_stop" => self.ended = true,
            "error" => self.fails(event.get("error")),
            _ => {}
        }
    }

    /// Takes an answer that came as one JSON document.
    pub(crate) fn whole(&mut self, body: &[u8]) {
        if let Ok(message) = serde_json::from_slice::<Value>(body) {
            self.read(&message);
        }
    }

    /// Takes a whole message, an error, or what is told of a batch.
    pub(crate) fn read(&mut self, message: &Value) {
        let kind = message.get("type").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind.starts_with("message_batch")) {
            self.batch_id = message.get("id").and_then(Value::as_str).map(short);
            self.ended = true;
            return;
        }
        if kind == Some("error") || message.get("error").is_some() {
            return self.fails(message.get("error"));
        }
        // The answer of Bedrock to a request that it refuses.
        if let Some(words @ Value::String(_)) = message.get("message") {
            return self.fails(Some(&serde_json::json!({"message": words})));
        }
        self.head(message);
        self.stop(message);
        for (index, block) in message.get("content").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let index = index as u64;
            self.block_starts(index, block);
            if let Some(block) = self.blocks.get_mut(&index) {
                block.ended = true;
            }
        }
        self.ended = true;
    }

    fn head(&mut self, message: &Value) {
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(short);
        self.message_id = text("id").or(self.message_id.take());
        self.model = text("model").or(self.model.take());
        self.count(message.get("usage"));
    }

    fn stop(&mut self, delta: &Value) {
        if let Some(reason) = delta.get("stop_reason").and_then(Value::as_str) {
            self.stop_reason = Some(short(reason));
        }
    }

    /// Later counts of a stream are sums, so they replace the earlier ones; only numbers are kept, there are about a dozen.
    fn count(&mut self, usage: Option<&Value>) {
        for (name, value) in usage.and_then(Value::as_object).into_iter().flatten().take(64) {
            if value.is_number() && name.len() <= 64 {
                self.usage.insert(name.clone(), value.clone());
            }
        }
    }

    fn fails(&mut self, error: Option<&Value>) {
        let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str).map(short).unwrap_or_default();
        self.error = Some((text("type"), text("message")));
    }

    fn block_starts(&mut self, index: u64, block: &Value) {
        if self.blocks.len() >= BLOCKS_MAX && !self.blocks.contains_key(&index) {
            self.blocks_left_out += 1;
            return;
        }
        let text = |name: &str| block.get(name).and_then(Value::as_str);
        let kind = text("type").map(short).unwrap_or_default();
        let made = Block { id: text("id").map(short), name: text("name").map(short), whole: true, kind: kind.clone(), ..Block::default() };
        self.blocks.insert(index, made);
        match kind.as_str() {
            // A stream starts with an empty input and sends it in pieces; a document has it whole.
            kind if is_call(kind) => {
                if let Some(input @ Value::Object(members)) = block.get("input")
                    && !members.is_empty()
                {
                    self.grow(index, &input.to_string(), true);
                }
            }
            "text" => self.grow(index, text("text").unwrap_or_default(), self.keeps_text),
            "thinking" => self.grow(index, text("thinking").unwrap_or_default(), self.keeps_text),
            _ => self.grow(index, &block.to_string(), false),
        }
    }

    fn block_grows(&mut self, index: u64, delta: &Value) {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "input_json_delta" => self.grow(index, text("partial_json"), true),
            "text_delta" => self.grow(index, text("text"), self.keeps_text),
            "thinking_delta" => self.grow(index, text("thinking"), self.keeps_text),
            _ => {}
        }
    }

    fn grow(&mut self, index: u64, text: &str, keep: bool) {
        let Some(block) = self.blocks.get_mut(&index) else { return };
        block.size_bytes += text.len() as u64;
        if keep && self.kept_bytes + text.len() <= KEPT_BYTES_MAX && block.whole {
            self.kept_bytes += text.len();
            block.text.push_str(text);
        } else if !text.is_empty() {
            block.whole = false;
        }
    }
}

/// Tells whether a block asks for a tool: the client's own, one of the API's servers, or one of an MCP server that the API calls.
pub(crate) fn is_call(kind: &str) -> bool {
    matches!(kind, "tool_use" | "server_tool_use" | "mcp_tool_use")
}

/// 512 bytes of a name or a message are kept.
fn short(text: &str) -> String {
    text[..text.floor_char_boundary(512)].to_owned()
}
