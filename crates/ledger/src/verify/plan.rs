//! Which parts there are, and the state that each one starts from.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Open};
use sealtrail_tlog::{Frontier, NodeHash, TreeSize};

use super::fold::State;
use super::{Context, Start, files, warn};
use crate::line::{CommitLine, Compression, LogInfo, Manifest, ManifestFiles, PlainBytes};
use crate::read::lines::{Lines, Source};
use crate::read::parts::{Part as Listed, Parts, sealed_path};
use crate::read::wal::Batches;
use crate::report::Finding;

/// 65,536 events close a segment, and the batch that reaches them may be of 4,096.
const SEGMENT_EVENTS_MAX: u64 = 65_536 + 4_096;

/// How a part is stored.
pub(super) enum Kind {
    Sealed(Box<Manifest>),
    Active(Arc<dyn DiskFile>),
}

/// One part to recompute.
pub(super) struct Job {
    pub(super) first: u64,
    /// The state before it, as far as it is stated somewhere.
    pub(super) start: Option<Start>,
    /// Whether a manifest states what the files are; without one they are judged by what they hold.
    pub(super) stated: bool,
    pub(super) kind: Kind,
}

pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    /// Parts before the jobs that a quick check leaves out; the newest is the last.
    pub(super) skipped: Vec<Manifest>,
    /// Plain bytes to read.
    pub(super) bytes: u64,
}

impl Plan {
    pub(super) fn make(disk: &dyn Disk, dir: &Path, log: &LogInfo, quick: bool, findings: &mut Vec<Finding>) -> Result<Self, DiskError> {
        let parts = Parts::list(disk, dir)?;
        findings.extend(parts.unknown.into_iter().map(files::unknown));
        let mut plan = Self { jobs: Vec::new(), skipped: Vec::new(), bytes: 0 };
        for (first, listed) in parts.found {
            plan.part(disk, dir, first, listed, findings)?;
        }
        plan.connect(log);
        if quick {
            plan.newest();
        }
        Ok(plan)
    }

    fn part(&mut self, disk: &dyn Disk, dir: &Path, first: u64, listed: Listed, findings: &mut Vec<Finding>) -> Result<(), DiskError> {
        let path = format!("seg/{first:012}.json");
        let problem = match &listed.manifest {
            Some(Ok(manifest)) => fits(manifest, first).err().map(|detail| ("manifest-differs", detail.to_owned())),
            Some(Err(error)) => Some(("manifest-damaged", error.to_string())),
            None if listed.wal.is_none() => Some(("file-missing", "the segment has no manifest".to_owned())),
            None => None,
        };
        let manifest = match (problem, listed.manifest) {
            (Some((kind, detail)), _) => {
                findings.push(Finding::fail(kind, path, detail).at(first));
                self.without_manifest(disk, dir, first, &listed.sealed);
                return Ok(());
            }
            (None, manifest) => manifest.and_then(Result::ok),
        };
        if let Some(manifest) = manifest {
            for name in &listed.sealed {
                let wanted = ["entries", "slots", "commits"].map(|what| sealed_path(first, what, manifest.compression));
                if !wanted.contains(&format!("seg/{name}")) {
                    findings.push(warn("unknown-file", format!("seg/{name}"), "the manifest does not name this file"));
                }
            }
            if let Some(wal) = &listed.wal {
                findings.push(leftover(first, wal, &manifest)?);
            }
            self.bytes += manifest.plain.entries + manifest.plain.slots;
            self.jobs.push(Job { first, start: None, stated: true, kind: Kind::Sealed(Box::new(manifest)) });
        } else if let Some(wal) = listed.wal {
            for name in listed.sealed {
                findings.push(Finding::note(
                    "unfinished-file",
                    format!("seg/{name}"),
                    "a segment that was being sealed; its active file is still there",
                ));
            }
            self.bytes += wal.size()?;
            self.jobs.push(Job { first, start: None, stated: false, kind: Kind::Active(wal) });
        }
        Ok(())
    }

    /// Takes up a segment without a usable manifest, as its last commit line describes it.
    fn without_manifest(&mut self, disk: &dyn Disk, dir: &Path, first: u64, names: &[String]) {
        let compression = if names.iter().any(|name| name.ends_with(".gz")) { Compression::Gzip } else { Compression::None };
        let Ok(file) = disk.open(&dir.join(sealed_path(first, "commits", compression)), Open::Read) else { return };
        let mut lines = Lines::new(Source::new(file, 0, compression, false));
        let mut last = None;
        while let Ok(Some(line)) = lines.peek() {
            last = CommitLine::parse(line).ok().map(|parsed| (parsed.commit, line.to_vec())).or(last);
            lines.advance();
        }
        let Some((commit, line)) = last else { return };
        let manifest = Manifest {
            first,
            size: commit.size,
            first_t: commit.time,
            last_t: commit.time,
            chain: commit.chain,
            frontier: Vec::new(),
            commit: String::from_utf8_lossy(&line).into_owned(),
            compression,
            files: ManifestFiles::default(),
            plain: PlainBytes::default(),
        };
        if fits(&manifest, first).is_ok() {
            self.jobs.push(Job { first, start: None, stated: false, kind: Kind::Sealed(Box::new(manifest)) });
        }
    }

    /// Gives every part the state that the manifest before it states.
    fn connect(&mut self, log: &LogInfo) {
        let mut before: Option<(u64, Start)> = Some((0, Start::of_log(&log.origin)));
        for job in &mut self.jobs {
            job.start = before.take().filter(|(size, _)| *size == job.first).map(|(_, start)| start);
            if let (Kind::Sealed(manifest), true) = (&job.kind, job.stated) {
                before = stated(manifest).map(|start| (manifest.size, start));
            }
        }
    }

    /// Keeps the newest part that has events, and what follows it.
    fn newest(&mut self) {
        let has_events = |job: &Job| match &job.kind {
            Kind::Sealed(_) => true,
            Kind::Active(file) => Batches::new(Arc::clone(file), 0).next().is_ok_and(|batch| batch.is_some()),
        };
        let keep = self.jobs.iter().rposition(|job| has_events(job) && job.start.is_some()).unwrap_or(0);
        let rest = self.jobs.split_off(keep);
        for job in std::mem::replace(&mut self.jobs, rest) {
            if let Kind::Sealed(manifest) = job.kind {
                self.bytes -= manifest.plain.entries + manifest.plain.slots;
                self.skipped.push(*manifest);
            }
        }
    }
}

/// Checks that a manifest is of the segment that its name says and as large as its own last commit.
fn fits(manifest: &Manifest, first: u64) -> Result<(), &'static str> {
    let commit = CommitLine::parse(manifest.commit.as_bytes()).map_err(|_| "its last commit is no commit line")?.commit;
    if manifest.first != first {
        return Err("it is not of the segment that its name says");
    }
    if manifest.size != commit.size {
        return Err("its size is not that of its last commit");
    }
    match manifest.size.checked_sub(first) {
        Some(1..=SEGMENT_EVENTS_MAX) => Ok(()),
        _ => Err("its size is outside the limits of a segment"),
    }
}

/// Returns the state that a manifest states, if it is one that its last commit could have signed.
fn stated(manifest: &Manifest) -> Option<Start> {
    let commit = CommitLine::parse(manifest.commit.as_bytes()).ok()?.commit;
    let frontier = Frontier::from_hashes(TreeSize(manifest.size), manifest.frontier.iter().copied().map(NodeHash).collect()).ok()?;
    let meets = commit.size == manifest.size && commit.root == frontier.root().0 && commit.chain == manifest.chain;
    meets.then_some(Start { state: State { frontier, chain: manifest.chain }, since: Some(commit.time) })
}

/// Judges an active file whose segment is sealed: a crash, or the writer at this moment, left it.
fn leftover(first: u64, wal: &Arc<dyn DiskFile>, manifest: &Manifest) -> Result<Finding, DiskError> {
    let path = format!("wal/{first:012}.wal");
    let (mut batches, mut last) = (Batches::new(Arc::clone(wal), 0), Vec::new());
    while let Some(batch) = batches.next()? {
        last.clear();
        last.extend_from_slice(batch.commit_line);
    }
    let tail = batches.tail()?;
    if last == manifest.commit.as_bytes() && tail.bytes == 0 {
        return Ok(Finding::note("unfinished-file", path, "an active file whose segment is sealed already").at(first));
    }
    let detail = "the active file does not end with the commit that its sealed segment ends with";
    Ok(Finding::fail("active-differs", path, detail).at(first))
}

/// Recomputes one part.
pub(super) fn run(ctx: &Context<'_>, job: &Job, start: Start, newest: bool) -> super::fold::Part {
    match &job.kind {
        Kind::Sealed(manifest) => super::sealed::verify(ctx, manifest, job.stated, start),
        Kind::Active(file) => super::active::verify(ctx, job.first, file, start, newest),
    }
}

/// Returns the name of the file that stands for a part in findings.
pub(super) fn entries_path(job: &Job) -> String {
    match &job.kind {
        Kind::Sealed(manifest) => sealed_path(job.first, "entries", manifest.compression),
        Kind::Active(_) => format!("wal/{:012}.wal", job.first),
    }
}

/// Returns the files of slots and commits of a part.
pub(super) fn side_paths(job: &Job) -> (String, String, Compression) {
    match &job.kind {
        Kind::Sealed(manifest) => {
            let path = |what| sealed_path(job.first, what, manifest.compression);
            (path("slots"), path("commits"), manifest.compression)
        }
        Kind::Active(_) => (entries_path(job), entries_path(job), Compression::None),
    }
}
