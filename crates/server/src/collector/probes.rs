//! What watches the server: whether it lives, whether it takes events, and how many.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, FORWARDED};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use crate::archive::Visitor;
use crate::collector::Collector;
use crate::guard::{bearer, plain};
use crate::refusal::Refusal;
use crate::routes::Fault;

/// Tell that the server lives. Needs no key, and tells nothing else.
#[utoipa::path(
    get, path = "/healthz", tag = "server", operation_id = "getLife",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain"), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Tell whether events are taken now. Needs no key, and tells nothing else.
#[utoipa::path(
    get, path = "/readyz", tag = "server", operation_id = "getReadiness",
    responses(
        (status = 200, description = "They are.", body = String, content_type = "text/plain"),
        (status = 503, description = "They are not.", body = String, content_type = "text/plain"),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(crate) async fn readyz(State(collector): State<Arc<Collector>>) -> Response {
    if collector.is_full() { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response() } else { "ready\n".into_response() }
}

/// Get the metrics of the collector, as OpenMetrics. Needs a read token, or comes from this machine itself.
#[utoipa::path(
    get, path = "/metrics", tag = "server", operation_id = "getMetrics", security((), ("token" = [])),
    responses(
        (status = 200, description = "The metrics.", body = String, content_type = "application/openmetrics-text"),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(crate) async fn metrics(
    State(collector): State<Arc<Collector>>,
    from: Option<Extension<SocketAddr>>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let from = from.map(|Extension(from)| plain(from.ip()));
    let secret = bearer(&headers);
    // A proxy on this machine passes on what comes from elsewhere, and says so.
    let passed_on = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    if secret.is_some() || passed_on || !from.is_some_and(|from| from.is_loopback()) {
        let archive = Arc::clone(&collector.archive);
        let visitor = Visitor { door: "metrics", source_ip: from.map(|from| from.to_string()) };
        let admitted = tokio::task::spawn_blocking(move || archive.admit(secret.as_deref(), &visitor, Timestamp::now())).await;
        admitted.map_err(|error| Refusal::Unreadable(Box::new(error)))??;
    }
    let text = collector.metrics.text(&collector.handle.status(), collector.flights.used());
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
