//! An index in a folder, and what is asked of it.

use std::path::Path;

use sealtrail_index::{Answer, Hit, Index, IndexError, Indexer, IndexerOptions, Options, run};
use sealtrail_ledger::read::Reader;
use sealtrail_query::Search;

pub(crate) use crate::world::World;

pub(crate) fn indexer(dir: &Path, reader: &Reader) -> Indexer {
    Indexer::open(dir, reader.log(), &IndexerOptions { memory_bytes: 16 << 20 }).unwrap()
}

pub(crate) fn index(dir: &Path, reader: &Reader) -> Index {
    Index::open(dir, reader.log()).unwrap()
}

/// Runs a search for events.
pub(crate) fn events(reader: &Reader, index: Option<&Index>, search: &str, options: &Options) -> Vec<Hit> {
    try_events(reader, index, search, options).unwrap()
}

pub(crate) fn try_events(reader: &Reader, index: Option<&Index>, search: &str, options: &Options) -> Result<Vec<Hit>, IndexError> {
    let search = Search::parse(search).unwrap();
    match run(reader, index, &search, options, &mut |_| ())? {
        Answer::Events(hits) => hits.collect(),
        Answer::Table(_) | Answer::Matches(_) => panic!("{search} is no list of events"),
    }
}

/// Copies a folder as it is; what goes away meanwhile is not copied.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            drop(std::fs::copy(entry.path(), to));
        }
    }
}
