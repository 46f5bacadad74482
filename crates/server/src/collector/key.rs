//! The door of the collector: a valid write key within its rate, or a refusal.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use sealtrail_capture::Sender;
use sealtrail_event::Token as Word;

use crate::archive::Visitor;
use crate::collector::Collector;
use crate::guard::{bearer, plain};
use crate::refusal::Refusal;

/// Subject of the certificate that the other end of the connection proved to hold; put into every request by the listener.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(pub(crate) Arc<str>);

/// Lets requests with a valid write key through, and tells their handlers who hands in (`Extension<Arc<Sender>>`).
pub(crate) async fn keyed(State(collector): State<Arc<Collector>>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<SocketAddr>().copied();
    let certificate = request.extensions().get::<Certificate>().cloned();
    match collector.admit(request.headers(), from, certificate).await {
        Ok(sender) => {
            request.extensions_mut().insert(Arc::new(sender));
            next.run(request).await
        }
        Err(refusal) => {
            collector.metrics.refused(refusal.word());
            refusal.into_response()
        }
    }
}

impl Collector {
    async fn admit(
        self: &Arc<Self>,
        headers: &HeaderMap,
        from: Option<SocketAddr>,
        certificate: Option<Certificate>,
    ) -> Result<Sender, Refusal> {
        let source_ip = from.map(|from| plain(from.ip()).to_string());
        let secret = bearer(headers);
        // The keys are in memory as long as their file is as it was; only a refusal, which is sealed, takes a thread.
        let known = match secret.as_deref().map(|secret| self.archive.write_key(secret, Timestamp::now())) {
            Some(Ok(Some(token))) => token,
            _ => {
                let (own, visitor) = (Arc::clone(self), Visitor { door: "collector", source_ip });
                let refused = move || own.archive.admit_writer(secret.as_deref(), &visitor, Timestamp::now());
                let refused = tokio::task::spawn_blocking(refused).await;
                return Err(refused.map_err(|error| Refusal::Unreadable(Box::new(error)))?.err().unwrap_or(Refusal::UnknownToken));
            }
        };
        let taken = self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(&known.name, Instant::now());
        taken.map_err(|_| Refusal::TooOften { per_second: self.limits.per_second })?;
        Ok(Sender {
            key: known.name,
            application_id: known.application_id.as_deref().and_then(|id| Word::parse(id).ok()),
            source_ip,
            certificate: certificate.map(|certificate| certificate.0.to_string()),
        })
    }
}
