//! A question is answered: as one document, or line by line while events are found.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

use crate::archive::{Archive, Visitor, What};
use crate::body::{Held, Lines};
use crate::grant::Grant;
use crate::guard::{Admitted, App, Place};
use crate::page::{Ask, Found};
use crate::params::{Question, is_list};
use crate::refusal::Refusal;
use crate::routes::{Fault, now};

/// Lines wait in pieces of 64 KiB, eight at most: half a MiB for each stream.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = 8;

/// 10 minutes: a trail of some ten million events.
const STREAM: Duration = Duration::from_secs(600);

/// Answers a question.
pub(crate) async fn questions(admitted: Admitted, command: &'static str, question: Question, lines: bool) -> Result<Response, Fault> {
    if lines {
        return stream(admitted, command, question).await;
    }
    let Admitted { app, grant, visitor } = admitted;
    let archive = Arc::clone(&app.archive);
    let found = app.run(move |cancel| {
        let ask = question.resolve(&grant, now())?;
        let what = What { visitor: &visitor, command, query: ask.text() };
        archive.read(&grant, &what, cancel, |reading| {
            let found = reading.search(&ask)?;
            let count = found.count();
            Ok((found.to_json().to_string(), count))
        })
    });
    Ok(held(&app, found.await?).await?)
}

/// Makes the response of one document, which counts among those that wait to be taken.
pub(crate) async fn held(app: &App, text: String) -> Result<Response, Refusal> {
    let body = Body::new(Held::new(text.into(), app.hold().await?));
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn stream(admitted: Admitted, command: &'static str, question: Question) -> Result<Response, Fault> {
    let Admitted { app, grant, visitor } = admitted;
    let Place { cancel, permit } = app.place().await?;
    let (send, lines) = channel(PIECES);
    let (ready, begun) = oneshot::channel();
    let archive = Arc::clone(&app.archive);
    let flow = Flow { send, cancel: Arc::clone(&cancel), piece: Vec::new() };
    tokio::task::spawn_blocking(move || {
        run(&archive, &grant, &visitor, command, &question, flow, ready);
        drop(permit);
    });
    let late = Arc::clone(&cancel);
    tokio::spawn(async move {
        tokio::time::sleep(STREAM).await;
        late.store(true, Ordering::Relaxed);
    });
    match begun.await {
        Ok(Ok(())) => Ok(Lines::response(lines, cancel)),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(gone) => Err(Refusal::Unreadable(Box::new(gone)).into()),
    }
}

/// Lines on their way out.
struct Flow {
    send: Sender<Result<Bytes, std::io::Error>>,
    cancel: Arc<AtomicBool>,
    piece: Vec<u8>,
}

impl Flow {
    fn line(&mut self, value: &Value) -> ControlFlow<()> {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(&mut self.piece, value);
        self.piece.push(b'\n');
        if self.piece.len() < PIECE_BYTES { ControlFlow::Continue(()) } else { self.flush() }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let piece = std::mem::take(&mut self.piece);
        if piece.is_empty() { ControlFlow::Continue(()) } else { self.give(Ok(piece.into())) }
    }

    /// Breaks the response off, so that nobody takes it for the whole.
    fn fail(&mut self, why: &Refusal) {
        self.piece.clear();
        let _gone_already = self.give(Err(std::io::Error::other(why.to_string())));
    }

    fn give(&self, piece: Result<Bytes, std::io::Error>) -> ControlFlow<()> {
        // Waits as long as the connection does, which ends when nothing is taken from it; then this fails.
        match self.send.blocking_send(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => {
                self.cancel.store(true, Ordering::Relaxed);
                ControlFlow::Break(())
            }
        }
    }
}

type Ready = oneshot::Sender<Result<(), Refusal>>;

fn run(archive: &Archive, grant: &Grant, visitor: &Visitor, command: &'static str, question: &Question, mut flow: Flow, ready: Ready) {
    let ask = match question.resolve(grant, now()) {
        Ok(ask) => ask,
        Err(refusal) => {
            // Who asked has gone.
            let _ = ready.send(Err(refusal));
            return;
        }
    };
    let what = What { visitor, command, query: ask.text() };
    let result = if is_list(&ask.search) && ask.ordering.is_recorded() {
        while_found(archive, grant, &what, &ask, &mut flow, ready)
    } else {
        at_once(archive, grant, &what, &ask, &mut flow, ready)
    };
    if let Err(refusal) = result {
        flow.fail(&refusal);
    }
}

/// Events leave while they are found: the reading is sealed before the first, and once more with their number before the last ones.
fn while_found(archive: &Archive, grant: &Grant, what: &What<'_>, ask: &Ask, flow: &mut Flow, ready: Ready) -> Result<(), Refusal> {
    let begun = archive.note(grant, what, None);
    let goes_on = begun.is_ok();
    if ready.send(begun).is_err() || !goes_on {
        return Ok(());
    }
    let cancel = Arc::clone(&flow.cancel);
    let mut taken = 0;
    let found = archive.open(grant, &cancel, |reading| {
        reading.each(ask, &mut |event| {
            taken += 1;
            flow.line(&event)
        })
    });
    archive.note(grant, what, Some(taken))?;
    found?;
    let _gone_already = flow.flush();
    Ok(())
}

/// Refuses what would be cut: lines have no place for a cursor, and who reads them takes them for everything.
fn whole(found: Found, ask: &Ask) -> Result<Found, Refusal> {
    let cut = match &found {
        Found::Events(page) => page.next_cursor.is_some() && ask.limit.is_none_or(|limit| (page.events.len() as u64) < limit),
        Found::Matches { cut, .. } => *cut && ask.limit.is_none(),
        Found::Table(_) => false,
    };
    if cut {
        return Err(Refusal::TooMuch(
            "it is more than one answer holds: ask for less with limit, or page by page without lines".to_owned(),
        ));
    }
    Ok(found)
}

/// What is only known as a whole is found first.
fn at_once(archive: &Archive, grant: &Grant, what: &What<'_>, ask: &Ask, flow: &mut Flow, ready: Ready) -> Result<(), Refusal> {
    let cancel = Arc::clone(&flow.cancel);
    let found = archive.read(grant, what, &cancel, |reading| {
        let found = whole(reading.search(ask)?, ask)?;
        let count = found.count();
        Ok((found, count))
    });
    let found = match found {
        Ok(found) => found,
        Err(refusal) => {
            let _ = ready.send(Err(refusal));
            return Ok(());
        }
    };
    if ready.send(Ok(())).is_err() {
        return Ok(());
    }
    let lines: Box<dyn Iterator<Item = Value>> = match found {
        Found::Events(page) => Box::new(page.events.into_iter()),
        Found::Table(table) => Box::new(table.objects().collect::<Vec<_>>().into_iter()),
        Found::Matches { matches, .. } => {
            Box::new(matches.into_iter().map(|one| json!({"audit_ids": one.audit_ids, "events": one.events})))
        }
    };
    for line in lines {
        if flow.line(&line).is_break() {
            return Ok(());
        }
    }
    let _gone_already = flow.flush();
    Ok(())
}
