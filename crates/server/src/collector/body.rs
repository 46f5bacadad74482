//! The body of a delivery: read within limits of time and size, unpacked, and counted among all that is being taken in.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;

use crate::collector::Collector;
use crate::collector::flight::Room;
use crate::collector::unpack::{Coding, coding, unpack};
use crate::problem::plain;
use crate::refusal::Refusal;
use crate::routes::Fault;
use crate::types::Problem;

/// 60 s: 16 MiB at 2.2 Mbit/s. Who is slower sends less at a time.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// The unpacked bytes of one delivery.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Bytes,
    _room: Room,
}

impl Deref for Held {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Collector {
    /// Reads and unpacks a body of at most [`Limits::body_bytes`](crate::collector::Limits) bytes, packed and unpacked.
    pub(crate) async fn read(self: &Arc<Self>, headers: &HeaderMap, body: Body) -> Result<Held, Fault> {
        self.read_up_to(headers, body, self.limits.body_bytes).await
    }

    /// As [`Collector::read`], with another limit.
    pub(crate) async fn read_up_to(self: &Arc<Self>, headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Held, Fault> {
        let coding = coding(headers)?;
        // What is announced as too large is not read at all.
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(too_large(bytes_max).into());
        }
        let mut room = Room::new(&self.flights);
        let read = tokio::time::timeout(BODY_PATIENCE, whole(body, bytes_max, &mut room)).await;
        let slow = || plain(StatusCode::REQUEST_TIMEOUT, "slow", format!("the body did not come within {} s", BODY_PATIENCE.as_secs()));
        let packed = read.map_err(|_| slow())??;
        self.metrics.received(packed.len());
        if coding == Coding::Plain {
            return Ok(Held { bytes: packed, _room: room });
        }
        let unpacked = tokio::task::spawn_blocking(move || unpack(&packed, coding, bytes_max, &mut room).map(|bytes| (bytes, room))).await;
        let (bytes, room) = unpacked.map_err(|error| Refusal::Unreadable(Box::new(error)))??;
        Ok(Held { bytes: bytes.into(), _room: room })
    }
}

async fn whole(mut body: Body, bytes_max: usize, room: &mut Room) -> Result<Bytes, Fault> {
    let mut first: Option<Bytes> = None;
    let mut all = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let broken = |error| plain(StatusCode::BAD_REQUEST, "body", format!("the body broke off: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        length += data.len();
        if length > bytes_max {
            return Err(too_large(bytes_max).into());
        }
        if !room.grow(data.len()) {
            return Err(Refusal::Crowded.into());
        }
        // Most deliveries are one piece, which needs no copy.
        match (first.take(), all.is_empty()) {
            (None, true) => first = Some(data),
            (Some(before), _) => {
                all.extend_from_slice(&before);
                all.extend_from_slice(&data);
            }
            (None, false) => all.extend_from_slice(&data),
        }
    }
    Ok(first.unwrap_or_else(|| all.into()))
}

fn too_large(bytes_max: usize) -> Problem {
    plain(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("a body has at most {bytes_max} bytes: send fewer events at a time"))
}
