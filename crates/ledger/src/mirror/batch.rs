//! Batches of a piece: cut out of its bytes, their slots compared with the commitments of their envelopes.

use crate::head::sha256;
use crate::line::{BATCH_EVENTS_MAX, CommitLine, Commitments, EnvelopeHead, Kind, Line, SLOT_LABEL, SlotLine};
use crate::read::wal::{Batch, whole};

use super::MirrorError;

/// A batch of a piece.
pub(super) struct Cut<'a> {
    pub(super) batch: Batch<'a>,
    /// Whether its bytes are those that its commit line counted: no slot is missing.
    pub(super) whole: bool,
}

/// Cuts the batch that starts at `at` out of a piece.
pub(super) fn cut(bytes: &[u8], at: usize) -> Result<Cut<'_>, MirrorError> {
    let mut next = at;
    loop {
        let rest = bytes.get(next..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\n', rest) else {
            return Err(MirrorError::Batch { what: "a batch without its commit line", at });
        };
        match Line::kind(&rest[..length]) {
            Some(Kind::Commit) => return take(bytes, at, next, length),
            Some(_) => next += length + 1,
            None => return Err(MirrorError::Batch { what: "a line of no kind", at: next }),
        }
    }
}

fn take(bytes: &[u8], at: usize, commit_at: usize, length: usize) -> Result<Cut<'_>, MirrorError> {
    let (lines, commit_line) = (&bytes[at..commit_at], &bytes[commit_at..commit_at + length]);
    let wrong = |what| MirrorError::Batch { what, at };
    let commit = CommitLine::parse(commit_line).map_err(|_| wrong("a damaged commit line"))?;
    let counted = whole(lines, commit_line).is_some();
    let complete = check_slots(lines).map_err(wrong)?;
    if complete && !counted {
        return Err(wrong("a batch that is not the one its commit line counted"));
    }
    let batch = Batch { offset: at as u64, end: (commit_at + length + 1) as u64, lines, commit_line, commit };
    Ok(Cut { batch, whole: counted })
}

/// Compares every slot with the commitment to it; tells whether all are there. The order of events is not looked at.
pub(super) fn check_slots(lines: &[u8]) -> Result<bool, &'static str> {
    let (mut wanted, mut next, mut complete, mut events) = (Commitments::default(), 0, true, 0);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match Line::kind(line) {
            Some(Kind::Envelope) => {
                complete &= wanted.nth(next).is_none();
                EnvelopeHead::parse(line, &mut wanted).map_err(|_| "a damaged envelope line")?;
                (next, events) = (0, events + 1);
                if events > BATCH_EVENTS_MAX {
                    return Err("a batch of more events than a batch has");
                }
            }
            Some(Kind::Slot) => {
                let slot = SlotLine::parse(line).map_err(|_| "a damaged slot line")?;
                let skipped = (next..).map_while(|at| wanted.nth(at)).take_while(|commitment| commitment.name != slot.name).count();
                complete &= skipped == 0;
                let commitment = wanted.nth(next + skipped).ok_or("a slot that its envelope does not commit to")?;
                let hash = sha256(&[SLOT_LABEL.as_bytes(), &slot.salt, slot.value].concat());
                if hash != commitment.hash || commitment.bytes != slot.value.len() as u64 {
                    return Err("a slot that is not the one its envelope commits to");
                }
                next += skipped + 1;
            }
            _ => {}
        }
    }
    Ok(complete && wanted.nth(next).is_none())
}
