//! Connections whose other end must take what it asked for, say what it wants, and not just be there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::asked::Asked;

/// 30 s without a byte taken: the other end has gone, or means no good.
const STALL: Duration = Duration::from_secs(30);

/// As many bytes tell which version of HTTP is spoken: the preface of HTTP/2.
const FIRST_BYTES: usize = 24;

/// How long nothing may happen on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// While a request is being answered: no byte in or out.
    pub(crate) answering: Duration,
    /// While none is: no byte out, whatever comes in.
    pub(crate) unasked: Duration,
}

/// A connection that ends when nothing is taken from it for too long, when nothing at all happens on it, or when nothing is asked.
pub(crate) struct Patient {
    stream: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Patience,
    asked: Arc<Asked>,
    /// Until when something must happen, and how long that was.
    quiet: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, patience: Patience, asked: Arc<Asked>) -> Self {
        Self { stream, stalled: None, patience, asked, quiet: None }
    }

    /// Begins the time anew; who waits for its end still does.
    fn stir(&mut self) {
        if let Some((patience, quiet)) = &mut self.quiet {
            quiet.as_mut().reset(Instant::now() + *patience);
        }
    }

    /// Counts the time of a write that waits.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            self.stir();
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        timed_out(stalled, context)
    }
}

/// Returns an error once the time is over.
fn timed_out<T>(timer: &mut Pin<Box<Sleep>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
    timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let unasked = self.asked.is_none(context);
        if read.is_ready() {
            if !unasked {
                self.stir();
            }
            return read;
        }
        let patience = if unasked { self.patience.unasked } else { self.patience.answering };
        if self.stalled.is_some() {
            // What waits to be taken has a time of its own.
            self.stir();
        }
        match &mut self.quiet {
            Some((before, quiet)) if *before == patience => timed_out(quiet, context),
            other => timed_out(&mut other.insert((patience, Box::pin(sleep(patience)))).1, context),
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has nothing to flush: that it is done says nothing of the other end.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A connection whose other end must say soon which version of HTTP it speaks: until then nothing else watches it.
pub(crate) struct Prompt<S> {
    stream: S,
    missing: usize,
    patience: Pin<Box<Sleep>>,
}

impl<S> Prompt<S> {
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, missing: FIRST_BYTES, patience: Box::pin(sleep(patience)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let had = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_ready() {
            self.missing = self.missing.saturating_sub(into.filled().len() - had);
            return read;
        }
        if self.missing == 0 { Poll::Pending } else { timed_out(&mut self.patience, context) }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
