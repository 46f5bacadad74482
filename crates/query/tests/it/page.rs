//! The page docs/query.md: each example finds what it says.

use jiff::Timestamp;
use sealtrail_query::{Aggregator, Limits, Match, Query, Search, SequenceLimits, Source, TEXT_FIELDS, parse_time};
use serde_json::Value;

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

/// Runs a search on the sample records: rows as JSON lists, matches of a sequence as names.
fn answer(text: &str) -> String {
    let search = Search::parse(text).unwrap_or_else(|error| panic!("{}", error.show(text)));
    let mut samples: Vec<(Timestamp, String, Value)> =
        samples().into_iter().map(|(name, _, view)| (view["timestamp"].as_str().unwrap().parse().unwrap(), name, view)).collect();
    samples.sort_by_key(|(time, ..)| *time);
    let mut pipe = Aggregator::new(&search.pipe, Limits::default());
    let events = (0..).zip(&samples);
    match &search.source {
        Source::Events(query) => {
            events.filter(|(_, (.., view))| query.matches(view)).for_each(|(seq, (time, _, view))| pipe.push(seq, *time, view).unwrap());
        }
        Source::Sequence(sequence) => {
            let hits = events.filter_map(|(seq, (time, _, view))| sequence.hit(seq, *time, view)).collect();
            let found = sequence.find(hits, SequenceLimits::default()).unwrap();
            if search.pipe.is_empty() {
                let names = |found: &Match| {
                    found.events.iter().map(|seq| samples[usize::try_from(*seq).unwrap()].1.as_str()).collect::<Vec<_>>().join(" -> ")
                };
                return found.iter().map(names).collect::<Vec<_>>().join(", ");
            }
            found.iter().for_each(|found| pipe.push(found.events[0], found.first, &found.to_value(sequence)).unwrap());
        }
    }
    pipe.finish().unwrap().rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_searches_give_what_the_page_says() {
    // Protects the page: every search of the page is run, and its whole answer compared.
    let page = page();
    let mut count = 0;
    for row in between(&page, "<!-- searches -->", "<!-- end of searches -->").lines().filter(|row| row.starts_with("| `")) {
        let (text, wanted) = row.strip_prefix("| `").unwrap().split_once("` | ").unwrap();
        let text = text.replace("\\|", "|");
        let wanted = wanted.trim_end_matches(" |").trim_matches('`');
        assert_eq!(answer(&text), if wanted == "nothing" { "" } else { wanted }, "{text}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn every_stage_of_the_page_is_a_stage() {
    // Protects the page: each form of its table of stages is understood.
    let page = page();
    for row in between(&page, "| stage | gives |", "Each stage works").lines().filter(|row| row.starts_with("| `")) {
        for text in row.split(" | ").next().unwrap().split('`').skip(1).step_by(2).filter(|text| !text.ends_with('…')) {
            let text = format!("| {text}");
            Search::parse(&text).unwrap_or_else(|error| panic!("{}", error.show(&text)));
        }
    }
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
