//! The body of an answer on its way to the client: passed on as it comes, and looked at while it passes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use sealtrail_capture::gateway::How;
use tokio::time::{Instant, Sleep, sleep};

use crate::ongoing::Ongoing;

/// A body for the client.
pub(crate) enum Answering {
    /// The gateway's own words.
    Own(Option<Bytes>),
    /// The API's.
    Passing(Box<Passing>),
}

/// The API's answer, and the record of it.
pub(crate) struct Passing {
    from: Incoming,
    ongoing: Option<Ongoing>,
    patience: Duration,
    silence: Pin<Box<Sleep>>,
}

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
    #[error("the answer of the API broke off")]
    Cut(#[source] hyper::Error),
    #[error("the API sent nothing more for too long")]
    Silent,
}

impl Answering {
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self::Own(Some(bytes))
    }

    pub(crate) fn passing(from: Incoming, ongoing: Ongoing, patience: Duration) -> Self {
        Self::Passing(Box::new(Passing { from, ongoing: Some(ongoing), patience, silence: Box::pin(sleep(patience)) }))
    }
}

impl Passing {
    fn end(&mut self, how: How) {
        if let Some(ongoing) = self.ongoing.take() {
            ongoing.end(how);
        }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = PassError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, PassError>>> {
        let passing = match self.get_mut() {
            Self::Own(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(passing) => passing,
        };
        match Pin::new(&mut passing.from).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(ongoing), Some(data)) = (&mut passing.ongoing, frame.data_ref()) {
                    ongoing.saw(data);
                }
                passing.silence.as_mut().reset(Instant::now() + passing.patience);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                passing.end(How::UpstreamCut);
                Poll::Ready(Some(Err(PassError::Cut(error))))
            }
            Poll::Ready(None) => {
                passing.end(How::Complete);
                Poll::Ready(None)
            }
            Poll::Pending if passing.silence.as_mut().poll(context).is_ready() => {
                passing.end(How::TimedOut);
                Poll::Ready(Some(Err(PassError::Silent)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Passing(passing) => passing.from.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passing(passing) => passing.from.size_hint(),
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // A body of a known length is not asked for its end. Whoever drops it before that has lost the client.
        if self.from.is_end_stream() {
            self.end(How::Complete);
        }
    }
}
