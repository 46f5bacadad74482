//! How many documents have each text of one field: whole blocks of its column are counted, and what was not asked for is taken off.

use sealtrail_query::{FieldPath, KeyValue};
use tantivy::columnar::{Cardinality, Column, StrColumn};

use crate::bits::Bits;
use crate::class::{Class, class_of};
use crate::error::IndexError;
use crate::places::{Place, places};
use crate::segment::Segment;
use crate::term::{Tag, term};
use crate::values::each;

/// 512 documents: eight words of a set.
const BLOCK: u32 = 512;

/// Counts `docs` by the texts of `field`; null stands for none. Nothing when the field may be anything else than one text each: then
/// documents are to be looked at one by one.
pub(crate) fn by_text(segment: &Segment, field: &FieldPath, docs: &Bits) -> Result<Option<Vec<(KeyValue, u64)>>, IndexError> {
    let all = places(field);
    let Some((first, rest)) = all.split_first().filter(|_| !field.has_items()) else { return Ok(None) };
    let Some(texts) = only_texts(segment, first)? else { return Ok(None) };
    let counts = by_ord(texts.ords(), docs, texts.num_terms());
    let missing = docs.count().saturating_sub(counts.iter().sum());
    // Of those that have nothing there another name may have something.
    for place in rest.iter().filter(|_| missing > 0) {
        if has_values(segment, place)? {
            return Ok(None);
        }
    }
    let mut told = Vec::new();
    let mut text = String::new();
    for (ord, count) in (0..).zip(counts).filter(|(_, count)| *count > 0) {
        text.clear();
        texts.ord_to_str(ord, &mut text).map_err(|error| segment.damaged(error))?;
        told.push((KeyValue::Text(text.as_str().into()), count));
    }
    if missing > 0 {
        told.push((KeyValue::Null, missing));
    }
    Ok(Some(told))
}

/// Returns the column of a place where every document has one text of the column, or nothing.
fn only_texts(segment: &Segment, place: &Place) -> Result<Option<StrColumn>, IndexError> {
    let columns = segment.columns(&place.flat)?;
    let single = |keys: &StrColumn| keys.ords().get_cardinality() != Cardinality::Multivalued;
    let Some(texts) = columns.keys.filter(single).filter(|_| class_of(&place.flat) == Class::Key && columns.numbers.is_none()) else {
        return Ok(None);
    };
    for tag in [Tag::Number, Tag::Bool, Tag::Unknown] {
        if segment.has_range(&term(&place.flat, tag, b""))? {
            return Ok(None);
        }
    }
    Ok(Some(texts))
}

/// Whether any document has a value at a place.
fn has_values(segment: &Segment, place: &Place) -> Result<bool, IndexError> {
    let columns = segment.columns(&place.flat)?;
    if columns.keys.is_some() || columns.numbers.is_some() {
        return Ok(true);
    }
    for tag in [Tag::Text, Tag::Number, Tag::Bool, Tag::Unknown] {
        if segment.has_range(&term(&place.flat, tag, b""))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts the values of a column that has at most one for each document.
fn by_ord(column: &Column<u64>, docs: &Bits, terms: usize) -> Vec<u64> {
    let mut counts = vec![0u64; terms];
    let mut one_by_one = Bits::none(docs.len());
    let mut values = [0u64; BLOCK as usize];
    let slot = |ord: u64| usize::try_from(ord).unwrap_or(usize::MAX);
    for from in (0..docs.len()).step_by(BLOCK as usize) {
        let words = docs.words_at(from);
        let to = docs.len().min(from + BLOCK);
        let wanted: u32 = words.iter().map(|word| word.count_ones()).sum();
        // Three quarters: what is taken off costs more than what is counted.
        if wanted * 4 < (to - from) * 3 {
            one_by_one.insert_words(from, words);
            continue;
        }
        let rows = column.index.docid_range_to_rowids(from..to);
        let values = values.get_mut(..(rows.end - rows.start) as usize).unwrap_or_default();
        column.values.get_range(u64::from(rows.start), values);
        for ord in values.iter() {
            if let Some(count) = counts.get_mut(slot(*ord)) {
                *count += 1;
            }
        }
        for doc in (from..to).filter(|doc| wanted < to - from && !docs.contains(*doc)) {
            if let Some(count) = column.first(doc).and_then(|ord| counts.get_mut(slot(ord))) {
                *count -= 1;
            }
        }
    }
    each(column, &one_by_one, |_, ord| {
        if let Some(count) = counts.get_mut(slot(ord)) {
            *count += 1;
        }
    });
    counts
}
