//! The least that an HTTP recorder must do: take a body, write it, sync it, answer. `bare FILE` prints its address and serves until it is killed.

#![allow(clippy::print_stdout, reason = "whoever starts it reads the address from its standard output")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

/// Where the next body goes.
struct Out {
    file: File,
    at: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: bare FILE")?;
    let file = File::options().create(true).truncate(true).write(true).open(path)?;
    // As our own: no block is allocated while it is measured.
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 64 << 20)?;
    file.sync_all()?;
    let out = Arc::new(Mutex::new(Out { file, at: 0 }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, Router::new().route("/", post(take)).with_state(out)).await?;
        Ok(())
    })
}

async fn take(State(out): State<Arc<Mutex<Out>>>, body: Bytes) -> Result<&'static str, StatusCode> {
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    let written = out.file.write_all_at(&body, out.at).and_then(|()| out.file.sync_data());
    written.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    out.at += body.len() as u64;
    Ok("{}")
}
