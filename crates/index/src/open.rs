//! What a partition says of itself.

use std::path::Path;

use tantivy::columnar::Column;
use tantivy::index::SegmentId;
use tantivy::{Index, IndexMeta, SegmentReader, TantivyError};

use crate::files::Files;

/// Up to where a partition is made: the payload of its commit, so that it is as old or as new as what was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The position after the last one.
    pub(crate) to: u64,
    /// The leaf hash of the last event, in hex; empty before the first.
    pub(crate) leaf: String,
}

impl Mark {
    /// Reads the mark of a partition that begins at `first`.
    pub(crate) fn of(meta: &IndexMeta, first: u64) -> Self {
        let parsed = meta.payload.as_deref().and_then(|payload| payload.split_once(' '));
        match parsed.and_then(|(to, leaf)| Some((to.parse::<u64>().ok()?, leaf))) {
            Some((to, leaf)) if to >= first => Self { to, leaf: leaf.to_owned() },
            _ => Self { to: first, leaf: String::new() },
        }
    }

    pub(crate) fn to_payload(&self) -> String {
        format!("{} {}", self.to, self.leaf)
    }
}

/// Opens the index in a folder.
pub(crate) fn open_folder(files: &dyn Files, dir: &Path) -> Result<Index, TantivyError> {
    Index::open(files.folder(dir)?)
}

/// Returns the segments in the order of their positions: id, first position and number of documents.
pub(crate) fn positions(index: &Index) -> Result<Vec<(SegmentId, u64, u32)>, TantivyError> {
    let mut found = Vec::new();
    for segment in index.searchable_segments()? {
        let reader = SegmentReader::open(&segment)?;
        found.push((segment.id(), first_position(&seq_column(&reader)?), reader.max_doc()));
    }
    found.sort_by_key(|(_, first, _)| *first);
    Ok(found)
}

/// Opens the column of positions.
pub(crate) fn seq_column(reader: &SegmentReader) -> Result<Column<u64>, TantivyError> {
    reader.fast_fields().u64("seq")
}

/// Returns the position of the first document.
pub(crate) fn first_position(seq: &Column<u64>) -> u64 {
    seq.first(0).unwrap_or(0)
}
