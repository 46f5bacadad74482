//! Events are found, in order, from where they are asked for, whatever part of them is in the index.

use sealtrail_index::{Hit, Indexer, IndexerOptions, Options, Order, State};
use sealtrail_testkit::Load;
use sealtrail_tlog::Seq;

use crate::kit::{World, events, index, indexer};

const SEARCHES: &[&str] = &[
    "",
    "event_type=auth.user_login",
    "auth.user_login[status=fail]",
    "user_id=user_* and not event_type=data.*",
    "source_ip=203.0.113.*",
    "source_ip=203.0.113.0/24 status=success",
    "\"rm -rf\"",
    "prod-config",
    "resource.path=*.yaml",
    "resource.size_bytes>100000",
    "duration_ms>=100 status=fail",
    "timestamp>=2026-02-01 timestamp<2026-02-20",
    "resource exists and not tool_name exists",
    "nothing_of_this=x",
    "event_type=ledger.*",
];

/// Protects the one promise of the index: a search with it finds what a search without it finds, in the same order, with any limit and
/// cursor, while a part of the events is not in it.
#[test]
fn with_the_index_as_without() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(1);
    let end = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut load = Load::new(1, 1_500, end);
    world.append(load.by_ref().take(1_000));
    let reader = world.reader();
    let mut writer = indexer(dir.path(), &reader);
    assert_eq!(writer.feed(&reader, 700).unwrap().indexed_to, 700);
    assert_eq!(writer.feed(&reader, u64::MAX).unwrap().indexed_to, reader.size().0);
    world.append(load);
    let reader = world.reader();
    writer.feed(&reader, 300).unwrap();
    let index = index(dir.path(), &reader);
    assert!(index.indexed_to() < reader.size().0, "some events are in no index");
    for search in SEARCHES {
        // The answer without an index is complete; what a limit and cursors leave of it is simple.
        let all = events(&reader, None, search, &Options { order: Order::Oldest, ..Options::default() });
        for order in [Order::Newest, Order::Oldest] {
            let bounds =
                [(None, None, None), (Some(7), None, None), (Some(100), Some(Seq(1_300)), None), (None, Some(Seq(900)), Some(Seq(300)))];
            for (limit, before, after) in bounds {
                let inside = |hit: &&Hit| before.is_none_or(|before| hit.seq < before) && after.is_none_or(|after| hit.seq > after);
                let mut wanted: Vec<Hit> = all.iter().filter(inside).cloned().collect();
                if order == Order::Newest {
                    wanted.reverse();
                }
                wanted.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
                let options = Options { order, limit, before, after, ..Options::default() };
                assert!(events(&reader, Some(&index), search, &options) == wanted, "{search} {options:?}");
            }
        }
    }
}

/// Protects the beginning: a missing index, and one of another log, is an empty one, and says so; the writer begins anew.
#[test]
fn an_index_of_another_log_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("index");
    let (mut one, mut other) = (World::new(1), World::new(2));
    let end = "2026-03-01T00:00:00Z".parse().unwrap();
    one.append(Load::new(1, 50, end));
    other.append(Load::new(2, 20, end));
    assert_eq!(index(&folder, &one.reader()).state(), State::Missing);
    indexer(&folder, &one.reader()).feed(&one.reader(), 1_000).unwrap();
    assert_eq!(index(&folder, &one.reader()).state(), State::Ready);
    let foreign = index(&folder, &other.reader());
    assert_eq!((foreign.state(), foreign.indexed_to()), (State::Foreign, 0));
    let fed = indexer(&folder, &other.reader()).feed(&other.reader(), 1_000).unwrap();
    assert_eq!((fed.indexed_to, fed.events), (other.reader().size().0, other.reader().size().0));
    assert_eq!(index(&folder, &one.reader()).state(), State::Foreign);
}

/// Protects against two writers: the second is refused and told why.
#[test]
fn one_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(1);
    let _first = indexer(dir.path(), &world.reader());
    let second = Indexer::open(dir.path(), world.reader().log(), &IndexerOptions::default());
    assert!(second.is_err_and(|error| error.is_locked()));
}
