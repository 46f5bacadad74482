//! Sequences: which step takes which event is answered by columns where these say all, else by the events.

use jiff::Timestamp;
use sealtrail_ledger::read::Reader;
use sealtrail_query::{Aggregator, FieldPath, Hit as Step, KeyValue, Limits, Match, Sequence, SequenceLimits, Stage, Table};
use sealtrail_tlog::Seq;

use crate::bits::Bits;
use crate::error::IndexError;
use crate::found::Found;
use crate::hits::Chunk;
use crate::index::Index;
use crate::plan::Plan;
use crate::run::{Hit, Options, Order, Progress, SequenceMatch};
use crate::segment::Segment;
use crate::sweep::{fetch, pieces, scan, sweep};
use crate::term::WHOLE;
use crate::time::time_of;
use crate::values::Values;

/// About the bytes of one event that a step takes, with a key of two short texts.
const STEP_BYTES: usize = 192;

/// A search for a sequence.
pub(crate) struct Series<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) sequence: &'a Sequence,
    pub(crate) options: &'a Options,
    /// One plan for each step, and for `until`.
    plans: Vec<Plan>,
    /// For each of them, its keys as numbers in `fields`.
    keys: Vec<Vec<usize>>,
    fields: Vec<&'a FieldPath>,
}

impl<'a> Series<'a> {
    pub(crate) fn new(reader: &'a Reader, sequence: &'a Sequence, options: &'a Options) -> Self {
        let steps = || sequence.steps().iter().chain(sequence.until());
        let mut fields: Vec<&FieldPath> = Vec::new();
        let mut number = |field: &'a FieldPath| {
            fields.iter().position(|known| *known == field).unwrap_or_else(|| {
                fields.push(field);
                fields.len() - 1
            })
        };
        let keys = steps().map(|step| sequence.keys_of(step).map(&mut number).collect()).collect();
        let plans = steps().map(|step| Plan::new(&step.query)).collect();
        Self { reader, sequence, options, plans, keys, fields }
    }

    /// Finds the matches, in the order of their first events.
    pub(crate) fn find(&self, index: Option<&Index>, progress: &mut dyn FnMut(Progress)) -> Result<Vec<Match>, IndexError> {
        let mut all: Vec<Step> = Vec::new();
        let pieces = pieces(self.reader, index, self.options);
        sweep(
            &pieces,
            self.options.threads,
            progress,
            |piece| self.piece(piece),
            |found| {
                all.extend(found);
                let (events, bytes) = (all.len(), all.len() * STEP_BYTES);
                if bytes > self.options.memory_max {
                    return Err(IndexError::TooManySteps { events, limit: self.options.memory_max });
                }
                Ok(())
            },
        )?;
        let limits = SequenceLimits { bytes: self.options.memory_max, ..SequenceLimits::default() };
        Ok(self.sequence.find(all, limits)?)
    }

    /// Returns the matches with their events.
    pub(crate) fn matches(&self, index: Option<&Index>, progress: &mut dyn FnMut(Progress)) -> Result<Vec<SequenceMatch>, IndexError> {
        let mut found = self.find(index, progress)?;
        if self.options.order == Order::Newest {
            found.reverse();
        }
        found.truncate(self.options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        let (mut matches, mut bytes) = (Vec::new(), 0);
        for found in found {
            let wanted: Vec<Seq> = found.events.iter().copied().map(Seq).collect();
            let mut hits = Vec::with_capacity(wanted.len());
            for stored in self.reader.get_many(&wanted) {
                let stored = stored?;
                // The view takes about four times the bytes of the text.
                bytes += 5 * (stored.envelope.len() + stored.slots.iter().map(|slot| slot.json.len()).sum::<usize>());
                hits.push(Hit { seq: stored.seq, view: stored.view(), stored });
            }
            if bytes > self.options.memory_max {
                return Err(IndexError::TooManyMatches { shown: matches.len(), limit: self.options.memory_max });
            }
            matches.push(SequenceMatch { found, hits });
        }
        Ok(matches)
    }

    /// Returns what a pipe makes of the matches.
    pub(crate) fn table(&self, pipe: &[Stage], index: Option<&Index>, progress: &mut dyn FnMut(Progress)) -> Result<Table, IndexError> {
        let mut table = Aggregator::new(pipe, Limits { bytes: self.options.memory_max, ..Limits::default() });
        for found in self.find(index, progress)? {
            let seq = found.events.first().copied().unwrap_or(0);
            table.push(seq, found.first, &found.to_value(self.sequence))?;
        }
        Ok(table.finish()?)
    }

    fn piece(&self, piece: &Chunk) -> Result<Vec<Step>, IndexError> {
        let mut steps = Vec::new();
        match &piece.segment {
            Some(segment) => self.segment(segment, piece, &mut steps)?,
            None => scan(self.reader, piece.from, piece.to, &self.options.cancel, |seq, view| {
                steps.extend(self.sequence.hit(seq, time_of(view), view));
                Ok(())
            })?,
        }
        Ok(steps)
    }

    fn segment(&self, segment: &Segment, piece: &Chunk, steps: &mut Vec<Step>) -> Result<(), IndexError> {
        let cancel = &self.options.cancel;
        let mut answers = Vec::new();
        let (mut maybe, mut unsure) = (Bits::none(segment.docs), Bits::none(segment.docs));
        for plan in &self.plans {
            let found = plan.answer(segment, cancel)?;
            maybe.or(&found.maybe);
            let mut open = found.maybe.clone();
            open.minus(&found.yes);
            unsure.or(&open);
            answers.push(found);
        }
        maybe.clip(segment.doc_at(piece.from), segment.doc_at(piece.to));
        segment.add_term(WHOLE, &mut unsure)?;
        let mut keys = Vec::new();
        for field in &self.fields {
            let values = Values::new(segment, field, &maybe, cancel)?;
            unsure.or(&values.unknown);
            keys.push(values);
        }
        unsure.and(&maybe);
        let mut look = unsure.clone();
        maybe.minus(&unsure);
        for doc in maybe.iter() {
            match self.step(segment, doc, &answers, &keys) {
                Told::Step(step) => steps.push(step),
                Told::Nothing => {}
                Told::Unknown => look.insert(doc),
            }
        }
        fetch(self.reader, look.iter().map(|doc| segment.position(doc)), cancel, |seq, view| {
            steps.extend(self.sequence.hit(seq, time_of(view), view));
            Ok(())
        })
    }

    /// Makes the step of a document from its columns.
    fn step(&self, segment: &Segment, doc: u32, answers: &[Found], fields: &[Values]) -> Told {
        let time = segment.ts.first(doc).and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok());
        let Some(time) = time else { return Told::Unknown };
        let mut step = Step::new(segment.position(doc), time);
        let mut taken = false;
        for (number, (found, keys)) in answers.iter().zip(&self.keys).enumerate() {
            if !found.yes.contains(doc) {
                continue;
            }
            let mut key = Vec::with_capacity(keys.len());
            for field in keys.iter().filter_map(|field| fields.get(*field)) {
                match field.of(doc) {
                    [] => break,
                    [value] => key.push(field.table.get(*value as usize).cloned().unwrap_or(KeyValue::Null)),
                    // Of several values the first is the key, and the index does not know which is the first.
                    _ => return Told::Unknown,
                }
            }
            if key.len() == keys.len() {
                step.add(key, number);
                taken = true;
            }
        }
        if taken { Told::Step(step) } else { Told::Nothing }
    }
}

/// What the columns tell of a document.
enum Told {
    /// Some step takes it.
    Step(Step),
    /// No step takes it.
    Nothing,
    /// Only the event can tell.
    Unknown,
}
