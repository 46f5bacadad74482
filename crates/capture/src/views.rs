//! Two views of one output: what the tool gave (PostToolUse) and what the model was told (PostToolBatch).

use serde_json::Value;

use crate::hash::{self, Hash};

/// 1 MiB: longer outputs are not compared; the client shows the model at most about 30 KB of a command's output.
const COMPARED_BYTES_MAX: usize = 1024 * 1024;

/// What the model should be told, if nothing rewrote it on the way; kept as a fingerprint, never as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Not known: the client words the answer of this tool in its own way.
    #[default]
    Anything,
    /// A text that begins with these bytes; `numbered` when the client puts line numbers before the lines.
    Text { bytes: usize, hash: Hash, numbered: bool },
    /// Exactly this JSON.
    Json(Hash),
}

/// Returns what the model should be told of a call that ended with `response` or `error`.
pub(crate) fn expected(tool: &str, response: Option<&Value>, error: Option<&Value>) -> Expect {
    match (tool, response.or(error)) {
        (_, Some(Value::String(given))) => text(given, false),
        ("Bash", Some(response @ Value::Object(_))) => shell(response),
        ("Read", Some(response)) => match response.get("file").and_then(|file| file.get("content")).and_then(Value::as_str) {
            Some(content) => text(content, true),
            None => Expect::Anything,
        },
        (mcp, Some(blocks @ Value::Array(_))) if mcp.starts_with("mcp__") => Expect::Json(hash::of_value(blocks)),
        _ => Expect::Anything,
    }
}

/// Tells whether `shown` is what was expected.
pub(crate) fn agrees(expect: Expect, shown: &Value) -> bool {
    match (expect, shown) {
        (Expect::Json(hash), Value::Array(_)) => hash::of_value(shown) == hash,
        (Expect::Text { bytes, hash, numbered }, shown) => match shown_text(shown) {
            Some(text) => begins_with(text, bytes, &hash, numbered),
            None => true,
        },
        _ => true,
    }
}

fn shell(response: &Value) -> Expect {
    let set = |name: &str| !matches!(response.get(name), None | Some(Value::Null | Value::Bool(false)));
    if set("backgroundTaskId") || set("persistedOutputPath") || set("isImage") || set("interrupted") {
        return Expect::Anything;
    }
    let part = |name: &str| response.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    match part("stdout").or_else(|| part("stderr")) {
        Some(given) => text(given, false),
        None => Expect::Anything,
    }
}

fn text(given: &str, numbered: bool) -> Expect {
    let given = given.trim();
    if given.is_empty() || given.len() > COMPARED_BYTES_MAX {
        return Expect::Anything;
    }
    Expect::Text { bytes: given.len(), hash: hash::sha256(given.as_bytes()), numbered }
}

/// Returns the text that the model was told, if it is one text.
pub(crate) fn shown_text(shown: &Value) -> Option<&str> {
    match shown {
        Value::String(text) => Some(text),
        Value::Array(blocks) => match blocks.as_slice() {
            [only] => only.get("text").and_then(Value::as_str),
            _ => None,
        },
        _ => None,
    }
}

fn begins_with(shown: &str, bytes: usize, expected: &Hash, numbered: bool) -> bool {
    let plain = if numbered { without_numbers(shown) } else { shown.to_owned() };
    let plain = plain.trim_start().as_bytes();
    plain.len() >= bytes && hash::sha256(&plain[..bytes]) == *expected
}

/// Takes the line numbers off, as the client writes them: spaces, digits, a tab or an arrow.
fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start_matches(' ').trim_start_matches(|c: char| c.is_ascii_digit());
        plain.push_str(rest.strip_prefix('\t').or_else(|| rest.strip_prefix('→')).unwrap_or(line));
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Protects the finding "output rewritten": the client's own wording is no rewrite, a changed word is one.
    #[test]
    fn only_a_changed_output_disagrees() {
        let bash = |stdout: &str| json!({"stdout": stdout, "stderr": "warn", "interrupted": false, "isImage": false});
        let cases = [
            ("Bash", bash("hi\n"), json!("hi"), true),
            ("Bash", bash("hi\n"), json!("hi\nwarn"), true),
            ("Bash", bash("token 1234"), json!("token ****"), false),
            ("Bash", bash(""), json!("warn"), true),
            ("Bash", json!({"stdout": "", "stderr": ""}), json!("(Bash completed with no output)"), true),
            ("Read", json!({"file": {"content": "a\nb\n"}}), json!("1\ta\n2\tb\n3\t"), true),
            ("Read", json!({"file": {"content": "a\nb\n"}}), json!("1\ta\n2\tX\n3\t"), false),
            ("mcp__d__e", json!([{"type": "text", "text": "x"}]), json!([{"type": "text", "text": "x"}]), true),
            ("mcp__d__e", json!([{"type": "text", "text": "x"}]), json!([{"type": "text", "text": "y"}]), false),
            ("mcp__d__s", json!("{\"n\":7}"), json!("{\"n\":7}"), true),
            ("Write", json!({"type": "create"}), json!("File created"), true),
        ];
        for (tool, given, shown, agree) in cases {
            assert_eq!(agrees(expected(tool, Some(&given), None), &shown), agree, "{tool} {given} {shown}");
        }
    }
}
