//! Sequences: the examples of EQL's documentation and tests, and a second implementation that works stage by stage over all events.

use std::collections::HashMap;

use jiff::Timestamp;
use proptest::prelude::*;
use sealtrail_query::{Match, Search, Sequence, SequenceError, SequenceLimits, Sequencer, Source};
use serde_json::{Value, json};

fn sequence(text: &str) -> Sequence {
    match Search::parse(text).unwrap_or_else(|error| panic!("{}", error.show(text))).source {
        Source::Sequence(sequence) => sequence,
        Source::Events(_) => panic!("{text}"),
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// Runs over events that are (milliseconds, event), numbered from 1; in the order of the first event.
fn run(text: &str, events: &[(i64, Value)]) -> Vec<Match> {
    let sequence = sequence(text);
    let mut sequencer = Sequencer::new(&sequence, SequenceLimits::default());
    let mut found = Vec::new();
    for (seq, (ms, event)) in (1..).zip(events) {
        found.extend(sequencer.push(seq, at(*ms), event).unwrap());
    }
    found.extend(sequencer.finish().unwrap());
    found.sort_by(|a, b| a.events.cmp(&b.events));
    found
}

fn events_of(found: &[Match]) -> Vec<Vec<u64>> {
    found.iter().map(|found| found.events.clone()).collect()
}

/// Events of one key, one millisecond apart, with a tag each.
fn tagged(tags: &str) -> Vec<(i64, Value)> {
    (1..).zip(tags.split(' ')).map(|(ms, tag)| (ms, json!({ "tag": tag }))).collect()
}

#[test]
fn the_documented_state_machine() {
    // Protects the semantics: the worked example of EQL's manual, two users and three states, event for event.
    let rows = [
        ("root", "attrib"),
        ("root", "attrib"),
        ("elkbee", "bash"),
        ("root", "bash"),
        ("root", "bash"),
        ("elkbee", "attrib"),
        ("root", "attrib"),
        ("elkbee", "bash"),
        ("root", "cat"),
        ("elkbee", "cat"),
        ("root", "cat"),
    ];
    let events: Vec<_> = (1..).zip(rows).map(|(ms, (user, name))| (ms, json!({ "user_id": user, "p": name }))).collect();
    let found = run("sequence by user_id [p=attrib] [p=bash] [p=cat]", &events);
    assert_eq!(events_of(&found), [vec![2, 4, 9], vec![6, 8, 10]]);
    assert_eq!(found[0].keys[0].to_value(), "root");
    assert_eq!((found[0].first, found[0].last), (at(2), at(9)));
}

#[test]
fn until_and_maxspan() {
    // Protects the two bounds: an expiry between the events ends a sequence, one after it does not; a span counts from the first event and includes its end.
    let ids = |rows: &[(&str, i64)]| {
        rows.iter().enumerate().map(|(ms, (p, id))| (i64::try_from(ms).unwrap(), json!({ "p": p, "id": id }))).collect::<Vec<_>>()
    };
    let events = ids(&[("a", 1), ("b", 1), ("a", 2), ("b", 2), ("c", 2), ("a", 3), ("c", 3), ("b", 3)]);
    assert_eq!(events_of(&run("sequence by id [p=a] [p=b] until [p=c]", &events)), [vec![1, 2], vec![3, 4]]);
    // An event that is the expiry, too, ends what it has just begun.
    assert_eq!(events_of(&run("sequence [p=a] [p=b] until [p=a]", &ids(&[("a", 1), ("b", 1)]))), Vec::<Vec<u64>>::new());
    let spaced = [(0, json!({ "p": "a" })), (500, json!({ "p": "b" })), (1000, json!({ "p": "c" })), (1001, json!({ "p": "c" }))];
    assert_eq!(events_of(&run("sequence with maxspan=1s [p=a] [p=b] [p=c]", &spaced)), [vec![1, 2, 3]]);
    assert!(run("sequence with maxspan=999ms [p=a] [p=b] [p=c]", &spaced).is_empty());
}

#[test]
fn one_event_moves_each_sequence_by_one_step() {
    // Protects overlapping steps: an event ends one sequence and begins the next; `with runs` is the step written so often.
    assert_eq!(events_of(&run("sequence [tag=n] [tag=n]", &tagged("n n n"))), [vec![1, 2], vec![2, 3]]);
    assert_eq!(events_of(&run("sequence [tag=n] with runs=3", &tagged("n n x n n"))), [vec![1, 2, 4], vec![2, 4, 5]]);
    assert_eq!(
        run("sequence [tag=a] [tag=n] with runs=2 [tag=b]", &tagged("a n n b")),
        run("sequence [tag=a] [tag=n] [tag=n] [tag=b]", &tagged("a n n b"))
    );
}

#[test]
fn what_must_not_come() {
    // Protects `![…]` before, between and after, with the cases of EQL's own tests.
    let simple = tagged("normal normal missing normal");
    assert_eq!(events_of(&run("sequence with maxspan=1s [tag=normal] ![tag=nothing] [tag=normal]", &simple)), [vec![1, 2], vec![2, 4]]);
    assert_eq!(events_of(&run("sequence with maxspan=1s [tag=normal] ![tag=missing] [tag=normal]", &simple)), [vec![1, 2]]);
    assert_eq!(events_of(&run("sequence with maxspan=1s [tag=normal] ![tag=missing]", &simple)), [vec![4]]);
    let runs = tagged("normal normal missing normal normal missing");
    assert_eq!(events_of(&run("sequence with maxspan=1s [tag=normal] [tag=normal] ![tag=missing] [tag=normal]", &runs)), [vec![2, 4, 5]]);
    let minutes = |minutes: &[(i64, &str)]| {
        minutes.iter().map(|(at, tag)| (at * 60_000 + i64::from(*at > 0), json!({ "tag": tag }))).collect::<Vec<_>>()
    };
    let spread = minutes(&[(0, "m"), (10, "n"), (20, "m"), (21, "n"), (29, "n"), (31, "n")]);
    assert_eq!(events_of(&run("sequence with maxspan=3m ![tag=m] [tag=n]", &spread)), [vec![2], vec![5], vec![6]]);
    assert_eq!(events_of(&run("sequence with maxspan=19m ![tag=m] [tag=n] ![tag=m]", &spread)), [vec![2], vec![4], vec![5], vec![6]]);
    assert_eq!(events_of(&run("sequence with maxspan=21m ![tag=m] [tag=n] ![tag=m]", &spread)), [vec![4], vec![5], vec![6]]);
    let letters = tagged("A B M1 B C M2 D M1 C B C D A B M3 C D M4");
    for (steps, wanted) in [
        ("[tag=A] [tag=B] ![tag=M1] [tag=C] ![tag=M2] [tag=D]", vec![vec![13, 14, 16, 17]]),
        ("[tag=A] [tag=B] ![tag=M1] [tag=C] [tag=D]", vec![vec![13, 14, 16, 17]]),
        ("[tag=A] [tag=B] ![tag=M1] [tag=C] ![tag=M2] [tag=D] ![tag=M4]", vec![]),
        ("[tag=A] [tag=B] ![tag=none] [tag=C] ![tag=none] [tag=D]", vec![vec![1, 2, 5, 7], vec![13, 14, 16, 17]]),
        ("![tag=none] [tag=A] [tag=B] [tag=C] ![tag=M2] [tag=D] ![tag=none]", vec![vec![13, 14, 16, 17]]),
    ] {
        assert_eq!(events_of(&run(&format!("sequence with maxspan=1s {steps}"), &letters)), wanted, "{steps}");
    }
}

#[test]
fn a_match_that_waits_is_told_when_it_is_sure() {
    // Protects "not followed by" in a live stream: told when the time has passed, marked when the events ended before.
    let sequence = sequence("sequence with maxspan=1s [tag=a] ![tag=b]");
    let mut sequencer = Sequencer::new(&sequence, SequenceLimits::default());
    assert!(sequencer.push(1, at(0), &json!({ "tag": "a" })).unwrap().is_empty());
    assert!(sequencer.push(2, at(1000), &json!({ "tag": "x" })).unwrap().is_empty());
    let found = sequencer.push(3, at(1001), &json!({ "tag": "a" })).unwrap();
    assert_eq!((events_of(&found), found[0].settled), (vec![vec![1]], true));
    let rest = sequencer.finish().unwrap();
    assert_eq!((events_of(&rest), rest[0].settled), (vec![vec![3]], false));
}

#[test]
fn events_without_the_key_take_no_part() {
    // Protects joins: absent and null keys join nothing; keys may have other names in other steps; numbers are equal by value.
    let events = [
        (1, json!({ "p": "a", "x": 1 })),
        (2, json!({ "p": "a" })),
        (3, json!({ "p": "b", "y": null })),
        (4, json!({ "p": "b", "y": 1.0 })),
    ];
    assert_eq!(events_of(&run("sequence [p=a] by x [p=b] by y", &events)), [vec![1, 4]]);
}

#[test]
fn too_much_open_is_an_error_and_what_is_over_is_dropped() {
    // Protects memory: a million keys that never end are refused with a number; the same with a short span are not.
    let limits = SequenceLimits { open: 5_000, bytes: 100 << 20 };
    let feed = |text: &str| {
        let sequence = sequence(text);
        let mut sequencer = Sequencer::new(&sequence, limits);
        (0..50_000).try_for_each(|n| sequencer.push(n, at(i64::try_from(n).unwrap()), &json!({ "user_id": n, "p": "a" })).map(drop))
    };
    let error = feed("sequence by user_id [p=a] [p=b]").unwrap_err();
    assert!(
        matches!(error, SequenceError::TooManyOpen { .. }) && error.to_string().contains("5000") && error.to_string().contains("maxspan"),
        "{error}"
    );
    assert_eq!(feed("sequence by user_id with maxspan=1s [p=a] [p=b]"), Ok(()));
    assert_eq!(feed("sequence by user_id with maxspan=1s [p=a] ![p=b]"), Ok(()));
    assert_eq!(feed("sequence by user_id with maxspan=1s ![p=a] [p=b]"), Ok(()));
}

#[test]
fn order_is_checked_or_made() {
    // Protects answers from events that come late: they are refused, waited for, or sorted; never just taken.
    let sequence = sequence("sequence with maxspan=1s [p=a] [p=b]");
    let (a, b) = (json!({ "p": "a" }), json!({ "p": "b" }));
    let mut strict = Sequencer::new(&sequence, SequenceLimits::default());
    strict.push(1, at(10), &b).unwrap();
    assert!(matches!(strict.push(2, at(9), &a), Err(SequenceError::OutOfOrder { seq: 2, .. })));
    let mut patient = Sequencer::new(&sequence, SequenceLimits::default()).with_slack(5);
    assert!(patient.push(1, at(10), &b).unwrap().is_empty() && patient.push(2, at(9), &a).unwrap().is_empty());
    assert_eq!(events_of(&patient.finish().unwrap()), [vec![2, 1]]);
    let hits = [sequence.hit(1, at(10), &b).unwrap(), sequence.hit(2, at(9), &a).unwrap()];
    assert_eq!(events_of(&sequence.find(hits.to_vec(), SequenceLimits::default()).unwrap()), [vec![2, 1]]);
}

#[test]
fn a_match_can_be_counted() {
    // Protects pipes after a sequence: a match has its keys, its times and its span as fields.
    let sequence = sequence("sequence by resource.path [p=a] [p=b]");
    let found = run(
        "sequence by resource.path [p=a] [p=b]",
        &[(1000, json!({ "p": "a", "resource": { "path": "/x" } })), (2500, json!({ "p": "b", "resource": { "path": "/x" } }))],
    );
    let value = found[0].to_value(&sequence);
    let wanted = json!({ "resource.path": "/x", "timestamp": "1970-01-01T00:00:01Z", "ended_at": "1970-01-01T00:00:02.5Z", "span_ms": 1500, "events": [1, 2], "settled": true });
    assert_eq!(value, wanted);
    assert!(sealtrail_query::Query::parse("resource.path=/x span_ms>1000").unwrap().matches(&value));
}

/// A step of the second implementation: the tags it takes, whether it must not come, whether `k` or `l` is its key.
#[derive(Clone, Debug)]
struct Plain {
    tags: Vec<&'static str>,
    missing: bool,
    runs: usize,
    other_key: bool,
}

#[derive(Clone, Debug)]
struct Case {
    steps: Vec<Plain>,
    until: Option<Plain>,
    keyed: bool,
    span: Option<i64>,
    /// Milliseconds since the one before, tag, and the two keys.
    events: Vec<(i64, &'static str, Option<u8>, Option<u8>)>,
}

impl Plain {
    fn write(&self, keyed: bool) -> String {
        let key = if !keyed {
            ""
        } else if self.other_key {
            " by l"
        } else {
            " by k"
        };
        let runs = if self.runs > 1 { format!(" with runs={}", self.runs) } else { String::new() };
        format!("{}[tag in ({})]{key}{runs}", if self.missing { "!" } else { "" }, self.tags.join(","))
    }

    fn key(&self, case: &Case, event: &(i64, &str, Option<u8>, Option<u8>)) -> Option<u8> {
        let key = if !case.keyed {
            Some(0)
        } else if self.other_key {
            event.3
        } else {
            event.2
        };
        key.filter(|_| self.tags.contains(&event.1))
    }
}

impl Case {
    fn write(&self) -> String {
        let span = self.span.map_or(String::new(), |ms| format!(" with maxspan={ms}ms"));
        let steps: Vec<String> = self.steps.iter().map(|step| step.write(self.keyed)).collect();
        let until = self.until.as_ref().map_or(String::new(), |until| format!(" until {}", until.write(self.keyed)));
        format!("sequence{span} {}{until}", steps.join(" "))
    }

    fn times(&self) -> Vec<i64> {
        self.events
            .iter()
            .scan(0, |time, event| {
                *time += event.0;
                Some(*time)
            })
            .collect()
    }

    /// All sequences of the steps that must come: one stage after the other over all events, as the definition of EQL does it.
    fn positive(&self) -> Vec<(u8, Vec<usize>)> {
        let times = self.times();
        let stages: Vec<&Plain> = self.steps.iter().filter(|step| !step.missing).flat_map(|step| vec![step; step.runs]).collect();
        let mut open: HashMap<u8, Vec<Vec<usize>>> = HashMap::new();
        for (stage, step) in stages.iter().enumerate() {
            let mut next: HashMap<u8, Vec<Vec<usize>>> = HashMap::new();
            for (index, event) in self.events.iter().enumerate() {
                let Some(key) = step.key(self, event) else { continue };
                if stage == 0 {
                    next.entry(key).or_default().push(vec![index]);
                    continue;
                }
                let group = open.entry(key).or_default();
                let Some(latest) = group.iter().rposition(|open| *open.last().unwrap() < index) else { continue };
                let mut moved = group.drain(..=latest).next_back().unwrap();
                let expired = (*moved.last().unwrap()..index)
                    .any(|between| self.until.as_ref().is_some_and(|until| until.key(self, &self.events[between]) == Some(key)));
                if expired || self.span.is_some_and(|span| times[index] - times[moved[0]] > span) {
                    continue;
                }
                moved.push(index);
                next.entry(key).or_default().push(moved);
            }
            open = next;
        }
        open.into_iter().flat_map(|(key, list)| list.into_iter().map(move |events| (key, events))).collect()
    }

    /// Whether nothing came that must not.
    fn clean(&self, key: u8, found: &[usize]) -> bool {
        let times = self.times();
        let comes = |step: &Plain, index: usize| step.key(self, &self.events[index]) == Some(key);
        let (mut led, mut trailed, mut passed, mut leads, mut trails) = (None, None, 0, false, false);
        for step in &self.steps {
            if !step.missing {
                passed += step.runs;
            } else if passed == 0 {
                leads = true;
                led = led.max((0..found[0]).rev().find(|index| comes(step, *index)).map(|index| times[index]));
            } else if passed == found.len() {
                trails = true;
                let next = (found[passed - 1] + 1..times.len()).find(|index| comes(step, *index)).map(|index| times[index]);
                trailed = [trailed, next].into_iter().flatten().min();
            } else if (found[passed - 1] + 1..found[passed]).any(|index| comes(step, index)) {
                return false;
            }
        }
        let from = if leads { led } else { Some(times[found[0]]) };
        let to = if trails { trailed } else { Some(times[*found.last().unwrap()]) };
        !(leads || trails) || from.zip(to).is_none_or(|(from, to)| to - from > self.span.unwrap())
    }
}

fn step(missing: bool) -> impl Strategy<Value = Plain> {
    let tags = prop::sample::subsequence(vec!["a", "b", "c"], 1..3);
    (tags, if missing { 1..2usize } else { 1..3 }, prop::bool::weighted(0.2)).prop_map(move |(tags, runs, other_key)| Plain {
        tags,
        missing,
        runs,
        other_key,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(prop::bool::weighted(0.3).prop_flat_map(step), 2..5)
        .prop_filter("one must come", |steps| steps.iter().any(|step| !step.missing));
    let key = || prop::option::weighted(0.9, 0..2u8);
    let event = (0..4i64, prop::sample::select(vec!["a", "b", "c", "d"]), key(), key());
    (steps, prop::option::weighted(0.3, step(false)), any::<bool>(), prop::option::of(1..12i64), prop::collection::vec(event, 0..30))
        .prop_map(|(steps, until, keyed, span, events)| {
            let span = span.or_else(|| steps.iter().any(|step| step.missing).then_some(5));
            Case { steps, until: until.map(|until| Plain { runs: 1, ..until }), keyed, span, events }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn agrees_with_a_search_stage_by_stage(case in case()) {
        // Protects the state machine: it finds, event by event, exactly what the definition finds over all events at once.
        let text = case.write();
        let times = case.times();
        let events: Vec<_> = case.events.iter().zip(&times).map(|((_, tag, k, l), ms)| (*ms, json!({ "tag": tag, "k": k, "l": l }))).collect();
        let mut wanted: Vec<Vec<u64>> = case.positive().into_iter().filter(|(key, found)| case.clean(*key, found)).map(|(_, found)| found.into_iter().map(|index| index as u64 + 1).collect()).collect();
        wanted.sort();
        prop_assert_eq!(events_of(&run(&text, &events)), wanted, "{} on {:?}", text, events);
    }
}
