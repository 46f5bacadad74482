//! `POST /v1/events`: records of any shape become events, and each learns what became of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use sealtrail_capture::Sender;
use sealtrail_capture::api::{Delivered, RecordError, record, unparsed};
use sealtrail_client::{Fate, Receipt, Receipts, Status};
use sealtrail_engine::Ingested;
use sealtrail_event::{Event, Witness};

use crate::body::json;
use crate::collector::items::{Form, split};
use crate::collector::{Collector, Held, Pending};
use crate::refusal::Refusal;
use crate::routes::Fault;
use crate::url;

/// 16 of a delivery: what is wrong with a sender shows in the first few; of further ones only the number is kept.
const UNPARSED_MAX: usize = 16;

/// Hand events in.
///
/// One event, a list of events, or one a line; records of any shape. An event with an `audit_id` that the trail has is not sealed again. The answer comes
/// when everything is durable: 200 when nothing has to be sent again, 422 when nothing could be taken because none of it is an event, 429 or 503 with
/// `Retry-After` when at least one item is to be sent again, with the same results.
#[utoipa::path(
    post, path = "/v1/events", tag = "collector", operation_id = "handInEvents", security(("key" = [])),
    params(("X-Compliance-Tags" = Option<String>, Header, description = "Frameworks that the events count for, separated by commas, where an event names none.")),
    request_body(
        description = "One event, or a list of events; or, as `application/x-ndjson`, one event a line. `Content-Encoding` may be gzip or zstd.",
        content((Value = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = 200, description = "What became of each item.", body = Receipts),
        (status = 422, description = "None of it is an event.", body = Receipts),
        (status = 429, description = "Something is to be sent again.", content((Receipts = "application/json"), (crate::types::Problem = "application/problem+json"))),
        (status = 503, description = "Something is to be sent again: the disk is full or fails, or the daemon stops.", content((Receipts = "application/json"), (crate::types::Problem = "application/problem+json"))),
        (status = "default", response = crate::document::Refused),
    )
)]
pub(crate) async fn post(
    State(collector): State<Arc<Collector>>,
    Extension(sender): Extension<Arc<Sender>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Fault> {
    url::nothing(query.as_deref().unwrap_or_default())?;
    let form = Form::of(&headers)?;
    let tags = tags(&headers);
    let held = collector.read(&headers, body).await?;
    let (own, place) = (Arc::clone(&collector), collector.place().await);
    let understood = move || {
        let taken = take(&own, &sender, form, &tags, &held);
        drop(place);
        taken
    };
    let taken = tokio::task::spawn_blocking(understood).await;
    let (items, pending) = taken.map_err(|error| Refusal::Unreadable(Box::new(error)))??;
    let fates = collector.settled(pending).await;
    Ok(answer(&collector, items, &fates))
}

/// What the header of the articles' senders says.
fn tags(headers: &HeaderMap) -> Vec<String> {
    let said = headers.get("x-compliance-tags").and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// An item that was looked at.
struct Item {
    /// Which of the events it became; none of a rejected one whose bytes are not kept.
    event: Option<usize>,
    audit_id: Option<String>,
    /// It names the id of an item before it.
    again: bool,
    error: Option<String>,
}

/// Makes events of a body and hands them on.
fn take(collector: &Collector, sender: &Sender, form: Form, tags: &[String], body: &Held) -> Result<(Vec<Item>, Pending), Fault> {
    let delivered = Delivered { received_unix_ns: collector.now_ns(), sender, tags, redactor: &collector.redactor };
    let pieces = split(body, form)?;
    let mut looked = Looked::default();
    for piece in &pieces {
        let id = collector.new_id();
        match record(piece, id.clone(), &delivered) {
            Ok(event) => looked.event(event),
            Err(error) => looked.rejected(piece, error),
        }
    }
    let more = looked.not_kept;
    for (n, (piece, error, item)) in std::mem::take(&mut looked.unparsed).into_iter().enumerate() {
        let event = unparsed(piece, &error, if n == 0 { more } else { 0 }, collector.new_id(), &delivered);
        looked.items[item].audit_id = Some(event.envelope.audit_id.to_string());
        looked.items[item].event = Some(looked.events.len());
        looked.events.push(event);
    }
    let rejected = looked.items.iter().filter(|item| item.error.is_some() && item.event.is_none()).count();
    collector.metrics.rejected(Witness::Api, rejected as u64);
    let pending = collector.submit(Witness::Api, looked.events);
    Ok((looked.items, pending))
}

/// What was made of the items so far.
#[derive(Default)]
struct Looked<'a> {
    items: Vec<Item>,
    events: Vec<Event>,
    places: HashMap<String, usize>,
    /// Bytes, what is wrong with them, and their item.
    unparsed: Vec<(&'a [u8], RecordError, usize)>,
    not_kept: u64,
}

impl<'a> Looked<'a> {
    fn event(&mut self, event: Event) {
        let audit_id = event.envelope.audit_id.to_string();
        let before = self.places.get(&audit_id).copied();
        let place = before.unwrap_or(self.events.len());
        if before.is_none() {
            self.places.insert(audit_id.clone(), place);
            self.events.push(event);
        }
        self.items.push(Item { event: Some(place), audit_id: Some(audit_id), again: before.is_some(), error: None });
    }

    fn rejected(&mut self, piece: &'a [u8], error: RecordError) {
        self.items.push(Item { event: None, audit_id: None, again: false, error: Some(told(&error)) });
        if self.unparsed.len() < UNPARSED_MAX {
            self.unparsed.push((piece, error, self.items.len() - 1));
        } else {
            self.not_kept += 1;
        }
    }
}

/// Returns an error with its causes, as one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // A message may hold that of its cause already.
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn answer(collector: &Collector, items: Vec<Item>, fates: &[Ingested]) -> Response {
    let results: Vec<Fate> = items.into_iter().map(|item| fate(item, fates)).collect();
    let count = |status: Status| results.iter().filter(|fate| fate.status == status).count() as u64;
    let (sealed, known, rejected, later) = (count(Status::Sealed), count(Status::Known), count(Status::Rejected), count(Status::Later));
    // A rejected item whose bytes could not be kept may come again, and may find room then.
    let unkept = results.iter().any(|fate| fate.status == Status::Later);
    let none = sealed + known == 0 && rejected > 0;
    let why = unkept.then(|| collector.why_later());
    let reason = why.as_ref().map(|why| why.name.to_owned());
    let mut response = json(&Receipts { results, sealed, known, rejected, later, reason, retry_after: None });
    if let Some(why) = why {
        *response.status_mut() = why.status;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(why.seconds));
    } else if none {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

fn fate(item: Item, fates: &[Ingested]) -> Fate {
    let Item { event, audit_id, again, error } = item;
    let found = event.and_then(|place| fates.get(place)).copied();
    let receipt = |receipt: sealtrail_ledger::Receipt| Receipt {
        seq: receipt.seq.0,
        leaf_hash: sealtrail_tlog::strict64::encode(receipt.leaf_hash.as_bytes()),
        tree_size: receipt.tree_size.0,
    };
    let bare = |status| Fate { status, audit_id: audit_id.clone(), receipt: None, seq: None, error: error.clone() };
    match (&error, found) {
        (Some(_), Some(Ingested::Sealed(sealed))) => Fate { receipt: Some(receipt(sealed)), ..bare(Status::Rejected) },
        // Its bytes are not kept yet: they may come again.
        (Some(_), Some(Ingested::Later)) => Fate { audit_id: None, ..bare(Status::Later) },
        (Some(_), _) => bare(Status::Rejected),
        (None, Some(Ingested::Sealed(sealed))) if again => Fate { seq: Some(sealed.seq.0), ..bare(Status::Known) },
        (None, Some(Ingested::Sealed(sealed))) => Fate { receipt: Some(receipt(sealed)), ..bare(Status::Sealed) },
        (None, Some(Ingested::Known { seq })) => Fate { seq: Some(seq), ..bare(Status::Known) },
        (None, Some(Ingested::Rejected)) => {
            let error = "the ledger takes no such event: its envelope or a slot is over the limits of the format".to_owned();
            Fate { error: Some(error), ..bare(Status::Rejected) }
        }
        (None, Some(Ingested::Later) | None) => bare(Status::Later),
    }
}
