//! A proxy of the same library that does nothing but pass on.

use std::net::{SocketAddr, TcpListener};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Builder;

/// Starts the proxy in a thread of its own and returns where it listens.
pub(crate) fn start(api: SocketAddr) -> Result<SocketAddr, String> {
    let failed = |error: std::io::Error| format!("cannot start the bare proxy: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_io().enable_time().build().map_err(failed)?;
    std::thread::spawn(move || {
        // It ends with the process.
        let _ = runtime.block_on(accept(listener, api));
    });
    Ok(address)
}

async fn accept(listener: TcpListener, api: SocketAddr) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build(http);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let client = client.clone();
        let pass = service_fn(move |mut request: Request<Incoming>| {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let uri: Uri = format!("http://{api}{path}").parse().unwrap_or_default();
            *request.uri_mut() = uri;
            client.request(request)
        });
        tokio::spawn(async move {
            // A connection that breaks off has nobody to tell.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
        });
    }
}
