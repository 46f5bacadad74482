//! `POST /add-checkpoint` (C2SP `tlog-witness`): a checkpoint is cosigned when it continues the one before.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use sealtrail_capture::Sender;
use sealtrail_tlog::cosignature::cosign;
use sealtrail_tlog::note::Note;
use sealtrail_tlog::proof::{VerifyError, verify_consistency};
use sealtrail_tlog::{Checkpoint, CheckpointError, NodeHash, TreeSize};

use crate::collector::Collector;
use crate::fleet::{Fleet, Live, answer, told, unusable, work};
use crate::problem::plain;
use crate::routes::Fault;

/// 64 KiB: a checkpoint with a hundred signatures and 64 hashes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// 63: as many as the specification lets a log send.
const PROOF_LINES_MAX: usize = 63;

/// What is asked.
struct Asked<'a> {
    old: u64,
    proof: Vec<NodeHash>,
    note: &'a str,
}

pub(crate) async fn post(
    State(collector): State<Arc<Collector>>,
    Extension(sender): Extension<Arc<Sender>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let held = collector.read_up_to(&headers, body, BODY_BYTES_MAX).await?;
    work(&collector, sender, move |fleet, live| {
        let asked = std::str::from_utf8(&held).ok().and_then(parse);
        let wrong = || plain(StatusCode::BAD_REQUEST, "body", "it is not an old size, a proof, an empty line and a checkpoint");
        judge(fleet, live, &asked.ok_or_else(wrong)?)
    })
    .await
}

fn parse(body: &str) -> Option<Asked<'_>> {
    let (head, note) = body.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = lines.next()?.strip_prefix("old ")?;
    let plain = old.bytes().all(|byte| byte.is_ascii_digit()) && (old == "0" || !old.starts_with('0'));
    let old = if plain { old.parse().ok()? } else { return None };
    let proof: Option<Vec<NodeHash>> = lines.map(|line| NodeHash::parse(line).ok()).collect();
    Some(Asked { old, proof: proof.filter(|proof| proof.len() <= PROOF_LINES_MAX)?, note })
}

/// Answers as the specification says, and notes what contradicts what was signed before.
fn judge(fleet: &Fleet, live: &mut Live, asked: &Asked<'_>) -> Result<Response, Fault> {
    let refused = |status, name, detail: String| Ok(plain(status, name, detail).into_response());
    let Ok(note) = Note::parse(asked.note.as_bytes()) else {
        return refused(StatusCode::BAD_REQUEST, "checkpoint", "the checkpoint is not a signed note".to_owned());
    };
    let key = live.machine.verifier().map_err(|error| unusable(&error.into()))?;
    if note.text().lines().next() != Some(key.name().as_str()) {
        return refused(StatusCode::NOT_FOUND, "origin", format!("this key hands in the log {}, and no other", key.name()));
    }
    let checkpoint = match Checkpoint::open(asked.note.as_bytes(), &key, &[]) {
        Ok((checkpoint, _)) => checkpoint,
        Err(error @ CheckpointError::Note { .. }) => return refused(StatusCode::FORBIDDEN, "signature", told(&error)),
        Err(error) => return refused(StatusCode::BAD_REQUEST, "checkpoint", told(&error)),
    };
    if asked.old > checkpoint.size.0 {
        return refused(StatusCode::BAD_REQUEST, "size", "the old size is larger than the checkpoint's".to_owned());
    }
    let (size, root) = live.state.cosigned_tree();
    if checkpoint.size < size {
        fleet.went_back(live, &checkpoint, asked.note)?;
        return Ok(conflict(size));
    }
    if checkpoint.size == size && size > TreeSize::EMPTY && checkpoint.root != root {
        fleet.trouble(live, "fork", asked.note)?;
        return Ok(conflict(size));
    }
    if asked.old != size.0 {
        return Ok(conflict(size));
    }
    if let Err(error) = verify_consistency(size, &root, checkpoint.size, &checkpoint.root, &asked.proof) {
        // A proof of another length is no proof, and so shows no fork either.
        if !matches!(error, VerifyError::Length { .. }) {
            fleet.trouble(live, "fork", asked.note)?;
        }
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "proof", told(&error));
    }
    cosigned(fleet, live, &checkpoint, note)
}

/// Keeps the checkpoint, then answers with the cosignature.
fn cosigned(fleet: &Fleet, live: &mut Live, checkpoint: &Checkpoint, mut note: Note) -> Result<Response, Fault> {
    let now = Timestamp::now();
    let signature = cosign(&*fleet.witness()?, note.text(), u64::try_from(now.as_second()).unwrap_or(0));
    let line = signature.to_line();
    note.push(signature);
    live.state.size = checkpoint.size.0;
    live.state.root = checkpoint.root.to_string();
    live.state.note = note.to_text();
    live.state.cosigned = Some(now);
    // Durable before anybody has the signature: a witness that forgot could be led to sign a fork.
    fleet.keep(live)?;
    let note = live.state.note.clone();
    // The copy's own checkpoint follows from this one; without it the next one is laid beside the copy.
    if let Ok(mirror) = fleet.mirror(live)
        && mirror.publish(&note).is_err()
    {
        live.mirror = None;
    }
    Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", format!("{line}\n")))
}

fn conflict(size: TreeSize) -> Response {
    answer(StatusCode::CONFLICT, "text/x.tlog.size", format!("{}\n", size.0))
}
