//! OTLP over gRPC. The framing, compression and status are tonic's; a message is handed on as bytes, so that every encoding goes one way and bytes
//! that are not understood can be kept.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::{Buf, BufMut};
use sealtrail_capture::Sender;
use sealtrail_capture::otel::{Encoding, OtelError, Signal, answer};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::Otlp;
use super::take::Refused;

/// When to come again.
const RETRY: Duration = Duration::from_secs(1);

/// Takes one export request.
pub(super) async fn export(
    signal: Signal,
    State(otlp): State<Arc<Otlp>>,
    Extension(sender): Extension<Arc<Sender>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let held = match otlp.collector.read(&parts.headers, body).await {
        Ok(held) => held,
        Err(fault) => return unread(fault.into_response().status()).into_http(),
    };
    let bytes_max = otlp.collector.limits.body_bytes;
    // The first byte of a message says whether it is packed; what it unpacks to nobody knows yet.
    let unpacked = if held.first() == Some(&1) { bytes_max } else { held.len() };
    let Ok(_turn) = otlp.turn(unpacked).await else { return later().into_http() };
    let request = axum::http::Request::from_parts(parts, Body::from(Bytes::copy_from_slice(&held)));
    let mut grpc = Grpc::new(Plain).accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(bytes_max);
    grpc.unary(Export { signal, otlp, sender }, request).await.map(Body::new)
}

/// The one method of a service.
struct Export {
    signal: Signal,
    otlp: Arc<Otlp>,
    sender: Arc<Sender>,
}

impl UnaryService<Bytes> for Export {
    type Response = Vec<u8>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Vec<u8>>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (signal, otlp, sender) = (self.signal, Arc::clone(&self.otlp), Arc::clone(&self.sender));
        Box::pin(async move {
            let taken = otlp.take(&sender, signal, Encoding::Protobuf, request.into_inner()).await.map_err(|refused| status(&refused))?;
            Ok(tonic::Response::new(answer(signal, Encoding::Protobuf, taken.rejected, &taken.why)))
        })
    }
}

fn status(refused: &Refused) -> Status {
    match refused {
        Refused::Malformed(error @ (OtelError::TooMany { .. } | OtelError::TooLarge { .. })) => {
            Status::resource_exhausted(error.to_string())
        }
        Refused::Malformed(error) => Status::invalid_argument(error.to_string()),
        Refused::Later => later(),
    }
}

fn later() -> Status {
    let details = ErrorDetails::with_retry_info(Some(RETRY));
    Status::with_error_details(Code::Unavailable, "not everything could be sealed: send it again", details)
}

/// Returns the status of a body that could not be read.
fn unread(status: StatusCode) -> Status {
    match status {
        StatusCode::TOO_MANY_REQUESTS => later(),
        status if status.is_server_error() => later(),
        // Without a time to come again: it would be as large as now.
        StatusCode::PAYLOAD_TOO_LARGE => Status::resource_exhausted("the message is too large: export fewer records at a time"),
        StatusCode::REQUEST_TIMEOUT => Status::deadline_exceeded("the message did not come in time"),
        _ => Status::invalid_argument("the message could not be read"),
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}
