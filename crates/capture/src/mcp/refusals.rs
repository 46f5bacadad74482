//! Which answers say that somebody was not let in: by the server, or by the system behind it.

use serde_json::{Map, Value};

/// The event of a failed authentication or authorisation.
pub(super) const EVENT: &str = "auth.mcp_failed";

/// 4 KiB: the refusal stands at the beginning of what an error says.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Phrases, in lower case, by which servers and the systems behind them refuse. A bare number is none: it may count anything.
const PHRASES: &[&str] = &[
    "unauthorized",
    "unauthenticated",
    "not authenticated",
    "authentication failed",
    "authentication required",
    "authentication error",
    "failed to authenticate",
    "login required",
    "login failed",
    "not logged in",
    "invalid credentials",
    "bad credentials",
    "invalid token",
    "invalid_token",
    "invalid_grant",
    "token expired",
    "token has expired",
    "expired token",
    "invalid api key",
    "invalid_api_key",
    "missing api key",
    "access denied",
    "permission denied for",
    "password authentication",
    "forbidden",
    "http 401",
    "http 403",
    "status 401",
    "status 403",
    "status: 401",
    "status: 403",
    "status code 401",
    "status code 403",
    "code: 401",
    "code: 403",
    "error 401",
    "error 403",
];

/// Looks at a JSON-RPC error.
pub(super) fn in_error(error: &Map<String, Value>) -> Option<&'static str> {
    if matches!(error.get("code").and_then(Value::as_i64), Some(401 | 403)) {
        return Some("rpc_error");
    }
    let told = |name: &str| error.get(name).and_then(Value::as_str).is_some_and(refuses);
    (told("message") || told("data")).then_some("rpc_error")
}

/// Looks at the texts of a tool's result that says it is an error.
pub(super) fn in_result(result: &Map<String, Value>) -> Option<&'static str> {
    let blocks = result.get("content").and_then(Value::as_array)?;
    let texts = blocks.iter().take(16).filter_map(|block| block.get("text")).filter_map(Value::as_str);
    texts.into_iter().any(refuses).then_some("tool_error")
}

/// Returns the reason of an HTTP status that refuses.
pub(super) fn in_status(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("http_401"),
        403 => Some("http_403"),
        407 => Some("http_407"),
        _ => None,
    }
}

fn refuses(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let head = head.to_ascii_lowercase();
    PHRASES.iter().any(|phrase| head.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the finding of failed authentication against both mistakes: what refuses is found, what only mentions a number is not.
    #[test]
    fn refusals_are_found() {
        for text in ["401 Unauthorized", "HTTP 403 from upstream", "fe_sendauth: password authentication failed", "Error: invalid_token"] {
            assert!(refuses(text), "{text}");
        }
        for text in ["403 rows", "no such file", "the author is unknown", "timeout after 401 ms"] {
            assert!(!refuses(text), "{text}");
        }
    }
}
