//! Prints what of an index takes how many bytes: `sizes FOLDER` of one partition.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for a terminal")]

use std::collections::BTreeMap;

fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let index = tantivy::Index::open_in_dir(dir).unwrap();
    let mut paths: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    let mut docs = 0;
    for segment in index.searchable_segments().unwrap() {
        let reader = tantivy::SegmentReader::open(&segment).unwrap();
        docs += u64::from(reader.max_doc());
        for field in ["w", "g"] {
            let inverted = reader.inverted_index(index.schema().get_field(field).unwrap()).unwrap();
            let mut terms = inverted.terms().stream().unwrap();
            while let Some((term, info)) = terms.next() {
                let end = term.iter().position(|byte| *byte == 0).map_or(term.len(), |end| end + 2);
                let path = if field == "g" { "(trigrams)".to_owned() } else { String::from_utf8_lossy(&term[..end]).replace('\0', " ") };
                let sum = paths.entry(path).or_default();
                *sum = (sum.0 + 1, sum.1 + info.postings_range.len() as u64, sum.2 + u64::from(info.doc_freq));
            }
        }
        let space = reader.space_usage().unwrap();
        println!(
            "{docs} docs; terms {:?} fast {:?} store {:?}",
            space.termdict().total(),
            space.fast_fields().total(),
            space.store().total()
        );
        let mut fast: Vec<_> =
            space.fast_fields().fields().map(|usage| (usage.total().get_bytes(), usage.field_name().to_owned())).collect();
        fast.sort_unstable();
        for (bytes, name) in fast.iter().rev().take(25) {
            println!("{:8.2} B/event column {name}", *bytes as f64 / f64::from(reader.max_doc()));
        }
    }
    let mut all: Vec<_> = paths.into_iter().collect();
    all.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.1 + sum.0 * 8));
    for (path, (terms, bytes, postings)) in all.iter().take(60) {
        println!(
            "{:8.2} B/event postings, {terms:8} terms, {:6.2} docs/event  {path}",
            *bytes as f64 / docs as f64,
            *postings as f64 / docs as f64
        );
    }
}
