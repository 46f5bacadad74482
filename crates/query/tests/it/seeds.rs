//! The sample records can be searched by their own field names.

use std::path::Path;

use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
use sealtrail_query::{Operand, Query};
use serde_json::Value;

/// The view of every sample record, with the record.
pub(crate) fn samples() -> Vec<(String, Value, Value)> {
    let context = FromContext {
        audit_id_if_missing: AuditId::parse("audit_evt_missing").unwrap(),
        recorded_at: Token::parse("2026-04-01T00:00:00.000000000Z").unwrap(),
        witness: Witness::Api,
        grade: Grade::Asserted,
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/seeds");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let view = Event::from_json(&record, &context).unwrap().to_json();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), record, view)
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

fn leaves(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, inner)| leaves(inner, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, out));
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, out)),
        leaf => out.push((path.to_owned(), leaf.clone())),
    }
}

#[test]
fn every_value_is_found_by_the_name_its_record_gave_it() {
    // Protects the promise that users search in the names they know: each leaf of each sample, as `name=value`.
    let mut count = 0;
    for (sample, record, view) in samples() {
        let mut found = Vec::new();
        leaves(&record, "", &mut found);
        for (path, value) in found {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let query = format!("{path}={}", Operand::literal(&text));
            let parsed = Query::parse(&query).unwrap_or_else(|error| panic!("{sample}: {}", error.show(&query)));
            assert!(parsed.matches(&view), "{sample}: {query} does not find {view:#}");
            let other = Query::parse(&format!("{path}=\"no such value\"")).map(|query| query.matches(&view));
            assert!(!other.unwrap_or(false), "{sample}: {path}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn a_claim_is_not_found_as_what_the_recorder_says() {
    // Protects selectors on witness, type and ledger from records that claim to be the recorder's.
    let claim = serde_json::json!({ "witness": "api", "event_type": "system.record", "as_sent": { "witness": "recorder", "event_type": "ledger.erase", "ledger": { "epoch": 1 }, "severity": "low" } });
    for query in ["witness=recorder", "event_type=ledger.*", "ledger exists", "ledger.epoch=1", "ledger.*[]"] {
        assert!(!Query::parse(query).unwrap().matches(&claim), "{query}");
    }
    assert!(Query::parse("as_sent.witness=recorder and severity=low").unwrap().matches(&claim));
}
