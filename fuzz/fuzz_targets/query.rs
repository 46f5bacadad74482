//! Queries and searches: what is displayed and what is stored is the same plan, any event is judged, any pipe runs, no needle is missed.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sealtrail_query::{
    Aggregator, Limits, Pattern, Query, Search, Selector, Sequence, SequenceLimits, Sequencer, Source, fold, parse_span, parse_time,
};
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _selector = Selector::parse(text);
    let _time = parse_time(text, jiff::Timestamp::UNIX_EPOCH);
    let _span = parse_span(text);
    let _sequence = Sequence::from_selectors(text, Vec::new(), Some(1000));
    pattern(text);
    search(text);
    let query = match Query::parse_at(text, jiff::Timestamp::UNIX_EPOCH) {
        Ok(query) => query,
        Err(error) => {
            assert!(error.at <= text.len());
            let _shown = error.show(text);
            return;
        }
    };
    let shown = query.to_string();
    if shown.len() <= 65_536 {
        assert_eq!(Query::parse(&shown).as_ref(), Ok(&query));
    }
    let stored = serde_json::to_string(&query).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Query>(&stored).ok().as_ref(), Some(&query));
    let _judged = query.matches(&json!({
        "user_id": "a b*c", "status": ["fail", { "a": 1 }], "timestamp": "2026-03-01T00:00:00Z", "source_ip": "::ffff:10.0.0.1", "severity": "high",
        "data_classification": "SECRET", "n": 18446744073709551615u64, "x": -0.5, "deep": { "a.b": { "c": [[1], null] } }, "tool_input": { "command": "rm -rf é" },
    }));
});

/// What a regular expression is found in contains its needles.
fn pattern(text: &str) {
    let Some((expression, subject)) = text.split_once('\n') else { return };
    let Ok(pattern) = Pattern::parse(expression) else { return };
    let folded = fold(subject);
    let allowed = pattern.required_literals().iter().all(|any| any.iter().any(|literal| folded.contains(literal.as_str())));
    assert!(allowed || !pattern.is_match(subject));
}

fn search(text: &str) {
    let search = match Search::parse_at(text, Timestamp::UNIX_EPOCH) {
        Ok(search) => search,
        Err(error) => {
            assert!(error.at <= text.len());
            let _shown = error.show(text);
            return;
        }
    };
    let shown = search.to_string();
    if shown.len() <= 65_536 {
        assert_eq!(Search::parse(&shown).as_ref(), Ok(&search));
    }
    let stored = serde_json::to_string(&search).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Search>(&stored).ok().as_ref(), Some(&search));
    let event = json!({ "user_id": "a", "status": ["fail", { "a": 1 }], "n": [1, 2.5, "3"], "timestamp": "2026-03-01T00:00:00Z" });
    let _any_answer = run(&search, &event);
}

fn run(search: &Search, event: &Value) -> Option<()> {
    let mut pipe = Aggregator::new(&search.pipe, Limits { groups: 1000, bytes: 1 << 20 });
    let times = (0..6).filter_map(|seq| Some((seq, Timestamp::from_second(i64::try_from(seq).ok()?).ok()?)));
    match &search.source {
        Source::Events(query) => {
            for (seq, time) in times.filter(|_| query.matches(event)) {
                pipe.push(seq, time, event).ok()?;
            }
        }
        Source::Sequence(sequence) => {
            let mut sequencer = Sequencer::new(sequence, SequenceLimits::default());
            let mut found = Vec::new();
            for (seq, time) in times {
                found.extend(sequencer.push(seq, time, event).ok()?);
            }
            found.extend(sequencer.finish().ok()?);
            for found in found {
                pipe.push(*found.events.first()?, found.first, &found.to_value(sequence)).ok()?;
            }
        }
    }
    let table = pipe.finish().ok()?;
    assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
    Some(())
}
