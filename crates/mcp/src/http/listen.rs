//! A listener on this machine: connections within limits, stopped in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder as Connections;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// 256 connections: a client keeps a stream open beside each request.
const CONNECTIONS_MAX: usize = 256;

/// 10 s for the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// 3 s for what runs when it stops.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// A running listener.
pub struct Listener {
    runtime: Runtime,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Listens; when this returns, requests are answered by what `make` returns, which is called inside the listener's threads.
    pub fn start<E: From<io::Error>>(address: SocketAddr, make: impl FnOnce() -> Result<Router, E>) -> Result<Self, E> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(64).thread_name("mcp").enable_all().build()?;
        let entered = runtime.enter();
        let router = make()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let accepting = runtime.spawn(accept(listener, router));
        drop(entered);
        Ok(Self { runtime, address, accepting })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new connections; what runs is broken off after a while.
    pub fn stop(self) {
        self.accepting.abort();
        self.runtime.shutdown_timeout(STOP_PATIENCE);
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many open files, most likely: over as soon as a connection ends.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        // Without this, the last piece of an answer waits for the one before.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            tower_service::Service::call(&mut router.clone(), request)
        });
        tokio::spawn(async move {
            let mut connections = Connections::new(TokioExecutor::new());
            connections.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
            // A connection that breaks off has nobody to tell.
            let _ = connections.serve_connection(TokioIo::new(stream), answer).await;
            drop(place);
        });
    }
}
