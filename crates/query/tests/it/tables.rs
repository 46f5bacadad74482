//! Pipes: each stage on examples, against plain maps on random events, and within its bounds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use sealtrail_query::{AggregateError, Aggregator, Interval, KeyValue, Limits, Search, Stage, Table};
use serde_json::{Value, json};

fn pipe(text: &str) -> Vec<Stage> {
    Search::parse(text).unwrap_or_else(|error| panic!("{}", error.show(text))).pipe
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// Runs over events at the milliseconds of their member `at`.
fn run(text: &str, events: &[Value]) -> Table {
    let mut aggregator = Aggregator::new(&pipe(text), Limits::default());
    for (seq, event) in (0..).zip(events) {
        aggregator.push(seq, at(event["at"].as_i64().unwrap_or(0)), event).unwrap();
    }
    aggregator.finish().unwrap()
}

fn rows(table: &Table) -> Value {
    json!(table.rows)
}

fn calls() -> Vec<Value> {
    let rows = [
        ("a", "Bash", 10, 0),
        ("b", "Bash", 30, 1_000),
        ("a", "Read", 20, 3_600_000),
        ("a", "Bash", 40, 7_200_000),
        ("c", "Edit", 50, 90_000_000),
    ];
    rows.map(|(user, tool, ms, at)| json!({ "user_id": user, "tool_name": tool, "duration_ms": ms, "at": at })).to_vec()
}

#[test]
fn each_stage_does_what_the_page_says() {
    // Protects the meaning of every stage: one small set of events, one table each.
    let calls = calls();
    for (text, wanted) in [
        ("| count", json!([[5]])),
        ("| count by user_id", json!([["a", 3], ["b", 1], ["c", 1]])),
        ("| count by user_id, tool_name limit=1", json!([["a", "Bash", 2]])),
        ("| terms tool_name", json!([["Bash", 3], ["Edit", 1], ["Read", 1]])),
        ("| top 1 tool_name", json!([["Bash", 3]])),
        (
            "| histogram 1h",
            json!([["1970-01-01T00:00:00Z", 2], ["1970-01-01T01:00:00Z", 1], ["1970-01-01T02:00:00Z", 1], ["1970-01-02T01:00:00Z", 1]]),
        ),
        (
            "| histogram day by user_id",
            json!([["1970-01-01T00:00:00Z", "a", 3], ["1970-01-01T00:00:00Z", "b", 1], ["1970-01-02T00:00:00Z", "c", 1]]),
        ),
        ("| percentiles duration_ms 0,50,90,100", json!([[5, 10.0, 30.0, 46.0, 50.0]])),
        ("| percentiles duration_ms 50 by user_id", json!([["a", 3, 20.0], ["b", 1, 30.0], ["c", 1, 50.0]])),
        (
            "| percentiles duration_ms 50 by tool_name every 1d",
            json!([
                ["1970-01-01T00:00:00Z", "Bash", 3, 30.0],
                ["1970-01-01T00:00:00Z", "Read", 1, 20.0],
                ["1970-01-02T00:00:00Z", "Edit", 1, 50.0]
            ]),
        ),
        (
            "| stats duration_ms by user_id",
            json!([["a", 3, 70.0, 70.0 / 3.0, 10.0, 40.0], ["b", 1, 30.0, 30.0, 30.0, 30.0], ["c", 1, 50.0, 50.0, 50.0, 50.0]]),
        ),
        ("| distinct tool_name", json!([["Bash"], ["Edit"], ["Read"]])),
        ("| distinct user_id, tool_name | count by user_id", json!([["a", 2], ["b", 1], ["c", 1]])),
        ("| distinct tool_name | count", json!([[3]])),
        ("| count by user_id | where count>1", json!([["a", 3]])),
        ("| count by user_id | sort user_id desc | head 2 | fields user_id", json!([["c"], ["b"]])),
        ("| count by user_id | tail 1", json!([["c", 1]])),
        ("| fields duration_ms, tool_name | tail 1", json!([[50, "Edit"]])),
        ("| histogram 1h by user_id | histogram day", json!([["1970-01-01T00:00:00Z", 4], ["1970-01-02T00:00:00Z", 1]])),
        ("| first 2 | fields user_id", json!([["a"], ["b"]])),
        ("| last 1 by user_id | fields duration_ms", json!([[30], [40], [50]])),
        ("| sort duration_ms desc | head 2 | fields duration_ms", json!([[50], [40]])),
        ("| sort tool_name, duration_ms desc | fields duration_ms", json!([[40], [30], [10], [50], [20]])),
        ("| first 5 | count by tool_name", json!([["Bash", 3], ["Edit", 1], ["Read", 1]])),
    ] {
        assert_eq!(rows(&run(text, &calls)), wanted, "{text}");
    }
    let cut = run("| count by user_id limit=1", &calls);
    assert_eq!(cut.truncated.map(|left_out| (left_out.rows, left_out.count)), Some((2, 2)));
    let first = run("| first 1", &calls);
    assert!(first.is_events() && first.objects().next() == Some(calls[0].clone()));
    assert_eq!(run("", &calls).rows.len(), 5);
    let columns: Vec<String> =
        run("| percentiles latency_ms 50,99.9 by tool_name every 1d", &calls).columns.into_iter().map(|column| column.name).collect();
    assert_eq!(columns, ["timestamp", "tool_name", "count", "p50", "p99.9"]);
}

#[test]
fn absent_values_and_lists_are_counted_as_the_page_says() {
    // Protects the edges: nothing is dropped without a word, an event with a list counts once for each different item.
    let events = [json!({ "tags": ["x", "y", "x"], "n": [1, "2", "no", null] }), json!({ "tags": null, "n": {} }), json!({})];
    assert_eq!(rows(&run("| count by tags", &events)), json!([[null, 2], ["x", 1], ["y", 1]]));
    let terms = run("| terms tags", &events);
    assert_eq!((rows(&terms), terms.missing), (json!([["x", 1], ["y", 1]]), 2));
    let stats = run("| stats n", &events);
    assert_eq!((rows(&stats), stats.missing), (json!([[2, 3.0, 1.5, 1.0, 2.0]]), 2));
    assert_eq!(rows(&run("| stats n", &[])), json!([[0, null, null, null, null]]));
    assert_eq!(rows(&run("| count", &[])), json!([[0]]));
    assert_eq!(rows(&run("| percentiles n 50", &[])), json!([[0, null]]));
    assert_eq!(rows(&run("| count by x", &[])), json!([]));
    let named = [json!({ "details": { "x": 1 }, "resource": { "path": "/a", "tags": [1, 2] } })];
    assert_eq!(rows(&run("| fields details, resource.path, resource.tags, userId", &named)), json!([[{ "x": 1 }, "/a", [1, 2], null]]));
    assert_eq!(
        rows(&run(
            "| count by n",
            &[
                json!({ "n": 1 }),
                json!({ "n": 1.0 }),
                json!({ "n": "1" }),
                json!({ "n": 1.5 }),
                json!({ "n": 18_446_744_073_709_551_615u64 })
            ]
        )),
        json!([[1, 2], [1.5, 1], [18_446_744_073_709_551_615u64, 1], ["1", 1]])
    );
}

#[test]
fn words_are_sorted_by_their_meaning() {
    // Protects `sort`: severities and times are ordered as the language orders them, absent values come last both ways.
    let events = ["high", "debug", "critical", "low"]
        .map(|severity| json!({ "severity": severity }))
        .into_iter()
        .chain([json!({})])
        .collect::<Vec<_>>();
    assert_eq!(rows(&run("| sort severity | fields severity", &events)), json!([["debug"], ["low"], ["high"], ["critical"], [null]]));
    assert_eq!(rows(&run("| sort severity desc | fields severity", &events)), json!([["critical"], ["high"], ["low"], ["debug"], [null]]));
    let times = ["2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+02:00"].map(|time| json!({ "timestamp": time }));
    assert_eq!(
        rows(&run("| sort timestamp | fields timestamp", &times)),
        json!([["2026-01-01T01:00:00+02:00"], ["2026-01-01T00:00:00Z"], ["2026-01-01T00:00:00.5Z"]])
    );
}

#[test]
fn buckets_begin_where_calendars_do() {
    // Protects histograms: weeks on Monday, months and years by the calendar, all in UTC, also before 1970.
    for (interval, time, wanted) in [
        ("1w", "2026-03-18T12:00:00Z", "2026-03-16T00:00:00Z"),
        ("week", "2026-03-16T00:00:00Z", "2026-03-16T00:00:00Z"),
        ("1mo", "2026-02-28T23:59:59.999Z", "2026-02-01T00:00:00Z"),
        ("3mo", "2026-06-30T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("1y", "2026-06-30T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("15m", "2026-03-16T14:29:59Z", "2026-03-16T14:15:00Z"),
        ("1d", "1969-12-31T23:59:59.9999Z", "1969-12-31T00:00:00Z"),
        ("6h", "2026-03-16T05:59:59Z", "2026-03-16T00:00:00Z"),
        ("1s", "1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59Z"),
        ("1mo", "-000001-06-15T00:00:00Z", "-000001-06-01T00:00:00Z"),
    ] {
        let interval = Interval::parse(interval).unwrap();
        assert_eq!(interval.start_of(time.parse().unwrap()).to_string(), wanted, "{interval} of {time}");
        assert_eq!(Interval::parse(&interval.to_string()), Ok(interval));
    }
    for text in ["", "0h", "10001h", "1x", "h1", "-1h", "1.5h"] {
        assert!(Interval::parse(text).is_err(), "{text}");
    }
    for edge in [Timestamp::MIN, Timestamp::MAX] {
        for interval in ["1s", "10000w", "10000y", "7mo"] {
            let _any_answer = Interval::parse(interval).unwrap().start_of(edge);
        }
    }
}

#[test]
fn more_than_the_bounds_is_an_error() {
    // Protects memory and answers: a stage that would hold too much is refused, with its number, and never cut.
    let limits = Limits { groups: 1_000, bytes: 1 << 20 };
    let feed = |text: &str, event: fn(u64) -> Value| {
        let mut aggregator = Aggregator::new(&pipe(text), limits);
        (0..200_000).try_for_each(|seq| aggregator.push(seq, at(i64::try_from(seq).unwrap() * 1000), &event(seq)))
    };
    let groups =
        |text: &str| matches!(feed(text, |n| json!({ "user_id": n, "n": n })), Err(AggregateError::TooManyGroups { limit: 1_000, .. }));
    assert!(groups("| count by user_id") && groups("| terms user_id limit=3") && groups("| histogram 1s") && groups("| distinct user_id"));
    assert!(
        groups("| stats n by user_id")
            && groups("| first 1 by user_id")
            && groups("| sort n")
            && groups("| fields n")
            && groups("| sort n | tail 10000")
    );
    let error = feed("| percentiles n 50", |n| json!({ "n": n })).unwrap_err();
    assert!(
        matches!(error, AggregateError::TooMuchMemory { .. })
            && error.to_string().contains("1048576")
            && error.to_string().contains("narrow"),
        "{error}"
    );
    assert_eq!(feed("| stats n", |n| json!({ "n": n })), Ok(()));
    assert_eq!(feed("| sort n desc | head 10", |n| json!({ "n": n })), Ok(()));
    assert_eq!(feed("| count by user_id | head 1", |_| json!({ "user_id": "x" })), Ok(()));
    let long = json!({ "a": (0..1_000).collect::<Vec<_>>(), "b": (0..1_000).collect::<Vec<_>>() });
    let mut wide = Aggregator::new(&pipe("| count by a, b"), Limits::default());
    assert!(matches!(wide.push(7, at(0), &long), Err(AggregateError::TooManyCombinations { seq: 7, found: 1_000_000, .. })));
    let mut one = Aggregator::new(&pipe("| count by a"), Limits::default());
    assert_eq!(one.push(7, at(0), &long), Ok(()));
    let mut heavy = Aggregator::new(&pipe("| count by a"), Limits { groups: 1_000_000, bytes: 1 << 20 });
    assert!(matches!(
        (0..100).try_for_each(|n| heavy.push(n, at(0), &json!({ "a": format!("{n}{}", "x".repeat(50_000)) }))),
        Err(AggregateError::TooMuchMemory { .. })
    ));
}

#[test]
fn parts_of_different_pipes_do_not_mix() {
    // Protects callers of the fast entry and of merge from tables that mean nothing.
    let mut count = Aggregator::new(&pipe("| count by user_id"), Limits::default());
    assert!(count.merge(Aggregator::new(&pipe("| count by tool_name"), Limits::default())).is_err());
    assert!(count.merge(Aggregator::new(&pipe("| first 1"), Limits::default())).is_err());
    assert!(count.add(&[], at(0), None, 1).is_err());
    assert!(count.takes_keys() && !Aggregator::new(&pipe("| first 1"), Limits::default()).takes_keys());
}

#[derive(Clone, Debug)]
struct Row {
    user: Option<u8>,
    tags: Vec<u8>,
    number: Option<i16>,
    at: i64,
}

impl Row {
    fn event(&self) -> Value {
        // Numbers with a fraction that adds up differently in another order, when it is not added exactly.
        json!({ "user_id": self.user, "tags": self.tags, "n": self.number.map(number) })
    }
}

fn number(whole: i16) -> f64 {
    f64::from(whole) / 10.0 * if whole % 7 == 0 { 1e15 } else { 1.0 }
}

fn data() -> impl Strategy<Value = Vec<Row>> {
    let row = (prop::option::of(0..3u8), prop::collection::vec(0..3u8, 0..3), prop::option::of(any::<i16>()), 0..20i64);
    prop::collection::vec(row.prop_map(|(user, tags, number, at)| Row { user, tags, number, at: at * 700 }), 0..60)
}

const PIPES: &[&str] = &[
    "| count",
    "| count by user_id, tags limit=2",
    "| terms tags",
    "| histogram 2s by user_id",
    "| percentiles n 0,25,50,99.5,100 by tags every 3s",
    "| stats n by user_id",
    "| distinct user_id, tags",
    "| first 3 by user_id",
    "| last 4",
    "| sort n desc, user_id | head 5",
    "| sort n",
    "| fields n, tags",
    "",
    "| count by tags | where count>2 | sort tags desc",
];

fn part(text: &str, rows: &[(u64, &Row)]) -> Aggregator {
    let mut aggregator = Aggregator::new(&pipe(text), Limits::default());
    rows.iter().for_each(|(seq, row)| aggregator.push(*seq, at(row.at), &row.event()).unwrap());
    aggregator
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn agrees_with_plain_maps(data in data()) {
        // Protects counts and percentiles: the same from a map and a sorted list, written without the crate.
        let events: Vec<Value> = data.iter().map(|row| { let mut event = row.event(); event["at"] = row.at.into(); event }).collect();
        let mut users: BTreeMap<Option<u8>, u64> = BTreeMap::new();
        let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
        let mut numbers: BTreeMap<Option<u8>, Vec<f64>> = BTreeMap::new();
        for row in &data {
            *users.entry(row.user).or_default() += 1;
            *hours.entry(row.at / 2000).or_default() += 1;
            numbers.entry(row.user).or_default().extend(row.number.map(number));
        }
        let mut wanted: Vec<(std::cmp::Reverse<u64>, Option<u8>)> = users.into_iter().map(|(user, count)| (std::cmp::Reverse(count), user)).collect();
        wanted.sort();
        prop_assert_eq!(rows(&run("| count by user_id", &events)), json!(wanted.iter().map(|(count, user)| json!([user, count.0])).collect::<Vec<_>>()));
        prop_assert_eq!(rows(&run("| histogram 2s", &events)), json!(hours.iter().map(|(hour, count)| json!([at(hour * 2000).to_string(), count])).collect::<Vec<_>>()));
        let mut wanted = Vec::new();
        for (user, mut list) in numbers.into_iter().filter(|(_, list)| !list.is_empty()) {
            list.sort_by(f64::total_cmp);
            let rank = 0.9 * (list.len() - 1) as f64;
            let (low, high) = (list[rank.floor() as usize], list[rank.ceil() as usize]);
            wanted.push((user, list.len(), low + (high - low) * rank.fract()));
        }
        let table = run("| percentiles n 90 by user_id", &events);
        prop_assert_eq!(table.rows.len(), wanted.len());
        for (row, (user, count, p90)) in table.rows.iter().zip(wanted) {
            prop_assert_eq!((&row[0], &row[1]), (&json!(user), &json!(count)));
            let found = row[2].as_f64().unwrap();
            prop_assert!((found - p90).abs() <= p90.abs().max(1.0) * 1e-9, "{} {}", found, p90);
        }
    }

    #[test]
    fn the_order_and_the_parts_do_not_matter(data in data(), cuts in prop::collection::vec(0..3usize, 60), swap in any::<prop::sample::Index>()) {
        // Protects parallel searches: in any order, in any parts, merged in any way, the table is the same to the last bit.
        let numbered: Vec<(u64, &Row)> = (0..).zip(&data).collect();
        let mut turned = numbered.clone();
        if !turned.is_empty() {
            let middle = swap.index(turned.len());
            turned.rotate_left(middle);
        }
        for text in PIPES {
            let whole = part(text, &numbered).finish().unwrap();
            prop_assert_eq!(&part(text, &turned).finish().unwrap(), &whole, "{}", text);
            let parts = || (0..3).map(|part_no| part(text, &turned.iter().zip(&cuts).filter(|(_, cut)| **cut == part_no).map(|(row, _)| *row).collect::<Vec<_>>())).collect::<Vec<_>>();
            let [mut left, middle, right]: [Aggregator; 3] = parts().try_into().map_err(|_| ()).unwrap();
            left.merge(middle).unwrap();
            left.merge(right).unwrap();
            prop_assert_eq!(&left.finish().unwrap(), &whole, "{}", text);
            let [left, mut middle, right]: [Aggregator; 3] = parts().try_into().map_err(|_| ()).unwrap();
            middle.merge(right).unwrap();
            middle.merge(left).unwrap();
            prop_assert_eq!(&middle.finish().unwrap(), &whole, "{}", text);
        }
    }

    #[test]
    fn keys_give_the_same_table_as_events(data in data()) {
        // Protects the fast entry of the index: values by columns give the table that whole events give.
        for text in ["| count by user_id", "| histogram 2s by user_id", "| stats n by user_id every 3s", "| percentiles n 50 by user_id", "| terms user_id limit=1"] {
            let stages = pipe(text);
            let mut fast = Aggregator::new(&stages, Limits::default());
            for row in &data {
                let key = row.user.map_or(KeyValue::Null, |user| KeyValue::Whole(user.into()));
                fast.add(&[key], at(row.at), stages[0].value().and(row.number.map(number)), 1).unwrap();
            }
            let numbered: Vec<(u64, &Row)> = (0..).zip(&data).collect();
            let whole = part(text, &numbered).finish().unwrap();
            prop_assert_eq!(&fast.finish().unwrap(), &whole, "{}", text);
            // Numbers of one group at once, where the stage measures.
            if stages[0].value().is_none() {
                continue;
            }
            let mut groups = std::collections::BTreeMap::<(i64, Option<u8>), Vec<f64>>::new();
            for row in &data {
                groups.entry((row.at, row.user)).or_default().push(row.number.map_or(f64::NAN, number));
            }
            let mut many = Aggregator::new(&stages, Limits::default());
            for ((time, user), numbers) in groups {
                many.add_values(&[user.map_or(KeyValue::Null, |user| KeyValue::Whole(user.into()))], at(time), &numbers).unwrap();
            }
            prop_assert_eq!(&many.finish().unwrap(), &whole, "{}", text);
        }
    }
}
