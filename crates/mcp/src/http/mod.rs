//! The proxy for a server behind streamable HTTP: the client talks to us, we talk to the server, and bodies pass both ways.
//!
//! A body to the server is held until it is whole and, if it is a call, until its intent is durable. What comes back goes on piece by piece after a look
//! at it; the piece that ends the answer of a call waits until its outcome is durable. Headers pass, but for those of one connection; answers are asked for unpacked, so that they can be read.

mod forward;
pub mod listen;
mod look;
mod sessions;
mod sse;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use reqwest::Url;
use sealtrail_capture::mcp::{End, Link, Way};

use crate::desk::{Desk, Held, Terms};
use crate::keeper::Keeper;
use crate::lines::{LINE_BYTES_MAX, Lines, Piece};
use crate::recorder::Recorder;
use sessions::Sessions;

/// 10 s to reach the server.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Why a proxy cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none of a server.
    #[error("cannot use the address {url} of the server: write http://host/path or https://host/path")]
    Upstream {
        /// The address.
        url: String,
    },
    /// The client for it cannot be made.
    #[error("cannot make a client for the server")]
    Client(#[from] reqwest::Error),
}

/// A proxy for one server.
pub struct Proxy {
    upstream: Url,
    client: reqwest::Client,
    sessions: Sessions,
    scopes: AtomicU64,
    /// Whether names of other machines may stand in `Host`.
    any_host: bool,
}

/// What a proxy is made of.
pub struct HttpOptions {
    /// Address of the server's endpoint.
    pub upstream: String,
    /// What is known of the connections.
    pub link: Link,
    /// What the server described before.
    pub keeper: Option<Keeper>,
    /// Where events go.
    pub recorder: Arc<Recorder>,
    /// What happens to calls that cannot be recorded.
    pub terms: Terms,
    /// Whether it listens for other machines, so that any `Host` is let in.
    pub any_host: bool,
}

impl Proxy {
    /// Makes a proxy; it asks nothing of the server yet.
    pub fn new(options: HttpOptions) -> Result<Arc<Self>, HttpError> {
        let wrong = || HttpError::Upstream { url: options.upstream.clone() };
        let upstream = Url::parse(&options.upstream).map_err(|_| wrong())?;
        if !matches!(upstream.scheme(), "http" | "https") || upstream.host_str().is_none() {
            return Err(wrong());
        }
        let client = reqwest::Client::builder().connect_timeout(CONNECT_PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
        let sessions = Sessions::new(options.link, options.keeper, options.recorder, options.terms);
        Ok(Arc::new(Self { upstream, client, sessions, scopes: AtomicU64::new(1), any_host: options.any_host }))
    }

    /// Returns what answers requests.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(self))
    }

    /// Ends all sessions, for the record.
    pub fn stop(&self) {
        self.sessions.end_all("stopped");
    }

    fn is_endpoint(&self, path: &str) -> bool {
        path.trim_end_matches('/') == self.upstream.path().trim_end_matches('/')
    }
}

async fn answer(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    if !proxy.any_host && !is_local(&request) {
        return plain(StatusCode::FORBIDDEN, "this proxy answers to names of this machine only");
    }
    let endpoint = proxy.is_endpoint(request.uri().path());
    match *request.method() {
        Method::POST if endpoint => post(&proxy, request).await,
        Method::GET if endpoint => get(&proxy, request).await,
        Method::DELETE if endpoint => delete(&proxy, request).await,
        // Discovery and login of the server's own: passed on, and not looked into.
        _ => {
            let (parts, body) = request.into_parts();
            match forward::send(&proxy.client, &proxy.upstream, &parts, forward::streamed(body)).await {
                Ok(response) => forward::back(response),
                Err(error) => unreachable(&error),
            }
        }
    }
}

/// A page in a browser must not reach a server on this machine by a name of its own (DNS rebinding).
fn is_local(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

async fn post(proxy: &Arc<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let session = sessions::id_of(&parts.headers);
    let scope = proxy.scopes.fetch_add(1, Ordering::Relaxed);
    let own = Arc::clone(proxy);
    let named = session.clone();
    let desk = blocking(move || own.sessions.desk(named.as_deref())).await;
    let body = match hold(&desk, scope, body).await {
        Ok(body) => body,
        Err(Some(answers)) => return refused(&answers),
        Err(None) => return plain(StatusCode::BAD_REQUEST, "the body broke off"),
    };
    match forward::send(&proxy.client, &proxy.upstream, &parts, body).await {
        Err(error) => {
            let its = Arc::clone(&desk);
            blocking(move || its.broke_off(scope, None, "unreachable")).await;
            unreachable(&error)
        }
        Ok(response) => {
            if session.is_none()
                && let Some(id) = sessions::id_of(response.headers())
            {
                proxy.sessions.register(id, Arc::clone(&desk));
            }
            look::pass(response, desk, scope)
        }
    }
}

async fn get(proxy: &Arc<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let scope = proxy.scopes.fetch_add(1, Ordering::Relaxed);
    let (own, session) = (Arc::clone(proxy), sessions::id_of(&parts.headers));
    let desk = blocking(move || own.sessions.desk(session.as_deref())).await;
    match forward::send(&proxy.client, &proxy.upstream, &parts, forward::streamed(body)).await {
        Ok(response) => look::pass(response, desk, scope),
        Err(error) => unreachable(&error),
    }
}

async fn delete(proxy: &Arc<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let session = sessions::id_of(&parts.headers);
    match forward::send(&proxy.client, &proxy.upstream, &parts, forward::streamed(body)).await {
        Ok(response) => {
            if let Some(session) = session.filter(|_| response.status().is_success()) {
                let own = Arc::clone(proxy);
                blocking(move || own.sessions.end(&session, &End { reason: "session_closed", ..End::default() })).await;
            }
            forward::back(response)
        }
        Err(error) => unreachable(&error),
    }
}

/// Holds a body until it is whole and may go on. One that is too large to be held goes on from there, and is told of once it has passed.
async fn hold(desk: &Arc<Desk>, scope: u64, body: Body) -> Result<reqwest::Body, Option<Vec<serde_json::Value>>> {
    let mut stream = body.into_data_stream();
    let mut held = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| None)?;
        held.extend_from_slice(&chunk);
        if held.len() > LINE_BYTES_MAX {
            return large(desk, scope, held, stream).await;
        }
    }
    let (its, held) = (Arc::clone(desk), axum::body::Bytes::from(held));
    let copy = held.clone();
    match blocking(move || its.to_server(scope, &copy)).await {
        Held::Pass => Ok(held.into()),
        Held::Refuse(answers) => Err(Some(answers)),
    }
}

async fn large(
    desk: &Arc<Desk>,
    scope: u64,
    held: Vec<u8>,
    rest: axum::body::BodyDataStream,
) -> Result<reqwest::Body, Option<Vec<serde_json::Value>>> {
    let its = Arc::clone(desk);
    let (held, answer) = blocking(move || {
        let answer = its.large_to_server(scope, &held);
        (held, answer)
    })
    .await;
    if let Held::Refuse(answers) = answer {
        return Err(Some(answers));
    }
    let measured = Measured { passed: Some(Lines::unbroken(&held)), desk: Arc::clone(desk), scope };
    let head = futures_util::stream::iter([Ok(axum::body::Bytes::from(held))]);
    let rest = futures_util::stream::unfold((rest, measured), |(mut rest, mut measured)| async move {
        match rest.next().await {
            Some(chunk) => {
                if let (Ok(chunk), Some(passed)) = (&chunk, &mut measured.passed) {
                    passed.push(chunk, &mut |_| {});
                }
                Some((chunk, (rest, measured)))
            }
            // The end: `measured` goes, and tells.
            None => None,
        }
    });
    Ok(reqwest::Body::wrap_stream(head.chain(rest)))
}

/// Tells of a body once it has passed, or broke off.
struct Measured {
    passed: Option<Lines>,
    desk: Arc<Desk>,
    scope: u64,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let Some(mut lines) = self.passed.take() else { return };
        let (desk, scope) = (Arc::clone(&self.desk), self.scope);
        let mut tell = || {
            lines.finish(&mut |piece| {
                if let Piece::Ends(_, passed) = piece {
                    desk.large_passed(Way::ToServer, scope, passed)
                }
            })
        };
        // Before the last of the body goes on: the answer must find the request open.
        match tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(tell),
            _ => tell(),
        }
    }
}

/// Looks at messages on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Answers in the server's place.
fn refused(answers: &[serde_json::Value]) -> Response {
    let body = match answers {
        [] => return plain(StatusCode::SERVICE_UNAVAILABLE, "this message could not be recorded, and does not go on"),
        [one] => one.to_string(),
        many => serde_json::Value::from(many.to_vec()).to_string(),
    };
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn unreachable(error: &reqwest::Error) -> Response {
    plain(StatusCode::BAD_GATEWAY, &format!("cannot reach the server: {}", error.without_address()))
}

fn plain(status: StatusCode, text: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

/// An error without the address, which may hold a secret.
trait WithoutAddress {
    fn without_address(&self) -> String;
}

impl WithoutAddress for reqwest::Error {
    fn without_address(&self) -> String {
        let kind = if self.is_timeout() {
            "it did not answer in time"
        } else if self.is_connect() {
            "no connection"
        } else {
            "the exchange broke off"
        };
        kind.to_owned()
    }
}
