//! What was published or noted of the log, against the recomputed tree: checkpoint, its history, and the high-water mark.

use std::path::Path;

use sealtrail_disk::{Disk, DiskError};
use sealtrail_tlog::{Checkpoint, Root, TreeSize, VerifierKey};

use super::fold::Mark;
use super::warn;
use crate::line::HighWater;
use crate::report::Finding;

/// Publishing takes far longer than reading three small files.
const TRIES: usize = 4;

/// A signed checkpoint and where it was found.
struct Signed {
    file: String,
    size: TreeSize,
    root: Root,
}

/// Everything published, read before the events are.
#[derive(Default)]
pub(super) struct Published {
    signed: Vec<Signed>,
    mark: Option<HighWater>,
    /// The bytes of `checkpoint`, to tell later whether a newer one replaced it.
    pub(super) checkpoint: Option<Vec<u8>>,
    /// Size of `checkpoint`.
    pub(super) size: Option<TreeSize>,
}

fn read(disk: &dyn Disk, dir: &Path, name: &str, findings: &mut Vec<Finding>) -> Option<Vec<u8>> {
    match disk.read(&dir.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.is_missing() => None,
        Err(DiskError { source, .. }) => {
            findings.push(Finding::fail("unreadable", name, source.to_string()));
            None
        }
    }
}

type Bytes = Option<Vec<u8>>;

/// Reads the three files as they belong together: a writer may publish between two of the reads, which shows in a history that
/// does not end with the checkpoint.
fn snapshot(disk: &dyn Disk, dir: &Path, findings: &mut Vec<Finding>) -> (Bytes, Bytes, Bytes) {
    let mut tries = 0;
    loop {
        let before = findings.len();
        // The mark first: it is written last, so what it says is in the other two.
        let [mark, checkpoint, notes] = ["highwater", "checkpoint", "checkpoints.notes"].map(|name| read(disk, dir, name, findings));
        let whole = notes.as_ref().zip(checkpoint.as_ref()).is_none_or(|(notes, checkpoint)| notes.ends_with(checkpoint));
        if whole || tries == TRIES {
            return (mark, checkpoint, notes);
        }
        findings.truncate(before);
        tries += 1;
    }
}

impl Published {
    /// Reads the files and checks every signature; `known` are checkpoints kept elsewhere.
    pub(super) fn load(disk: &dyn Disk, dir: &Path, key: &VerifierKey, known: &[String], findings: &mut Vec<Finding>) -> Self {
        let mut published = Self::default();
        for note in known {
            published.open(note.as_bytes(), key, "(checkpoint given)", findings);
        }
        let (mark, checkpoint, notes) = snapshot(disk, dir, findings);
        if let Some(bytes) = mark {
            match HighWater::parse(&bytes) {
                Ok(mark) => published.mark = Some(mark),
                Err(error) => findings.push(Finding::fail("highwater-damaged", "highwater", error.to_string())),
            }
        }
        published.checkpoint = checkpoint;
        if let Some(bytes) = published.checkpoint.clone() {
            published.size = published.open(&bytes, key, "checkpoint", findings);
        }
        let last = notes.as_ref().and_then(|notes| published.history(notes, key, findings));
        published.compare(notes.is_some(), last, findings);
        published
    }

    fn open(&mut self, note: &[u8], key: &VerifierKey, file: &str, findings: &mut Vec<Finding>) -> Option<TreeSize> {
        match Checkpoint::open(note, key, &[]) {
            Ok((checkpoint, _)) => {
                self.signed.push(Signed { file: file.to_owned(), size: checkpoint.size, root: checkpoint.root });
                Some(checkpoint.size)
            }
            Err(error) => {
                findings.push(Finding::fail("checkpoint-signature", file, chain_of(&error)));
                None
            }
        }
    }

    /// Reads the history: notes with an empty line between, each with an empty line of its own. Returns the last size.
    fn history(&mut self, notes: &[u8], key: &VerifierKey, findings: &mut Vec<Finding>) -> Option<TreeSize> {
        let (mut start, mut empty, mut last) = (0, 0, None);
        for at in memchr::memmem::find_iter(notes, b"\n\n").chain([notes.len()]) {
            empty += 1;
            if empty % 2 == 1 && at < notes.len() {
                continue;
            }
            let note = &notes[start..notes.len().min(at + 1)];
            start = at + 2;
            if note.is_empty() {
                continue;
            }
            let before = findings.len();
            let size = self.open(note, key, "checkpoints.notes", findings);
            if size.is_none() && at == notes.len() && last.is_some() && last == self.size {
                // The checkpoint is replaced only after its note is whole; what follows that note is an unfinished one.
                findings.truncate(before);
                findings.push(warn("torn-note", "checkpoints.notes", "the last note is unfinished"));
            }
            if let (Some(size), Some(last)) = (size, last)
                && size < last
            {
                let detail = format!("a checkpoint of {} events follows one of {} events", size.0, last.0);
                findings.push(Finding::fail("checkpoint-order", "checkpoints.notes", detail));
            }
            last = size.or(last);
        }
        last
    }

    /// Compares the three files with each other.
    fn compare(&self, notes: bool, last: Option<TreeSize>, findings: &mut Vec<Finding>) {
        let any = notes || self.mark.is_some();
        match (&self.checkpoint, any) {
            (None, true) => {
                findings.push(Finding::fail("file-missing", "checkpoint", "checkpoints were published and the newest is not there"))
            }
            (Some(_), _) if !notes => {
                findings.push(warn("file-missing", "checkpoints.notes", "the history of checkpoints is not there"));
            }
            _ => {}
        }
        if self.checkpoint.is_some() && self.mark.is_none() && !findings.iter().any(|finding| finding.file == "highwater") {
            findings.push(warn("file-missing", "highwater", "checkpoints were published and the high-water mark is not there"));
        }
        let Some(size) = self.size else { return };
        if notes && last.is_none_or(|last| last < size) {
            let detail = format!("the history ends before the published checkpoint of {} events", size.0);
            findings.push(warn("history-behind", "checkpoints.notes", detail));
        }
        let newer = last.into_iter().chain(self.mark.as_ref().map(|mark| TreeSize(mark.size))).max();
        if let Some(newer) = newer.filter(|newer| *newer > size) {
            let detail = format!("a checkpoint of {} events was published; this one is older, of {} events", newer.0, size.0);
            findings.push(warn("checkpoint-behind", "checkpoint", detail));
        }
    }

    /// Returns every size whose tree must be compared, sorted.
    pub(super) fn marks(&self) -> Vec<u64> {
        let mut marks: Vec<u64> = self.signed.iter().map(|signed| signed.size.0).chain(self.mark.iter().map(|mark| mark.size)).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    /// Compares what was published with the recomputed trees; `files` are the names of the active files by their first event.
    pub(super) fn judge(
        &self,
        size: u64,
        at: impl Fn(u64) -> Option<Mark>,
        first_of: impl Fn(u64) -> Option<u64>,
        findings: &mut Vec<Finding>,
    ) {
        for signed in &self.signed {
            if signed.size.0 > size {
                let detail =
                    format!("the log key signed a checkpoint of {} events and only {size} are there: events are lost", signed.size.0);
                findings.push(Finding::fail("events-lost", signed.file.clone(), detail).at(size));
                continue;
            }
            let root = if signed.size == TreeSize::EMPTY { Some(Root::EMPTY) } else { at(signed.size.0).map(|mark| mark.root) };
            if root.is_some_and(|root| root != signed.root) {
                let detail =
                    format!("the checkpoint of {} events is of another tree than the events: one of the two was replaced", signed.size.0);
                findings.push(Finding::fail("checkpoint-differs", signed.file.clone(), detail).at(signed.size.0.saturating_sub(1)));
            }
        }
        if let Some(mark) = &self.mark {
            judge_mark(mark, size, at(mark.size).as_ref(), first_of(mark.size), findings);
        }
    }
}

fn judge_mark(mark: &HighWater, size: u64, tree: Option<&Mark>, first: Option<u64>, findings: &mut Vec<Finding>) {
    let fail = |kind, detail: String| Finding::fail(kind, "highwater", detail);
    if mark.size > size {
        let detail = format!("the high-water mark is {} events and only {size} are there: events are lost", mark.size);
        findings.push(fail("events-lost", detail).at(size));
        return;
    }
    let Some(tree) = tree else { return };
    let frontier = tree.frontier.hashes().iter().map(|hash| hash.0);
    if tree.root.0 != mark.root || tree.chain != mark.chain || !frontier.eq(mark.frontier.iter().copied()) {
        findings.push(fail("highwater-differs", format!("the mark of {} events is of another tree than the events", mark.size)));
    }
    match tree.commit {
        None => findings.push(fail("highwater-differs", format!("no commit ends at the {} events of the mark", mark.size))),
        Some(commit) if commit != (mark.epoch, mark.offset) => {
            let detail = format!(
                "the mark says epoch {} and byte {}, its commit has epoch {} and ends at byte {}",
                mark.epoch, mark.offset, commit.0, commit.1
            );
            findings.push(fail("highwater-differs", detail));
        }
        Some(_) => {}
    }
    if let Some(first) = first.filter(|first| mark.wal != format!("{first:012}.wal")) {
        findings.push(fail("highwater-differs", format!("the mark names file {}, its commit is in {first:012}.wal", mark.wal)));
    }
}

/// Returns an error with everything below it, in one sentence.
pub(super) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
