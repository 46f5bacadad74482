//! OTLP over HTTP: `POST /v1/logs`, `/v1/metrics`, `/v1/traces`, as protobuf or JSON.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sealtrail_capture::Sender;
use sealtrail_capture::otel::{Encoding, OtelError, Signal, answer, refusal};
use tonic::Code;

use super::Otlp;
use super::take::Refused;
use crate::problem::plain;

/// Takes one export request.
pub(super) async fn export(
    signal: Signal,
    State(otlp): State<Arc<Otlp>>,
    Extension(sender): Extension<Arc<Sender>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(encoding) = encoding(&headers) else {
        let detail = "send OTLP as application/x-protobuf or application/json";
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail).into_response();
    };
    let held = match otlp.collector.read(&headers, body).await {
        Ok(held) => held,
        Err(fault) => return unread(encoding, fault.into_response()),
    };
    let taken = match otlp.turn(held.len()).await {
        Ok(_turn) => otlp.take(&sender, signal, encoding, Bytes::copy_from_slice(&held)).await,
        Err(refused) => Err(refused),
    };
    match taken {
        Ok(taken) => typed(encoding, answer(signal, encoding, taken.rejected, &taken.why)),
        Err(refused) => refuse(encoding, &refused),
    }
}

/// Reads how the body is written.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Encoding::Json),
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        _ => None,
    }
}

fn typed(encoding: Encoding, body: Vec<u8>) -> Response {
    let kind = match encoding {
        Encoding::Json => "application/json",
        Encoding::Protobuf => "application/x-protobuf",
    };
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

fn refuse(encoding: Encoding, refused: &Refused) -> Response {
    match refused {
        Refused::Malformed(error) => {
            let status = match error {
                OtelError::TooMany { .. } | OtelError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            (status, typed(encoding, refusal(encoding, Code::InvalidArgument as i32, &error.to_string()))).into_response()
        }
        Refused::Later => later(encoding),
    }
}

/// 503 and not 429: both are to be tried again, but older releases of Python's exporter (1.30) repeat only 408 and what begins with 5.
fn later(encoding: Encoding) -> Response {
    let body = refusal(encoding, Code::Unavailable as i32, "not everything could be sealed: send it again");
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, typed(encoding, body)).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Answers for a body that could not be read, in the words of OTLP.
fn unread(encoding: Encoding, fault: Response) -> Response {
    let status = fault.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return later(encoding);
    }
    let why = status.canonical_reason().unwrap_or("refused");
    (status, typed(encoding, refusal(encoding, Code::InvalidArgument as i32, why))).into_response()
}
