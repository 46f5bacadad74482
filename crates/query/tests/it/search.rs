//! Searches: what can be written, what it means, and what is wrong with it.

use sealtrail_query::{FieldPath, Search, Sequence, Source, Stage, parse_span};

fn roundtrip(text: &str) -> Search {
    let search = Search::parse(text).unwrap_or_else(|error| panic!("{}", error.show(text)));
    let shown = search.to_string();
    assert_eq!(Search::parse(&shown).unwrap_or_else(|error| panic!("{}", error.show(&shown))), search, "{text} is written {shown}");
    assert_eq!(serde_json::from_str::<Search>(&serde_json::to_string(&search).unwrap()).unwrap(), search);
    search
}

#[test]
fn every_form_is_displayed_as_the_same_plan() {
    // Protects stored and shared searches: each form of the page survives text -> plan -> text and plan -> JSON -> plan.
    for text in [
        "",
        "| count",
        "event_type=data.* | count by user_id",
        "event_type=data.* | count by user_id, resource.path limit=20",
        "a or b | terms resource.path limit 20",
        "| top 5 user_id",
        "| histogram 1h by event_type",
        "| histogram day",
        "| percentiles duration_ms 50,95,99.9 by tool_name every 1d",
        "| stats duration_ms every week by tool_name",
        "| first 5",
        "| last 1 by user_id",
        "| distinct user_id, source_ip | count by user_id | where count>3 | sort count desc, user_id | head 10 | fields user_id",
        "| sort duration_ms desc | head 10 | fields timestamp, \"my own field\"",
        "status=fail | where user_id=a | count",
        "sequence by user_id with maxspan=300s [auth.user_login[status=fail]] [auth.user_login[status=success]] until [session.ended]",
        "sequence by user_id, source_ip with maxspan=1h30m [a=1] with runs=3 ![b=2] [] | count by user_id",
        "sequence with maxspan=5m by user_id [a] by b [c] by d with runs=2 until [e] by f",
        "sequence",
        "sequence by",
        "sequence[status=fail]",
    ] {
        roundtrip(text);
    }
}

#[test]
fn the_form_of_the_seed_is_the_same_sequence() {
    // Protects `--sequence … --within-seconds`: the flags of the seed and the language give one plan.
    let by = || vec![FieldPath::parse("user_id").unwrap()];
    let flags = Sequence::from_selectors("auth.user_login[status=fail] auth.user_login[status=success]", by(), Some(300_000)).unwrap();
    let text = "sequence by user_id with maxspan=300s [auth.user_login[status=fail]] [auth.user_login[status=success]]";
    assert_eq!(Search::from(flags), Search::parse(text).unwrap());
    let missing = Sequence::from_selectors("session.start !session.end[]", by(), Some(1000)).unwrap();
    assert!(missing.steps()[1].missing && !missing.steps()[0].missing);
}

#[test]
fn conditions_before_other_stages_are_a_part_of_the_query() {
    // Protects speed: an index answers them.
    let search = Search::parse("a | where b=1 | where c=1 | count | where count>1").unwrap();
    assert_eq!(search.pipe.len(), 2);
    assert!(matches!(&search.source, Source::Events(query) if query.plan().fields().len() == 2));
    assert!(matches!(Search::parse("| head 5").unwrap().pipe[0], Stage::First { n: 5, .. }));
    assert!(matches!(Search::parse("| count | first 5").unwrap().pipe[1], Stage::Head(5)));
}

#[test]
fn errors_point_at_the_character() {
    // Protects the user's time: where, what, and what to write instead.
    for (text, at, message, hint) in [
        ("a | cuont", 4, "no stage `cuont`", "count"),
        ("a |", 3, "a stage is missing", "count"),
        ("a|count", 1, "part of the text", "space"),
        ("b=a|count by x", 3, "part of the text", "space"),
        ("a | count by sesion_id", 13, "no field `sesion_id`", "session_id"),
        ("a | count by", 12, "a field is missing", "user_id"),
        ("a | count limit=x", 16, "a number", "limit=20"),
        ("a | histogram 5x", 14, "no interval", "5m"),
        ("a | percentiles duration_ms 101", 28, "a percentile from 0 to 100", "50,95,99"),
        ("a | count by user_id | sort cout", 28, "no column `cout`", "`count`"),
        ("a | count by user_id, userId", 4, "twice", ""),
        ("a | count | histogram 1h", 12, "no time", "timestamp"),
        ("a | count | first 5 by user_id", 20, "`b` cannot stand here", ""),
        ("sequence [a]", 0, "at least two steps", "[a] [b]"),
        ("sequence [a] ![b]", 0, "end of waiting", "maxspan"),
        ("sequence [a] [b", 13, "bracket is not closed", "["),
        ("sequence with maxspan=soon [a] [b]", 22, "no span", "300s"),
        ("sequence with spam=1 [a] [b]", 14, "maxspan", "maxspan"),
        ("sequence [a] by b [c]", 0, "as many keys", "by"),
        ("sequence [a] with runs=101 [b]", 0, "runs=101", ""),
        ("sequence [a] [b] until", 22, "after `until`", "session.ended"),
        ("sequence [a] [b] c", 17, "`c` cannot stand here", ""),
        ("sequence [a] ! b", 13, "after `!`", "!["),
    ] {
        let error = Search::parse(text).unwrap_err();
        assert_eq!(error.at, at, "{}", error.show(text));
        assert!(error.message.contains(message), "{}", error.show(text));
        assert!(error.hint.as_deref().unwrap_or("").contains(hint), "{}", error.show(text));
    }
}

#[test]
fn spans_are_read_as_people_write_them() {
    // Protects `maxspan=` and `--context 30min`.
    for (text, ms) in
        [("300s", 300_000), ("30min", 1_800_000), ("1h30m", 5_400_000), ("500ms", 500), ("2 days", 172_800_000), ("1w", 604_800_000)]
    {
        assert_eq!(parse_span(text), Ok(ms), "{text}");
    }
    for text in ["", "5", "0s", "m", "1mo", "1.5h", "101y", "99999999999999999999s", "-5s", "40000d"] {
        assert!(parse_span(text).is_err(), "{text}");
    }
}
