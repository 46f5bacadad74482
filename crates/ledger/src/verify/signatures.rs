//! The second walk, when every key is known: signatures of commits, and slots that should be gone.

use sealtrail_disk::Open;
use sealtrail_event::SlotName;

use super::Context;
use super::epochs::Keys;
use super::erasure::Erasures;
use super::fold::Part;
use super::plan::{Job, Kind, side_paths};
use crate::line::{CommitLine, Compression, SlotLine, Time};
use crate::read::lines::{Lines, LinesError, Source};
use crate::report::Finding;

/// 1,024 commits, about 35 ms: enough work for a thread at a time.
const CHUNK: usize = 1_024;

/// A piece of the second walk.
pub(super) struct Piece {
    job: usize,
    /// First of the remembered commit lines, for an active file.
    from: usize,
}

/// What the second walk of a piece gave.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    pub(super) signatures: u64,
}

/// Cuts the parts into pieces.
pub(super) fn pieces(jobs: &[Job], parts: &[Part]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (job, part) in parts.iter().enumerate() {
        match jobs[job].kind {
            Kind::Sealed(_) => pieces.push(Piece { job, from: 0 }),
            Kind::Active(_) => pieces.extend((0..part.lines.len()).step_by(CHUNK).map(|from| Piece { job, from })),
        }
    }
    pieces
}

/// Checks the signatures of one piece, and for a sealed part that slots recorded as erased are gone.
pub(super) fn check(ctx: &Context<'_>, jobs: &[Job], parts: &[Part], keys: &Keys, erasures: &Erasures, piece: &Piece) -> Checked {
    let (job, part) = (&jobs[piece.job], &parts[piece.job]);
    let (slots, commits, compression) = side_paths(job);
    let mut walk = Walk { keys, file: commits, checked: Checked::default(), bad: None };
    match &job.kind {
        Kind::Active(_) => {
            let mut before = piece.from.checked_sub(1).and_then(|at| size_of(&part.lines[at])).unwrap_or(job.first);
            let mut since = piece.from.checked_sub(1).and_then(|at| CommitLine::parse(&part.lines[at]).ok()).map(|line| line.commit.time);
            for line in part.lines.iter().skip(piece.from).take(CHUNK) {
                walk.line(line, &mut before, &mut since);
            }
            walk.end();
        }
        Kind::Sealed(manifest) => {
            walk.sealed(ctx, job.first, compression, part);
            if erasures.done_in(job.first, manifest.size) {
                still_there(ctx, &slots, compression, erasures, &mut walk.checked.findings);
            }
        }
    }
    walk.checked
}

fn size_of(line: &[u8]) -> Option<u64> {
    Some(CommitLine::parse(line).ok()?.commit.size)
}

struct Walk<'a> {
    keys: &'a Keys,
    file: String,
    checked: Checked,
    /// A run of commits whose signatures are wrong: first event, how many, time of the last good one.
    bad: Option<(u64, u64, Option<Time>)>,
}

impl Walk<'_> {
    fn line(&mut self, line: &[u8], before: &mut u64, since: &mut Option<Time>) {
        let Ok(line) = CommitLine::parse(line) else { return };
        self.checked.signatures += 1;
        if self.keys.signed(*before, &line) {
            self.end();
            *since = Some(line.commit.time);
        } else {
            let (first, count, since) = self.bad.unwrap_or((*before, 0, *since));
            self.bad = Some((first, count + 1, since));
        }
        *before = line.commit.size;
    }

    fn end(&mut self) {
        if let Some((first, count, since)) = self.bad.take() {
            let detail = format!("{count} commits in a row from event {first} are not signed by the key of their epoch");
            self.checked.findings.push(Finding::fail("signature", self.file.clone(), detail).at(first).since(since));
        }
    }

    fn sealed(&mut self, ctx: &Context<'_>, first: u64, compression: Compression, part: &Part) {
        let Ok(file) = ctx.disk.open(&ctx.dir.join(&self.file), Open::Read) else { return };
        let mut lines = Lines::new(Source::new(file, 0, compression, true));
        let (mut before, mut since) = (first, None);
        while let Ok(Some(line)) = lines.peek() {
            self.line(line, &mut before, &mut since);
            lines.advance();
        }
        self.end();
        let sum = lines.into_source().finish().ok().and_then(|(_, sum)| sum);
        if part.commits_sum.is_some() && sum != part.commits_sum {
            let detail = "the file changed while it was verified";
            self.checked.findings.push(Finding::fail("file-changed", self.file.clone(), detail));
        }
    }
}

/// Reports slots that are there although their erasure is recorded as done.
fn still_there(ctx: &Context<'_>, path: &str, compression: Compression, erasures: &Erasures, findings: &mut Vec<Finding>) {
    let Ok(file) = ctx.disk.open(&ctx.dir.join(path), Open::Read) else { return };
    let mut lines = Lines::new(Source::new(file, 0, compression, false));
    loop {
        match lines.peek() {
            Ok(Some(line)) => {
                if let Some((seq, name, order)) = slot_of(line).and_then(|(seq, name)| Some((seq, name, erasures.done_for(seq, name)?))) {
                    let detail = format!("slot {} is still there although event {order} is recorded as carried out", name.as_str());
                    findings.push(Finding::fail("erased-still-there", path, detail).at(seq));
                }
            }
            Ok(None) | Err(LinesError::Read { .. } | LinesError::TooLong { .. } | LinesError::Unfinished { .. }) => return,
        }
        lines.advance();
    }
}

fn slot_of(line: &[u8]) -> Option<(u64, SlotName)> {
    SlotLine::parse(line).ok().map(|slot| (slot.seq, slot.name))
}
