//! Lines moved about: swapped, doubled, removed, put in, taken from other places, by an attacker who fixes every hash he can fix.

use sealtrail_ledger::line::{Compression, Manifest};
use sealtrail_ledger::report::Report;

use crate::attack_forge::{Files, check, noticed, sum_of, text};
use crate::attack_spec::{Spec, data};

fn plain(spec: Spec) -> Spec {
    Spec { compression: Compression::None, ..spec }
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Makes the manifests describe the files as they are now, as an attacker would.
fn refit(files: &mut Files) {
    let paths: Vec<String> = files.keys().filter(|path| path.starts_with("seg/") && path.ends_with(".json")).cloned().collect();
    for path in paths {
        let mut manifest = Manifest::parse(&files[&path]).unwrap();
        let file = |what: &str| &files[&format!("seg/{:012}.{what}.jsonl", manifest.first)];
        let (entries, slots, commits) = (file("entries"), file("slots"), file("commits"));
        manifest.plain.entries = entries.len() as u64;
        manifest.plain.slots = slots.len() as u64;
        manifest.plain.commits = commits.len() as u64;
        (manifest.files.entries, manifest.files.slots, manifest.files.commits) = (sum_of(entries), sum_of(slots), sum_of(commits));
        files.insert(path, manifest.encode());
    }
}

/// Damages the lines of one file and checks the result under manifests that fit it.
fn with_lines(files: &Files, path: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Report {
    let mut files = files.clone();
    let mut changed = lines(&files[path]);
    change(&mut changed);
    files.insert(path.to_owned(), changed.concat());
    refit(&mut files);
    check(&files)
}

fn line_files(files: &Files) -> Vec<String> {
    files.keys().filter(|path| path.ends_with(".jsonl") || path.ends_with(".wal")).cloned().collect()
}

/// Protects the order: any two neighbours, and pairs far apart, swapped in any file are noticed.
#[test]
fn every_swap_is_noticed() {
    let files = plain(Spec::honest(true)).files();
    for path in line_files(&files) {
        let count = lines(&files[&path]).iter().filter(|line| line.ends_with(b"\n")).count();
        for one in 0..count {
            for two in [one + 1, one + 2, count - 1].into_iter().filter(|two| one < *two && *two < count) {
                let report = with_lines(&files, &path, |lines| lines.swap(one, two));
                assert!(noticed(&report), "{path} lines {one} and {two}");
            }
        }
    }
}

/// Protects against removal and doubling: each line of each file, removed or written twice, is noticed.
#[test]
fn every_missing_and_every_second_line_is_noticed() {
    let files = plain(Spec::honest(true)).files();
    for path in line_files(&files) {
        for at in 0..lines(&files[&path]).len() {
            let zeros = lines(&files[&path])[at].iter().all(|byte| *byte == 0);
            let removed = with_lines(&files, &path, |lines| {
                lines.remove(at);
            });
            assert!(zeros || noticed(&removed), "{path} without line {at}");
            let doubled = with_lines(&files, &path, |lines| lines.insert(at, lines[at].clone()));
            assert!(zeros || noticed(&doubled), "{path} with line {at} twice");
        }
    }
}

/// Protects against lines from elsewhere: from another log of the same keys, from another segment, from another event.
#[test]
fn every_foreign_line_is_noticed() {
    let files = plain(Spec::honest(true)).files();
    let mut other = Spec::honest(true);
    for batch in &mut other.batches {
        for event in &mut batch.events {
            event.members = event.members.replace("evt_", "odd_");
            for (_, value) in &mut event.slots {
                *value = value.replace("cat", "rm");
            }
        }
    }
    let other = plain(other).files();
    let paths = line_files(&files);
    for path in &paths {
        let foreign = lines(&other[path]);
        for (at, own) in lines(&files[path]).iter().enumerate().filter(|(at, own)| **own != foreign[*at]) {
            let replaced = with_lines(&files, path, |lines| lines[at].clone_from(&foreign[at]));
            assert!(noticed(&replaced), "{path} line {at} of another log: {}", String::from_utf8_lossy(own));
            let added = with_lines(&files, path, |lines| lines.insert(at, foreign[at].clone()));
            assert!(noticed(&added), "{path} line {at} of another log put in");
        }
        for from in paths.iter().filter(|from| *from != path) {
            let moved = lines(&files[from]).into_iter().find(|line| line.ends_with(b"\n")).unwrap();
            let added = with_lines(&files, path, |lines| lines.insert(0, moved.clone()));
            assert!(noticed(&added), "first line of {from} put into {path}");
        }
    }
}

/// Protects slots: a slot of one event given to another, under any name and with the right position, is not what it committed to.
#[test]
fn a_slot_of_another_event_is_noticed() {
    let files = plain(Spec::honest(false)).files();
    let path = "seg/000000000000.slots.jsonl";
    let all = lines(&files[path]);
    for (at, line) in all.iter().enumerate() {
        for other in all.iter().filter(|other| *other != line) {
            let head = String::from_utf8_lossy(line).split(",\"salt\"").next().unwrap().to_owned();
            let tail = String::from_utf8_lossy(other).split_once(",\"salt\"").unwrap().1.to_owned();
            let forged = format!("{head},\"salt\"{tail}").into_bytes();
            let report = with_lines(&files, path, |lines| lines[at] = forged);
            assert!(!report.is_ok(), "line {at}");
        }
    }
}

/// Protects against whole files from another log: a segment, an active file, or every one of them, however well they fit.
#[test]
fn every_foreign_file_is_noticed() {
    let files = plain(Spec::honest(true)).files();
    let mut other = plain(Spec::honest(true));
    other.batches[1].events[0] = data(99);
    other.batches[5].events[0].members = other.batches[5].events[0].members.replace("retention", "whatever0");
    other.batches[9].events[0] = data(77);
    let other = other.files();
    for prefix in ["seg/000000000000", "seg/000000000018", "wal/", "tile/", "checkpoint", "highwater"] {
        let mut mixed = files.clone();
        mixed.extend(other.iter().filter(|(path, _)| path.starts_with(prefix)).map(|(path, bytes)| (path.clone(), bytes.clone())));
        let report = check(&mixed);
        assert!(!report.is_ok(), "{prefix}: {}", text(&report));
    }
}

/// Protects the place of a finding: one altered envelope among many is named by its position, and nothing around it is.
#[test]
fn the_altered_event_is_named() {
    let files = plain(Spec::honest(false)).files();
    for (path, seq, at) in [("seg/000000000000.entries.jsonl", 5, 5), ("seg/000000000018.entries.jsonl", 19, 1)] {
        let report = with_lines(&files, path, |lines| {
            let text = String::from_utf8_lossy(&lines[at]).replace("data.file_read", "data.file_seen");
            lines[at] = text.into_bytes();
        });
        let named: Vec<_> = report.findings.iter().filter(|finding| finding.kind == "event-altered").map(|finding| finding.seq).collect();
        assert_eq!(named, [Some(seq)], "{}", text(&report));
        assert_eq!(report.findings.iter().filter(|finding| finding.kind != "not-witnessed").count(), 1, "{}", text(&report));
        assert!(report.findings[0].since.is_some() && report.summary().contains(&format!("at event {seq}")), "{}", report.summary());
    }
}

/// Protects the place of a finding when an envelope is gone: its position is named and what follows still verifies.
#[test]
fn the_missing_event_is_named() {
    let files = plain(Spec::honest(false)).files();
    let report = with_lines(&files, "seg/000000000000.entries.jsonl", |lines| {
        lines.remove(7);
    });
    let failed: Vec<_> = report.findings.iter().filter(|finding| finding.kind == "event-missing").map(|finding| finding.seq).collect();
    assert_eq!(failed, [Some(7)], "{}", text(&report));
    assert!(!report.findings.iter().any(|finding| finding.kind == "root-differs"), "{}", text(&report));
}
