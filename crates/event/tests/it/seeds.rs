//! The sample records: in, and out again with nothing lost.

use std::path::Path;

use sealtrail_event::{AuditId, Envelope, Event, FromContext, Grade, Shape, Token, Witness, export_as, view};
use serde_json::Value;

pub(crate) fn context() -> FromContext {
    FromContext {
        audit_id_if_missing: AuditId::parse("audit_evt_missing").unwrap(),
        recorded_at: Token::parse("2026-04-01T00:00:00.000000000Z").unwrap(),
        witness: Witness::Api,
        grade: Grade::Asserted,
    }
}

/// Every sample record with its file's name, which begins with the name of its shape.
fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/seeds");
    let mut samples: Vec<(String, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

/// What a reader of the ledger sees: the envelope's text and the slots' texts, parsed again.
pub(crate) fn stored_view(event: &Event) -> Value {
    let envelope: Value = serde_json::from_str(&serde_json::to_string(&event.envelope).unwrap()).unwrap();
    view(envelope, event.slots.iter().map(|slot| slot.json.as_str()))
}

#[test]
fn every_sample_comes_out_as_it_went_in() {
    // Protects the promise "nothing is lost": record -> event -> text -> view -> record, for each sample of each article.
    let samples = samples();
    assert!(samples.len() >= 8);
    for (name, record) in samples {
        let event = Event::from_json(&record, &context()).unwrap();
        let view = stored_view(&event);
        let shape = Shape::parse(name.split('-').next().unwrap()).unwrap();
        assert_eq!(view["shape"], shape.as_str(), "{name}");
        assert_eq!(export_as(&view, shape), record, "{name}: {view:#}");
        event.envelope.check().unwrap();
        let line = serde_json::to_string(&event.envelope).unwrap();
        assert!(!line.contains('\\'), "{name}: {line}");
        assert_eq!(serde_json::from_str::<Envelope>(&line).unwrap(), event.envelope, "{name}");
    }
}

#[test]
fn samples_look_like_this_inside() {
    // Protects the canonical form: which member stands where is part of the format, so a change must be seen.
    for (name, record) in samples() {
        let event = Event::from_json(&record, &context()).unwrap();
        let slots: serde_json::Map<String, Value> =
            event.slots.iter().map(|slot| (slot.name.as_str().to_owned(), serde_json::from_str(&slot.json).unwrap())).collect();
        insta::assert_json_snapshot!(name, serde_json::json!({ "envelope": event.envelope, "slots": slots }));
    }
}
