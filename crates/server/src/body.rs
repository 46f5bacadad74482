//! Bodies: what comes in, within limits; and what goes out line by line.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;

use crate::guard::Cancelled;
use crate::problem::plain;
use crate::types::Problem;

/// 256 KiB: a question with a thousand values in each of its conditions is smaller.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// 64 KiB: what a connection takes at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A question is one packet or two; who needs longer is not asking.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Makes the response of a small document.
pub(crate) fn json(value: &impl serde::Serialize) -> Response {
    let mut response = serde_json::to_vec(value).unwrap_or_default().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Reads the JSON of a request.
pub(crate) async fn read<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "send the question as application/json"));
    }
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("a question has at most {BODY_BYTES_MAX} bytes"));
    // What is announced as too large is not read at all.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let read = tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, BODY_BYTES_MAX)).await;
    let slow = || plain(StatusCode::REQUEST_TIMEOUT, "slow", format!("the body did not come within {} s", BODY_PATIENCE.as_secs()));
    let bytes = read.map_err(|_| slow())?.map_err(|_| too_large())?;
    // A list would be taken for the members in their order.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(plain(StatusCode::BAD_REQUEST, "parameter", "cannot use the body: it is no JSON object"));
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem { position: None, ..plain(StatusCode::BAD_REQUEST, "parameter", format!("cannot use the body: {error}")) })
}

/// Lines of JSON that come while they are found. A sender that gives up leaves the body unfinished, so that its reader knows.
pub(crate) struct Lines {
    lines: Receiver<Result<Bytes, std::io::Error>>,
    /// Ends the search when the reader goes away.
    _search: Cancelled,
}

impl Lines {
    /// Makes the response.
    pub(crate) fn response(lines: Receiver<Result<Bytes, std::io::Error>>, cancel: Arc<AtomicBool>) -> Response {
        let mut response = Body::new(Self { lines, _search: Cancelled(cancel) }).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        response
    }
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.lines.poll_recv(context).map(|line| line.map(|line| line.map(Frame::data)))
    }
}

/// One document that counts until it is taken, so that slow readers cannot fill the memory.
pub(crate) struct Held {
    text: Option<Bytes>,
    length: u64,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Keeps `place` as long as the document is not taken.
    pub(crate) fn new(text: Bytes, place: OwnedSemaphorePermit) -> Self {
        Self { length: text.len() as u64, text: Some(text), _place: place }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // Pieces: the permit goes with the body, and the body goes once the last piece is handed over.
        let Some(mut text) = self.text.take().filter(|text| !text.is_empty()) else { return Poll::Ready(None) };
        let piece = text.split_to(text.len().min(PIECE_BYTES));
        self.text = Some(text);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.text.as_ref().map_or(self.length, |text| text.len() as u64))
    }
}
