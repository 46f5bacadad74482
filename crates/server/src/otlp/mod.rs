//! OTLP in, over HTTP and gRPC: decoded and redacted by `capture::otel`, answered when every event of a request is sealed.

mod grpc;
mod http;
mod kept;
mod listen;
mod take;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::routing::post;
use sealtrail_capture::otel::{Arrival, Sequences, Signal};
use tokio::sync::Semaphore;

use self::kept::Kept;
use crate::collector::Collector;

/// 32 MiB, in KiB: bodies that are being understood at the same time. Understood they take up to fifteen times as much, or about 480 MiB at worst.
const UNDERSTOOD_KIB_MAX: usize = 32 * 1024;

/// What OTLP requests share.
pub(crate) struct Otlp {
    collector: Arc<Collector>,
    /// Made when the first request needs it.
    id_key: OnceLock<[u8; 32]>,
    /// Which numbers of which process were sealed.
    sequences: Mutex<Sequences>,
    /// What is missing, for the next server if this one is killed.
    kept: Arc<Kept>,
    /// Whether somebody looks for gaps from time to time.
    listening: AtomicBool,
    places: Arc<Semaphore>,
}

/// Returns the routes of OTLP; called inside the server's runtime. Who comes here holds a write key.
pub(crate) fn routes(collector: &Arc<Collector>) -> Router {
    let kept = Kept::of(collector.handle.home());
    let mut sequences = Sequences::default();
    let missing = kept.read();
    let resumed = !missing.is_empty();
    sequences.resume(missing, collector.now_ns());
    let otlp = Arc::new(Otlp {
        collector: Arc::clone(collector),
        id_key: OnceLock::new(),
        sequences: Mutex::new(sequences),
        kept,
        listening: AtomicBool::new(false),
        places: Arc::new(Semaphore::new(UNDERSTOOD_KIB_MAX)),
    });
    if resumed {
        otlp.listen();
    }
    let http = |signal: Signal| post(move |otlp, sender, headers, body| http::export(signal, otlp, sender, headers, body));
    let grpc = |signal: Signal| post(move |otlp, sender, request| grpc::export(signal, otlp, sender, request));
    Router::new()
        .route("/v1/logs", http(Signal::Logs))
        .route("/v1/metrics", http(Signal::Metrics))
        .route("/v1/traces", http(Signal::Traces))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", grpc(Signal::Logs))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", grpc(Signal::Metrics))
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", grpc(Signal::Traces))
        .with_state(otlp)
}

impl Otlp {
    /// Returns what stands beside bytes that come now; nothing when the key of the ids cannot be read.
    fn arrival(&self) -> Option<Arrival> {
        let id_key = match self.id_key.get() {
            Some(key) => *key,
            None => {
                let key = self.collector.handle.home().id_key().ok()?;
                *self.id_key.get_or_init(|| key)
            }
        };
        Some(Arrival { recorded_unix_ns: self.collector.now_ns(), redactor: Arc::clone(&self.collector.redactor), id_key })
    }
}
