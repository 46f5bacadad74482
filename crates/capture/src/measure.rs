//! Sizes of what a tool got and gave, taken before redaction changes them: numbers, never content.

use serde_json::{Map, Value};

/// What can be counted in one hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    /// Bytes that came back.
    pub(crate) result_bytes: Option<u64>,
    /// Bytes of the file that was touched.
    pub(crate) resource_bytes: Option<u64>,
    /// Whether only a part of the file was touched.
    pub(crate) partial: Option<bool>,
}

/// Counts in the members of a hook.
pub(crate) fn measure(hook: &Map<String, Value>) -> Measures {
    let tool = hook.get("tool_name").and_then(Value::as_str).unwrap_or_default();
    let Some(response) = hook.get("tool_response") else {
        let error = hook.get("error").and_then(Value::as_str).filter(|_| !tool.is_empty());
        return Measures { result_bytes: error.map(|text| text.len() as u64), ..Measures::default() };
    };
    match tool {
        "Read" => read(response),
        "Write" => Measures {
            result_bytes: Some(json_bytes(response)),
            resource_bytes: text_bytes(hook.get("tool_input").and_then(|input| input.get("content"))),
            partial: None,
        },
        "Bash" | "PowerShell" => Measures { result_bytes: shell(response), ..Measures::default() },
        _ => Measures { result_bytes: Some(text_bytes(Some(response)).unwrap_or_else(|| json_bytes(response))), ..Measures::default() },
    }
}

fn read(response: &Value) -> Measures {
    let file = response.get("file");
    let number = |name: &str| file.and_then(|file| file.get(name)).and_then(Value::as_u64);
    let content = text_bytes(file.and_then(|file| file.get("content")));
    let partial = match (number("numLines"), number("totalLines")) {
        (Some(lines), Some(total)) => Some(lines < total || number("startLine").unwrap_or(1) > 1),
        _ => None,
    };
    Measures {
        result_bytes: content.or_else(|| Some(json_bytes(response))),
        resource_bytes: number("originalSize").or(content.filter(|_| partial == Some(false))),
        partial,
    }
}

fn shell(response: &Value) -> Option<u64> {
    if let Some(size) = response.get("persistedOutputSize").and_then(Value::as_u64) {
        return Some(size);
    }
    let out = text_bytes(response.get("stdout"));
    let err = text_bytes(response.get("stderr"));
    if out.is_none() && err.is_none() {
        return Some(json_bytes(response));
    }
    Some(out.unwrap_or(0) + err.unwrap_or(0))
}

fn text_bytes(value: Option<&Value>) -> Option<u64> {
    value.and_then(Value::as_str).map(|text| text.len() as u64)
}

fn json_bytes(value: &Value) -> u64 {
    value.to_string().len() as u64
}
