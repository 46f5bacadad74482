//! The body of a request: read before it leaves where it can be, hashed on its way where it is too large for that.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// 32 MiB: the largest request that the Messages API takes. A longer one (a batch, a file) passes without being read.
pub(crate) const READ_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// 64 KiB of a body that nobody reads are taken at once, so that its hash is known before it leaves.
const SMALL_BYTES: u64 = 64 * 1024;

/// 64 MiB of bodies that wait to leave; who finds no room passes unread.
pub(crate) const HELD_KIB_MAX: usize = 64 * 1024;

/// 60 s for the next piece of a body.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);

/// A body on its way out.
pub(crate) enum Outgoing {
    /// All of it is here.
    Whole { bytes: Option<Bytes>, _held: Option<OwnedSemaphorePermit> },
    /// The beginning is here.
    Rest(Box<Rest>),
}

/// A body of which the rest is still coming.
pub(crate) struct Rest {
    first: Option<Bytes>,
    rest: Incoming,
    left: u64,
    tally: Arc<Mutex<Tally>>,
    _held: Option<OwnedSemaphorePermit>,
}

/// What passed of a body.
pub(crate) struct Tally {
    context: Option<digest::Context>,
    bytes: u64,
    ended: Option<[u8; 32]>,
    /// It was over the limit.
    pub(crate) over: bool,
}

/// A body that was taken.
pub(crate) enum Taken {
    /// All of it, with its hash.
    Whole(Bytes, [u8; 32], Option<OwnedSemaphorePermit>),
    /// Too large to be held.
    Large(Box<Rest>),
}

/// Why a body cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLarge,
    Broken,
}

/// Takes a body: all of it when it is to be read or small, else its beginning.
pub(crate) async fn take(mut body: Incoming, read: bool, limit: u64, room: &Arc<Semaphore>) -> Result<Taken, BodyError> {
    let hint = body.size_hint();
    if hint.lower() > limit {
        return Err(BodyError::TooLarge);
    }
    let most = if read { READ_BYTES_MAX } else { SMALL_BYTES };
    let known = hint.exact();
    if known.is_some_and(|size| size > most) {
        return Ok(Taken::Large(Rest::new(Bytes::new(), body, limit, None)));
    }
    let mut held = Held { room, permit: None, kib: 0 };
    let expected = known.unwrap_or(0);
    if !held.reach(expected) {
        return Ok(Taken::Large(Rest::new(Bytes::new(), body, limit, None)));
    }
    let mut bytes = BytesMut::with_capacity(usize::try_from(expected).unwrap_or(0));
    let mut context = digest::Context::new(&digest::SHA256);
    loop {
        let Ok(frame) = tokio::time::timeout(PIECE_PATIENCE, body.frame()).await else { return Err(BodyError::Broken) };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        let size = (bytes.len() + data.len()) as u64;
        context.update(&data);
        bytes.extend_from_slice(&data);
        if size > limit {
            return Err(BodyError::TooLarge);
        }
        if size > most || !held.reach(size) {
            return Ok(Taken::Large(Rest::new(bytes.freeze(), body, limit, held.permit)));
        }
    }
    Ok(Taken::Whole(bytes.freeze(), finish(context), held.permit))
}

/// Room that a body has taken.
struct Held<'a> {
    room: &'a Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    kib: u32,
}

impl Held<'_> {
    /// Takes room for `bytes` in all; tells whether there was some.
    fn reach(&mut self, bytes: u64) -> bool {
        let wanted = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let more = wanted.saturating_sub(self.kib);
        if more == 0 {
            return true;
        }
        let Ok(permit) = Arc::clone(self.room).try_acquire_many_owned(more) else { return false };
        match &mut self.permit {
            Some(own) => own.merge(permit),
            None => self.permit = Some(permit),
        }
        self.kib = wanted;
        true
    }
}

impl Rest {
    fn new(first: Bytes, rest: Incoming, limit: u64, held: Option<OwnedSemaphorePermit>) -> Box<Self> {
        let tally = Tally { context: Some(digest::Context::new(&digest::SHA256)), bytes: 0, ended: None, over: false };
        let first = Some(first).filter(|first| !first.is_empty());
        Box::new(Self { first, rest, left: limit, tally: Arc::new(Mutex::new(tally)), _held: held })
    }

    /// Returns where it is told what passed.
    pub(crate) fn tally(&self) -> Arc<Mutex<Tally>> {
        Arc::clone(&self.tally)
    }

    fn passes(&mut self, data: Bytes) -> Result<Frame<Bytes>, BodyError> {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.bytes += data.len() as u64;
        if data.len() as u64 > self.left {
            tally.over = true;
            return Err(BodyError::TooLarge);
        }
        self.left -= data.len() as u64;
        if let Some(context) = &mut tally.context {
            context.update(&data);
        }
        Ok(Frame::data(data))
    }
}

impl Tally {
    /// Returns hash and length of the whole body, once all of it passed.
    pub(crate) fn whole(&self) -> Option<([u8; 32], u64)> {
        self.ended.map(|hash| (hash, self.bytes))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let rest = match self.get_mut() {
            Self::Whole { bytes, .. } => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Rest(rest) => rest,
        };
        if let Some(first) = rest.first.take() {
            return Poll::Ready(Some(rest.passes(first)));
        }
        match Pin::new(&mut rest.rest).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                rest.ends();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(BodyError::Broken))),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(match frame.into_data() {
                Ok(data) => {
                    let passed = rest.passes(data);
                    if rest.rest.is_end_stream() {
                        rest.ends();
                    }
                    passed
                }
                Err(other) => Ok(other),
            })),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_none(),
            Self::Rest(rest) => rest.first.is_none() && rest.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Rest(rest) => {
                let first = rest.first.as_ref().map_or(0, |first| first.len() as u64);
                rest.rest.size_hint().exact().map_or_else(SizeHint::default, |size| SizeHint::with_exact(size + first))
            }
        }
    }
}

impl Rest {
    fn ends(&mut self) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = tally.context.take() {
            tally.ended = Some(finish(context));
        }
    }
}

impl Outgoing {
    /// Makes the body of bytes that are all here.
    pub(crate) fn whole(bytes: Bytes, held: Option<OwnedSemaphorePermit>) -> Self {
        Self::Whole { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), _held: held }
    }
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is over the limit",
            Self::Broken => "the body broke off",
        })
    }
}

impl std::error::Error for BodyError {}

/// Returns the hash of what was fed.
pub(crate) fn finish(context: digest::Context) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
