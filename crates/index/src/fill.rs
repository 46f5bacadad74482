//! Several partitions filled one after the other: a full one is ended on its own thread while the next is fed.

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use sealtrail_disk::{Disk, SimDisk};
use sealtrail_event::{AuditId, Envelope, Event, Token, Witness};
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::{CreateOptions, Ledger, Stamp};
use sealtrail_query::Search;

use crate::layout::SPAN;
use crate::{Answer, Index, Indexer, IndexerOptions, Options, run};

fn stamp(ms: u64) -> Stamp {
    Stamp { unix_ns: 1_772_323_200_000_000_000 + i128::from(ms) * 1_000_000, mono_ns: ms * 1_000_000, boot: "boot".into() }
}

/// Makes a ledger of so many events, its own among them.
fn ledger(events: u64) -> Reader {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let (at, mut salts) = (Path::new("/l"), Rng::with_seed(1));
    let entropy = move |into: &mut [u8]| salts.fill(into);
    let (mut ledger, _) = Ledger::create(Arc::clone(&disk), at, Path::new("/k"), CreateOptions::default(), entropy, &stamp(0)).unwrap();
    let event = |n: u64| {
        let id = AuditId::new(1_772_323_200_000 + n, [n as u8; 10]);
        let word = |text: &str| Token::parse(text).unwrap();
        let event_type = if n.is_multiple_of(3) { "data.file_read" } else { "tool.call" };
        Event { envelope: Envelope::new(id, word(event_type), word("2026-03-01T00:00:00Z"), Witness::Hook), slots: Vec::new() }
    };
    let own = ledger.size().0;
    let all: Vec<Event> = (own..events).map(event).collect();
    all.chunks(100).for_each(|group| drop(ledger.append(group, &stamp(1)).unwrap()));
    Reader::open(disk, at).unwrap()
}

fn found(reader: &Reader, index: Option<&Index>) -> Vec<u64> {
    let search = Search::parse_at("event_type=data.file_read", jiff::Timestamp::UNIX_EPOCH).unwrap();
    let mut nothing = |_| {};
    match run(reader, index, &search, &Options::default(), &mut nothing).unwrap() {
        Answer::Events(hits) => hits.map(|hit| hit.unwrap().seq.0).collect(),
        _ => panic!("a search without a pipe gives events"),
    }
}

/// Protects an index that grows past a partition: at every moment, also while a full partition is being ended and by a writer that was
/// dropped meanwhile, a search finds what a scan finds; at the end every full partition is one segment, and each event is in the index once.
#[test]
fn full_partitions_are_ended_beside_the_next() {
    let reader = ledger(4 * SPAN + SPAN / 4);
    let (folder, every) = (tempfile::tempdir().unwrap(), found(&reader, None));
    let mut indexer = Indexer::open(folder.path(), reader.log(), &IndexerOptions::default()).unwrap();
    let mut index = Index::open(folder.path(), reader.log()).unwrap();
    let mut rounds = 0;
    loop {
        let fed = indexer.feed(&reader, SPAN * 2 / 3).unwrap();
        index.refresh().unwrap();
        assert_eq!(found(&reader, Some(&index)), every);
        if fed.indexed_to >= fed.size {
            break;
        }
        rounds += 1;
        if rounds == 3 {
            drop(indexer);
            indexer = Indexer::open(folder.path(), reader.log(), &IndexerOptions::default()).unwrap();
        }
    }
    index.refresh().unwrap();
    let stats = index.stats().unwrap();
    assert_eq!((stats.partitions, stats.events, stats.indexed_to), (5, reader.size().0, reader.size().0));
    let full = index.segments().filter(|segment| u64::from(segment.docs) == SPAN).count();
    assert_eq!(full, 4, "each full partition is one segment");
}
