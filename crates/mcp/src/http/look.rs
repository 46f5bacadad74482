//! An answer goes back to the client piece by piece, each after a look at it: the outcome of a call is kept before its answer ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures_util::{Stream, StreamExt};
use sealtrail_capture::mcp::Way;
use tokio::sync::mpsc::{Receiver, channel};

use super::{blocking, forward, sse};
use crate::desk::Desk;
use crate::lines::{LINE_BYTES_MAX, Lines, Piece};

/// 16 pieces of up to 64 KiB wait for a client that reads slowly; then the server waits, too.
const PIECES_MAX: usize = 16;

/// Returns the answer to the client; whoever reads it makes it flow.
pub(super) fn pass(response: reqwest::Response, desk: Arc<Desk>, scope: u64) -> Response {
    let mut answer = forward::head(&response);
    let (sender, receiver) = channel(PIECES_MAX);
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let mut looker = Looker::of(&kind);
    let status = response.status().as_u16();
    tokio::spawn(async move {
        let mut stream = response.bytes_stream();
        // A document ends with its last piece, and which one that is shows only behind it: so one is held back.
        let mut held = None;
        while let Some(chunk) = stream.next().await {
            let next = match chunk {
                Ok(bytes) => {
                    let (its, copy) = (Arc::clone(&desk), bytes.clone());
                    looker = blocking(move || {
                        looker.push(&copy, &its, scope);
                        looker
                    })
                    .await;
                    if looker.is_document() { held.replace(Ok(bytes)) } else { Some(Ok(bytes)) }
                }
                failed => held.replace(failed),
            };
            let Some(next) = next else { continue };
            // The client is gone: the server sees its connection closed, as it would without us.
            if sender.send(next).await.is_err() {
                break;
            }
        }
        blocking(move || {
            looker.finish(&desk, scope);
            let bad = (status >= 400).then_some(status);
            desk.broke_off(scope, bad, if bad.is_some() { "http_error" } else { "stream_ended" });
        })
        .await;
        if let Some(last) = held {
            // A client that is gone misses nothing.
            let _ = sender.send(last).await;
        }
    });
    *answer.body_mut() = Body::from_stream(Pieces(receiver));
    answer
}

struct Pieces(Receiver<Result<Bytes, reqwest::Error>>);

impl Stream for Pieces {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// What reads the copy.
enum Looker {
    /// One message, or a list.
    Json(Box<Lines>),
    /// Messages as events of a stream.
    Events(Box<sse::Events>),
    /// Something that holds no messages.
    Nothing,
}

impl Looker {
    fn of(kind: &str) -> Self {
        if kind.starts_with("text/event-stream") {
            Self::Events(Box::default())
        } else if kind.starts_with("application/json") {
            Self::Json(Box::new(Lines::whole(LINE_BYTES_MAX)))
        } else {
            Self::Nothing
        }
    }

    fn is_document(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    fn push(&mut self, bytes: &[u8], desk: &Desk, scope: u64) {
        match self {
            Self::Json(lines) => lines.push(bytes, &mut |piece| told(piece, desk, scope)),
            Self::Events(events) => events.push(bytes, &mut |piece| told(piece, desk, scope)),
            Self::Nothing => {}
        }
    }

    fn finish(&mut self, desk: &Desk, scope: u64) {
        match self {
            Self::Json(lines) => lines.finish(&mut |piece| told(piece, desk, scope)),
            // An event that is not ended by an empty line is none (HTML, 9.2.6); it was passed on all the same.
            Self::Events(_) | Self::Nothing => {}
        }
    }
}

fn told(piece: Piece<'_>, desk: &Desk, scope: u64) {
    match piece {
        Piece::Line(message) => desk.to_client(scope, message),
        Piece::Ends(_, passed) => desk.large_passed(Way::ToClient, scope, passed),
        Piece::Begins(_) | Piece::More(_) => {}
    }
}
