//! What the index keeps of one event, and how tantivy sees it.

use std::sync::Arc;

use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};
use tantivy::schema::{BytesOptions, Document, FAST, Field, JsonObjectOptions, Schema, Value};

/// The fields of a partition; every one has the same, so their numbers are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    /// Position, less the first one of the partition.
    pub(crate) seq: Field,
    /// Time of the event in nanoseconds since 1970.
    pub(crate) ts: Field,
    /// Columns by path.
    pub(crate) columns: Field,
    /// Terms of paths and values.
    pub(crate) terms: Field,
    /// Three bytes that follow each other in a searched text.
    pub(crate) grams: Field,
}

impl Fields {
    /// Makes the schema of a partition.
    pub(crate) fn schema() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let postings = BytesOptions::default().set_indexed();
        let fields = Self {
            seq: schema.add_u64_field("seq", FAST),
            ts: schema.add_i64_field("ts", FAST),
            columns: schema.add_json_field("c", JsonObjectOptions::default().set_fast("raw")),
            terms: schema.add_bytes_field("w", postings.clone()),
            grams: schema.add_bytes_field("g", postings),
        };
        (schema.build(), fields)
    }
}

/// A value in a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell {
    /// A text: where it begins and ends in [`Doc::texts`].
    Text(usize, usize),
    Whole(i64),
    Real(f64),
}

/// What the index keeps of one event.
#[derive(Debug)]
pub(crate) struct Doc {
    pub(crate) fields: Fields,
    pub(crate) seq: u64,
    pub(crate) ts: Option<i64>,
    pub(crate) terms: Vec<u8>,
    /// Where each term ends.
    pub(crate) ends: Vec<usize>,
    pub(crate) grams: Vec<[u8; 3]>,
    pub(crate) texts: String,
    pub(crate) cells: Vec<(Arc<str>, Cell)>,
}

impl Doc {
    pub(crate) fn new(fields: Fields, seq: u64) -> Self {
        let (terms, ends, grams) = (Vec::with_capacity(2048), Vec::with_capacity(64), Vec::with_capacity(256));
        Self { fields, seq, ts: None, terms, ends, grams, texts: String::with_capacity(512), cells: Vec::with_capacity(40) }
    }

    fn terms(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.terms.get(start..*end).unwrap_or_default())
    }
}

/// A value as tantivy asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DocValue<'a> {
    Bytes(&'a [u8]),
    Position(u64),
    Time(i64),
    Columns(&'a Doc),
    Cell(&'a Doc, Cell),
}

impl Document for Doc {
    type Value<'a> = DocValue<'a>;
    type FieldsValuesIter<'a> = Box<dyn Iterator<Item = (Field, DocValue<'a>)> + 'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let Fields { seq, ts, columns, terms, grams } = self.fields;
        let first = [
            Some((seq, DocValue::Position(self.seq))),
            self.ts.map(|at| (ts, DocValue::Time(at))),
            Some((columns, DocValue::Columns(self))),
        ];
        let words = self.terms().map(move |term| (terms, DocValue::Bytes(term)));
        let threes = self.grams.iter().map(move |gram| (grams, DocValue::Bytes(gram)));
        Box::new(first.into_iter().flatten().chain(words).chain(threes))
    }
}

/// The columns of one event.
pub(crate) struct Cells<'a> {
    doc: &'a Doc,
    next: usize,
}

impl<'a> Iterator for Cells<'a> {
    type Item = (&'a str, DocValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, cell) = self.doc.cells.get(self.next)?;
        self.next += 1;
        Some((name, DocValue::Cell(self.doc, *cell)))
    }
}

impl<'a> Value<'a> for DocValue<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = Cells<'a>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Self::Columns(doc) => return ReferenceValue::Object(Cells { doc, next: 0 }),
            Self::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Self::Position(seq) => ReferenceValueLeaf::U64(seq),
            Self::Time(at) => ReferenceValueLeaf::I64(at),
            Self::Cell(doc, Cell::Text(start, end)) => ReferenceValueLeaf::Str(doc.texts.get(start..end).unwrap_or_default()),
            Self::Cell(_, Cell::Whole(number)) => ReferenceValueLeaf::I64(number),
            Self::Cell(_, Cell::Real(number)) => ReferenceValueLeaf::F64(number),
        })
    }
}
