//! What a request says: how much of what, for whom, and what came back from the tools since the last one.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::gateway::call::{Call, What};
use crate::gateway::caller::Caller;
use crate::gateway::exchange::State;
use crate::gateway::history::Followed;

/// 1,024 results of one turn are told one by one; the client runs some ten calls at a time.
const RESULTS_MAX: usize = 1_024;

/// 256 bytes of an id or a name in the metadata.
const WORD_BYTES_MAX: usize = 256;

/// What one request says; nothing of it where its body is not read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model that is asked for.
    pub model: Option<String>,
    /// Whether the answer is to come in pieces.
    pub stream: bool,
    /// The longest answer.
    pub max_tokens: Option<u64>,
    /// Messages, tools, and requests of a batch.
    pub messages: Option<u64>,
    /// Tools that are offered.
    pub tools: Option<u64>,
    /// Requests of a batch.
    pub requests: Option<u64>,
    /// Bytes of the system prompt, of the tools, of the messages.
    pub system_bytes: u64,
    /// Bytes of the tools.
    pub tools_bytes: u64,
    /// Bytes of the messages.
    pub messages_bytes: u64,
    /// Session, account and device that the metadata names.
    pub session_id: Option<String>,
    /// Account.
    pub account_uuid: Option<String>,
    /// Device.
    pub device_id: Option<String>,
    /// What of the messages was sent before.
    pub followed: Option<Followed>,
    /// Under which name its history is remembered.
    pub history: String,
    /// The messages that were not, as JSON; empty unless content is kept.
    pub new_messages: Vec<String>,
    /// What tools gave back since the model's last message.
    pub results: Vec<ToolResult>,
    /// Why the body was not read, in a word.
    pub unread: Option<&'static str>,
}

/// What one tool gave back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult {
    /// The call.
    pub id: String,
    /// The tool, as the message with the call names it.
    pub tool: Option<String>,
    /// What it was given.
    pub input: Option<Value>,
    /// What it gave back.
    pub content: Value,
    /// Whether that is an error.
    pub is_error: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    system: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    requests: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

impl Request {
    /// Makes the request of a body that is not read.
    pub fn unread(why: &'static str) -> Self {
        Self { unread: Some(why), ..Self::default() }
    }

    /// Reads a body; `keep` says whether new messages are kept.
    pub fn read(body: &[u8], call: &Call, caller: &Caller, keep: bool, state: &mut State) -> Self {
        if !call.what.has_json_body() {
            return Self::default();
        }
        let Ok(read) = serde_json::from_slice::<Body<'_>>(body) else { return Self::unread("no_json") };
        let mut request = Self::counted(&read);
        request.name_metadata(read.metadata);
        let messages = list(read.messages);
        if call.what == What::Message && !messages.is_empty() {
            let texts: Vec<&str> = messages.iter().map(|message| message.get()).collect();
            let session = caller.session_id.as_deref().or(request.session_id.as_deref());
            let person = caller.credential.as_deref().unwrap_or_default();
            let key = format!("{}\0{}", session.unwrap_or(person), caller.agent_id.as_deref().unwrap_or_default());
            let followed = state.histories.follow(&key, &texts);
            if keep {
                request.new_messages = texts[followed.kept..].iter().map(|text| (*text).to_owned()).collect();
            }
            (request.followed, request.history) = (Some(followed), key);
            request.results = results(&messages);
        }
        request
    }

    fn counted(read: &Body<'_>) -> Self {
        let count = |raw: Option<&RawValue>| raw.map(|_| list(raw).len() as u64);
        let bytes = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len() as u64);
        Self {
            model: value::<String>(read.model).filter(|model| model.len() <= WORD_BYTES_MAX),
            stream: value(read.stream).unwrap_or(false),
            max_tokens: value(read.max_tokens),
            messages: count(read.messages),
            tools: count(read.tools),
            requests: count(read.requests),
            system_bytes: bytes(read.system),
            tools_bytes: bytes(read.tools),
            messages_bytes: bytes(read.messages),
            ..Self::default()
        }
    }

    /// The client writes a JSON text into `metadata.user_id`; other programs write a word of their own.
    fn name_metadata(&mut self, metadata: Option<&RawValue>) {
        let Some(Value::Object(metadata)) = value::<Value>(metadata) else { return };
        let Some(user) = metadata.get("user_id").and_then(Value::as_str) else { return };
        let Ok(Value::Object(inner)) = serde_json::from_str::<Value>(user) else {
            self.account_uuid = word(Some(&Value::from(user)));
            return;
        };
        self.session_id = word(inner.get("session_id"));
        self.account_uuid = word(inner.get("account_uuid"));
        self.device_id = word(inner.get("device_id"));
    }
}

/// Returns the results behind the model's last message, with the calls that it made.
fn results(messages: &[&RawValue]) -> Vec<ToolResult> {
    let mut found = Vec::new();
    for raw in messages.iter().rev() {
        let Ok(message) = serde_json::from_str::<Message<'_>>(raw.get()) else { return found };
        let content: Value = value(message.content).unwrap_or_default();
        let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
        if message.role == "assistant" {
            name_calls(&mut found, blocks);
            break;
        }
        let mut own: Vec<ToolResult> = blocks.iter().filter_map(result).collect();
        own.append(&mut found);
        found = own;
        found.truncate(RESULTS_MAX);
    }
    found
}

fn result(block: &Value) -> Option<ToolResult> {
    if !block.get("type")?.as_str()?.ends_with("tool_result") {
        return None;
    }
    Some(ToolResult {
        id: block.get("tool_use_id")?.as_str()?.to_owned(),
        content: block.get("content").cloned().unwrap_or_default(),
        is_error: block.get("is_error").and_then(Value::as_bool).unwrap_or(false),
        ..ToolResult::default()
    })
}

fn name_calls(results: &mut [ToolResult], blocks: &[Value]) {
    for result in results {
        let Some(call) = blocks.iter().find(|block| block.get("id").and_then(Value::as_str) == Some(&result.id)) else { continue };
        result.tool = call.get("name").and_then(Value::as_str).map(str::to_owned);
        result.input = call.get("input").cloned();
    }
}

fn value<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    value(raw).unwrap_or_default()
}

fn word(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty() && text.len() <= WORD_BYTES_MAX).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Request {
        Request::read(body.as_bytes(), &Call::of("POST", "/v1/messages"), &Caller::default(), true, &mut State::default())
    }

    /// Protects the counts and the identity: what the client writes into its metadata is found, and what it sends is counted.
    #[test]
    fn a_request_is_counted_and_named() {
        let request = read(
            r#"{"model":"m","stream":true,"max_tokens":7,"system":[{"type":"text"}],"tools":[{},{}],
               "metadata":{"user_id":"{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"s\"}"},"messages":[{"role":"user","content":"hi"}]}"#,
        );
        assert_eq!((request.model.as_deref(), request.stream, request.max_tokens), (Some("m"), true, Some(7)));
        assert_eq!((request.messages, request.tools, request.session_id.as_deref()), (Some(1), Some(2), Some("s")));
        assert_eq!((request.device_id.as_deref(), request.account_uuid), (Some("d"), None));
        assert_eq!(request.new_messages, [r#"{"role":"user","content":"hi"}"#]);
    }

    /// Protects the outcomes: only results behind the model's last message count, each with the call that it answers.
    #[test]
    fn results_of_the_last_turn_have_their_calls() {
        let old = r#"{"role":"assistant","content":[{"type":"tool_use","id":"t0","name":"Read","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t0","content":"old"}]}"#;
        let new = r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}}]},
                     {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"out","is_error":true},{"type":"text","text":"go on"}]},{"role":"system","content":"note"}"#;
        let request = read(&format!(r#"{{"messages":[{{"role":"user","content":"a"}},{old},{new}]}}"#));
        let result = &request.results[0];
        assert_eq!((request.results.len(), result.id.as_str(), result.tool.as_deref(), result.is_error), (1, "t1", Some("Bash"), true));
        assert_eq!((&result.content, result.input.as_ref().unwrap()["command"].as_str()), (&Value::from("out"), Some("ls")));
    }

    /// Protects against bodies that are no requests: they are said to be unread, or read as far as they go.
    #[test]
    fn odd_bodies_are_read_as_far_as_they_go() {
        assert_eq!(read("{").unread, Some("no_json"));
        assert_eq!(read(r#"{"messages":7,"model":[],"stream":"yes","tools":{}}"#).unread, None);
        assert_eq!(read(r#"{"messages":[1,null,{"role":"user","content":[1,{"type":7}]}]}"#).results, []);
        assert_eq!(read("{\"model\":\"a\",\"model\":\"b\"}").unread, Some("no_json"));
    }
}
