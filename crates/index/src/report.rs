//! Events become a table: counted in columns where these say all, else from the events themselves.

use std::collections::HashMap;

use jiff::Timestamp;
use sealtrail_ledger::read::Reader;
use sealtrail_query::{Aggregator, FieldPath, Interval, KeyValue, Limits, Query, Stage, Table};
use tantivy::columnar::MonotonicallyMappableToU64;

use crate::bits::Bits;
use crate::counts::by_text;
use crate::error::IndexError;
use crate::hits::Chunk;
use crate::index::Index;
use crate::picks::{Picks, picked};
use crate::plan::Plan;
use crate::run::{Options, Progress};
use crate::segment::Segment;
use crate::sweep::{fetch, pieces, scan, sweep};
use crate::term::WHOLE;
use crate::time::time_of;
use crate::values::{Numbers, Values, each};

/// A day in milliseconds: months and years begin with one.
const DAY_MS: i64 = 86_400_000;
/// 2^20 groups are counted in a table, more in a map.
const DENSE_MAX: usize = 1 << 20;

/// A report over the events of a query.
pub(crate) struct Report<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) query: &'a Query,
    pub(crate) plan: Plan,
    pub(crate) pipe: &'a [Stage],
    pub(crate) limits: Limits,
    pub(crate) options: &'a Options,
}

/// What comes of one piece.
struct Part {
    table: Aggregator,
    picks: Picks,
}

impl<'a> Report<'a> {
    pub(crate) fn new(reader: &'a Reader, query: &'a Query, pipe: &'a [Stage], options: &'a Options) -> Self {
        let limits = Limits { bytes: options.memory_max, ..Limits::default() };
        Self { reader, query, plan: Plan::new(query), pipe, limits, options }
    }

    /// Makes the table.
    pub(crate) fn run(&self, index: Option<&Index>, progress: &mut dyn FnMut(Progress)) -> Result<Table, IndexError> {
        let mut table = Aggregator::new(self.pipe, self.limits);
        let mut picks = Picks::default();
        let pieces = pieces(self.reader, index, self.options);
        sweep(
            &pieces,
            self.options.threads,
            progress,
            |piece| self.piece(piece),
            |part| {
                picks.extend(part.picks);
                Ok(table.merge(part.table)?)
            },
        )?;
        if let Some(stage) = self.pipe.first().filter(|_| !picks.is_empty()) {
            fetch(self.reader, picked(picks, stage).into_iter(), &self.options.cancel, |seq, view| {
                Ok(table.push(seq, time_of(view), view)?)
            })?;
        }
        Ok(table.finish()?)
    }

    fn piece(&self, piece: &Chunk) -> Result<Part, IndexError> {
        let mut part = Part { table: Aggregator::new(self.pipe, self.limits), picks: Picks::default() };
        match &piece.segment {
            Some(segment) => self.segment(segment, piece, &mut part)?,
            None => scan(self.reader, piece.from, piece.to, &self.options.cancel, |seq, view| {
                if self.query.matches(view) {
                    part.table.push(seq, time_of(view), view)?;
                }
                Ok(())
            })?,
        }
        Ok(part)
    }

    fn segment(&self, segment: &Segment, piece: &Chunk, part: &mut Part) -> Result<(), IndexError> {
        let cancel = &self.options.cancel;
        let mut found = self.plan.answer(segment, cancel)?;
        found.maybe.clip(segment.doc_at(piece.from), segment.doc_at(piece.to));
        found.yes.and(&found.maybe);
        let mut sure = found.yes;
        let mut whole = Bits::none(segment.docs);
        segment.add_term(WHOLE, &mut whole)?;
        sure.minus(&whole);
        match self.pipe.first() {
            Some(stage) if part.table.takes_keys() => self.count(segment, stage, &mut sure, &mut part.table)?,
            Some(stage @ (Stage::First { .. } | Stage::Last { .. })) => part.picks.take(segment, stage, &mut sure, cancel)?,
            _ => sure = Bits::none(segment.docs),
        }
        // What the columns do not say, the events do.
        found.maybe.minus(&sure);
        fetch(self.reader, found.maybe.iter().map(|doc| segment.position(doc)), cancel, |seq, view| {
            if self.query.matches(view) {
                part.table.push(seq, time_of(view), view)?;
            }
            Ok(())
        })
    }

    /// Counts the documents of `sure` by their columns; takes those out of it that the columns do not tell.
    fn count(&self, segment: &Segment, stage: &Stage, sure: &mut Bits, table: &mut Aggregator) -> Result<(), IndexError> {
        let cancel = &self.options.cancel;
        if let ([field], None, None) = (stage.group(), stage.interval(), stage.value())
            && let Some(counts) = by_text(segment, field, sure)?
        {
            return counts.into_iter().try_for_each(|(key, count)| Ok(table.add(&[key], Timestamp::UNIX_EPOCH, None, count)?));
        }
        let mut groups = Groups::new(segment, sure, stage.interval())?;
        for field in stage.group() {
            let values = Values::new(segment, field, sure, cancel)?;
            sure.minus(&values.unknown);
            groups.fields.push(values);
        }
        let numbers = match stage.value() {
            Some(field) => Some(self.numbers(segment, field, sure)?),
            None => None,
        };
        match numbers {
            None => groups.count(sure, |keys, time, count| Ok(table.add(keys, time, None, count)?)),
            Some(numbers) => groups.numbers(sure, &numbers, table),
        }
    }

    fn numbers(&self, segment: &Segment, field: &FieldPath, sure: &mut Bits) -> Result<Numbers, IndexError> {
        let numbers = Numbers::new(segment, field, sure, &self.options.cancel)?;
        sure.minus(&numbers.unknown);
        Ok(numbers)
    }
}

/// Which group each document belongs to.
struct Groups {
    /// The interval of each document, counted from the first.
    buckets: Vec<u32>,
    first: i64,
    count: usize,
    width_ms: i64,
    fields: Vec<Values>,
}

impl Groups {
    /// Finds the interval of each document; takes those without a time out of `sure`.
    fn new(segment: &Segment, sure: &mut Bits, interval: Option<Interval>) -> Result<Self, IndexError> {
        let mut groups = Self { buckets: Vec::new(), first: 0, count: 1, width_ms: 0, fields: Vec::new() };
        let Some(interval) = interval else { return Ok(groups) };
        // Months are made of days; the aggregator finds the month of a day.
        let (width_ms, start_ms) = interval.fixed_ms().unwrap_or((DAY_MS, 0));
        let bucket = |ns: i64| (ns.div_euclid(1_000_000) - start_ms).div_euclid(width_ms);
        let ns_of = |bucket: i64| bucket.saturating_mul(width_ms).saturating_add(start_ms).saturating_mul(1_000_000);
        let ts = &segment.ts_bits;
        let (first, last) = (bucket(i64::from_u64(ts.min_value())), bucket(i64::from_u64(ts.max_value())));
        // Seconds of 136 years fit; a wider span has its documents looked at.
        let Ok(span) = u32::try_from(last.saturating_sub(first)) else {
            *sure = Bits::none(segment.docs);
            return Ok(groups);
        };
        groups.first = first.saturating_mul(width_ms).saturating_add(start_ms);
        groups.width_ms = width_ms;
        groups.buckets = vec![0; segment.docs as usize];
        groups.count = span as usize + 1;
        let mut timed = Bits::none(segment.docs);
        // Neighbours mostly share an interval: only the first of them is divided.
        let (mut from, mut to, mut current) = (i64::MAX, i64::MIN, 0);
        each(ts, sure, |doc, bits| {
            let ns = i64::from_u64(bits);
            if ns < from || ns >= to {
                let at = bucket(ns);
                (from, to) = (ns_of(at), ns_of(at.saturating_add(1)));
                current = u32::try_from(at.saturating_sub(first)).unwrap_or(0);
            }
            if let Some(place) = groups.buckets.get_mut(doc as usize) {
                *place = current;
            }
            timed.insert(doc);
        });
        sure.and(&timed);
        Ok(groups)
    }

    fn time(&self, bucket: u32) -> Timestamp {
        Timestamp::from_millisecond(self.first + i64::from(bucket) * self.width_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Counts documents by group and tells each group once.
    fn count(&self, docs: &Bits, mut tell: impl FnMut(&[KeyValue], Timestamp, u64) -> Result<(), IndexError>) -> Result<(), IndexError> {
        let mut cells = Cells::new(self);
        if !cells.dense.is_empty() && !self.fields.iter().any(Values::has_several) {
            return self.count_dense(docs, &cells.sizes, cells.dense.len(), tell);
        }
        let mut counts: Vec<u64> = Vec::new();
        self.each_group(docs, |_, bucket, numbers| {
            let cell = cells.of(bucket, numbers);
            if counts.len() <= cell {
                counts.resize(cell + 1, 0);
            }
            if let Some(count) = counts.get_mut(cell) {
                *count += 1;
            }
        });
        cells.names.iter().zip(counts).try_for_each(|((bucket, numbers), count)| tell(&self.keys(numbers), self.time(*bucket), count))
    }

    /// Counts documents that have at most one value of each field: in a table of every group that could be.
    fn count_dense(
        &self,
        docs: &Bits,
        sizes: &[usize],
        cells: usize,
        mut tell: impl FnMut(&[KeyValue], Timestamp, u64) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut counts = vec![0u64; cells];
        let mut add = |cell: usize| {
            if let Some(count) = counts.get_mut(cell) {
                *count += 1;
            }
        };
        let bucket = |doc: u32| self.buckets.get(doc as usize).map_or(0, |bucket| *bucket as usize);
        let numbers: Vec<_> = self.fields.iter().map(Values::numbers).collect();
        match (&numbers[..], sizes) {
            ([number], [size]) => docs.each(|doc| add(bucket(doc) * size + number(doc))),
            _ => docs.each(|doc| add(numbers.iter().zip(sizes).fold(bucket(doc), |at, (number, size)| at * size + number(doc)))),
        }
        for (cell, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let mut left = cell;
            let mut names: Vec<u32> = sizes.iter().rev().map(|size| take_digit(&mut left, *size)).collect();
            names.reverse();
            tell(&self.keys(&names), self.time(u32::try_from(left).unwrap_or(0)), count)?;
        }
        Ok(())
    }

    /// Gives the numbers of documents to the table, by group.
    fn numbers(&self, docs: &Bits, numbers: &Numbers, table: &mut Aggregator) -> Result<(), IndexError> {
        let mut cells = Cells::new(self);
        let mut found: Vec<Vec<f64>> = Vec::new();
        let mut with = docs.clone();
        with.retain(|doc| !numbers.of(doc).is_empty());
        self.each_group(&with, |doc, bucket, keys| {
            let cell = cells.of(bucket, keys);
            if found.len() <= cell {
                found.resize(cell + 1, Vec::new());
            }
            if let Some(all) = found.get_mut(cell) {
                all.extend_from_slice(numbers.of(doc));
            }
        });
        for ((bucket, numbers), values) in cells.names.iter().zip(found) {
            table.add_values(&self.keys(numbers), self.time(*bucket), &values)?;
        }
        let missing = docs.count() - with.count();
        if missing > 0 {
            table.add(&vec![KeyValue::Null; self.fields.len()], Timestamp::UNIX_EPOCH, None, missing)?;
        }
        Ok(())
    }

    fn keys(&self, numbers: &[u32]) -> Vec<KeyValue> {
        let key = |(field, number): (&Values, &u32)| field.table.get(*number as usize).cloned().unwrap_or(KeyValue::Null);
        self.fields.iter().zip(numbers).map(key).collect()
    }

    /// Calls `see` with each document, its interval and each combination of its values; no value is `u32::MAX`.
    fn each_group(&self, docs: &Bits, mut see: impl FnMut(u32, u32, &[u32])) {
        let several = self.fields.iter().any(Values::has_several);
        let mut numbers = vec![u32::MAX; self.fields.len()];
        for doc in docs.iter() {
            let bucket = self.buckets.get(doc as usize).copied().unwrap_or(0);
            for (number, field) in numbers.iter_mut().zip(&self.fields) {
                *number = field.of(doc).first().copied().unwrap_or(u32::MAX);
            }
            see(doc, bucket, &numbers);
            if several {
                self.other_combinations(doc, |numbers| see(doc, bucket, numbers));
            }
        }
    }

    /// Calls `see` with every combination of values of a document but the first.
    fn other_combinations(&self, doc: u32, mut see: impl FnMut(&[u32])) {
        let values: Vec<&[u32]> = self.fields.iter().map(|field| field.of(doc)).collect();
        let mut chosen = vec![0usize; values.len()];
        loop {
            let Some(at) = (0..values.len()).rev().find(|at| chosen[*at] + 1 < values[*at].len()) else { return };
            chosen[at] += 1;
            chosen[at + 1..].fill(0);
            let numbers: Vec<u32> = values.iter().zip(&chosen).map(|(values, at)| values.get(*at).copied().unwrap_or(u32::MAX)).collect();
            see(&numbers);
        }
    }
}

/// Takes the last digit of a number whose digit has `size` values: 0 is no value, `u32::MAX`; 1 is value 0.
fn take_digit(left: &mut usize, size: usize) -> u32 {
    let digit = *left % size.max(1);
    *left /= size.max(1);
    u32::try_from(digit).unwrap_or(0).wrapping_sub(1)
}

/// Numbers the groups that occur, in the order in which they come.
struct Cells {
    /// How many different values each field has, one of them being none.
    sizes: Vec<usize>,
    /// The number of each group by the number it has among all possible ones; empty when these are too many.
    dense: Vec<u32>,
    sparse: HashMap<(u32, Vec<u32>), usize>,
    /// Interval and values of each group that occurs.
    names: Vec<(u32, Vec<u32>)>,
}

impl Cells {
    fn new(groups: &Groups) -> Self {
        let sizes: Vec<usize> = groups.fields.iter().map(|field| field.table.len() + 1).collect();
        let all = sizes.iter().try_fold(groups.count, |all, size| all.checked_mul(*size)).unwrap_or(usize::MAX);
        let dense = if all > DENSE_MAX { Vec::new() } else { vec![u32::MAX; all] };
        Self { sizes, dense, sparse: HashMap::new(), names: Vec::new() }
    }

    /// Returns the number of a group.
    fn of(&mut self, bucket: u32, numbers: &[u32]) -> usize {
        let next = self.names.len();
        if self.dense.is_empty() {
            let found = *self.sparse.entry((bucket, numbers.to_vec())).or_insert(next);
            if found == next {
                self.names.push((bucket, numbers.to_vec()));
            }
            return found;
        }
        // 0 is no value, 1 the first one of the table.
        let at = numbers.iter().zip(&self.sizes).fold(bucket as usize, |at, (number, size)| at * size + number.wrapping_add(1) as usize);
        let Some(place) = self.dense.get_mut(at) else { return next };
        if *place == u32::MAX {
            *place = u32::try_from(next).unwrap_or(u32::MAX);
            self.names.push((bucket, numbers.to_vec()));
        }
        *place as usize
    }
}
