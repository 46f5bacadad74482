//! The page docs/query.md: each example finds what it says.

use sealtrail_query::{Query, TEXT_FIELDS, parse_time};

use crate::seeds::samples;

fn page() -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/query.md")).unwrap()
}

fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    page.split_once(start).unwrap().1.split_once(end).unwrap().0
}

#[test]
fn the_examples_find_what_the_page_says() {
    // Protects the page: every example is run on every sample record.
    let page = page();
    let samples = samples();
    let mut count = 0;
    for row in between(&page, "<!-- examples -->", "<!-- end of examples -->").lines().filter(|row| row.starts_with("| `")) {
        let (query, wanted) = row.strip_prefix("| `").unwrap().split_once("` | ").unwrap();
        let query = query.replace("\\|", "|");
        let parsed = Query::parse(&query).unwrap_or_else(|error| panic!("{}", error.show(&query)));
        let found: Vec<&str> = samples.iter().filter(|(_, _, view)| parsed.matches(view)).map(|(name, ..)| name.as_str()).collect();
        assert_eq!(found.join(", "), wanted.trim_end_matches(" |"), "{query}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_error_looks_as_the_page_shows_it() {
    // Protects the page: the shown error is the real one.
    let page = page();
    let shown = between(&page, "<!-- error -->\n```\n", "\n```");
    let text = shown.lines().nth(1).unwrap().trim_start();
    assert_eq!(Query::parse(text).unwrap_err().show(text), shown);
}

#[test]
fn the_times_of_the_page_are_times() {
    // Protects the page: each form of its table of times is understood.
    let page = page();
    let now = "2026-03-31T12:30:15Z".parse().unwrap();
    for row in between(&page, "## 4. Times", "A bare number").lines().filter(|row| row.starts_with("| `")) {
        for text in row.split(" | ").next().unwrap().split('`').skip(1).step_by(2) {
            parse_time(text, now).unwrap();
        }
    }
}

#[test]
fn what_came_back_is_not_searched_as_free_text() {
    // Protects the sentence of the page that names the outputs as left out.
    for name in ["output", "tool_response", "tool_results", "response"] {
        assert!(!TEXT_FIELDS.contains(&name), "{name}");
    }
}
