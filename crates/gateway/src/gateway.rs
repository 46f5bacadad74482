//! The gateway: started beside the daemon in threads of its own, stopped before it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use sealtrail_capture::gateway::{Scribe, State};
use sealtrail_capture::redact::Redactor;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::accept::accept;
use crate::budget::Budgets;
use crate::call::Shared;
use crate::desk::Desk;
use crate::options::Options;
use crate::resume::Past;
use crate::seal::Seal;

/// Threads that work on connections.
const THREADS: usize = 2;

/// Counting losses and looking at tokens touch files.
const BLOCKING_MAX: usize = 4;

/// 5 s for calls that run when the gateway stops; what is not done by then is broken off and recorded as such.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// 1 s: how often what waits is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No threads.
    #[error("cannot start the threads of the gateway")]
    Threads(#[source] io::Error),
}

/// A running gateway.
pub struct Gateway {
    runtime: Runtime,
    address: SocketAddr,
    desk: Arc<Desk>,
    accepting: JoinHandle<()>,
    trying: JoinHandle<()>,
    open: Arc<GracefulShutdown>,
}

impl Gateway {
    /// Listens. When this returns, requests pass; `past` is what the trail says of calls before this start.
    pub fn start(seal: Arc<dyn Seal>, options: Options, past: Past) -> Result<Self, GatewayError> {
        let address = options.listen;
        let failed = |source| GatewayError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let threads = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_MAX)
            .thread_name("gateway")
            .enable_io()
            .enable_time()
            .build();
        let runtime = threads.map_err(GatewayError::Threads)?;
        let desk = Arc::new(desk(seal, &options, past));
        let shared = Arc::new(Shared::new(Arc::clone(&desk), options));
        let open = Arc::new(GracefulShutdown::new());
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let accepting = runtime.spawn(accept(listener, shared, Arc::clone(&open)));
        let trying = runtime.spawn(try_again(Arc::clone(&desk)));
        drop(entered);
        Ok(Self { runtime, address, desk, accepting, trying, open })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new connections; calls that run may end, for a while, and each leaves its record. Call it before the daemon stops.
    pub fn stop(self) {
        let Self { runtime, desk, accepting, trying, open, .. } = self;
        desk.stop();
        accepting.abort();
        trying.abort();
        runtime.block_on(async {
            // They end because they were told to.
            let (_, _) = (accepting.await, trying.await);
            if let Some(open) = Arc::into_inner(open) {
                let _ = tokio::time::timeout(STOP_PATIENCE, open.shutdown()).await;
            }
        });
        runtime.shutdown_timeout(STOP_PATIENCE);
        desk.close();
    }
}

/// Lays out what calls share, with what the trail remembers.
fn desk(seal: Arc<dyn Seal>, options: &Options, past: Past) -> Desk {
    let mut scribe = Scribe::new(Arc::new(Redactor::new()), options.content);
    scribe.classification.clone_from(&options.classification);
    scribe.application.clone_from(&options.application);
    let mut state = State::default();
    let mut budgets = Budgets::new(options.budgets.clone(), options.prices.clone());
    let events = past.settle(&scribe, &mut state, &mut budgets);
    let desk = Desk::new(scribe, seal, state, budgets);
    if !events.is_empty() {
        desk.seal_later(events);
    }
    desk
}

async fn try_again(desk: Arc<Desk>) {
    loop {
        // After a try that was taken whole, the next one follows at once.
        let _ = tokio::time::timeout(AGAIN, desk.room()).await;
        let desk = Arc::clone(&desk);
        // A panic in there has nobody to tell.
        let _ = tokio::task::spawn_blocking(move || desk.try_again()).await;
    }
}
