//! Work on many runs of positions, on several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::error::IndexError;
use crate::hits::{Chunk, chunks};
use crate::index::Index;
use crate::plan::{Cancel, go_on};
use crate::run::{Options, Progress};

/// 16,384 events are looked at by one thread at a time.
const SCAN: u64 = 1 << 14;
/// 256 events are looked at between two looks at the flag.
const LOOK: usize = 256;

/// Cuts the positions that a search looks at into pieces of work.
pub(crate) fn pieces(reader: &Reader, index: Option<&Index>, options: &Options) -> Vec<Chunk> {
    let (from, to) = options.bounds(reader.size().0);
    let mut pieces = Vec::new();
    for chunk in chunks(index, from, to) {
        if chunk.segment.is_some() {
            pieces.push(chunk);
            continue;
        }
        let mut next = chunk.from;
        while next < chunk.to {
            let end = (next / SCAN + 1).saturating_mul(SCAN).min(chunk.to);
            pieces.push(Chunk { from: next, to: end, segment: None });
            next = end;
        }
    }
    pieces
}

/// Does `work` on every piece and gives what comes of it to `take`, in any order. The first error ends it.
pub(crate) fn sweep<T: Send>(
    pieces: &[Chunk],
    threads: usize,
    progress: &mut dyn FnMut(Progress),
    work: impl Fn(&Chunk) -> Result<T, IndexError> + Sync,
    mut take: impl FnMut(T) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let total = pieces.iter().map(|piece| piece.to - piece.from).sum();
    let mut done = 0;
    let mut settle = |piece: &Chunk, result: Result<T, IndexError>| {
        take(result?)?;
        done += piece.to - piece.from;
        progress(Progress { done, total });
        Ok(())
    };
    if threads < 2 || pieces.len() < 2 {
        return pieces.iter().try_for_each(|piece| settle(piece, work(piece)));
    }
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // One result waits for each thread: what they make is not piled up.
        let (send, receive) = sync_channel(threads);
        for _ in 0..threads.min(pieces.len()) {
            let (send, next, stop, work) = (send.clone(), &next, &stop, &work);
            scope.spawn(move || {
                while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) || send.send((piece, work(piece))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for (piece, result) in receive {
            if let Err(error) = settle(piece, result) {
                stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    })
}

/// Calls `see` with the events of a run of positions.
pub(crate) fn scan(
    reader: &Reader,
    from: u64,
    to: u64,
    cancel: &Cancel,
    mut see: impl FnMut(u64, &Value) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let events = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    for (number, stored) in reader.iter(Seq(from)).take(events).enumerate() {
        if number % LOOK == 0 {
            go_on(cancel)?;
        }
        let stored = stored?;
        see(stored.seq.0, &stored.view())?;
    }
    Ok(())
}

/// Calls `see` with the events at some positions.
pub(crate) fn fetch(
    reader: &Reader,
    positions: impl Iterator<Item = u64>,
    cancel: &Cancel,
    mut see: impl FnMut(u64, &Value) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let mut positions = positions.map(Seq).peekable();
    while positions.peek().is_some() {
        go_on(cancel)?;
        let wanted: Vec<Seq> = positions.by_ref().take(LOOK).collect();
        for stored in reader.get_many(&wanted) {
            let stored = stored?;
            see(stored.seq.0, &stored.view())?;
        }
    }
    Ok(())
}
