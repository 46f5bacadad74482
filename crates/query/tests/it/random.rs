//! Random texts, random plans and random events.

use proptest::prelude::*;
use sealtrail_query::{Aggregator, Limits, Query, Search, Selector, Sequence, SequenceLimits, Sequencer, Source, parse_span, parse_time};
use serde_json::{Map, Value, json};

/// A small language of tests whose meaning is written a second time, without paths, aliases or patterns.
#[derive(Clone, Debug)]
enum Plain {
    Is(&'static str, i64),
    Less(&'static str, i64),
    Text(&'static str, &'static str),
    Starts(&'static str, &'static str),
    Exists(&'static str),
    In(&'static str, Vec<i64>),
    And(Vec<Plain>),
    Or(Vec<Plain>),
    Not(Box<Plain>),
}

const NAMES: &[&str] = &["aa", "bb", "cc.dd", "cc.ee"];
const TEXTS: &[&str] = &["x", "xy", "y z", "x*", "", "a\"b"];

impl Plain {
    fn write(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('*', "\\*"));
        let join = |parts: &[Plain], word: &str| parts.iter().map(|part| format!("({})", part.write())).collect::<Vec<_>>().join(word);
        match self {
            Self::Is(name, number) => format!("{name}={number}"),
            Self::Less(name, number) => format!("{name} < {number}"),
            Self::Text(name, text) => format!("{name}={}", quote(text)),
            Self::Starts(name, text) => format!("{name}={}", quote(text).strip_suffix('"').unwrap().to_owned() + "*\""),
            Self::Exists(name) => format!("{name} exists"),
            Self::In(name, list) => format!("{name} in ({})", list.iter().map(i64::to_string).collect::<Vec<_>>().join(",")),
            Self::And(parts) => join(parts, " "),
            Self::Or(parts) => join(parts, " or "),
            Self::Not(inner) => format!("not ({})", inner.write()),
        }
    }

    fn holds(&self, event: &Value) -> bool {
        match self {
            Self::Is(name, number) => values(event, name).iter().any(|value| value.as_i64() == Some(*number)),
            Self::Less(name, number) => values(event, name).iter().any(|value| value.as_i64().is_some_and(|found| found < *number)),
            Self::Text(name, text) => values(event, name).iter().any(|value| value.as_str() == Some(text)),
            Self::Starts(name, text) => values(event, name).iter().any(|value| {
                value
                    .as_str()
                    .map(str::to_owned)
                    .or_else(|| value.as_i64().map(|n| n.to_string()))
                    .is_some_and(|found| found.starts_with(text))
            }),
            Self::Exists(name) => values(event, name).iter().any(|value| !value.is_null()),
            Self::In(name, list) => values(event, name).iter().any(|value| value.as_i64().is_some_and(|found| list.contains(&found))),
            Self::And(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Not(inner) => !inner.holds(event),
        }
    }
}

/// Every value at a path, lists and their items.
fn values(event: &Value, path: &str) -> Vec<Value> {
    let mut at = vec![event.clone()];
    for name in path.split('.') {
        at = flat(at).into_iter().filter_map(|value| value.get(name).cloned()).collect();
    }
    let lists: Vec<Value> = at.iter().filter(|value| value.is_array()).cloned().collect();
    [flat(at), lists].concat()
}

fn flat(values: Vec<Value>) -> Vec<Value> {
    values
        .into_iter()
        .flat_map(|value| match value {
            Value::Array(items) => flat(items),
            value => vec![value],
        })
        .collect()
}

fn plain() -> impl Strategy<Value = Plain> {
    let name = || prop::sample::select(NAMES);
    let text = || prop::sample::select(TEXTS);
    let leaf = prop_oneof![
        (name(), -2..3i64).prop_map(|(name, number)| Plain::Is(name, number)),
        (name(), -2..3i64).prop_map(|(name, number)| Plain::Less(name, number)),
        (name(), text()).prop_map(|(name, text)| Plain::Text(name, text)),
        (name(), text()).prop_map(|(name, text)| Plain::Starts(name, text)),
        name().prop_map(Plain::Exists),
        (name(), prop::collection::vec(-2..3i64, 1..4)).prop_map(|(name, list)| Plain::In(name, list)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Plain::And),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Plain::Or),
            inner.prop_map(|inner| Plain::Not(Box::new(inner))),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let scalar = || prop_oneof![(-3..4i64).prop_map(Value::from), prop::sample::select(TEXTS).prop_map(Value::from), Just(Value::Null)];
    let value = || prop_oneof![3 => scalar(), 1 => prop::collection::vec(scalar(), 0..3).prop_map(Value::from)];
    let inner = prop::collection::vec((prop::sample::select(vec!["dd", "ee"]), value()), 0..3)
        .prop_map(|members| Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()));
    let cc = prop_oneof![inner.clone(), prop::collection::vec(inner, 0..3).prop_map(Value::from)];
    (prop::option::of(value()), prop::option::of(value()), prop::option::of(cc)).prop_map(|(aa, bb, cc)| {
        let members = [("aa", aa), ("bb", bb), ("cc", cc)];
        Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    })
}

/// Texts made of the pieces of the language, so that most come near to being queries.
fn near_query() -> impl Strategy<Value = String> {
    let pieces = vec![
        "user_id",
        "status",
        "severity",
        "timestamp",
        "source_ip",
        "data.*",
        "=",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        ":",
        "~",
        "!~",
        "(",
        ")",
        "[",
        "]",
        "[0]",
        ",",
        " ",
        " and ",
        " or ",
        " not ",
        "!",
        " in (",
        " exists",
        "exists(",
        "\"",
        "'",
        "\\",
        "*",
        "?",
        "a",
        "10.0.0.0/8",
        "2026-03-01",
        "7",
        "-1.5",
        "high",
        "é",
        "\n",
        "&&",
        "||",
        "a.b",
        "https://x",
        "\"a b\"",
        ".*",
        "+",
        " | ",
        "|",
        "sequence ",
        "count",
        " by ",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..14).prop_map(|pieces| pieces.concat())
}

/// Sequences and pipes made of their pieces: most are right, and those that are not come near.
fn near_search() -> impl Strategy<Value = String> {
    let pick = |list: &'static [&'static str]| prop::sample::select(list);
    let condition = pick(&[
        "",
        "a",
        "a=1",
        "b=x or c",
        "auth.user_login[status=fail]",
        "session.ended",
        "not (a b)",
        "a[0].b exists",
        "\"x|y\"",
        "a~\"x|y\"",
        "b in (1, 2)",
    ]);
    let fields = || pick(&["a", "userId", "a, b", "\"my field\"", "a[0].b", "resource.path,tool", "a, a", "sesion_id"]);
    let by = prop::option::of(fields()).prop_map(|fields| fields.map_or(String::new(), |fields| format!(" by {fields}")));
    let step = (pick(&["", "", "!"]), condition.clone(), by.clone(), pick(&["", "", " with runs=2", " with runs=0"]));
    let step = step.prop_map(|(not, condition, by, runs)| format!("{not}[{condition}]{by}{runs} "));
    let span = pick(&["", " with maxspan=5m", " with maxspan=90s", " with maxspan=1500ms", " with maxspan=x"]);
    let until = prop::option::of(step.clone()).prop_map(|until| until.map_or(String::new(), |until| format!("until {until}")));
    let sequence = (by.clone(), span, prop::collection::vec(step, 1..5), until);
    let sequence = sequence.prop_map(|(by, span, steps, until)| format!("sequence{by}{span} {}{until}", steps.concat()));
    let source = prop_oneof![2 => condition.prop_map(str::to_owned), 1 => sequence];
    let tail = pick(&["", "", " limit=3", " every 1h", " every week", " desc", " 3"]);
    let stage = pick(&[
        "count",
        "terms a",
        "top 3 a",
        "histogram 1d",
        "histogram month",
        "percentiles n 50,99.9",
        "stats n",
        "distinct a, b",
        "first 3",
        "last 1",
        "head 2",
        "tail 2",
        "sort count",
        "sort a desc, b",
        "where count>1",
        "where a",
        "fields a, count",
    ]);
    let stage = (stage, by, tail).prop_map(|(stage, by, tail)| format!(" | {stage}{by}{tail}"));
    (source, prop::collection::vec(stage, 0..4)).prop_map(|(source, stages)| format!("{source}{}", stages.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_displayed_search_is_the_same_search(text in prop_oneof![4 => near_search(), 1 => near_query()]) {
        // Protects saved searches and jobs: text -> plan -> text and plan -> JSON -> plan give the same plan, and any plan runs.
        let Ok(search) = Search::parse(&text) else { return Ok(()) };
        let shown = search.to_string();
        prop_assert_eq!(&Search::parse(&shown).map_err(|error| error.show(&shown)).unwrap(), &search, "{} is written {}", text, shown);
        prop_assert_eq!(&serde_json::from_str::<Search>(&serde_json::to_string(&search).unwrap()).unwrap(), &search);
        let mut aggregator = Aggregator::new(&search.pipe, Limits::default());
        let event = json!({ "a": "x", "b": [1, 2], "n": 3, "count": 2, "user_id": "u", "timestamp": "2026-03-01T00:00:00Z" });
        let times = (0..4).map(|seq| jiff::Timestamp::from_second(i64::try_from(seq).unwrap()).map(|time| (seq, time)).unwrap());
        match &search.source {
            Source::Events(_) => times.for_each(|(seq, time)| aggregator.push(seq, time, &event).unwrap()),
            Source::Sequence(sequence) => {
                let mut sequencer = Sequencer::new(sequence, SequenceLimits::default());
                let mut found: Vec<_> = times.flat_map(|(seq, time)| sequencer.push(seq, time, &event).unwrap()).collect();
                found.extend(sequencer.finish().unwrap());
                found.iter().for_each(|found| aggregator.push(found.events[0], found.first, &found.to_value(sequence)).unwrap());
            }
        }
        let table = aggregator.finish().unwrap();
        prop_assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", text);
    }

    #[test]
    fn agrees_with_a_naive_reading(plain in plain(), event in event()) {
        // Protects the evaluator: a second, simple implementation of the same meaning finds the same events.
        let text = plain.write();
        let query = Query::parse(&text).unwrap();
        prop_assert_eq!(query.matches(&event), plain.holds(&event), "{} on {}", text, event);
    }

    #[test]
    fn what_is_displayed_is_the_same_plan(text in near_query()) {
        // Protects stored queries: text -> plan -> text -> plan and plan -> data -> plan give the same plan; nothing panics.
        if let Ok(query) = Query::parse(&text) {
            let shown = query.to_string();
            prop_assert_eq!(&Query::parse(&shown).map_err(|error| error.show(&shown)).unwrap(), &query, "{} is written {}", text, shown);
            prop_assert_eq!(&serde_json::from_str::<Query>(&serde_json::to_string(&query).unwrap()).unwrap(), &query);
            let _any_answer = query.matches(&json!({ "user_id": "a", "status": ["x", { "a": 1 }], "timestamp": "2026-03-01T00:00:00Z", "source_ip": "::1" }));
        }
    }

    #[test]
    fn any_text_is_answered(text in ".{0,40}") {
        // Protects every reader of text from a panic, and errors from pointing outside the text.
        if let Err(error) = Query::parse(&text) {
            prop_assert!(error.at <= text.len());
            let _shown = error.show(&text);
        }
        if let Err(error) = Search::parse(&text) {
            prop_assert!(error.at <= text.len());
            let _shown = error.show(&text);
        }
        let _selector = Selector::parse(&text);
        let _span = parse_span(&text);
        let _sequence = Sequence::from_selectors(&text, Vec::new(), None);
        let _time = parse_time(&text, jiff::Timestamp::UNIX_EPOCH);
    }
}
