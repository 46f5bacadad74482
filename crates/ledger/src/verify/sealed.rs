//! One sealed segment: its three files side by side, and the manifest that describes them.

use std::sync::Arc;

use sealtrail_disk::{DiskFile, Open};

use super::fold::{Fold, Part};
use super::slots::{Found, SlotCheck};
use super::{Context, Start, warn};
use crate::line::{CommitLine, Compression, EnvelopeHead, FileSum, Kind, Line, MacLine, Manifest, SlotLine, SlotParts, Time};
use crate::read::blocks::{Collect, judge};
use crate::read::lines::{Lines, LinesError, Source};
use crate::read::parts::{blocks_path, sealed_path};
use crate::report::Finding;

/// Recomputes a sealed segment from `start`.
///
/// `stated` tells whether the manifest is the one on disk; else it is only what the last commit says.
pub(super) fn verify(ctx: &Context<'_>, manifest: &Manifest, stated: bool, start: Start) -> Part {
    let path = |what| sealed_path(manifest.first, what, manifest.compression);
    let [entries, slots, commits] = ["entries", "slots", "commits"].map(path);
    let mut fold = Fold::new(ctx, entries.clone(), commits.clone(), start);
    // Every byte of an uncompressed file is judged by what it says. Of gzip members many spell the same lines, so there the hash counts.
    let hashed = ctx.file_hashes || manifest.compression == Compression::Gzip;
    let entries = Feed::open(ctx, entries, manifest.compression, hashed, &mut fold);
    let slots = Feed::open(ctx, slots, manifest.compression, hashed, &mut fold);
    let commits = Feed::open(ctx, commits, manifest.compression, true, &mut fold);
    let check = SlotCheck::new(slots.path.clone());
    let paths = [entries.path.clone(), slots.path.clone()];
    let mut segment = Segment {
        paths,
        fold,
        manifest,
        entries,
        slots,
        commits,
        check,
        times: None,
        last_line: Vec::new(),
        lost: None,
        bad_commits: false,
        ids: Collect::new(manifest.first),
    };
    segment.run();
    segment.finish(ctx, stated)
}

/// One file of the segment, read to the end or to the first damage.
struct Feed {
    path: String,
    lines: Option<Lines<Source>>,
}

impl Feed {
    fn open(ctx: &Context<'_>, path: String, compression: Compression, hashed: bool, fold: &mut Fold<'_>) -> Self {
        let file: Option<Arc<dyn DiskFile>> = match ctx.disk.open(&ctx.dir.join(&path), Open::Read) {
            Ok(file) => Some(file),
            Err(error) if error.is_missing() => {
                fold.add(Finding::fail("file-missing", path.clone(), "the file of a sealed segment is not there"));
                None
            }
            Err(error) => {
                fold.add(Finding::fail("unreadable", path.clone(), error.source.to_string()));
                None
            }
        };
        let lines = file.map(|file| Lines::new(Source::new(file, 0, compression, hashed)));
        Self { path, lines }
    }

    fn is_there(&self) -> bool {
        self.lines.is_some()
    }

    /// Returns the next line; damage ends the file and is reported once.
    fn peek(&mut self, fold: &mut Fold<'_>) -> Option<&[u8]> {
        if let Err(error) = self.lines.as_mut()?.ensure() {
            let why = match &error {
                LinesError::Read { source, .. } => format!("{error}: {source}"),
                _ => error.to_string(),
            };
            fold.add(Finding::fail("file-damaged", self.path.clone(), why).at(fold.next()));
            self.lines = None;
        }
        self.lines.as_ref()?.line()
    }

    /// Hands over the leaf hash of the current line and moves on.
    fn take_leaf(&mut self, fold: &mut Fold<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.leaf_hash().into_iter().for_each(|leaf| fold.leaf(leaf));
            lines.advance();
        }
    }

    #[inline]
    fn commitment(&mut self, slot: &SlotParts) -> Option<[u8; 32]> {
        self.lines.as_mut()?.commitment(slot)
    }

    fn advance(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.advance();
        }
    }

    /// Compares the file with what the manifest says of it; returns its hash.
    fn finish(self, manifest_path: &str, said: &FileSum, plain: u64, fold: &mut Fold<'_>) -> Option<[u8; 32]> {
        let lines = self.lines?;
        let found_plain = lines.offset();
        let (bytes, sha256) = match lines.into_source().finish() {
            Ok(sum) => sum,
            Err(error) => {
                fold.add(Finding::fail("unreadable", self.path, error.to_string()));
                return None;
            }
        };
        if found_plain != plain {
            let detail = format!("it says {plain} plain bytes of {}, there are {found_plain}", self.path);
            fold.add(Finding::fail("manifest-differs", manifest_path, detail));
        }
        if bytes != said.bytes || sha256.is_some_and(|sha256| sha256 != said.sha256) {
            let detail = format!("the file is not the one that {manifest_path} describes: length or SHA-256 differ");
            fold.add(Finding::fail("file-differs", self.path, detail));
        }
        sha256
    }
}

/// A mac line and its bytes with the newline.
type Macs = (MacLine, u64);

struct Segment<'c, 'm> {
    /// Of entries and slots; copied only into findings.
    paths: [String; 2],
    fold: Fold<'c>,
    manifest: &'m Manifest,
    entries: Feed,
    slots: Feed,
    commits: Feed,
    check: SlotCheck,
    /// Times of the first and the last commit.
    times: Option<(Time, Time)>,
    last_line: Vec<u8>,
    /// First and last of the events that are being found missing.
    lost: Option<(u64, u64)>,
    /// Whether a commit line could not be read, so that a batch may span several.
    bad_commits: bool,
    /// What the side file must say of the events.
    ids: Collect,
}

impl Segment<'_, '_> {
    fn run(&mut self) {
        if !self.entries.is_there() {
            return;
        }
        while let Some((line, macs)) = self.next_commit() {
            let Ok(commit) = CommitLine::parse(&line) else { continue };
            let size = commit.commit.size;
            if size <= self.fold.committed() || size > self.manifest.size {
                let detail =
                    format!("a commit says size {size}, the segment is of events {} to {}", self.manifest.first, self.manifest.size - 1);
                self.fold.add(Finding::fail("commit-size", self.commits.path.clone(), detail).at(self.fold.committed()));
                self.bad_commits = true;
                continue;
            }
            self.events_to(size);
            if self.bad_commits {
                // What the unread commit said of lengths and limits cannot be checked; the root still can.
                self.fold.batch_whole = false;
                self.bad_commits = false;
            }
            let macs_bytes = macs.as_ref().map_or(0, |(_, bytes)| *bytes);
            self.fold.batch_bytes += macs_bytes;
            self.fold.commit(&commit, line.len() as u64, macs.as_ref().map(|(macs, _)| macs));
            let time = commit.commit.time;
            self.times = Some((self.times.map_or(time, |(first, _)| first), time));
            self.last_line = line;
        }
        self.rest();
    }

    /// Returns the next commit line and the macs before it.
    fn next_commit(&mut self) -> Option<(Vec<u8>, Option<Macs>)> {
        let mut macs = None;
        loop {
            let line = self.commits.peek(&mut self.fold)?.to_vec();
            self.commits.advance();
            let at = self.fold.committed();
            let mut bad = |detail: String| {
                self.bad_commits = true;
                self.fold.add(Finding::fail("commit-damaged", self.commits.path.clone(), detail).at(at));
            };
            match (Line::kind(&line), macs.is_some()) {
                (Some(Kind::Mac), false) => match MacLine::parse(&line) {
                    Ok(parsed) => macs = Some((parsed, line.len() as u64 + 1)),
                    Err(error) => bad(error.to_string()),
                },
                _ => match CommitLine::parse(&line) {
                    Ok(_) => return Some((line, macs)),
                    Err(error) => bad(error.to_string()),
                },
            }
        }
    }

    fn events_to(&mut self, size: u64) {
        while self.fold.next() < size {
            let seq = self.fold.next();
            if self.envelope(seq) {
                self.report_lost();
                self.slots(seq);
            } else {
                self.lost = Some((self.lost.map_or(seq, |(first, _)| first), seq));
                self.fold.missing_event();
            }
        }
        self.report_lost();
    }

    fn report_lost(&mut self) {
        if let Some((first, last)) = self.lost.take() {
            let detail =
                if first == last { format!("event {first} is not there") } else { format!("events {first} to {last} are not there") };
            self.fold.add(Finding::fail("event-missing", self.entries.path.clone(), detail).at(first));
        }
    }

    /// Takes the envelope of event `seq`; a line of an earlier event is nobody's, one of a later event waits. False if it is not there.
    fn envelope(&mut self, seq: u64) -> bool {
        loop {
            let Self { fold, entries, check, ids, paths: [path, _], .. } = self;
            let Some(line) = entries.peek(fold) else { return false };
            let parsed = EnvelopeHead::parse(line, &mut check.wanted);
            match parsed {
                Ok(parsed) if parsed.seq == seq => {
                    ids.event_in_block(line);
                    fold.envelope(line, Some(parsed));
                    check.begin(seq);
                    entries.take_leaf(fold);
                    return true;
                }
                Ok(parsed) if parsed.seq > seq => return false,
                Ok(parsed) => {
                    let detail = format!("a second envelope of event {} stands before event {seq}", parsed.seq);
                    fold.add(Finding::fail("event-extra", path.clone(), detail).at(parsed.seq));
                    fold.batch_whole = false;
                    entries.advance();
                }
                Err(error) => {
                    check.wanted.clear();
                    check.begin(seq);
                    fold.add(Finding::fail("event-damaged", path.clone(), error.to_string()).at(seq));
                    fold.batch_whole = false;
                    fold.envelope(line, None);
                    entries.take_leaf(fold);
                    return true;
                }
            }
        }
    }

    /// Takes the slots of event `seq`.
    fn slots(&mut self, seq: u64) {
        let Self { fold, slots, check, paths: [_, path], .. } = self;
        if !slots.is_there() {
            fold.batch_whole &= check.wanted.nth(0).is_none();
            return;
        }
        while let Some(line) = slots.peek(fold) {
            let length = line.len();
            if let Some(slot) = check.parts(line) {
                if let Some(hash) = slots.commitment(&slot) {
                    check.slot(fold, &Found { seq, name: slot.name, bytes: slot.bytes, hash }, length);
                }
            } else if check.is_over(line) {
                break;
            } else {
                match SlotLine::parse(line) {
                    Ok(slot) if slot.seq > seq => break,
                    Ok(slot) => check.slot(fold, &Found::of(&slot), length),
                    Err(error) => {
                        fold.batch_whole = false;
                        fold.add(Finding::fail("slot-damaged", path.clone(), error.to_string()).at(seq));
                    }
                }
            }
            slots.advance();
        }
        if slots.is_there() {
            check.end(fold);
        } else {
            // Damage ended the file; what it held is not known to be missing.
            fold.batch_whole = false;
        }
    }

    /// Takes what no commit line of the file covers.
    fn rest(&mut self) {
        if self.fold.committed() < self.manifest.size {
            let detail =
                format!("events {} to {} are covered by no commit that can be read", self.fold.committed(), self.manifest.size - 1);
            self.fold.add(Finding::fail("not-committed", self.commits.path.clone(), detail).at(self.fold.committed()));
            self.events_to(self.manifest.size);
            let line = self.manifest.commit.clone().into_bytes();
            if let Ok(commit) = CommitLine::parse(&line) {
                self.fold.batch_whole = false;
                self.fold.commit(&commit, line.len() as u64, None);
            }
        }
        while self.entries.peek(&mut self.fold).is_some() {
            let detail = "there are lines after the last event of the segment";
            self.fold.add(Finding::fail("event-extra", self.entries.path.clone(), detail).at(self.manifest.size));
            self.entries.advance();
        }
        let Self { fold, slots, check, paths: [_, path], .. } = self;
        while let Some(line) = slots.peek(fold) {
            match SlotLine::parse(line) {
                Ok(slot) => check.extra(fold, &Found::of(&slot)),
                Err(error) => fold.add(Finding::fail("slot-damaged", path.clone(), error.to_string())),
            }
            slots.advance();
        }
    }

    /// Compares everything with the manifest.
    fn finish(self, ctx: &Context<'_>, stated: bool) -> Part {
        let Self { mut fold, manifest, entries, slots, commits, times, last_line, ids, .. } = self;
        if !stated {
            let sum = commits.lines.and_then(|lines| lines.into_source().finish().ok()).and_then(|(_, sum)| sum);
            return Part { size: manifest.size, commits_sum: sum, ..fold.finish() };
        }
        let path = format!("seg/{:012}.json", manifest.first);
        let plain = &manifest.plain;
        entries.finish(&path, &manifest.files.entries, plain.entries, &mut fold);
        slots.finish(&path, &manifest.files.slots, plain.slots, &mut fold);
        let commits_sum = commits.finish(&path, &manifest.files.commits, plain.commits, &mut fold);
        let mut differs = Vec::new();
        if let Some(state) = fold.state().filter(|_| fold.root_size().is_some_and(|size| size.0 == manifest.size)) {
            let frontier = state.frontier.hashes().iter().map(|hash| hash.0);
            if state.chain != manifest.chain {
                differs.push("chain");
            }
            if !frontier.eq(manifest.frontier.iter().copied()) {
                differs.push("frontier");
            }
        }
        if !last_line.is_empty() && last_line != manifest.commit.as_bytes() {
            differs.push("last commit");
        }
        if times.is_some_and(|times| times != (manifest.first_t, manifest.last_t)) {
            differs.push("times");
        }
        for what in differs {
            let detail = format!("it states another {what} than the events give");
            let finding = Finding::fail("manifest-differs", path.clone(), detail);
            fold.add(finding);
        }
        if let Some(detail) = judge(ctx.disk, ctx.dir, manifest, &ids) {
            fold.add(warn("derived-differs", blocks_path(manifest.first), detail));
        }
        let mut part = fold.finish();
        part.size = manifest.size;
        part.commits_sum = commits_sum;
        part
    }
}
