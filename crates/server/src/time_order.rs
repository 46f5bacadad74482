//! A page in the order of the events' own times, which is not the order of the ledger: what comes late, or from elsewhere, stands where its time says.
//!
//! The walk goes through the ledger in the direction in which times mostly go, and keeps the positions of the best events so far. As soon as it has a
//! page of them, only what is better than the worst of these is asked for, which the index tells by its column of times: so few events are read beyond
//! those of the page. What is kept is a page of positions, however many events match.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use sealtrail_index::{Answer, Options, Order as Way};
use sealtrail_query::{Bound, Expr, FieldPath, Order, Query, Search, Stage, Test};
use sealtrail_tlog::Seq;

use crate::cursor::Cursor;
use crate::page::{Ask, Ordering, Page};
use crate::reading::Reading;
use crate::refusal::Refusal;
use crate::stream::{size_of, time_of};

/// 64 events are read at least before the question is narrowed, and twice as many each time up to 4,096: each time the index looks at its columns.
const STEP_MIN: usize = 64;
const STEP_MAX: usize = 4_096;

/// After the question was narrowed 4 times the times go against the ledger: then the columns alone are asked how far the page reaches.
const NARROWED_MAX: usize = 4;

impl Reading<'_> {
    /// A page in the order of time.
    pub(crate) fn by_time(&self, ask: &Ask) -> Result<Page, Refusal> {
        let limit = usize::try_from(ask.limit.unwrap_or(ask.limit_default)).unwrap_or(usize::MAX);
        // One more than asked for tells whether there is a next page.
        let wanted = choose(&Walk { reading: self, ask }, ask.ordering, ask.cursor, limit.saturating_add(1))?;
        let mut found = Vec::new();
        let mut bytes = 0;
        for stored in self.finder.reader.get_many(&wanted[..limit.min(wanted.len())]) {
            let stored = stored?;
            bytes += size_of(&stored);
            if bytes > self.bounds.page_bytes && !found.is_empty() {
                break;
            }
            let view = stored.view();
            found.push(self.grant.shown(stored, view));
        }
        let more = found.len() < wanted.len();
        self.page(ask, found, more)
    }
}

/// Events that match, with bounds on their positions and times; a trail, or a list in tests.
trait Source {
    /// Tells time and position of the events in the window, until `see` breaks off.
    fn walk(&self, window: &Window, see: &mut dyn FnMut(Timestamp, u64) -> ControlFlow<()>) -> Result<(), Refusal>;

    /// Returns a time such that `size` events, all strictly beyond `start`, are no further than it; `None` when that is not found out cheaply.
    fn reach(&self, ordering: Ordering, start: Option<Timestamp>, size: usize) -> Result<Option<Timestamp>, Refusal>;
}

/// A run of positions, and what the times must be there.
#[derive(Clone, Debug)]
struct Window {
    way: Way,
    after: Option<u64>,
    before: Option<u64>,
    times: Vec<(Order, Timestamp)>,
}

/// Returns the positions of the first `size` events after the cursor, in the order asked for.
fn choose(source: &impl Source, ordering: Ordering, cursor: Option<Cursor>, size: usize) -> Result<Vec<Seq>, Refusal> {
    let mut best = Best { ordering, size, heap: BinaryHeap::new(), start: cursor.map(|last| Key::of(ordering, last.time, last.seq)) };
    let (mut step, mut narrowed, mut reach) = (STEP_MIN, 0, None);
    for mut window in windows(ordering, cursor) {
        loop {
            let (mut read, mut last) = (0, None);
            let bounds = window.times.len();
            window.times.extend(best.bound(reach));
            source.walk(&window, &mut |time, seq| {
                best.offer(time, seq);
                (read, last) = (read + 1, Some(seq));
                if best.is_full() && read >= step { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            window.times.truncate(bounds);
            let Some(last) = last.filter(|_| best.is_full() && read >= step) else { break };
            match window.way {
                Way::Newest => window.before = Some(last),
                Way::Oldest => window.after = Some(last),
            }
            (step, narrowed) = ((step * 2).min(STEP_MAX), narrowed + 1);
            if narrowed == NARROWED_MAX {
                reach = source.reach(ordering, cursor.map(|last| last.time), size)?;
            }
        }
    }
    Ok(best.heap.into_sorted_vec().iter().map(Key::seq).collect())
}

/// Cuts the ledger where the last page ended: of the events that have the very time of its last one, those on one side of it are done.
fn windows(ordering: Ordering, cursor: Option<Cursor>) -> Vec<Window> {
    let (way, beyond, from) = match ordering {
        Ordering::TimeUp => (Way::Oldest, Order::Greater, Order::GreaterOrEqual),
        _ => (Way::Newest, Order::Less, Order::LessOrEqual),
    };
    let window = |after, before, times| Window { way, after, before, times };
    let Some(Cursor { time, seq, .. }) = cursor else { return vec![window(None, None, Vec::new())] };
    let (low, high) = (|times| window(None, Some(seq), times), |times| window(Some(seq), None, times));
    match way {
        Way::Newest => vec![high(vec![(beyond, time)]), low(vec![(from, time)])],
        Way::Oldest => vec![low(vec![(beyond, time)]), high(vec![(from, time)])],
    }
}

/// The best events so far.
struct Best {
    ordering: Ordering,
    size: usize,
    /// The worst on top.
    heap: BinaryHeap<Key>,
    /// Where the last page ended.
    start: Option<Key>,
}

impl Best {
    fn offer(&mut self, time: Timestamp, seq: u64) {
        let key = Key::of(self.ordering, time, seq);
        // An event may have another time besides its own, by which it was found.
        if self.start.is_some_and(|start| key <= start) {
            return;
        }
        self.heap.push(key);
        if self.heap.len() > self.size {
            self.heap.pop();
        }
    }

    fn is_full(&self) -> bool {
        self.heap.len() >= self.size
    }

    /// Returns what the time of an event must be to be among the best.
    fn bound(&self, reach: Option<Timestamp>) -> Option<(Order, Timestamp)> {
        let up = self.ordering == Ordering::TimeUp;
        // The walk meets events of one time in the order asked for: what it meets later is worse.
        let worst = self.heap.peek().filter(|_| self.is_full()).map(Key::time);
        match (worst, reach) {
            (Some(worst), Some(reach)) if (up && reach < worst) || (!up && reach > worst) => Some((at_most(up, true), reach)),
            (Some(worst), _) => Some((at_most(up, false), worst)),
            (None, Some(reach)) => Some((at_most(up, true), reach)),
            (None, None) => None,
        }
    }
}

fn at_most(up: bool, inclusive: bool) -> Order {
    match (up, inclusive) {
        (true, true) => Order::LessOrEqual,
        (true, false) => Order::Less,
        (false, true) => Order::GreaterOrEqual,
        (false, false) => Order::Greater,
    }
}

/// The events of a question in the trail.
struct Walk<'a> {
    reading: &'a Reading<'a>,
    ask: &'a Ask,
}

impl Source for Walk<'_> {
    fn walk(&self, window: &Window, see: &mut dyn FnMut(Timestamp, u64) -> ControlFlow<()>) -> Result<(), Refusal> {
        let mut search = self.ask.search.clone();
        for (order, time) in &window.times {
            search = search.narrowed(timed(*order, *time)?);
        }
        let (after, before) = (window.after.map(Seq), window.before.map(Seq));
        let (options, mut nothing) = (Options { order: window.way, after, before, ..Options::default() }, |_| {});
        for hit in self.reading.hits(&search, &options, &mut nothing)? {
            let hit = hit.map_err(|error| self.reading.broken(error))?;
            if see(time_of(&hit.view), hit.seq.0).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn reach(&self, ordering: Ordering, start: Option<Timestamp>, size: usize) -> Result<Option<Timestamp>, Refusal> {
        let (up, n) = (ordering == Ordering::TimeUp, size as u64);
        let mut search = self.ask.search.clone();
        if let Some(start) = start {
            search = search.narrowed(timed(if up { Order::Greater } else { Order::Less }, start)?);
        }
        let stage = if up { Stage::First { n, by: Vec::new() } } else { Stage::Last { n, by: Vec::new() } };
        let search = Search { pipe: vec![stage], ..search };
        let table = match self.reading.answer(&search, &Options::default(), &mut |_| {}) {
            Ok(Answer::Table(table)) => table,
            // Events that are too large together: then every better one is read.
            Ok(_) | Err(Refusal::TooMuch(_)) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let times = table.objects().map(|view| time_of(&view));
        let times: Vec<Timestamp> = times.filter(|time| start.is_none_or(|start| if up { *time > start } else { *time < start })).collect();
        let furthest = if up { times.iter().max() } else { times.iter().min() };
        Ok(furthest.copied().filter(|_| times.len() >= size))
    }
}

/// Returns the query: the event's time is before, after, … a moment.
fn timed(order: Order, time: Timestamp) -> Result<Query, Refusal> {
    let field = FieldPath::parse("timestamp").map_err(|error| Refusal::Unreadable(Box::new(error)))?;
    Ok(Query::new(Expr::Field(field, Test::Compare(order, Bound::Time(time)))))
}

/// Where an event stands in an order by time: the smaller, the sooner it comes. Events of one time come in the order of the ledger, or against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Up(Timestamp, u64),
    Down(Reverse<Timestamp>, Reverse<u64>),
}

impl Key {
    fn of(ordering: Ordering, time: Timestamp, seq: u64) -> Self {
        if ordering == Ordering::TimeUp { Self::Up(time, seq) } else { Self::Down(Reverse(time), Reverse(seq)) }
    }

    fn time(&self) -> Timestamp {
        match self {
            Self::Up(time, _) | Self::Down(Reverse(time), _) => *time,
        }
    }

    fn seq(&self) -> Seq {
        match self {
            Self::Up(_, seq) | Self::Down(_, Reverse(seq)) => Seq(*seq),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::cell::Cell;

    use super::*;

    /// A log in memory; position `n` has time `times[n]`. Counts what is read.
    struct List {
        times: Vec<i64>,
        read: Cell<usize>,
        reaches: bool,
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn holds((order, bound): &(Order, Timestamp), time: Timestamp) -> bool {
        match order {
            Order::Less => time < *bound,
            Order::LessOrEqual => time <= *bound,
            Order::Greater => time > *bound,
            Order::GreaterOrEqual => time >= *bound,
        }
    }

    impl List {
        fn new(times: Vec<i64>, reaches: bool) -> Self {
            Self { times, read: Cell::new(0), reaches }
        }
    }

    impl Source for List {
        fn walk(&self, window: &Window, see: &mut dyn FnMut(Timestamp, u64) -> ControlFlow<()>) -> Result<(), Refusal> {
            let mut seqs: Vec<usize> = (0..self.times.len()).collect();
            if window.way == Way::Newest {
                seqs.reverse();
            }
            for seq in seqs {
                let (time, number) = (at(self.times[seq]), seq as u64);
                let placed = window.after.is_none_or(|after| number > after) && window.before.is_none_or(|before| number < before);
                if placed && window.times.iter().all(|bound| holds(bound, time)) {
                    self.read.set(self.read.get() + 1);
                    if see(time, number).is_break() {
                        break;
                    }
                }
            }
            Ok(())
        }

        fn reach(&self, ordering: Ordering, start: Option<Timestamp>, size: usize) -> Result<Option<Timestamp>, Refusal> {
            let up = ordering == Ordering::TimeUp;
            let mut times: Vec<Timestamp> = self.times.iter().map(|time| at(*time)).collect();
            times.retain(|time| start.is_none_or(|start| if up { *time > start } else { *time < start }));
            times.sort_unstable();
            if !up {
                times.reverse();
            }
            Ok(times.get(size - 1).copied().filter(|_| self.reaches))
        }
    }

    fn cursor(list: &List, seq: Seq) -> Cursor {
        let index = usize::try_from(seq.0).unwrap();
        Cursor { question: [0; 16], asked: at(0), time: at(list.times[index]), seq: seq.0 }
    }

    fn pages(list: &List, ordering: Ordering, limit: usize) -> Vec<u64> {
        let (mut all, mut last) = (Vec::new(), None);
        loop {
            let found = choose(list, ordering, last, limit + 1).unwrap();
            assert!(found.len() <= limit + 1);
            all.extend(found.iter().take(limit).map(|seq| seq.0));
            if found.len() <= limit {
                return all;
            }
            last = found.get(limit - 1).map(|seq| cursor(list, *seq));
        }
    }

    /// Protects pages by time: whatever the times are, pages of any size together are the list sorted by (time, position), or backwards, whether the
    /// columns tell how far a page reaches or not.
    #[test]
    fn pages_are_the_sorted_list() {
        let mut rng = fastrand::Rng::with_seed(20_261_121);
        for round in 0..300 {
            let (count, span) = (rng.usize(0..700), rng.i64(1..900));
            let late = |n: usize, rng: &mut fastrand::Rng| if rng.u8(..) < 20 { rng.i64(0..span) } else { n as i64 };
            let times: Vec<i64> = match round % 4 {
                0 => (0..count).map(|_| rng.i64(0..span)).collect(),
                1 => (0..count).map(|n| late(n, &mut rng)).collect(),
                2 => (0..count).rev().map(|n| n as i64 / 3).collect(),
                _ => vec![7; count],
            };
            let list = List::new(times, round % 8 < 4);
            let mut sorted: Vec<u64> = (0..count as u64).collect();
            sorted.sort_by_key(|seq| (list.times[*seq as usize], *seq));
            for limit in [1 + rng.usize(..5), 50 + rng.usize(..900)] {
                assert_eq!(pages(&list, Ordering::TimeUp, limit), sorted, "round {round}, limit {limit}");
                let backwards: Vec<u64> = sorted.iter().rev().copied().collect();
                assert_eq!(pages(&list, Ordering::TimeDown, limit), backwards, "round {round}, limit {limit}");
            }
        }
    }

    /// Protects the time that a page takes: of very many matches few are read beyond those of the page, when times go with the ledger, with late
    /// events, against it, and when all of them are equal; for the first page and for one in the middle.
    #[test]
    fn few_are_read() {
        const COUNT: usize = 200_000;
        const SIZE: usize = 101;
        let with: Vec<i64> = (0..COUNT as i64).collect();
        let late: Vec<i64> = with.iter().map(|n| if n % 100 == 0 { n - 50_000 } else { *n }).collect();
        let against: Vec<i64> = with.iter().rev().copied().collect();
        for (name, times) in [("with", with), ("late", late), ("against", against), ("equal", vec![7; COUNT])] {
            for ordering in [Ordering::TimeUp, Ordering::TimeDown] {
                for middle in [None, Some(Seq(COUNT as u64 / 2))] {
                    let list = List::new(times.clone(), true);
                    let found = choose(&list, ordering, middle.map(|seq| cursor(&list, seq)), SIZE).unwrap();
                    assert_eq!(found.len(), SIZE);
                    assert!(list.read.get() < 3_000, "{name} {ordering:?} {middle:?}: {}", list.read.get());
                }
            }
        }
    }
}
