//! Writes one partition: adds events in order, commits, merges.

use std::path::{Path, PathBuf};

use sealtrail_ledger::read::Stored;
use serde_json::Value;
use tantivy::index::SegmentId;
use tantivy::indexer::{NoMergePolicy, UserOperation};
use tantivy::{Index, IndexSettings, IndexWriter};

use crate::doc::{Doc, Fields};
use crate::error::IndexError;
use crate::extract::Extractor;
use crate::files::Files;
use crate::open::{Mark, positions};

/// Segments of fewer documents than these are merged with their neighbours as soon as there are [`FAN`] of them at the end.
const LEVELS: [u32; 3] = [4_096, 32_768, 262_144];
/// 8 segments into one: a document is written four times at most.
const FAN: usize = 8;

/// The writer of one partition.
pub(crate) struct Partition {
    dir: PathBuf,
    first: u64,
    index: Index,
    writer: IndexWriter<Doc>,
    extractor: Extractor,
    committed: Mark,
}

impl Partition {
    /// Opens the partition in `dir`, or makes it.
    pub(crate) fn open(files: &dyn Files, dir: &Path, first: u64, memory_bytes: usize) -> Result<Self, IndexError> {
        files.disk().create_dir(dir)?;
        let (schema, fields) = Fields::schema();
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let make = || {
            let directory = files.folder(dir)?;
            let index = if Index::exists(&*directory)? { Index::open(directory)? } else { Index::create(directory, schema, settings)? };
            let writer = index.writer_with_num_threads(1, memory_bytes)?;
            writer.set_merge_policy(Box::new(NoMergePolicy));
            let committed = Mark::of(&index.load_metas()?, first);
            Ok((index, writer, committed))
        };
        let (index, writer, committed) = make().map_err(IndexError::on("open", dir))?;
        Ok(Self { dir: dir.to_owned(), first, index, writer, extractor: Extractor::new(fields), committed })
    }

    /// Returns up to where the partition is committed.
    pub(crate) fn mark(&self) -> &Mark {
        &self.committed
    }

    /// Adds an event; the writer's own thread indexes it while the next one is read.
    pub(crate) fn add(&mut self, stored: &Stored, view: &Value) -> Result<(), IndexError> {
        self.add_view(stored.seq.0, view)
    }

    /// Adds an event by its position and its view.
    pub(crate) fn add_view(&mut self, seq: u64, view: &Value) -> Result<(), IndexError> {
        let doc = self.extractor.extract(seq.saturating_sub(self.first), view);
        // One operation at a time keeps the order; there is one thread.
        self.writer.run([UserOperation::Add(doc)]).map(|_| ()).map_err(IndexError::on("write", &self.dir))
    }

    /// Makes what was added last, up to `mark`.
    pub(crate) fn commit(&mut self, mark: Mark) -> Result<(), IndexError> {
        let mut commit = || {
            let mut prepared = self.writer.prepare_commit()?;
            prepared.set_payload(&mark.to_payload());
            prepared.commit()
        };
        commit().map_err(IndexError::on("write", &self.dir))?;
        self.committed = mark;
        Ok(())
    }

    /// Merges small segments, or all of them when the partition is `full`. Segments stay runs of positions in order.
    pub(crate) fn settle(&mut self, full: bool) -> Result<(), IndexError> {
        loop {
            let few = if full { 2 } else { FAN };
            let dir = self.dir.clone();
            if self.index.load_metas().map_err(IndexError::on("read", &dir))?.segments.len() < few {
                return Ok(());
            }
            let runs = positions(&self.index).map_err(IndexError::on("read", &dir))?;
            let Some(ids) = to_merge(&runs, full) else { return Ok(()) };
            self.writer.merge(&ids).wait().map_err(IndexError::on("merge", &dir))?;
        }
    }

    /// Ends the writer.
    pub(crate) fn close(self) -> Result<(), IndexError> {
        self.writer.wait_merging_threads().map_err(IndexError::on("close", &self.dir))
    }
}

/// Returns the segments at the end that are to become one; `runs` are id, first position and number of documents, in order.
fn to_merge(runs: &[(SegmentId, u64, u32)], full: bool) -> Option<Vec<SegmentId>> {
    let ids = |from: usize| runs.iter().skip(from).map(|(id, ..)| *id).collect();
    if full {
        return (runs.len() > 1).then(|| ids(0));
    }
    LEVELS.iter().find_map(|level| {
        let small = runs.iter().rev().take_while(|(.., docs)| docs < level).count();
        (small >= FAN).then(|| ids(runs.len() - small))
    })
}
