//! `POST /v1/events`: records of any shape become events, and each learns what became of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use sealtrail_capture::Sender;
use sealtrail_capture::api::{Delivered, RecordError, is_same, record, unparsed};
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
/// One event, a list of events, or one a line; records of any shape. An event with an `audit_id` that the trail has is not sealed again; another one under
/// such an `audit_id` is rejected. The answer comes when everything is durable: 200 when nothing has to be sent again, 422 when nothing could be taken
/// because none of it is an event of its own, 429 or 503 with `Retry-After` when at least one item is to be sent again, with the same results.
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
    let body = collector.read(&headers, body).await?;
    let delivery = Arc::new(Delivery { form, tags: tags(&headers), received_unix_ns: collector.now_ns(), sender, body });
    let place = collector.place().await;
    let understood = {
        let (collector, delivery) = (Arc::clone(&collector), Arc::clone(&delivery));
        move || {
            let taken = take(&collector, &delivery);
            drop(place);
            taken
        }
    };
    let taken = tokio::task::spawn_blocking(understood).await;
    let (mut items, pending) = taken.map_err(|error| Refusal::Unreadable(Box::new(error)))??;
    let mut fates = collector.settled(pending).await;
    refuse_others(&collector, &delivery, &mut items, &mut fates).await?;
    Ok(answer(&collector, items, &fates))
}

/// One delivery, and what is needed to understand it.
struct Delivery {
    form: Form,
    tags: Vec<String>,
    received_unix_ns: u64,
    sender: Arc<Sender>,
    body: Held,
}

impl Delivery {
    fn delivered<'a>(&'a self, collector: &'a Collector) -> Delivered<'a> {
        let Self { tags, received_unix_ns, sender, .. } = self;
        Delivered { received_unix_ns: *received_unix_ns, sender, tags, redactor: &collector.redactor }
    }
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
fn take(collector: &Collector, delivery: &Delivery) -> Result<(Vec<Item>, Pending), Fault> {
    let delivered = delivery.delivered(collector);
    let pieces = split(&delivery.body, delivery.form)?;
    let mut looked = Looked::default();
    for piece in &pieces {
        let id = collector.new_id();
        match record(piece, id.clone(), &delivered) {
            Ok(event) => looked.event(event),
            Err(error) => looked.reject(piece, error),
        }
    }
    let Looked { mut items, mut events, rejected, .. } = looked;
    events.extend(rejected.into_events(collector, &delivered, &mut items, events.len()));
    let pending = collector.submit(Witness::Api, events);
    Ok((items, pending))
}

/// An id is its sender's to choose: a record that is not the event that the trail has under its id is refused, and kept as bytes.
async fn refuse_others(
    collector: &Arc<Collector>,
    delivery: &Arc<Delivery>,
    items: &mut Vec<Item>,
    fates: &mut Vec<Ingested>,
) -> Result<(), Fault> {
    let named: Vec<(usize, u64)> = items.iter().enumerate().filter_map(|(n, item)| Some((n, item.named(fates)?))).collect();
    if named.is_empty() {
        return Ok(());
    }
    let (own, delivery, mut refused, first) = (Arc::clone(collector), Arc::clone(delivery), std::mem::take(items), fates.len());
    let place = collector.place().await;
    let compared = move || {
        let _place = place;
        let delivered = delivery.delivered(&own);
        let mut rejected = Rejected::default();
        let pieces = split(&delivery.body, delivery.form).unwrap_or_default();
        for (n, seq) in named {
            let Some(piece) = pieces.get(n) else { continue };
            let fresh = record(piece, own.new_id(), &delivered).ok();
            // What cannot be read now cannot be compared; it is in the trail.
            let differs = fresh.zip(own.handle.sealed(seq)).is_some_and(|(event, sealed)| !is_same(&sealed, &event));
            if differs {
                refused[n] = rejected.item(n, piece, RecordError::IdTaken { seq });
            }
        }
        let events = rejected.into_events(&own, &delivered, &mut refused, first);
        (refused, events)
    };
    let compared = tokio::task::spawn_blocking(compared).await;
    let (refused, events) = compared.map_err(|error| Refusal::Unreadable(Box::new(error)))?;
    *items = refused;
    fates.extend(collector.seal(Witness::Api, events).await);
    Ok(())
}

impl Item {
    /// Returns the number of the event that the trail had under its id before.
    fn named(&self, fates: &[Ingested]) -> Option<u64> {
        match fates.get(self.event?)? {
            _ if self.error.is_some() => None,
            Ingested::Known { seq } => Some(*seq),
            Ingested::Sealed(receipt) if self.again => Some(receipt.seq.0),
            _ => None,
        }
    }
}

/// What was made of the items so far.
#[derive(Default)]
struct Looked<'a> {
    items: Vec<Item>,
    events: Vec<Event>,
    places: HashMap<String, usize>,
    rejected: Rejected<'a>,
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

    fn reject(&mut self, piece: &'a [u8], error: RecordError) {
        let item = self.rejected.item(self.items.len(), piece, error);
        self.items.push(item);
    }
}

/// Items that are not taken as records.
#[derive(Default)]
struct Rejected<'a> {
    /// Their place among the items, their bytes, and what is wrong with them.
    kept: Vec<(usize, &'a [u8], RecordError)>,
    not_kept: u64,
}

impl<'a> Rejected<'a> {
    fn item(&mut self, place: usize, piece: &'a [u8], error: RecordError) -> Item {
        let item = Item { event: None, audit_id: None, again: false, error: Some(told(&error)) };
        if self.kept.len() < UNPARSED_MAX {
            self.kept.push((place, piece, error));
        } else {
            self.not_kept += 1;
        }
        item
    }

    /// Makes the events that keep the bytes; the first of them will be event number `first` of the delivery.
    fn into_events(self, collector: &Collector, delivered: &Delivered<'_>, items: &mut [Item], first: usize) -> Vec<Event> {
        collector.metrics.rejected(Witness::Api, self.not_kept);
        let mut events = Vec::with_capacity(self.kept.len());
        for (n, (place, piece, error)) in self.kept.into_iter().enumerate() {
            let more = if n == 0 { self.not_kept } else { 0 };
            let event = unparsed(piece, &error, more, collector.new_id(), delivered);
            items[place].audit_id = Some(event.envelope.audit_id.to_string());
            items[place].event = Some(first + n);
            events.push(event);
        }
        events
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
