//! The server: started beside the daemon in threads of its own, stopped before it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use sealtrail_engine::Home;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::archive::Archive;
use crate::connection::Patient;
use crate::guard::App;
use crate::record::Recorder;
use crate::routes::router;

/// 256 connections of up to 32 KiB of head: 8 MiB.
const CONNECTIONS_MAX: usize = 256;
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;

/// 10 s for the head of a request, and between two requests: who sends a byte now and then does not keep a connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// 5 s for what runs when the daemon stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Threads that work on connections; searches have threads of their own.
const THREADS: usize = 2;

/// 16: four searches, and those who are let in meanwhile.
const BLOCKING_MAX: usize = 16;

/// How the server listens, and what it allows.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it may listen where other machines can hear it, unencrypted.
    pub insecure: bool,
    /// How long a search may take.
    pub deadline: Duration,
    /// Requests with one token in a second; four times as many in a burst.
    pub per_second: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8787)), insecure: false, deadline: Duration::from_secs(30), per_second: 50 }
    }
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others would hear the tokens.
    #[error("cannot listen on {address}: other machines could read tokens and answers, which are not encrypted")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No threads.
    #[error("cannot start the threads of the server")]
    Threads(#[source] io::Error),
}

/// A running server.
pub struct Server {
    runtime: Runtime,
    address: SocketAddr,
    accepting: JoinHandle<()>,
    open: Arc<GracefulShutdown>,
}

impl Server {
    /// Listens. When this returns, questions are answered.
    pub fn start(home: Home, recorder: Box<dyn Recorder>, options: ServerOptions) -> Result<Self, ServeError> {
        let address = options.listen;
        if !address.ip().to_canonical().is_loopback() && !options.insecure {
            return Err(ServeError::NotLoopback { address });
        }
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let threads = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_MAX)
            .thread_name("api")
            .enable_io()
            .enable_time()
            .build();
        let runtime = threads.map_err(ServeError::Threads)?;
        let archive = Archive::new(home, recorder, options.deadline.as_secs());
        let service = router(Arc::new(App::new(archive, options.deadline, options.per_second)));
        let open = Arc::new(GracefulShutdown::new());
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let accepting = runtime.spawn(accept(listener, service, Arc::clone(&open)));
        drop(entered);
        Ok(Self { runtime, address, accepting, open })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new connections; what runs may end, for a while.
    pub fn stop(self) {
        let Self { runtime, accepting, open, .. } = self;
        accepting.abort();
        runtime.block_on(async {
            // It ends because it was told to.
            let _ = accepting.await;
            if let Some(open) = Arc::into_inner(open) {
                // What is not done by then is broken off, and its reader sees that.
                let _ = tokio::time::timeout(STOP_PATIENCE, open.shutdown()).await;
            }
        });
        runtime.shutdown_timeout(STOP_PATIENCE);
    }
}

async fn accept(listener: tokio::net::TcpListener, service: Router, open: Arc<GracefulShutdown>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
        let service = service.clone();
        let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            tower_service::Service::call(&mut service.clone(), request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(Patient::new(stream)), answer);
        let watched = open.watcher().watch(connection);
        tokio::spawn(async move {
            // A connection that breaks off has nobody to tell.
            let _ = watched.await;
            drop(place);
        });
    }
}
