//! Limits: each one refuses with its number, and nothing below it is slow.

use std::time::{Duration, Instant};

use sealtrail_query::{Query, Search};
use serde_json::json;

#[test]
fn each_limit_is_named() {
    // Protects the process from queries that are too large: the error says the limit.
    let cases = [
        (format!("a{}", " ".repeat(65_536)), "65536"),
        (format!("{}a{}", "(".repeat(65), ")".repeat(65)), "64"),
        (format!("{} a", "not ".repeat(65)), "64"),
        (format!("{}b{}", "a[".repeat(65), "]".repeat(65)), "64"),
        (format!("a in ({}1)", "1,".repeat(10_000)), "10000"),
        (format!("a=*{}", "x".repeat(1_024)), "1024"),
        (format!("a=*{}?*", "x".repeat(64)), "64"),
        (format!("{}=1", ["a"; 65].join(".")), "64"),
        ("a~\"(a{1000}){1000}\"".to_owned(), "size"),
    ];
    for (text, limit) in cases {
        let error = Query::parse(&text).unwrap_err();
        assert!(error.message.contains(limit), "{}: {}", &text[..text.len().min(40)], error.message);
    }
    assert!(Query::parse(&format!("{}a{}", "(".repeat(64), ")".repeat(64))).is_ok());
    assert!(Query::parse(&format!("a in ({}1)", "1,".repeat(9_999))).is_ok());
}

#[test]
fn each_limit_of_a_search_is_named() {
    // Protects the process from searches that are too large: the error says the limit.
    let cases = [
        (format!("sequence {}", "[a] ".repeat(33)), "32"),
        (format!("sequence {}", "[a] with runs=50 ".repeat(3)), "128"),
        ("sequence by a,b,c,d,e,f,g,h,i [a] [b]".to_owned(), "8"),
        ("sequence by a,b,c,d [a] by e,f,g,h,i [b] by e,f,g,h,i".to_owned(), "8"),
        ("sequence with maxspan=40000d [a] [b]".to_owned(), "100 years"),
        (format!("a {}", "| sort a ".repeat(17)), "16"),
        ("| count by a,b,c,d,e,f,g,h,i".to_owned(), "8"),
        ("| first 10001".to_owned(), "10000"),
        (format!("| percentiles a {}50", "1,".repeat(40)), "32"),
        (format!("| fields {}z", (0..64).map(|n| format!("f{n},")).collect::<String>()), "64"),
        (format!("sequence [{}a{}] [b]", "(".repeat(64), ")".repeat(64)), "64"),
        (format!("| where {}a", "not ".repeat(65)), "64"),
        ("sequence [a~\"(a{1000}){1000}\"] [b]".to_owned(), "size"),
        (format!("sequence [{}] [b]", "a or ".repeat(20_000)), "65536"),
    ];
    for (text, limit) in cases {
        let error = Search::parse(&text).unwrap_err();
        assert!(error.message.contains(limit), "{}: {}", &text[..text.len().min(40)], error.message);
    }
    assert!(Search::parse(&format!("sequence {}", "[a] ".repeat(32))).is_ok());
    assert!(Search::parse(&format!("a {}", "| sort a ".repeat(16))).is_ok());
}

#[test]
fn what_was_stored_is_checked_as_what_is_written() {
    // Protects a reader of stored plans: a plan that no text could make is refused there, too.
    for stored in [
        r#"{"source":{"sequence":{"steps":[]}}}"#,
        r#"{"source":{"sequence":{"steps":[{"query":{"and":[]}},{"query":{"and":[]},"missing":true}]}}}"#,
        r#"{"source":{"sequence":{"steps":[{"query":{"and":[]},"runs":4000000000},{"query":{"and":[]}}]}}}"#,
        r#"{"source":{"events":{"and":[]}},"pipe":[{"percentiles":{"field":{"field":"a"},"points":[1e300]}}]}"#,
        r#"{"source":{"events":{"and":[]}},"pipe":[{"first":{"n":18446744073709551615}}]}"#,
        r#"{"source":{"events":{"and":[]}},"pipe":[{"histogram":{"interval":"0s"}}]}"#,
        r#"{"source":{"events":{"and":[]}},"pipe":[{"count":{}},{"sort":[{"field":{"field":"other"}}]}]}"#,
    ] {
        assert!(serde_json::from_str::<Search>(stored).is_err(), "{stored}");
    }
    let plain = r#"{"source":{"events":{"and":[]}},"pipe":[{"count":{}}]}"#;
    assert_eq!(serde_json::from_str::<Search>(plain).unwrap(), Search::parse("| count").unwrap());
}

#[test]
fn no_pattern_takes_more_than_its_share() {
    // Protects a search from one event or one pattern: the classic traps on a text of 1 MiB, with a deadline of generous size.
    let text = "a".repeat(1 << 20);
    let event = json!({ "text": text, "prompt": text, "list": vec!["a"; 10_000] });
    let started = Instant::now();
    for query in [
        "text~\"(a*)*b\"".to_owned(),
        "text~\"(a|aa)+$b\"".to_owned(),
        format!("text=*{}*b", "a*".repeat(500)),
        format!("text=*{}?b*", "a".repeat(60)),
        format!("text:\"*{}?b\"", "a?".repeat(30)),
        format!("{}b", "a".repeat(1000)),
        format!("list in ({}b)", "c,".repeat(200)),
    ] {
        assert!(!Query::parse(&query).unwrap().matches(&event), "{query}");
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
