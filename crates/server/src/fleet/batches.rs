//! `POST /v1/fleet/batches`: a piece of a machine's log.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sealtrail_capture::Sender;
use sealtrail_ledger::mirror::{CHUNK_BYTES_MAX, Chunk, MirrorError};
use sealtrail_tlog::NodeHash;
use serde::Deserialize;
use serde_json::json;

use crate::body::json;
use crate::collector::Collector;
use crate::fleet::{Fleet, Live, broken, told, work};
use crate::problem::plain;
use crate::routes::Fault;

/// 64 KiB: a note, 64 hashes, `log.json` and two numbers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The first line of the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    segment: u64,
    old: u64,
    #[serde(default)]
    log: Option<String>,
    note: String,
    proof: Vec<String>,
}

pub(crate) async fn post(
    State(collector): State<Arc<Collector>>,
    Extension(sender): Extension<Arc<Sender>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let held = collector.read_up_to(&headers, body, CHUNK_BYTES_MAX + HEAD_BYTES_MAX).await?;
    work(&collector, sender, move |fleet, live| take(fleet, live, &held)).await
}

fn take(fleet: &Fleet, live: &mut Live, body: &[u8]) -> Result<Response, Fault> {
    let wrong = |why: String| plain(StatusCode::BAD_REQUEST, "body", why);
    let end = body.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'\n');
    let (head, batches) = body.split_at(end.ok_or_else(|| wrong(format!("the first line is not a head within {HEAD_BYTES_MAX} bytes")))?);
    let head: Head = serde_json::from_slice(head).map_err(|error| wrong(format!("the head cannot be read: {error}")))?;
    let proof: Result<Vec<NodeHash>, _> = head.proof.iter().map(|hash| NodeHash::parse(hash)).collect();
    let proof = proof.map_err(|error| wrong(format!("a hash of the proof cannot be read: {error}")))?;
    let chunk = Chunk {
        segment: head.segment,
        old: head.old,
        log: head.log.as_deref(),
        batches: batches.get(1..).unwrap_or_default(),
        note: &head.note,
        proof: &proof,
    };
    let taken = fleet.mirror(live).map_err(|error| broken(&error))?.accept(&chunk);
    match taken {
        Ok(size) => {
            live.state.mirrored = size.0;
            Ok(json(&json!({ "mirrored": size.0 })))
        }
        Err(MirrorError::Elsewhere { size, .. }) => {
            let mut response = json(&json!({ "mirrored": size }));
            *response.status_mut() = StatusCode::CONFLICT;
            Ok(response)
        }
        Err(error) if error.is_refusal() => Ok(plain(StatusCode::UNPROCESSABLE_ENTITY, "piece", told(&error)).into_response()),
        Err(error) => {
            // What is durable is found out when it is opened again.
            live.mirror = None;
            Err(broken(&error))
        }
    }
}
