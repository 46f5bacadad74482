//! One call that was recorded as asked for: however it ends, it gets the event of its end, exactly once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use hyper::http::response::Parts;
use sealtrail_capture::gateway::{Answer, BatchCall, BatchResult, Ending, Exchange, How, Kind, Reader, What};
use tokio::sync::OwnedSemaphorePermit;

use crate::body::{Tally, finish};
use crate::budget::{For, Used, tokens};
use crate::decode::Decoder;
use crate::desk::{Desk, new_id, unix_ns};
use crate::header;
use crate::refuse::Refusal;
use crate::resume::BATCHED;

/// 15 results with at most 257 events each are 3,855; the daemon takes 4,096 in one go.
const RESULTS_AT_ONCE: usize = 15;

/// Headers in which the forms of the API name a request.
const REQUEST_IDS: &[&str] = &["request-id", "x-request-id", "x-amzn-requestid"];

/// A call between its request and its end. Dropped before its end, it says that the client left, or that the gateway stopped.
pub(crate) struct Ongoing {
    call: Option<Running>,
    _place: OwnedSemaphorePermit,
}

struct Running {
    desk: Arc<Desk>,
    exchange: Exchange,
    started: Instant,
    status: Option<u16>,
    request_id: Option<String>,
    retry_after: Option<String>,
    first_byte: Option<Duration>,
    context: digest::Context,
    bytes: u64,
    decoder: Option<Decoder>,
    is_stream: bool,
    tally: Option<Arc<Mutex<Tally>>>,
}

impl Ongoing {
    /// Begins a call.
    pub(crate) fn begin(
        desk: Arc<Desk>,
        exchange: Exchange,
        started: Instant,
        tally: Option<Arc<Mutex<Tally>>>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let running = Running {
            desk,
            exchange,
            started,
            status: None,
            request_id: None,
            retry_after: None,
            first_byte: None,
            context: digest::Context::new(&digest::SHA256),
            bytes: 0,
            decoder: None,
            is_stream: false,
            tally,
        };
        Self { call: Some(running), _place: place }
    }

    /// Takes note of the head of the answer.
    pub(crate) fn headed(&mut self, parts: &Parts) {
        let Some(running) = &mut self.call else { return };
        let text = |name: &str| header::text(&parts.headers, name);
        running.status = Some(parts.status.as_u16());
        running.request_id = REQUEST_IDS.iter().find_map(|name| text(name)).filter(|id| id.len() <= 128);
        running.retry_after = text("retry-after");
        let kind = Kind::of(&text("content-type").unwrap_or_default());
        let keeps_text = running.desk.scribe.content();
        let call = &running.exchange.call;
        let kind = match (kind, &call.batch) {
            (kind, _) if !parts.status.is_success() => kind,
            (_, Some(BatchCall::Results(_))) => Kind::Results,
            // A document that no model answered is a list, a file: counted and hashed.
            (Kind::Document, _) if !call.what.is_answered_by_model() && call.what != What::Batch => Kind::Opaque,
            (kind, _) => kind,
        };
        running.is_stream = kind.is_stream() && parts.status.is_success();
        running.decoder = Some(Decoder::new(&text("content-encoding").unwrap_or_default(), Reader::new(kind, keeps_text)));
    }

    /// Takes note of a piece of the answer that passes.
    pub(crate) fn saw(&mut self, data: &[u8]) {
        let Some(running) = &mut self.call else { return };
        running.first_byte.get_or_insert_with(|| running.started.elapsed());
        running.context.update(data);
        running.bytes += data.len() as u64;
        let Some(decoder) = &mut running.decoder else { return };
        decoder.feed(data);
        let results = decoder.results(false);
        running.tell_results(&results);
    }

    /// Ends the call.
    pub(crate) fn end(mut self, how: How) {
        if let Some(running) = self.call.take() {
            running.end(how);
        }
    }

    /// Ends the call with an answer of the gateway's own.
    pub(crate) fn refused(mut self, how: How, refusal: Refusal) -> Refusal {
        if let Some(mut running) = self.call.take() {
            let body = refusal.body();
            running.status = Some(refusal.status().as_u16());
            running.context.update(&body);
            running.bytes = body.len() as u64;
            running.end(how);
        }
        refusal
    }

    /// Forgets a call that was never recorded and never left.
    pub(crate) fn forget(mut self) {
        if let Some(running) = self.call.take() {
            running.desk.state().forget(&running.exchange.request);
        }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        if let Some(running) = self.call.take() {
            let how = if running.desk.is_stopping() { How::Stopped } else { How::ClientGone };
            running.end(how);
        }
    }
}

impl Running {
    /// Tells the ends of a batch's requests as their lines pass.
    fn tell_results(&self, results: &[BatchResult]) {
        let Some(BatchCall::Results(batch)) = &self.exchange.call.batch else { return };
        let desk = &self.desk;
        for results in results.chunks(RESULTS_AT_ONCE) {
            let now = unix_ns();
            let mut events = Vec::new();
            for result in results {
                let mut budgets = desk.budgets();
                let cost = budgets.cost_batched(result.answer.model.as_deref(), &result.answer);
                let mut state = desk.state();
                events.extend(desk.scribe.batched(&self.exchange, batch, result, cost, now, &mut state));
                if state.told.first(BATCHED, Some(batch), &result.custom_id) {
                    let crossed = budgets.use_up(self.whom(now), Used { tokens: tokens(&result.answer), usd: cost.unwrap_or_default() });
                    events.extend(crossed.iter().map(|crossed| desk.scribe.crossed(&self.exchange, crossed, now, new_id())));
                }
            }
            desk.seal_later(events);
        }
    }

    fn whom(&self, unix_ns: u64) -> For<'_> {
        For { session: self.exchange.session_name(), person: self.exchange.person(), unix_ns }
    }

    fn end(mut self, how: How) {
        let duration = self.started.elapsed();
        let results = self.decoder.as_mut().map(|decoder| decoder.results(true)).unwrap_or_default();
        self.tell_results(&results);
        let (reader, undecoded) = self.decoder.take().map_or((None, None), Decoder::finish);
        let unread = undecoded.or_else(|| reader.as_ref().and_then(Reader::unread));
        let answer = reader.map_or_else(Answer::default, Reader::finish);
        let whom = self.whom(unix_ns());
        let model = answer.model.as_deref().or(self.exchange.request.model.as_deref()).or(self.exchange.call.model.as_deref());
        let (cost_usd, crossed) = {
            let mut budgets = self.desk.budgets();
            let cost = budgets.cost(model, &answer);
            let used = Used { tokens: tokens(&answer), usd: cost.unwrap_or_default() };
            (cost, budgets.use_up(whom, used))
        };
        let ending = Ending {
            how,
            status: self.status,
            request_id: self.request_id,
            retry_after: self.retry_after,
            duration_ms: millis(duration),
            first_byte_ms: self.first_byte.map(millis),
            response_hash: self.status.map(|_| finish(self.context)),
            response_bytes: self.bytes,
            late_prompt: self.tally.and_then(|tally| tally.lock().unwrap_or_else(PoisonError::into_inner).whole()),
            cost_usd,
            is_stream: self.is_stream && unread.is_none(),
            unread,
        };
        let now = unix_ns();
        let desk = &self.desk;
        let mut events = desk.scribe.answered(&self.exchange, &ending, &answer, now, &mut desk.state(), &mut new_id);
        events.extend(crossed.iter().map(|crossed| desk.scribe.crossed(&self.exchange, crossed, now, new_id())));
        desk.seal_later(events);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
