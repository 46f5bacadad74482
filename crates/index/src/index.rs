//! The index as a reader sees it: open partitions, without a lock.

use std::path::Path;
use std::sync::Arc;

use sealtrail_ledger::line::LogInfo;
use serde::Serialize;

use crate::error::IndexError;
use crate::files::{Files, RealFiles};
use crate::layout::{Layout, SPAN, State};
use crate::open::{Mark, open_folder};
use crate::segment::Segment;

/// A file can vanish between the list and its opening when the writer merges; each time means a merge ended just then.
const TRIES: usize = 8;

/// An index, as it was at the last [`Index::refresh`].
pub struct Index {
    layout: Layout,
    log: LogInfo,
    state: State,
    partitions: Vec<Partition>,
}

/// What an index has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Bytes of its files.
    pub bytes: u64,
    /// Partitions.
    pub partitions: u64,
    /// Segments of all partitions.
    pub segments: u64,
    /// Events in it.
    pub events: u64,
    /// The position up to which everything is in it.
    pub indexed_to: u64,
}

/// An open partition.
#[derive(Clone)]
pub(crate) struct Partition {
    first: u64,
    generation: u32,
    meta: Vec<u8>,
    to: u64,
    segments: Vec<Arc<Segment>>,
}

impl Index {
    /// Opens the index in `dir`. One that is missing or of another log or version is empty, and its state says so.
    pub fn open(dir: &Path, log: &LogInfo) -> Result<Self, IndexError> {
        Self::open_on(Arc::new(RealFiles), dir, log)
    }

    /// As [`Index::open`], of other files.
    pub(crate) fn open_on(files: Arc<dyn Files>, dir: &Path, log: &LogInfo) -> Result<Self, IndexError> {
        let mut index = Self { layout: Layout::new(files, dir), log: log.clone(), state: State::Missing, partitions: Vec::new() };
        index.refresh()?;
        Ok(index)
    }

    /// Looks for what was indexed since; what did not change stays open.
    pub fn refresh(&mut self) -> Result<(), IndexError> {
        let mut tries = 0;
        loop {
            match self.look() {
                Err(error) if tries < TRIES && !matches!(error, IndexError::Read(_)) => {
                    tries += 1;
                    if tries == TRIES {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
                Ok(partitions) => {
                    self.partitions = partitions;
                    return Ok(());
                }
            }
        }
    }

    /// Returns whether there is an index that can be used.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the position up to which everything is in the index.
    pub fn indexed_to(&self) -> u64 {
        let mut to = 0;
        for partition in &self.partitions {
            if partition.first > to {
                break;
            }
            to = partition.to;
        }
        to
    }

    /// Returns what the index has.
    pub fn stats(&self) -> Result<Stats, IndexError> {
        let segments = || self.partitions.iter().flat_map(|partition| &partition.segments);
        Ok(Stats {
            bytes: self.layout.bytes()?,
            partitions: self.partitions.len() as u64,
            segments: segments().count() as u64,
            events: segments().map(|segment| u64::from(segment.docs)).sum(),
            indexed_to: self.indexed_to(),
        })
    }

    /// Returns the segments in the order of their positions.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.partitions.iter().flat_map(|partition| &partition.segments)
    }

    fn look(&mut self) -> Result<Vec<Partition>, IndexError> {
        self.state = self.layout.state(&self.log)?;
        if self.state != State::Ready {
            return Ok(Vec::new());
        }
        let mut partitions = Vec::new();
        for (first, found) in self.layout.partitions()? {
            let known = self.partitions.iter().find(|known| known.first == first && known.generation == found.generation);
            // A full partition of one segment changes no more.
            let done = |known: &&Partition| known.to == first + SPAN && known.segments.len() == 1;
            match known.filter(done) {
                Some(known) => partitions.push(known.clone()),
                None => partitions.extend(Partition::open(self.layout.files(), &found.dir, first, found.generation, known)?),
            }
        }
        Ok(partitions)
    }
}

impl Partition {
    /// Opens a partition; nothing when nothing is committed in it yet. Segments of `known` that are still there stay open.
    fn open(files: &dyn Files, dir: &Path, first: u64, generation: u32, known: Option<&Self>) -> Result<Option<Self>, IndexError> {
        let meta = match files.disk().read(&dir.join("meta.json")) {
            Err(error) if error.is_missing() => return Ok(None),
            other => other?,
        };
        if let Some(known) = known.filter(|known| known.meta == meta) {
            return Ok(Some(known.clone()));
        }
        let open = || {
            let index = open_folder(files, dir)?;
            let metas = index.load_metas()?;
            let to = Mark::of(&metas, first).to;
            let mut segments = Vec::new();
            for segment in metas.segments.into_iter().map(|segment| index.segment(segment)) {
                let old = known.into_iter().flat_map(|known| &known.segments).find(|old| old.id == segment.id());
                segments.push(match old {
                    Some(old) => Arc::clone(old),
                    None => Arc::new(Segment::open(&segment, dir, first)?),
                });
            }
            segments.sort_by_key(|segment| segment.span().0);
            // Segments are runs of positions, one after another; anything else is no index of ours, and its events are looked at.
            let end =
                segments.iter().try_fold(first, |next, segment| Some(segment.span()).filter(|span| span.0 == next).map(|span| span.1));
            Ok((end == Some(to)).then_some(Self { first, generation, meta, to, segments }))
        };
        open().map_err(IndexError::on("open", dir))
    }
}
