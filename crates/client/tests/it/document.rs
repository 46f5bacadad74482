//! The types against `api/openapi.json`.

use sealtrail_client::{Chain, Checkpoint, Events, Execution, Matches, Order, Problem, Question, Receipts, Report, Session};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

fn document() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api/openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Makes a value that a schema allows, with every member and one item in each list.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return sample(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    if let Some(first) = schema["enum"].get(0).or(schema["oneOf"].get(0)).or(schema["anyOf"].get(0)) {
        return if first.is_string() { first.clone() } else { sample(document, first) };
    }
    let kind = schema["type"].as_str().or(schema["type"].get(0).and_then(Value::as_str));
    match kind {
        Some("object") => {
            let members = schema["properties"].as_object().cloned().unwrap_or_default();
            Value::Object(members.iter().map(|(name, of)| (name.clone(), sample(document, of))).collect::<Map<_, _>>())
        }
        Some("array") => json!([sample(document, &schema["items"])]),
        Some("integer") => json!(7),
        Some("boolean") => json!(true),
        Some("string") => json!("text"),
        _ => Value::Null,
    }
}

fn agrees<T: Serialize + DeserializeOwned>(name: &str) {
    let document = document();
    let made = sample(&document, &document["components"]["schemas"][name]);
    assert!(made.as_object().is_some_and(|members| !members.is_empty()), "{name}: {made}");
    let read: T = serde_json::from_value(made.clone()).unwrap_or_else(|error| panic!("{name}: {error}: {made}"));
    assert_eq!(serde_json::to_value(read).unwrap(), made, "{name}");
}

/// Protects who reads answers through the types: each takes what the document allows and leaves nothing of it out.
#[test]
fn answers_are_what_the_document_says() {
    agrees::<Events>("Events");
    agrees::<Report>("Report");
    agrees::<Matches>("Matches");
    agrees::<Chain>("Chain");
    agrees::<Execution>("Execution");
    agrees::<Session>("Session");
    agrees::<Checkpoint>("Checkpoint");
    agrees::<Receipts>("Receipts");
    agrees::<Problem>("Problem");
}

/// Protects who asks: a question can say everything that the document takes, under the same names.
#[test]
fn questions_say_what_the_document_takes() {
    let mut question = Question::new().query("a").is("user_id", "ann").sequence("a b", &["user_id"], Some(300)).since("24h").until("1h");
    question = question.limit(5).order(Order::Oldest).order_by("timestamp desc").fields(&["audit_id"]).proof();
    question.cursor = Some("c".to_owned());
    let document = document();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let said = serde_json::to_value(question).unwrap();
    let schemas = &document["components"]["schemas"];
    assert_eq!(names(&said), names(&schemas["Question"]["properties"]));
    assert_eq!(names(&said["sequence"]), names(&schemas["Sequence"]["properties"]));
    let both = serde_json::to_value(Question::new().is("status", 1).none_of("status", [2])).unwrap();
    assert_eq!(names(&both["where"]["status"]), names(&schemas["InOut"]["properties"]));
}
