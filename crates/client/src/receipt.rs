//! What became of events that were handed in. The server writes these types, and its document of the API is made of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What became of a delivery, item by item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipts {
    /// One for each item, in order.
    pub results: Vec<Fate>,
    /// Items that were sealed now.
    pub sealed: u64,
    /// Items that the trail had already.
    pub known: u64,
    /// Items that are no events; their bytes are in the trail as `system.unparsed`, up to a limit.
    pub rejected: u64,
    /// Items to be sent again.
    pub later: u64,
    /// Why items are to be sent again: `queue-full`, `disk-full`, `disk-stalled`, `stopping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub reason: Option<String>,
    /// When to send them again, as the header of the answer says.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Fate {
    /// Which of the four.
    pub status: Status,
    /// The id of the event; of a rejected item, that of the event which keeps its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub audit_id: Option<String>,
    /// The proof that it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub receipt: Option<Receipt>,
    /// Of a known event, its position in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub seq: Option<u64>,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub error: Option<String>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Durable, in the tree and signed.
    Sealed,
    /// The trail has an event of this id already.
    Known,
    /// It is no event, and will be none.
    Rejected,
    /// Nothing of it is kept: send it again.
    Later,
}

/// Where an event is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// Its position.
    pub seq: u64,
    /// Its RFC 6962 leaf hash, base64.
    pub leaf_hash: String,
    /// Size of the first signed tree that holds it.
    pub tree_size: u64,
}
