//! Limits: each one refuses with its number, and nothing below it is slow.

use std::time::{Duration, Instant};

use sealtrail_query::Query;
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
