//! The first or last events of each group, chosen by columns before any event is read.

use std::collections::HashMap;

use sealtrail_query::{KeyValue, Stage};
use tantivy::columnar::MonotonicallyMappableToU64;

use crate::bits::Bits;
use crate::error::IndexError;
use crate::plan::Cancel;
use crate::segment::Segment;
use crate::values::{Values, each};

/// Candidates by group: time and position.
#[derive(Default)]
pub(crate) struct Picks(HashMap<Vec<KeyValue>, Vec<(i64, u64)>>);

impl Picks {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        for (keys, found) in other.0 {
            self.0.entry(keys).or_default().extend(found);
        }
    }

    /// Takes the candidates of a segment; those documents that the columns do not tell are taken out of `sure`.
    pub(crate) fn take(&mut self, segment: &Segment, stage: &Stage, sure: &mut Bits, cancel: &Cancel) -> Result<(), IndexError> {
        let (n, latest) = wanted(stage);
        let (mut times, mut timed) = (Vec::new(), Bits::none(segment.docs));
        each(&segment.ts_bits, sure, |doc, bits| {
            timed.insert(doc);
            times.push((doc, i64::from_u64(bits)));
        });
        sure.and(&timed);
        let mut fields = Vec::new();
        for field in stage.group() {
            let values = Values::new(segment, field, sure, cancel)?;
            sure.minus(&values.unknown);
            // Of several values the first counts, and the index does not know which is the first.
            let several: Vec<u32> = sure.iter().filter(|doc| values.of(*doc).len() > 1).collect();
            several.into_iter().for_each(|doc| sure.remove(doc));
            fields.push(values);
        }
        if fields.is_empty() {
            let found = self.0.entry(Vec::new()).or_default();
            for (doc, time) in times {
                found.push((time, segment.position(doc)));
                if found.len() >= 2 * n.max(512) {
                    cut(found, n, latest);
                }
            }
            cut(found, n, latest);
            return Ok(());
        }
        let mut groups: HashMap<Vec<u32>, Vec<(i64, u64)>> = HashMap::new();
        for (doc, time) in times.into_iter().filter(|(doc, _)| sure.contains(*doc)) {
            let numbers = fields.iter().map(|values| values.of(doc).first().copied().unwrap_or(u32::MAX)).collect();
            let found = groups.entry(numbers).or_default();
            found.push((time, segment.position(doc)));
            // Twice as many as are wanted: each cut is paid for by as many documents.
            if found.len() >= 2 * n.max(512) {
                cut(found, n, latest);
            }
        }
        for (numbers, mut found) in groups {
            cut(&mut found, n, latest);
            let key = |(values, number): (&Values, &u32)| values.table.get(*number as usize).cloned().unwrap_or(KeyValue::Null);
            let keys = fields.iter().zip(&numbers).map(key).collect();
            self.0.entry(keys).or_default().extend(found);
        }
        Ok(())
    }
}

/// Returns the positions that are wanted of all candidates, in order.
pub(crate) fn picked(picks: Picks, stage: &Stage) -> Vec<u64> {
    let (n, latest) = wanted(stage);
    let mut positions = Vec::new();
    for mut found in picks.0.into_values() {
        cut(&mut found, n, latest);
        positions.extend(found.into_iter().map(|(_, seq)| seq));
    }
    positions.sort_unstable();
    positions
}

fn wanted(stage: &Stage) -> (usize, bool) {
    match stage {
        Stage::First { n, .. } => (usize::try_from(*n).unwrap_or(usize::MAX), false),
        Stage::Last { n, .. } => (usize::try_from(*n).unwrap_or(usize::MAX), true),
        _ => (usize::MAX, false),
    }
}

/// Keeps the `n` earliest or latest.
fn cut(found: &mut Vec<(i64, u64)>, n: usize, latest: bool) {
    found.sort_unstable();
    if latest {
        found.reverse();
    }
    found.truncate(n);
}
