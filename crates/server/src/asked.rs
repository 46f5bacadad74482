//! Whether a connection is there for something: its requests are counted until their answers are taken.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The requests of one connection that are being answered.
#[derive(Default)]
pub(crate) struct Asked {
    count: AtomicUsize,
    /// Who watches the connection.
    watcher: Mutex<Option<Waker>>,
}

/// One of them.
pub(crate) struct Asking(Arc<Asked>);

impl Asked {
    /// Counts a request until what is returned goes.
    pub(crate) fn begin(self: &Arc<Self>) -> Asking {
        self.count.fetch_add(1, Ordering::SeqCst);
        Asking(Arc::clone(self))
    }

    /// Tells whether there is none; who asks is woken when the last one ends.
    pub(crate) fn is_none(&self, context: &Context<'_>) -> bool {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *watcher {
            Some(known) => known.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        self.count.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1
            && let Some(watcher) = self.0.watcher.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            watcher.wake();
        }
    }
}

/// The body of an answer, whose request counts until it is taken or given up.
pub(crate) struct Answering {
    pub(crate) body: Body,
    pub(crate) _asking: Asking,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
