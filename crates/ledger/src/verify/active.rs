//! One active file: batch after batch, and what follows the last.

use std::sync::Arc;

use sealtrail_disk::DiskFile;
use sealtrail_tlog::leaf_hash;

use super::fold::{Fold, Part};
use super::slots::{Found, SlotCheck};
use super::{Context, Start};
use crate::line::{EnvelopeHead, Kind, Line, LineError, MacLine, SlotLine};
use crate::read::wal::{Batch, Batches, Tail};
use crate::report::{Finding, Severity};

/// Recomputes an active file from `start`; `newest` tells whether a torn tail may be there.
pub(super) fn verify(ctx: &Context<'_>, first: u64, file: &Arc<dyn DiskFile>, start: Start, newest: bool) -> Part {
    let path = format!("wal/{first:012}.wal");
    let mut fold = Fold::new(ctx, path.clone(), path.clone(), start);
    let mut check = SlotCheck::new(path.clone());
    let mut batches = Batches::new(Arc::clone(file), 0);
    loop {
        match batches.next() {
            Ok(Some(batch)) => take(&mut fold, &mut check, &batch),
            Ok(None) => break,
            Err(error) => {
                fold.add(Finding::fail("unreadable", path.clone(), error.source.to_string()).at(fold.next()));
                break;
            }
        }
    }
    match batches.tail() {
        Ok(tail) => judge_tail(&mut fold, &path, batches.offset(), tail, newest),
        Err(error) => fold.add(Finding::fail("unreadable", path, error.source.to_string()).at(fold.next())),
    }
    fold.finish()
}

/// Takes one batch whose length and CRC are right.
fn take(fold: &mut Fold<'_>, check: &mut SlotCheck, batch: &Batch<'_>) {
    let (mut macs, mut rest) = (None, batch.lines);
    while let Some(length) = memchr::memchr(b'\n', rest) {
        let line = &rest[..length];
        rest = &rest[length + 1..];
        let bad = match Line::kind(line) {
            Some(Kind::Mac) if macs.is_none() => MacLine::parse(line).map(|parsed| macs = Some((parsed, length))).err(),
            Some(Kind::Slot) if macs.is_none() => SlotLine::parse(line).map(|slot| check.slot(fold, &Found::of(&slot), length)).err(),
            _ => {
                check.end(fold);
                envelope(fold, check, line).err()
            }
        };
        if let Some(error) = bad {
            fold.batch_whole = false;
            fold.add(Finding::fail("line-damaged", fold.file.clone(), error.to_string()).at(fold.next()));
        }
    }
    check.end(fold);
    if let Some((_, length)) = &macs {
        fold.batch_bytes += *length as u64 + 1;
    }
    fold.commit(&batch.commit, batch.commit_line.len() as u64, macs.as_ref().map(|(macs, _)| macs));
    fold.out.lines.push(batch.commit_line.to_vec());
}

fn envelope(fold: &mut Fold<'_>, check: &mut SlotCheck, line: &[u8]) -> Result<(), LineError> {
    let parsed = EnvelopeHead::parse(line, &mut check.wanted)?;
    let seq = fold.next();
    if parsed.seq != seq {
        let detail = format!("event {} stands where event {seq} must be", parsed.seq);
        fold.add(Finding::fail("event-misplaced", fold.file.clone(), detail).at(seq));
    }
    fold.envelope(line, Some(parsed));
    fold.leaf(leaf_hash(line));
    check.begin(seq);
    Ok(())
}

fn judge_tail(fold: &mut Fold<'_>, path: &str, offset: u64, tail: Tail, newest: bool) {
    if tail.bytes == 0 {
        return;
    }
    let (bytes, next) = (tail.bytes, fold.next());
    let finding = if newest && !tail.later_batch {
        let detail = format!(
            "{bytes} bytes after the last commit, from byte {offset}, are no batch: an unfinished write, or a batch that was damaged"
        );
        Finding::new(Severity::Warn, "torn-tail", path, detail)
    } else {
        let detail = format!("the batch at byte {offset} is damaged, and what was written after it shows that it was complete");
        Finding::fail("batch-damaged", path, detail)
    };
    fold.add(finding.at(next));
}
