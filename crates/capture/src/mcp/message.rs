//! Bytes to JSON-RPC messages: one, or a list of them.

use serde_json::{Map, Value};

use crate::parse::ParseError;

/// 1,000 messages of a list are looked at one by one; a client sends a handful.
const BATCH_MAX: usize = 1_000;

/// One message.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Request {
        id: Value,
        method: String,
        params: Map<String, Value>,
    },
    Notification {
        method: String,
        params: Map<String, Value>,
    },
    /// What a request gave.
    Result {
        id: Value,
        result: Value,
    },
    /// Why a request gave nothing.
    Error {
        id: Value,
        error: Value,
    },
    /// JSON that is no message.
    Odd,
}

/// What bytes hold.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) messages: Vec<Message>,
    /// Why the bytes must be kept as they are.
    pub(super) trouble: Option<ParseError>,
}

/// Reads messages. What two readers could understand differently is still read, as most readers do, so that it is paired, and is trouble.
pub(super) fn read(bytes: &[u8]) -> Read {
    let (value, mut trouble) = match sealtrail_event::parse_strict(bytes) {
        Ok(read) => (Some(read.value), None),
        Err(error) => (serde_json::from_slice(bytes).ok(), Some(ParseError::Strict(error))),
    };
    let messages = match value {
        Some(Value::Array(items)) => {
            if items.len() > BATCH_MAX {
                trouble.get_or_insert(ParseError::NotObject);
            }
            items.into_iter().take(BATCH_MAX).map(message).collect()
        }
        Some(value) => vec![message(value)],
        None => Vec::new(),
    };
    if messages.contains(&Message::Odd) {
        trouble.get_or_insert(ParseError::NotObject);
    }
    Read { messages, trouble }
}

fn message(value: Value) -> Message {
    let Value::Object(mut members) = value else { return Message::Odd };
    let id = members.shift_remove("id").filter(|id| !id.is_null());
    let params = |members: &mut Map<String, Value>| match members.shift_remove("params") {
        Some(Value::Object(params)) => params,
        // By position: no method of the protocol does this.
        Some(other) if !other.is_null() => Map::from_iter([("params".to_owned(), other)]),
        _ => Map::new(),
    };
    match (members.shift_remove("method"), id) {
        (Some(Value::String(method)), Some(id)) => Message::Request { id, method, params: params(&mut members) },
        (Some(Value::String(method)), None) => Message::Notification { method, params: params(&mut members) },
        (None, id) => match (members.shift_remove("result"), members.shift_remove("error"), id) {
            (Some(result), None, Some(id)) => Message::Result { id, result },
            // An error may have no id: the request could not be read.
            (None, Some(error), id) => Message::Error { id: id.unwrap_or_default(), error },
            _ => Message::Odd,
        },
        _ => Message::Odd,
    }
}

/// What the beginning and the end of a message show that is too large to be read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Glimpse {
    pub(super) id: Option<Value>,
    pub(super) method: Option<String>,
    pub(super) tool: Option<String>,
    pub(super) call: Option<String>,
    pub(super) is_error: bool,
}

/// Looks at both ends of a message; members may stand in any order, but the small ones stand before or after the large one.
pub(super) fn glimpse(head: &str, tail: &str) -> Glimpse {
    let large = ["\"params\"", "\"result\"", "\"error\""].iter().filter_map(|name| head.find(name)).min();
    let front = &head[..large.unwrap_or(head.len())];
    let id = member(front, "id", false).or_else(|| member(tail, "id", true));
    let text = |found: Option<Value>| found.and_then(|found| found.as_str().map(str::to_owned));
    let method = text(member(front, "method", false)).or_else(|| text(member(tail, "method", true)));
    let either = |name: &str| text(member(head, name, false)).or_else(|| text(member(tail, name, true)));
    Glimpse {
        id,
        tool: method.as_ref().and_then(|_| either("name")),
        method,
        call: either("claudecode/toolUseId"),
        is_error: tail.contains("\"isError\":true") || (large.is_some() && head.contains("\"error\"") && !head.contains("\"result\"")),
    }
}

/// Finds a small member by its name, from the front or from the end.
fn member(text: &str, name: &str, last: bool) -> Option<Value> {
    let quoted = format!("\"{name}\"");
    let at = if last { text.rfind(&quoted) } else { text.find(&quoted) }?;
    let rest = text[at + quoted.len()..].trim_start().strip_prefix(':')?.trim_start();
    match rest.strip_prefix('"') {
        Some(word) => word.split_once('"').filter(|(word, _)| !word.contains('\\')).map(|(word, _)| word.into()),
        None => {
            let end = rest.find([',', '}', ' ', '\n'])?;
            serde_json::from_str(&rest[..end]).ok().filter(Value::is_number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Protects pairing: the kinds of messages are told apart, lists are taken apart, and what is no message says so.
    #[test]
    fn messages_are_told_apart() {
        let kinds = |text: &str| read(text.as_bytes()).messages;
        assert!(matches!(kinds(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)[..], [Message::Request { .. }]));
        assert!(matches!(kinds(r#"{"jsonrpc":"2.0","method":"x","params":[1]}"#)[..], [Message::Notification { .. }]));
        assert!(matches!(kinds(r#"[{"id":"a","result":{}},{"id":2,"error":{}}]"#)[..], [Message::Result { .. }, Message::Error { .. }]));
        assert!(read(b"{}").trouble.is_some() && read(b"not json").trouble.is_some() && read(b"[]").messages.is_empty());
        let twice = read(br#"{"id":1,"id":2,"method":"tools/call"}"#);
        assert!(twice.trouble.is_some() && matches!(&twice.messages[..], [Message::Request { id, .. }] if *id == json!(2)));
    }

    /// Protects the pairing of messages that are too large to be read, in either order of their members.
    #[test]
    fn large_messages_show_their_ends() {
        let first = glimpse(
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"id":9,"text":"aaaa"#,
            r#"aaaa"},"_meta":{"claudecode/toolUseId":"toolu_1"}}}"#,
        );
        let call = Glimpse {
            id: Some(json!(7)),
            method: Some("tools/call".into()),
            tool: Some("echo".into()),
            call: Some("toolu_1".into()),
            is_error: false,
        };
        assert_eq!(first, call);
        let last =
            glimpse(r#"{"result":{"content":[{"type":"text","text":"aaaa"#, r#"aaaa"}],"isError":true},"jsonrpc":"2.0","id":"x-1"}"#);
        assert_eq!((last.id, last.is_error), (Some(json!("x-1")), true));
    }
}
