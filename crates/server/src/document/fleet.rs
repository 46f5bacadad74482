//! What a machine and its collector tell each other; `docs/format/fleet.md` has the forms.
#![expect(dead_code, reason = "the document is made of these functions and types")]

use serde::Serialize;
use utoipa::ToSchema;

use super::otlp::Bytes;
use crate::types::Problem;

/// How far the log of a machine is copied and cosigned.
#[derive(Serialize, ToSchema)]
pub(super) struct FleetState {
    /// The machine.
    name: String,
    /// Events in the copy.
    mirrored: u64,
    /// Events of the newest cosigned checkpoint.
    cosigned: u64,
    /// The verifier key of the witness.
    witness: String,
    /// What was caught: `rollback`, `fork`; null when nothing was.
    trouble: Option<String>,
}

/// How far the copy of a log goes.
#[derive(Serialize, ToSchema)]
pub(super) struct Mirrored {
    /// Events in the copy.
    mirrored: u64,
}

/// Tell a machine how far its log is copied and cosigned.
#[utoipa::path(
    get, path = "/v1/fleet/state", tag = "fleet", operation_id = "getFleetState", security(("key" = [])),
    responses(
        (status = 200, description = "How far.", body = FleetState),
        (status = 403, description = "The key is of no machine.", body = Problem, content_type = "application/problem+json"),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(super) fn state() {}

/// Hand in the next piece of a machine's log.
#[utoipa::path(
    post, path = "/v1/fleet/batches", tag = "fleet", operation_id = "handInBatches", security(("key" = [])),
    request_body(description = "A line of JSON, then batches.", content((Bytes = "application/octet-stream"))),
    responses(
        (status = 200, description = "It is in the copy, durable.", body = Mirrored),
        (status = 409, description = "It does not begin at the end of the copy.", body = Mirrored),
        (status = 422, description = "It is not the next piece of this log.", body = Problem, content_type = "application/problem+json"),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(super) fn batches() {}

/// Have a checkpoint cosigned (C2SP `tlog-witness`).
#[utoipa::path(
    post, path = "/add-checkpoint", tag = "fleet", operation_id = "addCheckpoint", security(("key" = [])),
    request_body(description = "`old` and a size, the consistency proof a hash a line, an empty line, the signed checkpoint.", content((String = "text/plain"))),
    responses(
        (status = 200, description = "The cosignature, durable before it is sent.", body = String, content_type = "text/plain"),
        (status = 404, description = "The checkpoint is of another log than the one enrolled with this key.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another size is cosigned already: this one.", body = String, content_type = "text/x.tlog.size"),
        (status = 422, description = "The proof does not lead from what was cosigned to the checkpoint.", body = Problem, content_type = "application/problem+json"),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(super) fn add_checkpoint() {}
