//! The API document, made of the handlers and their types; of handlers that lie elsewhere or answer several paths, in the modules below.

mod fleet;
mod mcp;
mod otlp;

use sealtrail_client::Receipts;
use serde_json::Value;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToResponse};

use crate::params::Question;
use crate::types::{Answer, Chain, Checkpoint, Event, Events, Execution, Health, Problem, Session};

/// Why there is no answer (RFC 9457).
#[derive(ToResponse)]
#[response(
    description = "Why there is no answer (RFC 9457): 400 the question, 401 no valid token, 403 not with this token, 404 nothing of that \
    name, 405 not with this method, 408 and 413 the body, 415 its type, 422 too large an answer, 429 too often, 503 not now.",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "the document is made of its type")]
pub(crate) struct Refused(Problem);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sealtrail API",
        version = "1",
        description = "Reads an audit trail, and hands events in. Every reading is itself recorded in the trail before it is answered; whatever is handed in is \
            durable and sealed before it is.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "http://127.0.0.1:8787", description = "The daemon on this machine")),
    paths(
        crate::routes::events, crate::routes::search, crate::routes::event, crate::routes::chain, crate::routes::execution,
        crate::routes::session, crate::routes::checkpoint, crate::routes::health, crate::routes::document,
        crate::collector::events::post, crate::collector::hooks::claude_code,
        self::otlp::logs, self::otlp::metrics, self::otlp::traces,
        self::otlp::grpc_logs, self::otlp::grpc_metrics, self::otlp::grpc_traces,
        self::fleet::state, self::fleet::batches, self::fleet::add_checkpoint,
        self::mcp::send, self::mcp::listen, self::mcp::end,
        crate::collector::probes::healthz, crate::collector::probes::readyz, crate::collector::probes::metrics,
    ),
    components(
        schemas(Question, Answer, Events, Event, Chain, Execution, Session, Checkpoint, Health, Problem, Receipts),
        responses(Refused),
    ),
    modifiers(&Bearer),
)]
struct Document;

/// Tokens, as `sealtrail token create` makes them.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A read token: `sealtrail token create --name NAME --scope read`."))
            .build();
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A write key: `sealtrail token create --name NAME --scope write`. It reads nothing."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        components.add_security_scheme("key", SecurityScheme::Http(key));
    }
}

/// Returns the API document.
pub fn openapi() -> Value {
    serde_json::to_value(Document::openapi()).unwrap_or_default()
}
