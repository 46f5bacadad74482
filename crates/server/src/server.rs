//! The server: started beside the daemon in threads of its own, stopped before it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use sealtrail_engine::Handle;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::archive::{Archive, REFUSED_EVERY};
use crate::collector::{self, Collector, Limits};
use crate::guard::App;
use crate::listen::{Listening, accept};
use crate::routes::router;
use crate::tls::{Tls, TlsError, TlsFiles};

/// 5 s for what runs when the daemon stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Threads that work on connections; searches, and what is taken in, have threads of their own.
const THREADS: usize = 2;

/// 64: four searches, those who are let in meanwhile, and as many hooks that wait for their seal as one batch is worth.
const BLOCKING_MAX: usize = 64;

/// 11 minutes without a byte: a search that streams may take ten.
const IDLE: Duration = Duration::from_secs(660);

/// How the server listens, and what it allows.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificates; nothing when it does not encrypt.
    pub tls: Option<TlsFiles>,
    /// Whether it may listen where other machines can hear it, unencrypted.
    pub insecure: bool,
    /// Connections at once, of up to 32 KiB of head.
    pub connections: usize,
    /// How long a search may take.
    pub deadline: Duration,
    /// Questions with one token in a second; four times as many in a burst.
    pub per_second: u32,
    /// What is taken in.
    pub collector: Limits,
    /// What else is answered at this address; it has a door of its own.
    pub more: axum::Router,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            tls: None,
            insecure: false,
            connections: 256,
            deadline: Duration::from_secs(30),
            per_second: 50,
            collector: Limits::default(),
            more: axum::Router::new(),
        }
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
    /// There is no TLS.
    #[error("cannot encrypt")]
    Tls(#[from] TlsError),
    /// No threads.
    #[error("cannot start the threads of the server")]
    Threads(#[source] io::Error),
}

/// A running server.
pub struct Server {
    runtime: Runtime,
    address: SocketAddr,
    encrypted: bool,
    running: [JoinHandle<()>; 3],
    open: Arc<GracefulShutdown>,
    archive: Arc<Archive>,
}

impl Server {
    /// Listens. When this returns, questions are answered and events are taken.
    pub fn start(handle: Handle, options: ServerOptions) -> Result<Self, ServeError> {
        let address = options.listen;
        if options.tls.is_none() && !address.ip().to_canonical().is_loopback() && !options.insecure {
            return Err(ServeError::NotLoopback { address });
        }
        let tls = options.tls.map(Tls::new).transpose()?;
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
        let entered = runtime.enter();
        let archive = Archive::new(handle.home().clone(), Box::new(handle.clone()), options.deadline.as_secs());
        let app = Arc::new(App::new(archive, options.deadline, options.per_second));
        let archive = Arc::clone(&app.archive);
        let collector = Arc::new(Collector::new(handle, Arc::clone(&archive), options.collector));
        let fleet = Arc::clone(&collector.fleet);
        let service = router(app, collector::routes(&collector)).merge(options.more);
        let encrypted = tls.is_some();
        let listening = Arc::new(Listening { service, tls, connections: options.connections, idle: IDLE });
        let open = Arc::new(GracefulShutdown::new());
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let accepting = runtime.spawn(accept(listener, listening, Arc::clone(&open)));
        let telling = runtime.spawn(tell_refused(Arc::clone(&archive)));
        let watching = runtime.spawn(crate::fleet::watch(fleet));
        drop(entered);
        Ok(Self { runtime, address, encrypted, running: [accepting, telling, watching], open, archive })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its address as a browser or a client takes it.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.encrypted { "https" } else { "http" }, self.address)
    }

    /// Stops: no new connections; what runs may end, for a while.
    pub fn stop(self) {
        let Self { runtime, running, open, archive, .. } = self;
        running.iter().for_each(JoinHandle::abort);
        runtime.block_on(async {
            for running in running {
                // It ends because it was told to.
                let _ = running.await;
            }
            if let Some(open) = Arc::into_inner(open) {
                // What is not done by then is broken off, and its reader sees that.
                let _ = tokio::time::timeout(STOP_PATIENCE, open.shutdown()).await;
            }
        });
        archive.tell_rest();
        runtime.shutdown_timeout(STOP_PATIENCE);
    }
}

/// Seals now and then how often those tried who were not let in and have not come again since.
async fn tell_refused(archive: Arc<Archive>) {
    loop {
        tokio::time::sleep(REFUSED_EVERY).await;
        let archive = Arc::clone(&archive);
        // What cannot be sealed now is counted on, and told later.
        let _ = tokio::task::spawn_blocking(move || archive.tell_due()).await;
    }
}
