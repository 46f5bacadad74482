//! Takes an event apart: terms, columns and trigrams of its view.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::class::{Class, KEY_BYTES_MAX, WORD_BYTES_MAX, class_of, column_name, is_text, root_of};
use crate::doc::{Cell, Doc, Fields};
use crate::grams::Grams;
use crate::term::{LONG, Tag, WHOLE, hash, write};

/// 4,000 values: a record of 1 MiB of short ones; an event with more may match anything.
const LEAVES_MAX: usize = 4_000;
/// 512 bytes: the longest path that is indexed.
const PATH_BYTES_MAX: usize = 512;
/// 1,000 paths that the schema does not know have a column; further ones have terms.
const OWN_COLUMNS_MAX: usize = 1_000;
/// 20,000 paths are remembered, about 4 MB.
const PATHS_MAX: usize = 20_000;
/// 2^53 - 1: every whole number up to here is a floating point number, too.
const WHOLE_MAX: u64 = (1 << 53) - 1;

/// What is known of a path.
#[derive(Clone)]
struct PathInfo {
    class: Class,
    text: bool,
    keys: Option<Arc<str>>,
    numbers: Option<Arc<str>>,
    times: Option<Arc<str>>,
}

/// Takes events of one partition apart.
pub(crate) struct Extractor {
    fields: Fields,
    paths: HashMap<Box<str>, PathInfo>,
    /// Columns of paths that are no fields of the schema.
    own: HashSet<Box<str>>,
    grams: Grams,
}

/// An event that cannot be taken apart.
struct TooMuch;

impl Extractor {
    pub(crate) fn new(fields: Fields) -> Self {
        Self { fields, paths: HashMap::new(), own: HashSet::new(), grams: Grams::new() }
    }

    /// Makes the document of an event; `at` is its position in the partition.
    pub(crate) fn extract(&mut self, at: u64, view: &Value) -> Doc {
        let mut doc = Doc::new(self.fields, at);
        self.grams.clear();
        let mut walk = Walk { extractor: self, doc: &mut doc, path: String::with_capacity(64), leaves: 0 };
        let done = walk.root(view);
        if self.grams.full() {
            mark(&mut doc, LONG);
        }
        if done.is_err() {
            mark(&mut doc, WHOLE);
        }
        doc.grams.extend_from_slice(self.grams.found());
        doc
    }

    fn info(&mut self, path: &str) -> PathInfo {
        if let Some(info) = self.paths.get(path) {
            return info.clone();
        }
        let known = sealtrail_event::field(path).is_some();
        let column = |kind| column_name(path, kind).map(Arc::from);
        let own = known || self.own.contains(path) || self.own.len() < OWN_COLUMNS_MAX;
        let class = class_of(path);
        let info = PathInfo {
            class,
            text: is_text(root_of(path)),
            keys: column('s').filter(|_| class == Class::Key),
            numbers: column('n').filter(|_| own),
            times: column('t').filter(|_| class == Class::Time),
        };
        if self.paths.len() >= PATHS_MAX {
            self.paths.clear();
        }
        self.paths.insert(path.into(), info.clone());
        info
    }

    /// Notes that a path uses a column.
    fn takes_column(&mut self, path: &str) {
        if sealtrail_event::field(path).is_none() && !self.own.contains(path) {
            self.own.insert(path.into());
            if self.own.len() == OWN_COLUMNS_MAX {
                // Those that were told they may have one and did not take it must ask again.
                self.paths.clear();
            }
        }
    }
}

/// The way through one event.
struct Walk<'a> {
    extractor: &'a mut Extractor,
    doc: &'a mut Doc,
    path: String,
    leaves: usize,
}

impl Walk<'_> {
    fn root(&mut self, view: &Value) -> Result<(), TooMuch> {
        for (name, value) in view.as_object().into_iter().flatten() {
            let head = root_of(name);
            // Such a name looks like a path below a member that has a meaning of its own.
            if head.len() < name.len() && (head == "as_sent" || is_text(head)) {
                return Err(TooMuch);
            }
            self.path.push_str(name);
            self.value(value)?;
            self.path.clear();
        }
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), TooMuch> {
        match value {
            Value::Object(members) => {
                self.term(Tag::Container, b"")?;
                let length = self.path.len();
                for (name, value) in members {
                    self.path.push('.');
                    self.path.push_str(name);
                    self.value(value)?;
                    self.path.truncate(length);
                }
                Ok(())
            }
            Value::Array(items) => {
                self.term(Tag::Container, b"")?;
                items.iter().try_for_each(|item| self.value(item))
            }
            Value::String(text) => self.text(text),
            Value::Number(number) => self.number(number),
            Value::Bool(flag) => self.term(Tag::Bool, if *flag { b"1" } else { b"0" }),
            Value::Null => self.term(Tag::Null, b""),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), TooMuch> {
        let info = self.extractor.info(&self.path);
        if info.class == Class::Time {
            self.time(&info, text)?;
            return self.term(Tag::Unknown, b"");
        }
        if info.class == Class::Key && text.len() <= KEY_BYTES_MAX {
            let start = self.doc.texts.len();
            self.doc.texts.push_str(text);
            self.cell(info.keys, Cell::Text(start, start + text.len()));
            return self.term(Tag::Text, text.as_bytes());
        }
        if info.text {
            self.extractor.grams.add(text);
        }
        if info.class == Class::Word && text.len() <= WORD_BYTES_MAX {
            return self.term(Tag::Text, text.as_bytes());
        }
        self.term(Tag::Unknown, b"")?;
        // Of a long text the trigrams say more than a hash; whole long texts outside the searched fields are not asked for.
        if info.class == Class::Id { self.term(Tag::Hash, &hash(text)) } else { Ok(()) }
    }

    fn time(&mut self, info: &PathInfo, text: &str) -> Result<(), TooMuch> {
        let Ok(time) = text.parse::<Timestamp>() else { return Ok(()) };
        let ns = i64::try_from(time.as_nanosecond()).map_err(|_| TooMuch)?;
        match self.path.as_str() {
            "timestamp" => self.doc.ts = Some(ns),
            _ => self.cell(info.times.clone(), Cell::Whole(ns)),
        }
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), TooMuch> {
        let info = self.extractor.info(&self.path);
        let cell = match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Some(Cell::Whole(whole)).filter(|_| whole.unsigned_abs() <= WHOLE_MAX),
            (None, Some(_), _) => None,
            (None, None, real) => real.map(real_cell),
        };
        match (cell, info.numbers) {
            (Some(cell), Some(column)) => {
                self.extractor.takes_column(&self.path);
                self.leaf()?;
                self.cell(Some(column), cell);
                Ok(())
            }
            _ => self.term(Tag::Number, number.to_string().as_bytes()),
        }
    }

    fn cell(&mut self, column: Option<Arc<str>>, cell: Cell) {
        if let Some(column) = column {
            self.doc.cells.push((column, cell));
        }
    }

    fn term(&mut self, tag: Tag, value: &[u8]) -> Result<(), TooMuch> {
        self.leaf()?;
        write(&mut self.doc.terms, &self.path, tag, value);
        self.doc.ends.push(self.doc.terms.len());
        Ok(())
    }

    /// Counts a value, and looks whether its path can stand in a term.
    fn leaf(&mut self) -> Result<(), TooMuch> {
        self.leaves += 1;
        let path = self.path.as_bytes();
        if self.leaves > LEAVES_MAX || path.len() > PATH_BYTES_MAX || path.contains(&0) || path.first() == Some(&1) {
            return Err(TooMuch);
        }
        Ok(())
    }
}

/// Returns the cell of a number with a point; `5.0` and `-0.0` are 5 and 0, as for the evaluator.
fn real_cell(real: f64) -> Cell {
    // 2^53 is exact as f64.
    const EDGE: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and inside the range of i64")]
    if real.fract() == 0.0 && real.abs() < EDGE { Cell::Whole(real as i64) } else { Cell::Real(real) }
}

fn mark(doc: &mut Doc, mark: &[u8]) {
    doc.terms.extend_from_slice(mark);
    doc.ends.push(doc.terms.len());
}
