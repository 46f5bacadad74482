//! The paths, and what is behind each.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::Value;

use crate::answer;
use crate::archive::What;
use crate::body;
use crate::guard::{Admitted, App};
use crate::params::Question;
use crate::problem::plain;
use crate::reading::Reading;
use crate::refusal::Refusal;
use crate::types::{Answer, Chain, Checkpoint, Event, Events, Execution, Health, Problem, Session};
use crate::url;

/// Where a request comes from.
type Peer = Option<Extension<SocketAddr>>;

/// What a handler needs of a request besides its body and its path.
type Request = (State<Arc<App>>, Peer, HeaderMap, RawQuery);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Fault(Box<Response>);

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self(Box::new(refusal.into_response()))
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem.into_response()))
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Returns everything that is answered.
pub(crate) fn router(app: Arc<App>, collector: Router) -> Router {
    Router::new()
        .route("/v1/events", get(events))
        .route("/v1/search", post(search))
        .route("/v1/events/{audit_id}", get(event))
        .route("/v1/events/{audit_id}/chain", get(chain))
        .route("/v1/executions/{execution_id}/chain", get(execution))
        .route("/v1/sessions/{session_id}", get(session))
        .route("/v1/checkpoint", get(checkpoint))
        .route("/v1/health", get(health))
        .route("/v1/openapi.json", get(document))
        .with_state(app)
        .merge(collector)
        .fallback(|| async { plain(StatusCode::NOT_FOUND, "path", "there is no such path; see /v1/openapi.json") })
        .method_not_allowed_fallback(|| async { plain(StatusCode::METHOD_NOT_ALLOWED, "method", "this path has no such method") })
        .layer(map_response(safe))
}

/// Nothing here may be kept by a cache on the way, or be taken for a page.
async fn safe(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// List events.
///
/// Every condition that is given must hold; one that is given twice holds for either value. Besides the parameters below, every field of the
/// query language may be one: `resource.path=/etc/*`.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", operation_id = "listEvents", security(("token" = [])),
    params(
        ("q" = Option<String>, Query, description = "A query.", example = "tool_name=Bash and outcome!=success"),
        ("user_id" = Option<Vec<String>>, Query, description = "The person."),
        ("session_id" = Option<Vec<String>>, Query, description = "The session of the client."),
        ("event_type" = Option<Vec<String>>, Query, description = "Event type, with `*` for any ending."),
        ("sensitivity_level" = Option<Vec<String>>, Query, description = "Sensitivity of what was touched."),
        ("source_ip" = Option<Vec<String>>, Query, description = "Address: `203.0.113.*` or `203.0.113.0/24`."),
        ("agent_id" = Option<Vec<String>>, Query, description = "The agent that acted."),
        ("tool" = Option<Vec<String>>, Query, description = "The tool, as named on the wire."),
        ("outcome" = Option<Vec<String>>, Query, description = "How it ended: pending, success, failure, denied, error, unknown."),
        ("project_id" = Option<Vec<String>>, Query, description = "The project."),
        ("application_id" = Option<Vec<String>>, Query, description = "The application that called the model."),
        ("model" = Option<Vec<String>>, Query, description = "The model."),
        ("department" = Option<Vec<String>>, Query, description = "The department of the person."),
        ("since" = Option<String>, Query, description = "From this time on: `2026-03-01`, `2 weeks ago`, `24h`."),
        ("until" = Option<String>, Query, description = "Until this time."),
        ("limit" = Option<u64>, Query, description = "At most this many events: 1 to 10000, 100 when nobody says.", minimum = 1, maximum = 10000),
        ("cursor" = Option<String>, Query, description = "Where the last page ended; everything else must be as it was."),
        ("order" = Option<crate::params::Order>, Query, description = "As recorded: `newest` first (when nobody says), or `oldest`."),
        ("order_by" = Option<String>, Query, description = "`timestamp desc` or `timestamp asc`: by the time that the event itself tells."),
        ("fields" = Option<Vec<String>>, Query, description = "Only these members of each event, also separated by commas."),
        ("proof" = Option<bool>, Query, description = "Whether each event carries the `seal` that proves it anywhere."),
        ("bookkeeping" = Option<bool>, Query, description = "Whether the ledger's own starts, stops and epochs are shown."),
    ),
    responses(
        (status = 200, description = "Events, the last recorded one first. With `Accept: application/x-ndjson`, one event a line without a largest number.",
            content((Events = "application/json"), (Event = "application/x-ndjson"))),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(crate) async fn events(request: Request) -> Result<Response, Fault> {
    let admitted = admit(&request).await?;
    let question = url::question(query(&request))?;
    answer::questions(admitted, "events", question, wants_lines(&request)).await
}

/// Search: events, reports, sequences.
#[utoipa::path(
    post, path = "/v1/search", tag = "events", operation_id = "search", security(("token" = [])),
    request_body = Question,
    responses(
        (status = 200, description = "Events; or, when the query has a pipe, a table; or, when it is a sequence, its matches. With \
            `Accept: application/x-ndjson`, one event, row or match a line.",
            content((Answer = "application/json"), (Event = "application/x-ndjson"))),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(crate) async fn search(request: Request, body: Body) -> Result<Response, Fault> {
    let admitted = admit(&request).await?;
    url::nothing(query(&request))?;
    let question: Question = body::read(&request.2, body).await?;
    answer::questions(admitted, "search", question, wants_lines(&request)).await
}

/// Get one event.
#[utoipa::path(
    get, path = "/v1/events/{audit_id}", tag = "events", operation_id = "getEvent", security(("token" = [])),
    params(
        ("audit_id" = String, Path, description = "Audit id of the event."),
        ("proof" = Option<bool>, Query, description = "Whether it carries the `seal` that proves it anywhere."),
    ),
    responses((status = 200, description = "The event.", body = Event), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn event(Path(id): Path<String>, request: Request) -> Result<Response, Fault> {
    let admitted = admit(&request).await?;
    let proof = url::proof(query(&request))?;
    one(admitted, "event", id, move |reading, id| Ok((reading.event(id, proof)?, 1))).await
}

/// Get the chain around one event: who led to it, and what it led to.
#[utoipa::path(
    get, path = "/v1/events/{audit_id}/chain", tag = "chains", operation_id = "getEventChain", security(("token" = [])),
    params(("audit_id" = String, Path, description = "Audit id of the event.")),
    responses((status = 200, description = "The chain.", body = Chain), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn chain(Path(id): Path<String>, request: Request) -> Result<Response, Fault> {
    let admitted = admit(&request).await?;
    url::nothing(query(&request))?;
    one(admitted, "chain", id, |reading, id| reading.chain(id)).await
}

/// Get everything that one run did: each step, who authorised it, what data it touched, and what proves it.
#[utoipa::path(
    get, path = "/v1/executions/{execution_id}/chain", tag = "chains", operation_id = "getExecutionChain", security(("token" = [])),
    params(("execution_id" = String, Path, description = "The run, or a session.")),
    responses((status = 200, description = "The chain of custody.", body = Execution), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn execution(Path(id): Path<String>, request: Request) -> Result<Response, Fault> {
    let admitted = admit(&request).await?;
    url::nothing(query(&request))?;
    one(admitted, "execution", id, |reading, id| reading.execution(id)).await
}

/// Get one session: its actions in order.
#[utoipa::path(
    get, path = "/v1/sessions/{session_id}", tag = "chains", operation_id = "getSession", security(("token" = [])),
    params(("session_id" = String, Path, description = "The session.")),
    responses((status = 200, description = "The session.", body = Session), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn session(Path(id): Path<String>, request: Request) -> Result<Response, Fault> {
    let admitted = admit(&request).await?;
    url::nothing(query(&request))?;
    one(admitted, "session", id, |reading, id| reading.session(id)).await
}

/// Get the newest published checkpoint.
#[utoipa::path(
    get, path = "/v1/checkpoint", tag = "proofs", operation_id = "getCheckpoint", security(("token" = [])),
    responses((status = 200, description = "The checkpoint.", body = Checkpoint), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn checkpoint(request: Request) -> Result<Response, Fault> {
    let Admitted { app, grant, .. } = admit(&request).await?;
    url::nothing(query(&request))?;
    let archive = Arc::clone(&app.archive);
    // It tells of no event, so it is no reading.
    let found = app.run(move |cancel| archive.open(&grant, cancel, |reading| reading.checkpoint())).await?;
    Ok(body::json(&found))
}

/// Tell that the server is there. Needs no token.
#[utoipa::path(
    get, path = "/v1/health", tag = "server", operation_id = "getHealth",
    responses((status = 200, description = "It is.", body = Health), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn health() -> Response {
    body::json(&Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Get this document. Needs no token.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "server", operation_id = "getDocument",
    responses((status = 200, description = "The document.", body = Object), (status = "default", response = crate::document::Refused))
)]
pub(crate) async fn document() -> Response {
    body::json(&crate::document::openapi())
}

async fn admit(request: &Request) -> Result<Admitted, Refusal> {
    let (State(app), peer, headers, _) = request;
    app.admit(headers, peer.as_ref().map(|Extension(peer)| *peer)).await
}

fn query(request: &Request) -> &str {
    request.3.0.as_deref().unwrap_or_default()
}

fn wants_lines(request: &Request) -> bool {
    let accepted = request.2.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-ndjson"))
}

/// Answers a question about one thing.
async fn one(
    admitted: Admitted,
    command: &'static str,
    id: String,
    find: impl FnOnce(&Reading<'_>, &str) -> Result<(Value, u64), Refusal> + Send + 'static,
) -> Result<Response, Fault> {
    let Admitted { app, grant, visitor } = admitted;
    let archive = Arc::clone(&app.archive);
    let found = app.run(move |cancel| {
        let what = What { visitor: &visitor, command, query: &id };
        archive.read(&grant, &what, cancel, |reading| find(reading, &id))
    });
    answer::held(&app, found.await?.to_string()).await.map_err(Fault::from)
}

/// The moment of a request.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
