//! Queries: what is displayed and what is stored is the same plan, and any event is judged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_query::{Query, Selector, parse_time};
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _selector = Selector::parse(text);
    let _time = parse_time(text, jiff::Timestamp::UNIX_EPOCH);
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
