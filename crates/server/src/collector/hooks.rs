//! `POST /v1/hooks/claude-code`: the HTTP hooks of the client, on the same way as those of the command hook.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use sealtrail_capture::Sender;
use sealtrail_engine::{HookFate, RemoteHook};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::body;
use crate::collector::{Collector, Held, SEAL_PATIENCE};
use crate::problem::plain;
use crate::refusal::Refusal;
use crate::routes::Fault;

/// 32 MiB: as much as the command hook takes.
const HOOK_BYTES_MAX: usize = 32 << 20;

/// 64 KiB: understanding that takes less than a millisecond.
const AT_ONCE_BYTES_MAX: usize = 64 << 10;

/// 128 characters: names of persons and machines.
const NAME_CHARS_MAX: usize = 128;

/// Hand in one hook of the client.
///
/// The body is what the client posts: the hook's JSON. The answer comes when it is sealed, and is an empty object, so that the client goes on. When it
/// cannot be sealed and the operator chose `block` for its class, a call that is about to run is denied.
#[utoipa::path(
    post, path = "/v1/hooks/claude-code", tag = "collector", operation_id = "handInHook", security(("key" = [])),
    params(
        ("Sealtrail-User" = Option<String>, Header, description = "The person at the client, as the client's settings say."),
        ("Sealtrail-Host" = Option<String>, Header, description = "The machine of the client."),
        ("Sealtrail-Client" = Option<String>, Header, description = "What the client says it is: its `AI_AGENT`."),
    ),
    request_body(content = Value, content_type = "application/json", description = "The hook, as the client posts it."),
    responses(
        (status = 200, description = "Sealed; or, with `hookSpecificOutput`, denied because it cannot be.", body = Object),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(crate) async fn claude_code(
    State(collector): State<Arc<Collector>>,
    Extension(sender): Extension<Arc<Sender>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let held = collector.read_up_to(&headers, body, HOOK_BYTES_MAX).await?;
    if held.is_empty() {
        return Err(plain(StatusCode::BAD_REQUEST, "body", "the body is empty").into());
    }
    let [user, host, client] = ["sealtrail-user", "sealtrail-host", "sealtrail-client"].map(|name| said(&headers, name));
    let hook = RemoteHook::new(held.len(), (*sender).clone(), user, host, client.unwrap_or_default());
    let since = Instant::now();
    let fate = seal(&collector, hook, held).await?;
    collector.metrics.hook(&fate, since.elapsed());
    Ok(match fate {
        HookFate::Sealed(_) | HookFate::Off => body::json(&json!({})),
        HookFate::Denied(reason) => body::json(&denial(&reason)),
        HookFate::Later => collector.later(),
    })
}

/// Seals a hook. A small one is understood here and now: handing it to a thread that may wait costs more than that.
async fn seal(collector: &Arc<Collector>, hook: RemoteHook, held: Held) -> Result<HookFate, Fault> {
    if held.len() <= AT_ONCE_BYTES_MAX {
        let (told, answer) = oneshot::channel();
        let taken = collector.handle.try_hook(&hook, &held, move |seq| {
            // The receiver is gone when the patience below ran out first.
            let _ = told.send(seq);
        });
        if taken && let Ok(Ok(Some(seq))) = tokio::time::timeout(SEAL_PATIENCE, answer).await {
            return Ok(HookFate::Sealed(seq));
        }
    }
    let own = Arc::clone(collector);
    let sealed = tokio::task::spawn_blocking(move || own.handle.hook(&hook, &held));
    Ok(sealed.await.map_err(|error| Refusal::Unreadable(Box::new(error)))?)
}

/// The client denies a call only on an answer of this form.
fn denial(reason: &str) -> Value {
    json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}})
}

/// Reads what the client's settings say in a header; a variable that is not set leaves it empty.
fn said(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let cut: String = text.chars().take(NAME_CHARS_MAX).collect();
    (!cut.is_empty()).then_some(cut)
}
