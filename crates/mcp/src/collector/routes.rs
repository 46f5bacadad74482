//! The server over streamable HTTP: one path, and a key at its door.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::{Bearer, Collector, EVENT_BYTES_MAX, Keys};

/// Where it is answered.
pub const PATH: &str = "/mcp";

/// Returns the routes; `any_host` tells whether names of other machines may stand in `Host`.
pub fn routes(collector: Collector, keys: Arc<dyn Keys>, any_host: bool) -> Router {
    // As much again for the message around an event.
    let config = StreamableHttpServerConfig::default().with_max_request_body_bytes(2 * EVENT_BYTES_MAX);
    let config = if any_host { config.disable_allowed_hosts() } else { config };
    let service = StreamableHttpService::new(move || Ok(collector.clone()), Arc::new(LocalSessionManager::default()), config);
    Router::new().route_service(PATH, service).route_layer(from_fn_with_state(keys, door))
}

/// Lets in who shows a key that there is; what it opens is looked at with each call.
async fn door(State(keys): State<Arc<dyn Keys>>, mut request: Request, next: Next) -> Response {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = shown.and_then(|shown| shown.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let peer = request.extensions().get::<SocketAddr>().map(|peer| peer.ip().to_canonical().to_string());
    let bearer = Bearer { secret: secret.map(|(_, secret)| secret.trim().to_owned()), source_ip: peer };
    let its = bearer.clone();
    let asked = tokio::task::spawn_blocking(move || keys.known(&its)).await;
    let refused = match asked {
        Ok(Ok(())) => {
            request.extensions_mut().insert(bearer);
            return next.run(request).await;
        }
        Ok(Err(why)) => why,
        Err(error) => error.to_string(),
    };
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], format!("{refused}\n")).into_response()
}
