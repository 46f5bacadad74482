//! The MCP collector, which `sealtrail serve` answers at the same address.
#![expect(dead_code, reason = "the document is made of these functions and types")]

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A message of JSON-RPC 2.0, as MCP has them.
#[derive(Serialize, ToSchema)]
#[schema(value_type = Object)]
pub(super) struct McpMessage(Value);

/// Send a message to the MCP server `audit-collector` (streamable HTTP).
///
/// Only `sealtrail serve` has it. A write key records events, a read token searches.
#[utoipa::path(
    post, path = "/mcp", tag = "mcp", operation_id = "sendMcp", security(("key" = []), ("token" = [])),
    params(
        ("Accept" = String, Header, description = "`application/json, text/event-stream`."),
        ("Mcp-Session-Id" = Option<String>, Header, description = "The session, as the answer to `initialize` named it."),
        ("MCP-Protocol-Version" = Option<String>, Header, description = "The version that both sides agreed on."),
    ),
    request_body(content = McpMessage, content_type = "application/json"),
    responses(
        (status = 200, description = "The answer, as one message or as a stream of them.",
            content((McpMessage = "application/json"), (String = "text/event-stream"))),
        (status = 202, description = "A message that has no answer was taken."),
        (status = 401, description = "No token or key that there is.", body = String, content_type = "text/plain"),
        (status = "default", description = "The message cannot be taken: 400, 404 no such session, 406, 413, 415, 422.", body = String, content_type = "text/plain"),
    )
)]
pub(super) fn send() {}

/// Listen to what the MCP server says of itself.
#[utoipa::path(
    get, path = "/mcp", tag = "mcp", operation_id = "listenMcp", security(("key" = []), ("token" = [])),
    params(
        ("Accept" = String, Header, description = "`text/event-stream`."),
        ("Mcp-Session-Id" = String, Header, description = "The session."),
    ),
    responses(
        (status = 200, description = "A stream of messages.", body = String, content_type = "text/event-stream"),
        (status = 401, description = "No token or key that there is.", body = String, content_type = "text/plain"),
        (status = "default", description = "There is no such session, or it has a listener.", body = String, content_type = "text/plain"),
    )
)]
pub(super) fn listen() {}

/// End an MCP session.
#[utoipa::path(
    delete, path = "/mcp", tag = "mcp", operation_id = "endMcp", security(("key" = []), ("token" = [])),
    params(("Mcp-Session-Id" = String, Header, description = "The session.")),
    responses(
        (status = 202, description = "It ends."),
        (status = 401, description = "No token or key that there is.", body = String, content_type = "text/plain"),
        (status = "default", description = "There is no such session.", body = String, content_type = "text/plain"),
    )
)]
pub(super) fn end() {}
