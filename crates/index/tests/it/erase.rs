//! What the ledger erased is in no file of the index, and a crash on the way changes nothing of that.

use std::path::Path;

use sealtrail_event::SlotName;
use sealtrail_index::{Index, Options};
use serde_json::{Value, json};

use crate::kit::{World, copy, events, index, indexer};

/// Records whose contents are words that stand nowhere else.
fn secrets(range: std::ops::Range<u64>) -> impl Iterator<Item = Value> {
    range.map(|n| {
        json!({
            "event_type": "data.file_read",
            "timestamp": "2026-03-01T10:00:00Z",
            "user_id": format!("quolibet{n}-person"),
            "email": format!("quolibet{n}@example.org"),
            "resource": { "path": format!("/home/quolibet{n}/x.txt") },
            "prompt": format!("please tell quolibet{n} about {}", "the weather ".repeat(20)),
            "own": { "deep": [format!("quolibet{n}")] },
            "userId2": format!("Quolibet{n}"),
        })
    })
}

/// Every file below `dir` whose bytes have `text`, in any case of its letters, and every term of a dictionary that has it: dictionaries
/// keep no word in one piece.
fn found_in_files(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(found_in_files(&entry.path(), text));
        } else if std::fs::read(entry.path()).unwrap().to_ascii_lowercase().windows(text.len()).any(|bytes| bytes == text.as_bytes()) {
            found.push(entry.path().display().to_string());
        }
    }
    if dir.join("meta.json").exists() {
        let index = tantivy::Index::open_in_dir(dir).unwrap();
        for segment in index.searchable_segments().unwrap() {
            let reader = tantivy::SegmentReader::open(&segment).unwrap();
            let words = reader.inverted_index(index.schema().get_field("w").unwrap()).unwrap();
            let mut terms = words.terms().stream().unwrap();
            while let Some((term, _)) = terms.next() {
                let term = String::from_utf8_lossy(term).to_lowercase();
                if term.contains(text) {
                    found.push(term);
                }
            }
        }
    }
    found
}

const ALL: &[SlotName] = &[SlotName::Identity, SlotName::Resource, SlotName::Prompt, SlotName::Input, SlotName::Output, SlotName::Content];

fn found(world: &World, index: Option<&Index>, search: &str) -> usize {
    events(&world.reader(), index, search, &Options::default()).len()
}

/// Protects erasure: before it the words are in the index (so the search of its bytes can find them), after it they are not, whatever they
/// were: key, word, text, unknown member; and the rest is still found.
#[test]
fn erased_words_are_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(1);
    world.append(secrets(0..200));
    world.append(std::iter::once(json!({ "event_type": "data.file_read", "user_id": "zyzzyva" })));
    let mut writer = indexer(dir.path(), &world.reader());
    writer.feed(&world.reader(), 1_000).unwrap();
    let there = found_in_files(dir.path(), "quolibet17").join(" ");
    for word in ["user_id", "email", "resource.path", "own.deep", "userid2"] {
        assert!(there.contains(word), "{word} can be found before: {there}");
    }
    assert!(
        found_in_files(dir.path(), "zyzzyva").iter().any(|file| file.ends_with(".fast")),
        "a column shows a word that begins as no other"
    );
    let before = index(dir.path(), &world.reader());
    let last = world.reader().size().0 - 1;
    world.erase(0, last, ALL);
    world.append(std::iter::once(json!({ "event_type": "data.file_read", "user_id": "somebody" })));
    // The old index still names them; the events no longer match.
    assert_eq!(found(&world, Some(&before), "quolibet17"), 0);
    let fed = writer.feed(&world.reader(), 1_000).unwrap();
    assert_eq!((fed.rebuilt, fed.indexed_to), (1, world.reader().size().0));
    assert_eq!(found_in_files(dir.path(), "quolibet"), Vec::<String>::new());
    assert_eq!(found_in_files(dir.path(), "zyzzyva"), Vec::<String>::new());
    let after = index(dir.path(), &world.reader());
    for search in ["user_id=somebody", "event_type=data.file_read", "erased=identity", "user_id exists", "quolibet17"] {
        assert_eq!(found(&world, Some(&after), search), found(&world, None, search), "{search}");
    }
    assert_eq!(found(&world, Some(&after), "erased=identity"), 201);
}

/// Protects what was erased before a part of it was ever fed, and an erasure of one slot of some events only.
#[test]
fn only_what_was_erased_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(2);
    world.append(secrets(0..100));
    let mut writer = indexer(dir.path(), &world.reader());
    writer.feed(&world.reader(), 60).unwrap();
    let first = events(&world.reader(), None, "user_id=quolibet30-person", &Options::default())[0].seq.0;
    world.erase(first, first + 40, &[SlotName::Identity]);
    while writer.indexed_to() < world.reader().size().0 {
        writer.feed(&world.reader(), 30).unwrap();
    }
    let index = index(dir.path(), &world.reader());
    assert_eq!(found_in_files(dir.path(), "quolibet30-person"), Vec::<String>::new());
    assert!(!found_in_files(dir.path(), "quolibet29-person").is_empty() && !found_in_files(dir.path(), "/home/quolibet30/").is_empty());
    for search in
        ["user_id=*-person", "user_id=quolibet31-person", "resource.path=*quolibet35*", "quolibet40", "| distinct user_id | count"]
    {
        if !search.starts_with('|') {
            assert_eq!(found(&world, Some(&index), search), found(&world, None, search), "{search}");
        }
    }
}

/// Protects an erasure that a crash interrupts: from any copy of the folder taken on the way, the next feed ends with nothing of it left.
#[test]
fn a_crash_while_forgetting_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("index");
    let mut world = World::new(3);
    world.append(secrets(0..50));
    let mut writer = indexer(&folder, &world.reader());
    writer.feed(&world.reader(), 1_000).unwrap();
    drop(writer);
    let before = dir.path().join("before");
    copy(&folder, &before);
    let last = world.reader().size().0 - 1;
    world.erase(0, last, ALL);
    indexer(&folder, &world.reader()).feed(&world.reader(), 1_000).unwrap();
    let note = format!("{{\"ranges\":[[0,{last}]]}}");
    // After the note; after the commit that passes the erasure by; with a half made partition; with both partitions.
    for step in 0..4 {
        let crashed = dir.path().join(format!("crashed-{step}"));
        copy(&before, &crashed);
        std::fs::write(crashed.join("forget.json"), &note).unwrap();
        let old = "p000000000000-0001";
        match step {
            1 => {
                die_before_the_rebuild(&crashed, &world);
                assert!(!found_in_files(&crashed, "quolibet").is_empty() && crashed.join("forget.json").exists());
            }
            2 => copy(&crashed.join(old), &crashed.join("p000000000000-0002.new")),
            3 => copy(&folder.join("p000000000000-0002"), &crashed.join("p000000000000-0002")),
            _ => {}
        }
        let mut writer = indexer(&crashed, &world.reader());
        writer.feed(&world.reader(), 1_000).unwrap();
        assert_eq!(found_in_files(&crashed, "quolibet"), Vec::<String>::new(), "step {step}");
        assert!(!crashed.join("forget.json").exists());
        assert_eq!(writer.indexed_to(), world.reader().size().0);
        let index = index(&crashed, &world.reader());
        assert_eq!(found(&world, Some(&index), "erased=identity"), 50);
    }
}

/// Feeds what came after the erasure and fails before the partition is made anew: a file lies where its folder must be.
fn die_before_the_rebuild(dir: &Path, world: &World) {
    let mut writer = indexer(dir, &world.reader());
    let way = dir.join("p000000000000-0002.new");
    std::fs::write(&way, "").unwrap();
    assert!(writer.feed(&world.reader(), 1_000).is_err());
    assert_eq!(writer.indexed_to(), world.reader().size().0);
    std::fs::remove_file(way).unwrap();
}
