//! The writer dies anywhere: what was committed is there once, the rest is fed again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sealtrail_index::Options;
use sealtrail_testkit::Load;

use crate::kit::{World, copy, events, index, indexer};

/// Protects the index against a crash at any moment: folders copied while a writer feeds and merges are opened, asked, and fed to the end.
#[test]
fn a_copy_taken_at_any_moment_is_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("index");
    let mut world = World::new(5);
    world.append(Load::new(5, 700, "2026-03-01T00:00:00Z".parse().unwrap()));
    let reader = world.reader();
    let done = Arc::new(AtomicBool::new(false));
    let copies = std::thread::scope(|scope| {
        let copier = scope.spawn(|| {
            let mut copies = Vec::new();
            while !done.load(Ordering::Relaxed) && copies.len() < 40 {
                let to = dir.path().join(format!("copy-{}", copies.len()));
                // A file can go away while it is copied, as it can before it reached the disk.
                copy(&folder, &to);
                copies.push(to);
            }
            copies
        });
        let mut writer = indexer(&folder, &reader);
        while writer.indexed_to() < reader.size().0 {
            writer.feed(&reader, 23).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        copier.join().unwrap()
    });
    assert!(copies.len() > 3, "{} copies", copies.len());
    let wanted = events(&reader, None, "event_type=data.*", &Options::default());
    for copy in &copies {
        check(copy, &reader, &wanted);
    }
}

fn check(dir: &Path, reader: &sealtrail_ledger::read::Reader, wanted: &[sealtrail_index::Hit]) {
    // A reader meets it as it is; a partition with a missing file is an error that says so, or is not there yet.
    if let Ok(index) = sealtrail_index::Index::open(dir, reader.log()) {
        assert!(events(reader, Some(&index), "event_type=data.*", &Options::default()) == wanted, "{}", dir.display());
    }
    let mut writer = indexer(dir, reader);
    while writer.indexed_to() < reader.size().0 {
        writer.feed(reader, 200).unwrap();
    }
    let index = index(dir, reader);
    let stats = index.stats().unwrap();
    assert_eq!((stats.events, stats.indexed_to), (reader.size().0, reader.size().0), "each event is there once");
    assert!(events(reader, Some(&index), "event_type=data.*", &Options::default()) == wanted, "{}", dir.display());
}

/// Protects against damage: each file of the index cut short or filled with other bytes never gives another answer; the writer makes it good.
#[test]
fn a_damaged_file_never_changes_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("index");
    let mut world = World::new(6);
    world.append(Load::new(6, 200, "2026-03-01T00:00:00Z".parse().unwrap()));
    let reader = world.reader();
    indexer(&folder, &reader).feed(&reader, 1_000).unwrap();
    let wanted = events(&reader, None, "event_type=data.*", &Options::default());
    let partition = "p000000000000-0001";
    for entry in std::fs::read_dir(folder.join(partition)).unwrap().map(Result::unwrap) {
        let damaged = dir.path().join("damaged");
        drop(std::fs::remove_dir_all(&damaged));
        copy(&folder, &damaged);
        let file = damaged.join(partition).join(entry.file_name());
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        let mut writer = indexer(&damaged, &reader);
        writer.feed(&reader, 1_000).unwrap();
        let index = index(&damaged, &reader);
        assert!(events(&reader, Some(&index), "event_type=data.*", &Options::default()) == wanted, "{}", file.display());
    }
}
