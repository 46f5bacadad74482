//! Reports and sequences: what columns tell is what the events tell.

use fastrand::Rng;
use sealtrail_index::{Answer, Index, Options, Order, run};
use sealtrail_ledger::read::Reader;
use sealtrail_query::Search;
use sealtrail_testkit::Load;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::kit::{World, index, indexer};
use crate::random::{FIELDS, query, view};

/// Returns an answer as JSON, or why there is none.
fn answer(reader: &Reader, index: Option<&Index>, search: &Search, options: &Options) -> Value {
    match run(reader, index, search, options, &mut |_| ()) {
        Ok(Answer::Table(table)) => serde_json::to_value(&table).unwrap(),
        Ok(Answer::Matches(matches)) => matches
            .iter()
            .map(|found| {
                json!([
                    found.found.keys.iter().map(|key| key.to_value()).collect::<Vec<_>>(),
                    found.found.events,
                    found.hits.iter().map(|hit| hit.seq.0).collect::<Vec<_>>()
                ])
            })
            .collect(),
        Ok(Answer::Events(hits)) => hits.map(|hit| json!(hit.unwrap().seq.0)).collect(),
        Err(error) => json!(error.to_string()),
    }
}

fn pipe(rng: &mut Rng) -> String {
    let field = |rng: &mut Rng| match rng.u8(..3) {
        0 => FIELDS[rng.usize(..FIELDS.len())],
        _ => ["user_id", "event_type", "status", "tool_name", "duration_ms", "compliance_tags", "own", "a", "severity", "uid"]
            [rng.usize(..10)],
    };
    let by = |rng: &mut Rng| match rng.u8(..4) {
        0 => String::new(),
        1 => format!(" by {}, {}", field(rng), field(rng)),
        _ => format!(" by {}", field(rng)),
    };
    let every = |rng: &mut Rng| ["", " every 1h", " every day", " every month"][rng.usize(..4)];
    match rng.u8(..10) {
        0 | 1 => format!("| count{}", by(rng)),
        2 => format!("| terms {}", field(rng)),
        3 | 4 => format!("| histogram {}{}", ["1h", "day", "5m", "week", "month", "year"][rng.usize(..6)], by(rng)),
        5 => format!("| percentiles {} 50,95{}{}", ["duration_ms", "uid", "cost_usd", "a", "own"][rng.usize(..5)], by(rng), every(rng)),
        6 => format!("| stats {}{}{}", ["duration_ms", "uid", "latency_ms", "deep.a", "status"][rng.usize(..5)], by(rng), every(rng)),
        7 => format!("| distinct {}", field(rng)),
        8 => format!("| {} {}{}", ["first", "last"][rng.usize(..2)], rng.u8(1..6), by(rng)),
        _ => format!("| sort {} desc | head 5", field(rng)),
    }
}

fn sequence(rng: &mut Rng) -> String {
    let fields = ["user_id", "session_id", "source_ip", "status", "compliance_tags", "own"];
    let by =
        ["".to_owned(), format!(" by {}", fields[rng.usize(..6)]), format!(" by {}, {}", fields[rng.usize(..6)], fields[rng.usize(..6)])];
    let steps: Vec<String> =
        (0..rng.usize(2..4)).map(|at| format!("{}[{}]", if at > 0 && rng.u8(..5) == 0 { "!" } else { "" }, query(rng, 2))).collect();
    let until = if rng.bool() { format!(" until [{}]", query(rng, 2)) } else { String::new() };
    let pipe = ["", "", " | count", " | count by user_id"][rng.usize(..4)];
    format!("sequence{} with maxspan={} {}{until}{pipe}", by[rng.usize(..3)], ["5m", "1h", "1d"][rng.usize(..3)], steps.join(" "))
}

/// Protects reports and sequences over random events and random plans: with the index as without, on one thread and on two, with a part of the
/// events in no index. Prints its seed; `SEALTRAIL_SEED` runs one again.
#[test]
fn columns_say_what_events_say() {
    let seed = std::env::var("SEALTRAIL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| Rng::new().get_seed());
    println!("SEALTRAIL_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(seed);
    world.append((0..250).map(|_| view(&mut rng)));
    world.append(Load::new(seed, 50, "2026-03-01T00:00:00Z".parse().unwrap()));
    world.append((0..50).map(|_| view(&mut rng)));
    let reader = world.reader();
    let mut writer = indexer(dir.path(), &reader);
    writer.feed(&reader, 100).unwrap();
    writer.feed(&reader, 200).unwrap();
    let index = index(dir.path(), &reader);
    let (mut asked, mut told) = (0, 0);
    for _ in 0..500 {
        let text = match rng.u8(..4) {
            0 => sequence(&mut rng),
            1 => pipe(&mut rng),
            _ => format!("{} {}", query(&mut rng, 1), pipe(&mut rng)),
        };
        let Ok(search) = Search::parse(&text) else { continue };
        let bounds = |rng: &mut Rng| if rng.u8(..4) == 0 { Some(Seq(rng.u64(..reader.size().0))) } else { None };
        let order = if rng.bool() { Order::Newest } else { Order::Oldest };
        let options = Options { threads: rng.usize(1..3), order, before: bounds(&mut rng), after: bounds(&mut rng), ..Options::default() };
        let without = answer(&reader, None, &search, &options);
        assert_eq!(answer(&reader, Some(&index), &search, &options), without, "SEALTRAIL_SEED={seed}: {text} {options:?}");
        asked += 1;
        told += usize::from(without.get("rows").or(Some(&without)).and_then(Value::as_array).is_some_and(|rows| !rows.is_empty()));
    }
    println!("{asked} reports and sequences, {told} with rows");
    assert!(asked > 300 && told > 50, "most are right and many find something: {asked}, {told}");
}

/// Protects counts of whole columns: of a word that nearly every event has, of all but few events, of few, and of a field that has lists or
/// two names; each as the events say.
#[test]
fn what_nearly_all_have_is_counted_as_the_events_say() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(21);
    world.append((0..1_500u32).map(|n| {
        let mut record =
            json!({ "event_type": "data.file_read", "timestamp": "2026-03-01T10:00:00Z", "user_id": format!("user{}", n % 11) });
        let more = match n {
            0..600 => json!({ "status": "success" }),
            600..1_200 if n.is_multiple_of(9) => json!({ "status": "fail", "user_id": null, "userId": format!("other{n}") }),
            600..1_200 => json!({ "status": "success", "tool_name": "Bash" }),
            _ => json!({ "user_id": ["user1", "user2"], "compliance_tags": ["a", "b"] }),
        };
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    }));
    let reader = world.reader();
    let mut writer = indexer(dir.path(), &reader);
    for events in [620, 580, u64::MAX] {
        writer.feed(&reader, events).unwrap();
    }
    let index = index(dir.path(), &reader);
    let conditions = ["", "witness=hook", "not witness=hook", "witness=hook status=success", "status=fail", "user_id=user3"];
    let pipes =
        ["count by user_id", "terms user_id", "count by witness", "count by tool_name", "count by compliance_tags", "distinct status"];
    for (condition, pipe) in conditions.iter().flat_map(|condition| pipes.iter().map(move |pipe| (condition, pipe))) {
        let text = format!("{condition} | {pipe}");
        let search = Search::parse(&text).unwrap();
        let bounds = [(None, None), (Some(Seq(1_000)), Some(Seq(40))), (Some(Seq(630)), Some(Seq(615)))];
        for (before, after) in bounds {
            let options = Options { before, after, ..Options::default() };
            let without = answer(&reader, None, &search, &options);
            assert_eq!(answer(&reader, Some(&index), &search, &options), without, "{text} {options:?}");
        }
    }
}
