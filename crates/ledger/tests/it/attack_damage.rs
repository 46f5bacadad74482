//! Damage without knowledge: bits, cuts and missing files, all of them, on a small ledger.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealtrail_disk::{Disk, Open, SimDisk};
use sealtrail_ledger::line::{Compression, Manifest};
use sealtrail_ledger::report::{Report, Severity};
use sealtrail_ledger::verify::VerifyOptions;

use crate::attack_forge::{Files, check, check_disk, disk_of, noticed, options, text};
use crate::attack_spec::Spec;

fn put(disk: &SimDisk, path: &str, offset: u64, byte: u8) {
    let file = disk.open(&Path::new("/l").join(path), Open::Write).unwrap();
    file.write_at(&[byte], offset).unwrap();
}

/// Tells whether the report names the file in a failure or a warning.
fn names(report: &Report, path: &str) -> bool {
    let named = |text: &str| text.split([' ', ':', ',']).any(|word| word == path);
    report.findings.iter().any(|finding| finding.severity > Severity::Note && (finding.file == path || named(&finding.detail)))
}

/// Flips bits of every `stride`-th byte of every file, each alone, and wants the file named.
///
/// With `SEALTRAIL_TEST_EXHAUSTIVE` set: all eight bits of every byte.
fn flip_everything(spec: &Spec, stride: usize) {
    let all = std::env::var_os("SEALTRAIL_TEST_EXHAUSTIVE").is_some();
    let (stride, bits) = if all { (1, [0, 1, 2, 3, 4, 5, 6, 7].as_slice()) } else { (stride, [0, 3, 6].as_slice()) };
    let files = spec.files();
    let bytes = files.iter().flat_map(|(path, bytes)| bytes.iter().enumerate().map(move |(at, byte)| (path, at, *byte)));
    let places: Vec<(&String, usize, u8)> = bytes.step_by(stride).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (disk, places, next) = (disk_of(&files), &places, &next);
            scope.spawn(move || {
                while let Some((path, at, byte)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for bit in bits.iter().map(|bit| (at + bit) % 8) {
                        put(&disk, path, *at as u64, byte ^ 1 << bit);
                        let report = check_disk(&disk, &options());
                        assert!(names(&report, path), "{path} byte {at} bit {bit}: {}", text(&report));
                    }
                    put(&disk, path, *at as u64, *byte);
                }
            });
        }
    });
    assert!(next.into_inner() >= places.len());
}

/// Protects against every changed bit: three of each byte of each file of a small ledger, and the file is named every time.
#[test]
fn every_bit_counts() {
    flip_everything(&Spec::tiny(true), 1);
}

/// Protects the same for files that are not compressed, where a bit of text may still be text.
#[test]
fn every_bit_counts_without_compression() {
    flip_everything(&Spec { compression: Compression::None, ..Spec::tiny(false) }, 1);
}

/// Protects what is said of hashes that are left out: without compression they repeat what every line says already, so one that was
/// replaced together with the CRC of its manifest costs nothing, is found when asked for, and is never taken for another file's.
#[test]
fn a_replaced_hash_of_an_uncompressed_file_is_found_when_asked_for() {
    let mut files = Spec { compression: Compression::None, ..Spec::tiny(false) }.files();
    let (path, bytes) = files.iter_mut().find(|(path, _)| path.starts_with("seg/") && path.ends_with(".json")).unwrap();
    let path = path.clone();
    let mut manifest = Manifest::parse(bytes).unwrap();
    manifest.files.entries.sha256[0] ^= 1;
    *bytes = manifest.encode();
    let full = VerifyOptions { file_hashes: true, ..options() };
    let disk = disk_of(&files);
    let (quiet, asked) = (check_disk(&disk, &options()), check_disk(&disk, &full));
    assert!(!names(&quiet, &path), "{}", text(&quiet));
    assert!(asked.findings.iter().any(|finding| finding.kind == "file-differs"), "{}", text(&asked));
}

/// Protects the same in a ledger of several segments and epochs, at places spread over all of its bytes.
#[test]
fn bits_count_in_a_larger_ledger() {
    flip_everything(&Spec::honest(true), 19);
}

/// Sizes and file offsets at which the batches of the active file end.
fn batch_ends(spec: &Spec, wal: &[u8]) -> Vec<(u64, usize)> {
    let active: usize = spec.sealed.iter().sum();
    let mut size = spec.batches[..active].iter().map(|batch| batch.events.len() as u64).sum();
    let mut ends = vec![(size, 0)];
    let mut offset = 0;
    for line in wal.split_inclusive(|byte| *byte == b'\n') {
        offset += line.len();
        if line.starts_with(b"{\"commit\"") {
            size += spec.batches[active + ends.len() - 1].events.len() as u64;
            ends.push((size, offset));
        }
    }
    ends
}

/// Protects recovery's promise for every possible torn write: what is left is exactly the acknowledged prefix, and a cut that lost
/// something published is a failure.
#[test]
fn every_cut_of_the_active_file_leaves_the_prefix() {
    let spec = Spec { sealed: vec![], gone: Vec::new(), published: vec![4], ..Spec::tiny(true) };
    let files = spec.files();
    let (path, wal) = files.iter().find(|(path, _)| path.starts_with("wal/")).unwrap();
    let ends = batch_ends(&spec, wal);
    assert_eq!(ends.last().unwrap().0, spec.size());
    for cut in 0..=wal.len() {
        let mut files = files.clone();
        files.insert(path.clone(), wal[..cut].to_vec());
        let report = check(&files);
        let (size, end) = *ends.iter().rfind(|(_, end)| *end <= cut).unwrap();
        assert_eq!(report.size.0, size, "cut at {cut}: {}", text(&report));
        let torn = wal[end..cut].iter().any(|byte| *byte != 0);
        assert_eq!(report.findings.iter().any(|finding| finding.kind == "torn-tail"), torn, "cut at {cut}");
        assert_eq!(report.findings.iter().any(|finding| finding.kind == "events-lost"), size < 4, "cut at {cut}");
    }
}

/// Protects the difference between a torn write and damage: a flipped bit in any batch but the last is a failure, never a torn tail.
#[test]
fn damage_before_the_last_batch_is_no_torn_write() {
    let spec = Spec { sealed: vec![], gone: Vec::new(), published: vec![], ..Spec::honest(false) };
    let files = spec.files();
    let (path, wal) = files.iter().find(|(path, _)| path.starts_with("wal/")).unwrap();
    let ends = batch_ends(&spec, wal);
    let last = ends[ends.len() - 2].1;
    let disk = disk_of(&files);
    for at in (0..last).step_by(13) {
        put(&disk, path, at as u64, wal[at] ^ 1 << (at % 8));
        let report = check_disk(&disk, &options());
        assert!(!report.is_ok() && names(&report, path), "byte {at}: {}", text(&report));
        put(&disk, path, at as u64, wal[at]);
    }
}

/// Protects against files cut short: every length of every file other than the active one is noticed, and the file is named.
#[test]
fn every_cut_of_every_file_is_noticed() {
    let files = Spec::tiny(false).files();
    for (path, bytes) in files.iter().filter(|(path, _)| !path.starts_with("wal/")) {
        for cut in 0..bytes.len() {
            let mut files = files.clone();
            files.insert(path.clone(), bytes[..cut].to_vec());
            let report = check(&files);
            assert!(names(&report, path), "{path} cut at {cut}: {}", text(&report));
        }
    }
}

fn without(files: &Files, gone: &[&String]) -> Report {
    let mut files = files.clone();
    gone.iter().for_each(|path| {
        files.remove(*path);
    });
    check(&files)
}

/// Protects against missing files: each one alone and each two together are noticed, and the loss of any that holds events fails.
#[test]
fn every_missing_file_is_noticed() {
    let files = Spec::honest(true).files();
    let paths: Vec<&String> = files.keys().collect();
    for (at, one) in paths.iter().enumerate() {
        let report = without(&files, &[one]);
        assert!(noticed(&report), "{one}: {}", text(&report));
        if one.starts_with("seg/") || one.starts_with("wal/") || one.as_str() == "log.json" {
            assert!(!report.is_ok(), "{one}: {}", text(&report));
        }
        for two in &paths[at + 1..] {
            assert!(noticed(&without(&files, &[one, two])), "{one} and {two}");
        }
    }
}

/// Protects against files put in: whatever is not the ledger's is named, and a leftover of a crash is told from it.
#[test]
fn every_unknown_file_is_named() {
    let clean = Spec::honest(false).files();
    for path in [
        "notes.txt",
        "seg/extra",
        "seg/000000000000.entries.jsonl",
        "seg/000000000000.slots.jsonl.gz.bak",
        "wal/1.wal",
        "tile/0/999",
        "tile/x",
        "quarantine/x",
    ] {
        let mut files = clean.clone();
        files.insert(path.to_owned(), vec![1, 2, 3]);
        let report = check(&files);
        assert!(names(&report, path), "{path}: {}", text(&report));
    }
    let mut files = clean.clone();
    files.insert("highwater.new".to_owned(), vec![1]);
    let report = check(&files);
    assert!(!noticed(&report) && report.findings.iter().any(|finding| finding.kind == "unfinished-file"));
}
