//! Generated files: committed, and the same as what the code says. `UPDATE=1` writes them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sealtrail_event::{FIELDS, Place, schema};
use serde_json::Value;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Compares a committed file with what it should hold, or writes it.
fn same(path: &str, wanted: &str) {
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        std::fs::create_dir_all(file(path).parent().unwrap()).unwrap();
        std::fs::write(file(path), wanted).unwrap();
    }
    assert!(std::fs::read_to_string(file(path)).unwrap() == wanted, "{path} is out of date: run this test with UPDATE=1");
}

#[test]
fn the_schema_is_the_committed_one() {
    // Protects users of schema/event.schema.json: it says what the code does.
    same("schema/event.schema.json", &format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap()));
}

#[test]
fn the_table_of_the_page_is_the_table_of_the_code() {
    // Protects docs/format/event.md: its table is generated between two marks.
    let page = std::fs::read_to_string(file("docs/format/event.md")).unwrap();
    let (before, rest) = page.split_once("<!-- fields -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of fields -->").unwrap();
    let mut table = "| field | place | type | what it is | other names |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for field in FIELDS {
        let aliases: Vec<String> = field.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        table +=
            &format!("| `{}` | {} | {} | {} | {} |\n", field.path, field.place.as_str(), field.kind.as_str(), field.doc, aliases.join(" "));
    }
    same("docs/format/event.md", &format!("{before}<!-- fields -->\n{table}<!-- end of fields -->{after}"));
}

#[test]
fn the_table_and_the_envelope_name_the_same_members() {
    // Protects the table from drifting away from the types: every member of an envelope is a field, in the same order.
    let schema = schema();
    let names = |object: &Value| object["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut listed = names(&schema);
    for (outer, definition) in [("resource", "Resource"), ("operation", "Operation"), ("result", "OperationResult")] {
        let inner = names(&schema["$defs"][definition]);
        let at = listed.iter().position(|name| name == outer).unwrap();
        listed.splice(at..=at, inner.iter().map(|inner| format!("{outer}.{inner}")));
    }
    let own_object = |path: &str| ["user_context", "instructions_delta", "tool_permissions"].contains(&path.split('.').next().unwrap());
    let in_envelope = |name: &str| sealtrail_event::field(name).is_some_and(|field| !matches!(field.place, Place::Slot(_)));
    let envelope: Vec<&str> = listed.iter().map(String::as_str).filter(|name| in_envelope(name)).collect();
    let order: Vec<&str> = FIELDS.iter().map(|field| field.path).filter(|path| in_envelope(path)).collect();
    assert_eq!(envelope, order);
    let all: BTreeSet<&str> = listed.iter().map(String::as_str).filter(|name| !own_object(name)).collect();
    assert_eq!(all, FIELDS.iter().map(|field| field.path).filter(|path| !own_object(path)).collect());
}

#[test]
fn every_name_means_one_field() {
    // Protects queries and ingest: no alias stands for two fields or hides a field.
    let mut seen = BTreeSet::new();
    for name in FIELDS.iter().flat_map(|field| field.aliases.iter().chain([&field.path])) {
        assert!(seen.insert(*name), "{name} stands for two fields");
    }
}
