//! The way to the API: one pool of connections, encrypted where the address says so.

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

use crate::body::Outgoing;
use crate::options::Options;

/// 60 s: the API closes idle connections later than that.
const IDLE: Duration = Duration::from_secs(60);

/// 256 connections that nobody uses.
const IDLE_MAX: usize = 256;

/// Sends requests.
pub(crate) type Upstream = Client<HttpsConnector<HttpConnector>, Outgoing>;

/// Makes the pool.
pub(crate) fn upstream(options: &Options) -> Upstream {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(options.connect));
    let https = HttpsConnectorBuilder::new().with_tls_config(options.trust.clone()).https_or_http().enable_http1().wrap_connector(http);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_MAX)
        .http1_preserve_header_case(true)
        .build(https)
}
