//! The way of one call: read, recorded, sent, passed on.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, Version};
use sealtrail_capture::gateway::{Answer, Call, Caller, Ending, Exchange, How, Request as Asked};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::{self, BodyError, HELD_KIB_MAX, Outgoing, Taken};
use crate::budget::For;
use crate::desk::{Desk, new_id, unix_ns};
use crate::header;
use crate::ongoing::Ongoing;
use crate::options::Options;
use crate::passing::Answering;
use crate::refuse::Refusal;
use crate::upstream::{Upstream, upstream};

/// What every call shares.
pub(crate) struct Shared {
    pub(crate) desk: Arc<Desk>,
    pub(crate) options: Options,
    upstream: Upstream,
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(desk: Arc<Desk>, options: Options) -> Self {
        let upstream = upstream(&options);
        let (places, room) = (Arc::new(Semaphore::new(options.streams)), Arc::new(Semaphore::new(HELD_KIB_MAX)));
        Self { desk, options, upstream, places, room }
    }
}

/// Answers one request.
pub(crate) async fn answer(shared: Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Result<Response<Answering>, Infallible> {
    Ok(pass(&shared, peer, request).await.unwrap_or_else(|refusal| refusal.response()))
}

async fn pass(shared: &Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Result<Response<Answering>, Refusal> {
    let started = Instant::now();
    let place = Arc::clone(&shared.places).try_acquire_owned().map_err(|_| Refusal::Busy)?;
    if request.method() == Method::CONNECT {
        return Err(Refusal::Method);
    }
    let (parts, incoming) = request.into_parts();
    let asking = Asking::of(shared, peer, &parts);
    if !asking.may_enter(shared, &parts).await {
        // Whoever has no token does not fill the ledger.
        let Some(untold) = shared.desk.may_tell_denial() else { return Err(Refusal::NoToken) };
        let rule = if untold == 0 {
            "a token is required".to_owned()
        } else {
            format!("a token is required; {untold} more such calls were not told")
        };
        return Err(asking.told(shared, started, place).refused(How::Denied { reason: "no_token", rule }, Refusal::NoToken));
    }
    let taken = body::take(incoming, asking.call.what.has_json_body(), shared.options.body_bytes, &shared.room).await;
    let (outgoing, exchange, tally) = match taken {
        Ok(Taken::Whole(bytes, hash, held)) => {
            let encoded = parts.headers.contains_key("content-encoding");
            let exchange = asking.exchange(shared, Some((&bytes, hash)).filter(|_| !encoded), Some((bytes.len() as u64, hash)));
            (Outgoing::whole(bytes, held), exchange, None)
        }
        Ok(Taken::Large(rest)) => {
            let tally = rest.tally();
            (Outgoing::Rest(rest), asking.exchange(shared, None, None), Some(tally))
        }
        Err(why) => {
            let refusal = if why == BodyError::TooLarge { Refusal::TooLarge(shared.options.body_bytes) } else { Refusal::BadBody };
            return Err(asking.fail(shared, started, place, refusal));
        }
    };
    let ongoing = Ongoing::begin(Arc::clone(&shared.desk), exchange.clone(), started, tally.clone(), place);
    let ongoing = record(shared, &exchange, ongoing).await?;
    let Some(request) = outbound(shared, &exchange.call, parts, outgoing) else {
        return Err(ongoing.refused(How::BadRequest, Refusal::BadBody));
    };
    let over = || tally.as_ref().is_some_and(|tally| tally.lock().is_ok_and(|tally| tally.over));
    let mut ongoing = ongoing;
    match tokio::time::timeout(shared.options.answer, shared.upstream.request(request)).await {
        Ok(Ok(response)) => {
            let (mut parts, from) = response.into_parts();
            ongoing.headed(&parts);
            header::strip(&mut parts.headers);
            parts.version = Version::HTTP_11;
            Ok(Response::from_parts(parts, Answering::passing(from, ongoing, shared.options.answer)))
        }
        Ok(Err(_)) if over() => Err(ongoing.refused(How::BadRequest, Refusal::TooLarge(shared.options.body_bytes))),
        Ok(Err(error)) if error.is_connect() => Err(ongoing.refused(How::Unreachable, Refusal::Unreachable)),
        Ok(Err(_)) => Err(ongoing.refused(How::UpstreamCut, Refusal::Unreachable)),
        Err(_) => Err(ongoing.refused(How::TimedOut, Refusal::TimedOut)),
    }
}

/// Seals that the call is about to leave, or refuses it.
async fn record(shared: &Arc<Shared>, exchange: &Exchange, ongoing: Ongoing) -> Result<Ongoing, Refusal> {
    let desk = &shared.desk;
    let now = unix_ns();
    let whom = For { session: exchange.session_name(), person: exchange.person(), unix_ns: now };
    let refused = if exchange.call.what.is_answered_by_model() { desk.budgets().refusing(whom) } else { None };
    let events = desk.scribe.requested(exchange, now, &mut desk.state(), &mut new_id);
    if let Some(refused) = refused {
        desk.seal_later(events);
        let how = How::Denied { reason: refused.reason, rule: refused.rule.clone() };
        return Err(ongoing.refused(how, Refusal::Budget(refused.rule)));
    }
    let sealed = desk.seal_first(events).await;
    if sealed == Some(true) {
        return Ok(ongoing);
    }
    if shared.options.closed {
        if sealed.is_some() {
            ongoing.forget();
            return Err(Refusal::Unrecorded);
        }
        // The ledger may still seal that it was asked for; then the trail must also say that it did not leave.
        let how = How::Denied { reason: "unrecorded", rule: "a call that cannot be recorded is not sent".to_owned() };
        return Err(ongoing.refused(how, Refusal::Unrecorded));
    }
    desk.lose(1).await;
    Ok(ongoing)
}

/// Makes the request that leaves: the same, but for what belongs to the connection.
fn outbound(shared: &Shared, call: &Call, mut parts: Parts, body: Outgoing) -> Option<Request<Outgoing>> {
    parts.uri = shared.options.base(call.form).uri(parts.uri.path_and_query().map_or("/", |path| path.as_str()))?;
    parts.version = Version::HTTP_11;
    header::strip(&mut parts.headers);
    parts.headers.remove(HOST);
    parts.headers.remove(header::TOKEN);
    Some(Request::from_parts(parts, body))
}

/// A request before its body is there.
struct Asking {
    call: Call,
    caller: Caller,
}

impl Asking {
    fn of(shared: &Shared, peer: IpAddr, parts: &Parts) -> Self {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let get = |name: &str| header::text(&parts.headers, name);
        let caller = Caller::of(get, shared.options.user_header.as_deref(), Some(peer.to_string()));
        Self { call: Call::of(parts.method.as_str(), path), caller }
    }

    /// Tells whether the caller has a token, where one is required.
    async fn may_enter(&self, shared: &Shared, parts: &Parts) -> bool {
        let Some(gate) = shared.options.gate.clone() else { return true };
        let Some(secret) = header::text(&parts.headers, header::TOKEN) else { return false };
        // The tokens are in a file.
        tokio::task::spawn_blocking(move || gate(&secret)).await.unwrap_or(false)
    }

    /// Makes the exchange; `read` is the body to be read, `known` its length and hash.
    fn exchange(&self, shared: &Shared, read: Option<(&bytes::Bytes, [u8; 32])>, known: Option<(u64, [u8; 32])>) -> Exchange {
        let desk = &shared.desk;
        let request = match read {
            Some((bytes, _)) => Asked::read(bytes, &self.call, &self.caller, desk.scribe.content(), &mut desk.state()),
            None => Asked::unread(if known.is_some() { "encoded" } else { "large" }),
        };
        Exchange {
            id: new_id(),
            call: self.call.clone(),
            caller: self.caller.clone(),
            request,
            prompt_hash: known.filter(|(bytes, _)| *bytes > 0).map(|(_, hash)| hash),
            body_bytes: known.map(|(bytes, _)| bytes),
        }
    }

    /// Records a call whose body did not come.
    fn fail(&self, shared: &Shared, started: Instant, place: OwnedSemaphorePermit, refusal: Refusal) -> Refusal {
        self.told(shared, started, place).refused(How::BadRequest, refusal)
    }

    fn told(&self, shared: &Shared, started: Instant, place: OwnedSemaphorePermit) -> Ongoing {
        let desk = &shared.desk;
        let mut exchange = self.exchange(shared, None, None);
        exchange.request = Asked::unread("not_taken");
        let events = desk.scribe.requested(&exchange, unix_ns(), &mut desk.state(), &mut new_id);
        desk.seal_later(events);
        Ongoing::begin(Arc::clone(desk), exchange, started, None, place)
    }
}

/// Returns the end of a call whose gateway was gone.
pub(crate) fn lost() -> (Ending, Answer) {
    let ending = Ending {
        how: How::Lost,
        status: None,
        request_id: None,
        retry_after: None,
        duration_ms: 0,
        first_byte_ms: None,
        response_hash: None,
        response_bytes: 0,
        late_prompt: None,
        cost_usd: None,
        is_stream: false,
        unread: None,
    };
    (ending, Answer::default())
}
