//! The JSON Schema of an event, generated from the types and the table of fields.

use serde_json::{Map, Value, json};

use crate::envelope::Envelope;
use crate::fields::{FIELDS, Field, Kind, Place};

/// Returns the JSON Schema (2020-12) of an event as one object: the envelope's members and those of the slots.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Envelope).to_value();
    schema["title"] = json!("Sealtrail event");
    schema["description"] = json!(
        "One event with its slots merged in. Other members are allowed and kept. A value that does not fit its member is kept too; such an event does not conform."
    );
    for field in FIELDS.iter().filter(|field| matches!(field.place, Place::Slot(_))) {
        add(&mut schema, field);
    }
    schema
}

/// Adds a field of a slot: beside the envelope's members, or inside the object in which it lies.
fn add(schema: &mut Value, field: &Field) {
    let described = describe(field);
    let Some((outer, inner)) = field.path.split_once('.') else {
        schema["properties"][field.path] = described;
        return;
    };
    let place = match outer {
        "resource" => &mut schema["$defs"]["Resource"]["properties"],
        "operation" => &mut schema["$defs"]["Operation"]["properties"],
        _ => {
            let object = &mut schema["properties"][outer];
            if object.is_null() {
                *object = json!({ "type": "object", "properties": {} });
            }
            &mut object["properties"]
        }
    };
    place[inner] = described;
}

fn describe(field: &Field) -> Value {
    let mut described =
        Map::from_iter([("description".to_owned(), json!(format!("{} (slot `{}`)", sentence(field.doc), field.place.as_str())))]);
    let kind = match field.kind {
        Kind::Any => None,
        Kind::Count => Some(json!("integer")),
        Kind::Money => Some(json!("number")),
        Kind::Flag => Some(json!("boolean")),
        Kind::List => Some(json!("array")),
        _ => Some(json!("string")),
    };
    described.extend(kind.map(|kind| ("type".to_owned(), kind)));
    Value::Object(described)
}

fn sentence(doc: &str) -> String {
    let mut chars = doc.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
