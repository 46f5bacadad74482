//! One open segment: dictionaries, postings and columns of a run of positions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Number;
use tantivy::columnar::{Cardinality, Column, ColumnType, DynamicColumn, StrColumn};
use tantivy::index::SegmentId;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, InvertedIndexReader, SegmentReader, TantivyError};

use crate::bits::Bits;
use crate::class::column_name;
use crate::doc::Fields;
use crate::error::IndexError;
use crate::open::{first_position, seq_column};
use crate::term::{Tag, after, term};

/// An open segment.
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    dir: PathBuf,
    reader: SegmentReader,
    pub(crate) words: Arc<InvertedIndexReader>,
    grams: Arc<InvertedIndexReader>,
    seq: Column<u64>,
    pub(crate) ts: Column<i64>,
    /// The same, as bits that sort as the times do.
    pub(crate) ts_bits: Column<u64>,
    /// The first position of the partition.
    base: u64,
    /// Number of documents.
    pub(crate) docs: u32,
    columns: Mutex<HashMap<String, Columns>>,
}

/// The columns of one path.
#[derive(Clone, Default)]
pub(crate) struct Columns {
    pub(crate) keys: Option<StrColumn>,
    pub(crate) numbers: Option<NumberColumn>,
    pub(crate) times: Option<Column<i64>>,
}

/// Numbers, as bits that sort as the numbers do.
#[derive(Clone)]
pub(crate) struct NumberColumn {
    pub(crate) bits: Column<u64>,
    kind: ColumnType,
}

impl Segment {
    pub(crate) fn open(segment: &tantivy::Segment, dir: &Path, base: u64) -> Result<Self, TantivyError> {
        let (_, fields) = Fields::schema();
        let reader = SegmentReader::open(segment)?;
        let docs = reader.max_doc();
        let ts = reader.fast_fields().column_opt("ts")?;
        let ts_bits = reader.fast_fields().u64_lenient("ts")?.map(|(column, _)| column);
        Ok(Self {
            id: segment.id(),
            dir: dir.to_owned(),
            words: reader.inverted_index(fields.terms)?,
            grams: reader.inverted_index(fields.grams)?,
            seq: seq_column(&reader)?,
            ts: ts.unwrap_or_else(|| Column::build_empty_column(docs)),
            ts_bits: ts_bits.unwrap_or_else(|| Column::build_empty_column(docs)),
            base,
            docs,
            columns: Mutex::new(HashMap::new()),
            reader,
        })
    }

    /// Returns the position of a document.
    pub(crate) fn position(&self, doc: u32) -> u64 {
        self.base + self.seq.first(doc).unwrap_or(0)
    }

    /// Returns the first position and the one after the last.
    pub(crate) fn span(&self) -> (u64, u64) {
        let first = self.base + first_position(&self.seq);
        (first, first + u64::from(self.docs))
    }

    /// Returns the document of a position, or of the next one that has one here.
    pub(crate) fn doc_at(&self, position: u64) -> u32 {
        let (first, _) = self.span();
        u32::try_from(position.saturating_sub(first)).unwrap_or(u32::MAX).min(self.docs)
    }

    /// Adds the documents of a term to `bits`.
    pub(crate) fn add_term(&self, term: &[u8], bits: &mut Bits) -> Result<(), IndexError> {
        match self.words.terms().get(term).map_err(|error| self.damaged(error))? {
            Some(info) => self.add_postings(&info, bits),
            None => Ok(()),
        }
    }

    pub(crate) fn add_postings(&self, info: &TermInfo, bits: &mut Bits) -> Result<(), IndexError> {
        self.each_doc(info, |doc| bits.insert(doc))
    }

    /// Adds the documents of every term that begins with `range`.
    pub(crate) fn add_range(&self, range: &[u8], bits: &mut Bits) -> Result<(), IndexError> {
        let terms = self.words.terms().range().ge(range).lt(after(range)).into_stream();
        let mut terms = terms.map_err(|error| self.damaged(error))?;
        while let Some((_, info)) = terms.next() {
            self.add_postings(info, bits)?;
        }
        Ok(())
    }

    /// Adds the documents that have a text at a path of keys.
    pub(crate) fn add_key(&self, path: &str, text: &str, bits: &mut Bits) -> Result<(), IndexError> {
        let wanted = term(path, Tag::Text, text.as_bytes());
        let Some(info) = self.words.terms().get(&wanted).map_err(|error| self.damaged(error))? else { return Ok(()) };
        match self.others(path, &wanted, &info)? {
            Some(others) => bits.or(&others.not()),
            None => self.add_postings(&info, bits)?,
        }
        Ok(())
    }

    /// Returns the documents that have another text at a path, when these are fewer and every document has exactly one there.
    fn others(&self, path: &str, wanted: &[u8], info: &TermInfo) -> Result<Option<Bits>, IndexError> {
        // 1,024 other texts: a search for each costs less than half of the documents of the wanted one.
        const OTHERS_MAX: usize = 1_024;
        let one_each = |columns: Columns| columns.keys.is_some_and(|keys| keys.ords().get_cardinality() == Cardinality::Full);
        if info.doc_freq <= self.docs / 2 || !one_each(self.columns(path)?) {
            return Ok(None);
        }
        let range = term(path, Tag::Text, b"");
        let terms = self.words.terms().range().ge(&range).lt(after(&range)).into_stream();
        let mut terms = terms.map_err(|error| self.damaged(error))?;
        let (mut others, mut docs, mut texts) = (Bits::none(self.docs), 0u64, 0);
        while let Some((other, info)) = terms.next() {
            docs += u64::from(info.doc_freq);
            texts += 1;
            if texts > OTHERS_MAX || docs > u64::from(self.docs) {
                return Ok(None);
            }
            if other != wanted {
                self.add_postings(info, &mut others)?;
            }
        }
        Ok((docs == u64::from(self.docs)).then_some(others))
    }

    /// Whether some term begins with `range`.
    pub(crate) fn has_range(&self, range: &[u8]) -> Result<bool, IndexError> {
        let terms = self.words.terms().range().ge(range).lt(after(range)).into_stream();
        Ok(terms.map_err(|error| self.damaged(error))?.next().is_some())
    }

    /// Calls `see` with each document of a term.
    pub(crate) fn each_doc(&self, info: &TermInfo, mut see: impl FnMut(u32)) -> Result<(), IndexError> {
        let mut postings = self.postings(&self.words, info)?;
        while !postings.docs().is_empty() {
            postings.docs().iter().for_each(|doc| see(*doc));
            postings.advance();
        }
        Ok(())
    }

    fn postings(&self, index: &InvertedIndexReader, info: &TermInfo) -> Result<BlockSegmentPostings, IndexError> {
        index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic).map_err(|error| self.damaged(error))
    }

    /// Returns the documents that have every trigram of one of the texts; `None` when the texts are too short to say anything.
    pub(crate) fn with_any_text(&self, texts: &[String]) -> Result<Option<Bits>, IndexError> {
        if texts.iter().any(|text| text.len() < 3) {
            return Ok(None);
        }
        let mut found = Bits::none(self.docs);
        for text in texts {
            self.with_text(text, &mut found)?;
        }
        Ok(Some(found))
    }

    /// Adds the documents that have every trigram of `text`, the rarest first.
    fn with_text(&self, text: &str, found: &mut Bits) -> Result<(), IndexError> {
        // 24: further trigrams of a long text seldom say more than the rarest ones.
        const GRAMS_MAX: usize = 24;
        let mut infos = Vec::new();
        let mut grams: Vec<&[u8; 3]> = text.as_bytes().array_windows::<3>().collect();
        grams.sort_unstable();
        grams.dedup();
        for gram in grams {
            let Some(info) = self.grams.terms().get(gram).map_err(|error| self.damaged(error))? else { return Ok(()) };
            infos.push(info);
        }
        infos.sort_by_key(|info| info.doc_freq);
        infos.truncate(GRAMS_MAX);
        let Some((rarest, rest)) = infos.split_first() else { return Ok(()) };
        let mut docs = Vec::with_capacity(rarest.doc_freq as usize);
        let mut postings = self.postings(&self.grams, rarest)?;
        while !postings.docs().is_empty() {
            docs.extend_from_slice(postings.docs());
            postings.advance();
        }
        for info in rest {
            let other = self.grams.read_postings_from_terminfo(info, IndexRecordOption::Basic);
            let mut other = other.map_err(|error| self.damaged(error))?;
            docs.retain(|doc| {
                let at = if other.doc() < *doc { other.seek(*doc) } else { other.doc() };
                at == *doc
            });
        }
        docs.iter().for_each(|doc| found.insert(*doc));
        Ok(())
    }

    /// Opens the columns of a path; they are kept open.
    pub(crate) fn columns(&self, path: &str) -> Result<Columns, IndexError> {
        let mut known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(columns) = known.get(path) {
            return Ok(columns.clone());
        }
        let columns = self.open_columns(path).map_err(|source| IndexError::on("read", &self.dir)(source))?;
        // 4,096 paths of questions, not of events.
        if known.len() >= 4_096 {
            known.clear();
        }
        known.insert(path.to_owned(), columns.clone());
        Ok(columns)
    }

    fn open_columns(&self, path: &str) -> Result<Columns, TantivyError> {
        let mut columns = Columns::default();
        for kind in ['s', 'n', 't'] {
            let Some(name) = column_name(path, kind) else { continue };
            for handle in self.reader.fast_fields().dynamic_column_handles(&format!("c.{name}"))? {
                match (kind, handle.column_type()) {
                    ('n', of @ (ColumnType::I64 | ColumnType::U64 | ColumnType::F64)) => {
                        columns.numbers = handle.open_u64_lenient()?.map(|bits| NumberColumn { bits, kind: of });
                    }
                    ('s', _) => {
                        if let DynamicColumn::Str(column) = handle.open()? {
                            columns.keys = Some(column);
                        }
                    }
                    _ => columns.times = Option::<Column<i64>>::from(handle.open()?),
                }
            }
        }
        Ok(columns)
    }

    pub(crate) fn damaged(&self, source: std::io::Error) -> IndexError {
        IndexError::File { dir: self.dir.clone(), source }
    }
}

impl NumberColumn {
    /// Returns the number that `bits` stand for.
    pub(crate) fn number(&self, bits: u64) -> Option<Number> {
        use tantivy::columnar::MonotonicallyMappableToU64 as Map;
        match self.kind {
            ColumnType::I64 => Some(<i64 as Map>::from_u64(bits).into()),
            ColumnType::U64 => Some(bits.into()),
            _ => Number::from_f64(<f64 as Map>::from_u64(bits)),
        }
    }

    /// Returns the bits of the number, if the column can hold it.
    pub(crate) fn bits_of(&self, number: f64) -> Option<u64> {
        use tantivy::columnar::MonotonicallyMappableToU64 as Map;
        // Whole numbers in a column are below 2^53 in size.
        const EDGE: f64 = 9_007_199_254_740_992.0;
        let whole = number.fract() == 0.0 && number.abs() < EDGE;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and inside the range of the type")]
        match self.kind {
            ColumnType::I64 => whole.then(|| Map::to_u64(number as i64)),
            ColumnType::U64 => (whole && number >= 0.0).then_some(number as u64),
            _ => Some(Map::to_u64(number)),
        }
    }
}

/// Adds the documents whose value in `column` lies in the range.
pub(crate) fn add_range<T>(column: &Column<T>, range: std::ops::RangeInclusive<T>, docs: u32, bits: &mut Bits)
where
    T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    if range.is_empty() || *range.start() > column.max_value() || *range.end() < column.min_value() {
        return;
    }
    let mut found = Vec::new();
    column.get_docids_for_value_range(range, 0..docs, &mut found);
    found.iter().for_each(|doc| bits.insert(*doc));
}

/// Adds the documents that have a value in `column`.
pub(crate) fn add_present<T>(column: &Column<T>, bits: &mut Bits)
where
    T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    use tantivy::columnar::ColumnIndex;
    match &column.index {
        ColumnIndex::Full => bits.insert_range(0, bits.len()),
        ColumnIndex::Empty { .. } => {}
        index => (0..bits.len()).filter(|doc| index.has_value(*doc)).for_each(|doc| bits.insert(doc)),
    }
}
