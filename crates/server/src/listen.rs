//! Connections: accepted within a number, encrypted or not, HTTP/1.1 or HTTP/2, and none kept that does nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::asked::{Answering, Asked};
use crate::collector::Certificate;
use crate::connection::{Patience, Patient, Prompt};
use crate::tls::{Tls, subject};

/// 32 KiB: a head with a hundred long names.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;

/// 10 s for the handshake, for the first bytes, for the head of a request, and between two requests, whatever the version: who sends a byte now and
/// then does not keep a connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// 64 requests at once over one connection: a client runs a few hooks at once, an exporter three.
const STREAMS_MAX: u32 = 64;

/// What every connection shares.
pub(crate) struct Listening {
    pub(crate) service: Router,
    pub(crate) tls: Option<Tls>,
    pub(crate) connections: usize,
    /// A connection without a byte in or out ends after this long, also while a request is being answered.
    pub(crate) idle: Duration,
}

/// Accepts connections until it is aborted.
pub(crate) async fn accept(listener: TcpListener, listening: Arc<Listening>, open: Arc<GracefulShutdown>) {
    let places = Arc::new(Semaphore::new(listening.connections));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many open files, most likely: over as soon as a connection ends.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Closed at once: who waits in vain is worse off than who may come again.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        // Answers are written in one go; without this, the last piece waits for the one before.
        let _ = stream.set_nodelay(true);
        let (listening, watcher) = (Arc::clone(&listening), open.watcher());
        tokio::spawn(async move {
            connection(stream, peer, &listening, watcher).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, listening: &Listening, watcher: Watcher) {
    let asked = Arc::<Asked>::default();
    let patience = Patience { answering: listening.idle, unasked: HEAD_PATIENCE };
    let (stream, service) = (Patient::new(stream, patience, Arc::clone(&asked)), &listening.service);
    let Some(tls) = &listening.tls else { return serve(stream, peer, None, (service, asked), watcher).await };
    // Who does not get through has nobody to tell: the other end sees why.
    let Ok(Ok(stream)) = tokio::time::timeout(HEAD_PATIENCE, tls.acceptor().accept(stream)).await else { return };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(subject);
    serve(stream, peer, certificate.map(|subject| Certificate(subject.into())), (service, asked), watcher).await;
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    certificate: Option<Certificate>,
    (service, asked): (&Router, Arc<Asked>),
    watcher: Watcher,
) {
    let service = service.clone();
    let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let (asking, answer) = (asked.begin(), tower_service::Service::call(&mut service.clone(), request));
        async move { answer.await.map(|answer| answer.map(|body| Body::new(Answering { body, _asking: asking }))) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(HEAD_BYTES_MAX as u32).max_concurrent_streams(STREAMS_MAX);
    let connection = builder.serve_connection(TokioIo::new(Prompt::new(stream, HEAD_PATIENCE)), answer).into_owned();
    // A connection that breaks off has nobody to tell.
    let _ = watcher.watch(connection).await;
}
