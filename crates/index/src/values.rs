//! The values of a field for many documents of a segment, without looking at the events.

use std::collections::HashMap;

use sealtrail_query::{FieldPath, KeyValue};
use serde_json::Value;
use tantivy::columnar::Column;

use crate::bits::Bits;
use crate::class::{Class, class_of};
use crate::error::IndexError;
use crate::places::{Place, places};
use crate::plan::{Cancel, go_on};
use crate::segment::{NumberColumn, Segment};
use crate::term::{Tag, after, term};

/// 500,000 different texts of one field and segment, about 50 MB; with more the events are looked at.
const TEXTS_MAX: usize = 500_000;
/// The number of no value.
const NONE: u32 = u32::MAX;
/// The number of several values, see [`Values::several`].
const SEVERAL: u32 = u32::MAX - 1;

/// The values of one field.
pub(crate) struct Values {
    /// Every different value.
    pub(crate) table: Vec<KeyValue>,
    /// The number of each document's value.
    one: Vec<u32>,
    /// The numbers of the values of documents that have several, each once.
    several: HashMap<u32, Vec<u32>>,
    /// Documents of which only the event can tell.
    pub(crate) unknown: Bits,
}

impl Values {
    /// Finds the values of `field` for `docs`.
    pub(crate) fn new(segment: &Segment, field: &FieldPath, docs: &Bits, cancel: &Cancel) -> Result<Self, IndexError> {
        let mut values =
            Self { table: Vec::new(), one: vec![NONE; docs.len() as usize], several: HashMap::new(), unknown: Bits::none(docs.len()) };
        if field.has_items() {
            values.unknown = docs.clone();
            return Ok(values);
        }
        // The first of the names that has any value counts.
        let mut left = docs.clone();
        for place in places(field) {
            go_on(cancel)?;
            let mut unknown = Bits::none(docs.len());
            segment.add_term(&term(&place.flat, Tag::Unknown, b""), &mut unknown)?;
            unknown.and(&left);
            left.minus(&unknown);
            values.unknown.or(&unknown);
            let from = values.table.len();
            if !values.add_place(segment, &place, &left)? {
                values.unknown.or(&left);
                return Ok(values);
            }
            if values.table.len() > from {
                left.retain(|doc| values.number(doc) == NONE);
            }
        }
        Ok(values)
    }

    /// Returns the numbers of the values of a document in [`Values::table`].
    pub(crate) fn of(&self, doc: u32) -> &[u32] {
        match self.one.get(doc as usize) {
            None | Some(&NONE) => &[],
            Some(&SEVERAL) => self.several.get(&doc).map_or(&[], Vec::as_slice),
            Some(number) => std::slice::from_ref(number),
        }
    }

    /// Returns the number of the value of each document that has at most one; one more than that, and 0 for none.
    pub(crate) fn numbers(&self) -> impl Fn(u32) -> usize + '_ {
        |doc| self.number(doc).wrapping_add(1) as usize
    }

    /// Whether some document has several values.
    pub(crate) fn has_several(&self) -> bool {
        !self.several.is_empty()
    }

    fn number(&self, doc: u32) -> u32 {
        self.one.get(doc as usize).copied().unwrap_or(NONE)
    }

    fn set(&mut self, doc: u32, number: u32) {
        let Some(place) = self.one.get_mut(doc as usize) else { return };
        match *place {
            NONE => *place = number,
            SEVERAL => {
                let several = self.several.entry(doc).or_default();
                if !several.contains(&number) {
                    several.push(number);
                }
            }
            same if same == number => {}
            other => {
                *place = SEVERAL;
                self.several.insert(doc, vec![other, number]);
            }
        }
    }

    /// Adds the values at one place; `false` when there are too many different ones.
    fn add_place(&mut self, segment: &Segment, place: &Place, docs: &Bits) -> Result<bool, IndexError> {
        let columns = segment.columns(&place.flat)?;
        if class_of(&place.flat) == Class::Key {
            if let Some(keys) = &columns.keys {
                self.add_keys(segment, keys, docs)?;
            }
        } else if !self.add_terms(segment, &place.flat, Tag::Text, docs)? {
            return Ok(false);
        }
        if let Some(numbers) = &columns.numbers {
            self.add_numbers(numbers, docs);
        }
        Ok(self.add_terms(segment, &place.flat, Tag::Number, docs)? && self.add_terms(segment, &place.flat, Tag::Bool, docs)?)
    }

    /// Adds a column of texts.
    fn add_keys(&mut self, segment: &Segment, keys: &tantivy::columnar::StrColumn, docs: &Bits) -> Result<(), IndexError> {
        let mut numbers = vec![NONE; keys.num_terms()];
        let (mut used, base) = (Vec::new(), self.table.len());
        each(keys.ords(), docs, |doc, ord| {
            let Some(number) = numbers.get_mut(usize::try_from(ord).unwrap_or(usize::MAX)) else { return };
            if *number == NONE {
                *number = u32::try_from(base + used.len()).unwrap_or(NONE - 2);
                used.push(ord);
            }
            let number = *number;
            self.set(doc, number);
        });
        let mut text = String::new();
        for ord in used {
            text.clear();
            keys.ord_to_str(ord, &mut text).map_err(|error| segment.damaged(error))?;
            self.table.push(KeyValue::Text(text.as_str().into()));
        }
        Ok(())
    }

    fn add_numbers(&mut self, column: &NumberColumn, docs: &Bits) {
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut last = (0, NONE);
        each(&column.bits, docs, |doc, bits| {
            if last.0 != bits || last.1 == NONE {
                let next = u32::try_from(self.table.len()).unwrap_or(NONE - 2);
                let number = *numbers.entry(bits).or_insert(next);
                if number == next {
                    let value = column.number(bits).map_or(Value::Null, Value::Number);
                    self.table.push(KeyValue::of(&value).unwrap_or(KeyValue::Null));
                }
                last = (bits, number);
            }
            self.set(doc, last.1);
        });
    }

    /// Adds the values that stand in the dictionary.
    fn add_terms(&mut self, segment: &Segment, path: &str, tag: Tag, docs: &Bits) -> Result<bool, IndexError> {
        let range = term(path, tag, b"");
        let terms = segment.words.terms().range().ge(&range).lt(after(&range)).into_stream();
        let mut terms = terms.map_err(|error| segment.damaged(error))?;
        while let Some((term, info)) = terms.next() {
            if self.table.len() > TEXTS_MAX {
                return Ok(false);
            }
            let text = term.get(range.len()..).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
            let value = match tag {
                Tag::Number => text.parse().map_or(Value::Null, Value::Number),
                Tag::Bool => Value::Bool(text == "1"),
                _ => Value::String(text.to_owned()),
            };
            let number = u32::try_from(self.table.len()).unwrap_or(NONE - 2);
            let mut used = false;
            segment.each_doc(info, |doc| {
                if docs.contains(doc) {
                    used = true;
                    self.set(doc, number);
                }
            })?;
            if used {
                self.table.push(KeyValue::of(&value).unwrap_or(KeyValue::Null));
            }
        }
        Ok(true)
    }
}

/// 1,024 documents at a time: the column finds and decodes their values together.
const BLOCK: usize = 1024;

/// Calls `see` with each document of `docs` and each of its values.
pub(crate) fn each(column: &Column<u64>, docs: &Bits, mut see: impl FnMut(u32, u64)) {
    if column.get_cardinality() == tantivy::columnar::Cardinality::Full {
        return each_of_full(column, docs, see);
    }
    let (mut block, mut of, mut rows, mut values) = (Vec::with_capacity(BLOCK), Vec::new(), Vec::new(), Vec::new());
    let mut look = |block: &mut Vec<u32>| {
        of.clear();
        rows.clear();
        column.index.docids_to_rowids(block, &mut of, &mut rows);
        values.resize(rows.len(), 0);
        match (rows.first(), rows.last()) {
            // Values that lie one after the other, as those of neighbours do.
            (Some(first), Some(last)) if (last - first) as usize + 1 == rows.len() => {
                column.values.get_range(u64::from(*first), &mut values)
            }
            _ => column.values.get_vals(&rows, &mut values),
        }
        of.iter().zip(&values).for_each(|(doc, value)| see(*doc, *value));
        block.clear();
    };
    docs.each(|doc| {
        block.push(doc);
        if block.len() == BLOCK {
            look(&mut block);
        }
    });
    look(&mut block);
}

/// The same, of a column that has one value for each document: whole blocks are decoded.
fn each_of_full(column: &Column<u64>, docs: &Bits, mut see: impl FnMut(u32, u64)) {
    let mut block = [0u64; 512];
    let end = docs.len().min(column.values.num_vals());
    for from in (0..end).step_by(512) {
        let words = docs.words_at(from);
        let wanted: u32 = words.iter().map(|word| word.count_ones()).sum();
        // 32 of 512: below that, each is looked up by itself.
        let values = block.get_mut(..(end - from).min(512) as usize).unwrap_or_default();
        if wanted > 32 {
            column.values.get_range(u64::from(from), values);
        }
        for (word, at) in words.iter().zip((from..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                let doc = at + left.trailing_zeros();
                left &= left - 1;
                if doc < end {
                    let value = if wanted > 32 { values.get((doc - from) as usize).copied() } else { Some(column.values.get_val(doc)) };
                    value.into_iter().for_each(|value| see(doc, value));
                }
            }
        }
    }
}

/// The numbers of one field: every one of a list counts.
pub(crate) struct Numbers {
    /// The number of each document, NaN for none.
    one: Vec<f64>,
    several: HashMap<u32, Vec<f64>>,
    /// Documents of which only the event can tell.
    pub(crate) unknown: Bits,
}

impl Numbers {
    /// Finds the numbers of `field` for `docs`.
    pub(crate) fn new(segment: &Segment, field: &FieldPath, docs: &Bits, cancel: &Cancel) -> Result<Self, IndexError> {
        let mut numbers = Self { one: vec![f64::NAN; docs.len() as usize], several: HashMap::new(), unknown: docs.clone() };
        if field.has_items() {
            return Ok(numbers);
        }
        // Numbers of the first name; whoever has anything else there, or only another name, is looked at.
        let all = places(field);
        let Some((first, rest)) = all.split_first() else { return Ok(numbers) };
        let mut other = Bits::none(docs.len());
        for place in &all {
            go_on(cancel)?;
            for tag in [Tag::Text, Tag::Number, Tag::Bool, Tag::Unknown] {
                segment.add_range(&term(&place.flat, tag, b""), &mut other)?;
            }
        }
        for place in rest {
            if let Some(column) = segment.columns(&place.flat)?.numbers {
                crate::segment::add_present(&column.bits, &mut other);
            }
        }
        let mut sure = docs.clone();
        sure.minus(&other);
        numbers.unknown.and(&other);
        if let Some(column) = segment.columns(&first.flat)?.numbers {
            each(&column.bits, &sure, |doc, bits| {
                let number = column.number(bits).and_then(|number| number.as_f64()).unwrap_or(f64::NAN);
                numbers.set(doc, number);
            });
        }
        Ok(numbers)
    }

    /// Returns the numbers of a document.
    pub(crate) fn of(&self, doc: u32) -> &[f64] {
        if let Some(several) = self.several.get(&doc) {
            return several;
        }
        match self.one.get(doc as usize) {
            Some(number) if !number.is_nan() => std::slice::from_ref(number),
            _ => &[],
        }
    }

    fn set(&mut self, doc: u32, number: f64) {
        let Some(place) = self.one.get_mut(doc as usize) else { return };
        if place.is_nan() {
            *place = number;
        } else {
            let first = *place;
            self.several.entry(doc).or_insert_with(|| vec![first]).push(number);
        }
    }
}
