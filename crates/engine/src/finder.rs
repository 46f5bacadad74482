//! A trail as those who search it see it: the ledger and its index, both as they were at one moment.

use std::sync::Arc;

use sealtrail_disk::RealDisk;
use sealtrail_index::{Index, IndexError, Indexer, IndexerOptions, Progress};
use sealtrail_ledger::read::Reader;

use crate::home::Home;

/// 4,096 events: so few are looked at in less time than it takes to index them.
const BEHIND: u64 = 4_096;
/// 16,384 events are indexed between two commits.
pub(crate) const FEED_EVENTS: u64 = 16_384;

/// The ledger and its index.
pub struct Finder {
    /// Reads the ledger.
    pub reader: Reader,
    /// Answers searches; one that lags or is missing only makes them slower.
    pub index: Index,
}

impl Finder {
    /// Opens the ledger of a home and its index.
    pub fn open(home: &Home) -> Result<Self, IndexError> {
        let reader = Reader::open(Arc::new(RealDisk), &home.ledger())?;
        let index = Index::open(&home.index(), reader.log())?;
        Ok(Self { reader, index })
    }

    /// Looks for what was sealed and indexed since.
    pub fn refresh(&mut self) -> Result<(), IndexError> {
        // The index first: what it knows is then always in the ledger.
        self.index.refresh()?;
        Ok(self.reader.refresh()?)
    }

    /// Indexes what is missing, when that is much. Does nothing while another process does it.
    pub fn catch_up(&mut self, home: &Home, progress: &mut dyn FnMut(Progress)) -> Result<(), IndexError> {
        let size = self.reader.size().0;
        if size.saturating_sub(self.index.indexed_to()) <= BEHIND {
            return Ok(());
        }
        let mut indexer = match Indexer::open(&home.index(), self.reader.log(), &IndexerOptions::default()) {
            Err(error) if error.is_locked() => return Ok(()),
            opened => opened?,
        };
        loop {
            let fed = indexer.feed(&self.reader, FEED_EVENTS)?;
            progress(Progress { done: fed.indexed_to, total: fed.size });
            if fed.indexed_to >= fed.size {
                break;
            }
        }
        drop(indexer);
        self.index.refresh()
    }
}
