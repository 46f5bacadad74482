//! A search says how it will be answered.

use sealtrail_index::explain;
use sealtrail_query::Search;
use sealtrail_testkit::Load;

use crate::kit::{World, index, indexer};

/// Protects what a person reads before asking: by what each condition is answered, and about how much is looked at.
#[test]
fn a_search_says_how_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(7);
    world.append(Load::new(7, 300, "2026-03-01T00:00:00Z".parse().unwrap()));
    let reader = world.reader();
    indexer(dir.path(), &reader).feed(&reader, 250).unwrap();
    let index = index(dir.path(), &reader);
    let text = "user_id=user_1 and source_ip=203.0.113.* and timestamp>=2026-01-01 and duration_ms>5 and \"rm -rf\" and audit_id=x and resource.path=*.yaml \
                and a_b=\"?\" or ab | count by user_id | head 3";
    let told = explain(&Search::parse(text).unwrap(), Some(&index), &reader);
    let by: Vec<String> = told.queries[0]
        .conditions
        .iter()
        .map(|condition| serde_json::to_value(condition.by).unwrap().as_str().unwrap().to_owned())
        .collect();
    assert_eq!(by, ["term", "dictionary", "column", "column", "trigrams", "hash", "trigrams", "dictionary", "events"]);
    assert_eq!(told.tail, reader.size().0 - 250);
    assert_eq!(told.queries[0].candidates, Some(250), "two letters are in no trigram");
    let shown = told.to_string();
    assert!(
        shown.starts_with("search   ") && shown.contains("index    250 of ") && shown.contains("stage    count by user_id: from columns"),
        "{shown}"
    );
    assert!(explain(&Search::parse(text).unwrap(), None, &reader).to_string().contains("index    none"));
    assert!(serde_json::to_value(&told).unwrap().get("queries").is_some());
}
