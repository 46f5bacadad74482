//! Connections of clients: taken one by one, bounded in number, in the time of a head, and in how long they may take nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use crate::call::{Shared, answer};

/// 64 KiB of a head: the clients' have 3 KiB.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 128;

/// 60 s for a head, and between two requests: who sends a byte now and then does not keep a connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);

/// 10 s to agree on encryption.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// 120 s without a byte taken: the other end has gone, or means no good.
const STALL: Duration = Duration::from_secs(120);

/// Takes connections until it is stopped.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>, open: Arc<GracefulShutdown>) {
    let places = Arc::new(Semaphore::new(shared.options.connections));
    let tls = shared.options.tls.clone().map(TlsAcceptor::from);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many open files, most likely: over as soon as a connection ends.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Closed at once: who waits in vain is worse off than who may come again.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        // Without this, each piece of a stream may wait for the one before.
        let _ = stream.set_nodelay(true);
        let (shared, open, tls) = (Arc::clone(&shared), Arc::clone(&open), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(bounded(stream), peer.ip(), &shared, &open).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_PATIENCE, tls.accept(bounded(stream))).await {
                        serve(stream, peer.ip(), &shared, &open).await;
                    }
                }
            }
            drop(place);
        });
    }
}

type Bounded = std::pin::Pin<Box<TimeoutStream<TcpStream>>>;

fn bounded(stream: TcpStream) -> Bounded {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL));
    Box::pin(stream)
}

async fn serve<S>(stream: S, peer: IpAddr, shared: &Arc<Shared>, open: &Arc<GracefulShutdown>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::clone(shared);
    let answer = service_fn(move |request: Request<Incoming>| answer(Arc::clone(&shared), peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), answer);
    // A connection that breaks off has nobody to tell; its call has told its end.
    let _ = open.watcher().watch(connection).await;
}
