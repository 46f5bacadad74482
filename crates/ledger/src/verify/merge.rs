//! The walk over all parts in order: that they meet, what they announce, what was published of them, and the report.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use sealtrail_tlog::VerifierKey;

use super::clocks::between;
use super::epochs::Keys;
use super::erasure::Erasures;
use super::fold::Part;
use super::own::{Own, Says};
use super::plan::{self, Job, Kind, Plan};
use super::published::Published;
use super::{Context, Progress, Start, quick, signatures, threads, warn};
use crate::line::Compression;
use crate::report::{Finding, Report};

/// Recomputes every part and fills the report.
#[expect(clippy::too_many_arguments, reason = "called once, from the function that made each of them")]
pub(super) fn run(
    ctx: &Context<'_>,
    plan: Plan,
    published: &Published,
    key: VerifierKey,
    threads: usize,
    progress: &mut dyn FnMut(Progress),
    report: &mut Report,
    mut findings: Vec<Finding>,
) {
    let Plan { jobs, skipped, bytes } = plan;
    let mut tick = || progress(Progress { done: ctx.progress.load(Ordering::Relaxed).min(bytes), total: bytes });
    let newest = jobs.len().saturating_sub(1);
    let folded = threads::run(
        threads,
        jobs.len(),
        |at| jobs[at].start.clone().map(|start| plan::run(ctx, &jobs[at], start, at == newest)),
        &mut tick,
    );
    let mut parts = connect(ctx, &jobs, folded, &mut findings);
    let mut keys = Keys::new(ctx.log, key);
    if let Some(last) = skipped.last() {
        quick::start(ctx, &skipped, last, published, &mut keys, &mut findings);
    }
    for (job, part) in jobs.iter().zip(&mut parts) {
        findings.append(&mut part.findings);
        findings.extend(keys.take(&part.own, &part.runs, &plan::entries_path(job)));
    }
    let whole = skipped.is_empty();
    judge_rewritten(&jobs, &parts, &mut findings);
    judge_own(ctx, &jobs, &parts, whole, &mut findings);
    let mut erasures = Erasures::new(parts.iter().flat_map(|part| &part.own));
    for (job, part) in jobs.iter().zip(&parts) {
        findings.extend(erasures.judge(&part.missing, &plan::side_paths(job).0));
    }
    let pieces = signatures::pieces(&jobs, &parts);
    let checked = threads::run(threads, pieces.len(), |at| signatures::check(ctx, &jobs, &parts, &keys, &erasures, &pieces[at]), &mut tick);
    for piece in checked {
        findings.extend(piece.findings);
        report.signatures += piece.signatures;
    }
    judge_published(ctx, &jobs, &parts, published, &mut findings);
    report.epochs = keys.count();
    report.erased = erasures.taken();
    let plain = |job: &&Job| matches!(&job.kind, Kind::Sealed(manifest) if manifest.compression == Compression::None);
    report.unhashed = if ctx.file_hashes { 0 } else { jobs.iter().filter(plain).count() as u64 };
    fill(ctx, parts, report, findings);
}

/// Checks that each part starts where and as the one before ended; those whose start was not stated are folded now.
fn connect(ctx: &Context<'_>, jobs: &[Job], folded: Vec<Option<Part>>, findings: &mut Vec<Finding>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::with_capacity(jobs.len());
    let newest = jobs.len().saturating_sub(1);
    let mut expected = jobs.first().filter(|job| job.first > 0 && job.start.is_some()).map_or(0, |job| job.first);
    for (at, (job, folded)) in jobs.iter().zip(folded).enumerate() {
        let path = plan::entries_path(job);
        if job.first != expected {
            let (kind, detail) = if job.first > expected {
                ("segment-missing", format!("events {expected} to {} are in no file", job.first - 1))
            } else {
                ("segment-overlap", format!("the file starts at event {} inside the one before it, which ends at {expected}", job.first))
            };
            findings.push(Finding::fail(kind, path.clone(), detail).at(expected.min(job.first)));
        }
        let before = match parts.last() {
            Some(last) if job.first == expected => last.end.clone().map(|state| (state, last.last.as_ref().map(|point| point.time))),
            Some(_) => None,
            None => job.start.clone().map(|start| (start.state, start.since)),
        };
        let same = |part: &Part| {
            before.as_ref().is_none_or(|(state, _)| job.start.as_ref().is_some_and(|start| start.state == *state)) && part.size >= job.first
        };
        let part = match (folded.filter(same), before) {
            (Some(part), _) => part,
            (None, Some((state, since))) => plan::run(ctx, job, Start { state, since }, at == newest),
            (None, None) => {
                let detail = "nothing states the tree before this file, so nothing in it could be recomputed";
                findings.push(Finding::fail("not-recomputed", path, detail).at(job.first));
                let size = if let Kind::Sealed(manifest) = &job.kind { manifest.size } else { job.first };
                Part { size, ..Part::default() }
            }
        };
        if let (Some(last), Some((first, starts))) = (parts.last().and_then(|part| part.last.as_ref()), &part.first) {
            findings.extend(between(last, first, *starts, false, &plan::entries_path(job), job.first));
        }
        expected = part.size.max(expected);
        parts.push(part);
    }
    parts
}

/// Judges the events that the ledger wrote about itself, other than epochs and erasures.
fn judge_own(ctx: &Context<'_>, jobs: &[Job], parts: &[Part], whole: bool, findings: &mut Vec<Finding>) {
    let mut running = false;
    for (job, part) in jobs.iter().zip(parts) {
        let file = plan::entries_path(job);
        for Own { seq, says } in &part.own {
            match says {
                Says::Created { .. } if *seq != 0 => {
                    findings.push(Finding::fail("created-twice", file.clone(), "the log is created a second time").at(*seq));
                }
                Says::Start if running => {
                    let detail = "the recorder started again and no stop is recorded: it had been killed, or the machine had stopped";
                    findings.push(Finding::note("unclean-stop", file.clone(), detail).at(*seq));
                }
                Says::Start => running = true,
                Says::Stop => running = false,
                Says::Gap { detail } => {
                    findings.push(Finding::note("gap", file.clone(), format!("the recorder says what it lost: {detail}")).at(*seq))
                }
                Says::Fork { detail } => {
                    findings.push(warn("fork", file.clone(), format!("the log continues one that lost data: {detail}")).at(*seq));
                }
                _ => {}
            }
        }
    }
    if whole {
        judge_created(ctx, parts, findings);
    }
}

/// Compares slot files with what the last recorded erasure left of them.
fn judge_rewritten(jobs: &[Job], parts: &[Part], findings: &mut Vec<Finding>) {
    let mut left: BTreeMap<u64, (u64, &str)> = BTreeMap::new();
    for own in parts.iter().flat_map(|part| &part.own) {
        if let Says::Erased { segments, .. } = &own.says {
            left.extend(segments.iter().map(|(first, new)| (*first, (own.seq, new.as_str()))));
        }
    }
    for job in jobs.iter().filter(|job| job.stated) {
        let (Kind::Sealed(manifest), Some((seq, new))) = (&job.kind, left.get(&job.first)) else { continue };
        let mut hex = Vec::new();
        crate::line::push_hex(&mut hex, &manifest.files.slots.sha256);
        if hex != new.as_bytes() {
            let detail = format!("the slot file is not the one that the erasure recorded by event {seq} left");
            findings.push(warn("slots-rewritten", plan::side_paths(job).0, detail).at(*seq));
        }
    }
}

/// Compares event 0 with `log.json`.
fn judge_created(ctx: &Context<'_>, parts: &[Part], findings: &mut Vec<Finding>) {
    let differs = |detail: &str| Finding::fail("created-differs", "log.json", detail).at(0);
    let created = parts.first().and_then(|part| part.own.first()).filter(|own| own.seq == 0);
    let Some(Says::Created { log, timestamp, hmac, .. }) = created.map(|own| &own.says) else {
        findings.push(
            Finding::fail("created-missing", "", "event 0 is not the creation of the log: the log is empty or its beginning is gone").at(0),
        );
        return;
    };
    let said = ctx.log;
    if [&said.origin, &said.log_id, &said.vkey] != [&log[0], &log[1], &log[2]] || said.hmac != *hmac {
        findings.push(differs("origin, log id, key or hmac are not those of event 0"));
    }
    if said.created.to_string() != *timestamp {
        findings.push(differs("the time of creation is not that of event 0"));
    }
}

fn judge_published(ctx: &Context<'_>, jobs: &[Job], parts: &[Part], published: &Published, findings: &mut Vec<Finding>) {
    let size = parts.last().map_or(0, |part| part.size);
    let at = |wanted: u64| parts.iter().flat_map(|part| &part.marks).find(|mark| mark.frontier.size().0 == wanted).cloned();
    let first_of =
        |wanted: u64| jobs.iter().zip(parts).find(|(job, part)| job.first < wanted && wanted <= part.size).map(|(job, _)| job.first);
    published.judge(size, at, first_of, findings);
    ctx.tiles.judge(size, findings);
    let covered = published.size.map_or(0, |size| size.0);
    if covered < size {
        let detail = format!(
            "nothing outside the events themselves covers the events after {covered}: had more followed event {}, the files here would not tell",
            size - 1
        );
        findings.push(Finding::note("not-witnessed", "", detail).at(covered));
    }
}

fn fill(ctx: &Context<'_>, parts: Vec<Part>, report: &mut Report, mut findings: Vec<Finding>) {
    report.parts = parts.len() as u64;
    report.size = sealtrail_tlog::TreeSize(parts.last().map_or(0, |part| part.size));
    report.root = parts.last().and_then(|part| part.end.as_ref()).map(|state| state.frontier.root());
    report.first = parts.iter().find_map(|part| part.first.as_ref()).map(|(point, _)| point.time);
    report.last = parts.iter().rev().find_map(|part| part.last.as_ref()).map(|point| point.time);
    for part in parts {
        report.events += part.events;
        report.commits += part.commits;
        report.macs += part.macs;
        report.slots += part.slots;
        report.bytes += part.bytes;
        report.findings_left_out += part.left_out;
    }
    if ctx.log.hmac && ctx.mac_key.is_none() {
        findings.push(Finding::note("macs-not-checked", "", "the events have macs, and their first key was not given"));
    }
    // In the order of the log; what is about no event comes last.
    findings.sort_by_key(|finding| finding.seq.unwrap_or(u64::MAX));
    for finding in findings {
        report.add(finding);
    }
}
