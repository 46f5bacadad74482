//! A tree against the JSON Schema of the types: every unknown key, wrong type, unknown word and number out of range, with its place.

use serde_json::Value;

use crate::near::nearest;
use crate::problem::{Level, Problem};
use crate::tree::{Kind, Node, Place};

/// Collects problems of one file.
pub(crate) struct Walk<'a> {
    pub(crate) file: &'a str,
    pub(crate) schema: &'a Value,
    pub(crate) problems: Vec<Problem>,
}

impl Walk<'_> {
    /// Notes a problem.
    pub(crate) fn note(&mut self, level: Level, place: Place, path: &str, message: String, hint: Option<String>) {
        let Place { line, column } = place;
        self.problems.push(Problem { level, file: self.file.to_owned(), line, column, path: path.to_owned(), message, hint });
    }

    /// Notes an error.
    pub(crate) fn error(&mut self, place: Place, path: &str, message: String, hint: Option<String>) {
        self.note(Level::Error, place, path, message, hint);
    }

    /// Checks `node`, which stands at `path`, against `schema`.
    pub(crate) fn visit(&mut self, node: &Node, schema: &Value, path: &str) {
        let optional = nullable(schema);
        if node.is_null() && optional {
            return;
        }
        let (schema, not_acted_on) = resolve(self.schema, schema);
        if let Some(why) = not_acted_on {
            self.note(Level::Notice, node.place, path, format!("`{path}` is accepted, but not acted on yet: {why}"), None);
        }
        if let Some(words) = words(schema) {
            return self.word(node, &words, path);
        }
        match schema["type"].as_str() {
            Some("object") => self.object(node, schema, path),
            Some("array") => match &node.value {
                Kind::List(items) => {
                    for (n, item) in items.iter().enumerate() {
                        self.visit(item, &schema["items"], &format!("{path}[{n}]"));
                    }
                }
                _ => self.wrong(node, "a list", path),
            },
            Some("string") if node.text().is_none() => self.wrong(node, "text", path),
            Some("boolean") if !matches!(node.value, Kind::Scalar(Value::Bool(_))) => self.wrong(node, "true or false", path),
            Some("integer") => self.number(node, schema, path, "a whole number"),
            Some("number") => self.number(node, schema, path, "a number"),
            _ => {}
        }
    }

    fn object(&mut self, node: &Node, schema: &Value, path: &str) {
        let Kind::Object(members) = &node.value else {
            // A key with nothing behind it is an empty mapping.
            return if node.is_null() { self.missing(node, schema, path) } else { self.wrong(node, "a mapping", path) };
        };
        let rest = &schema["additionalProperties"];
        for (name, place, value) in members {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match schema["properties"].get(name) {
                Some(member) => self.visit(value, member, &below),
                None if rest.is_object() => self.open_member(name, *place, value, schema, &below),
                None => self.unknown(name, *place, schema, path),
            }
        }
        self.missing(node, schema, path);
    }

    /// Checks a member of a mapping whose names are free, or are words of a vocabulary.
    fn open_member(&mut self, name: &str, place: Place, value: &Node, schema: &Value, path: &str) {
        let names = words(resolve(self.schema, &schema["propertyNames"]).0).unwrap_or_default();
        if !names.is_empty() && !names.iter().any(|word| word == name) {
            let hint = nearest(name, names.iter().map(String::as_str)).map(|near| format!("write `{near}`"));
            return self.error(place, path, format!("`{name}` is not one of {}", list(&names)), hint);
        }
        self.visit(value, &schema["additionalProperties"], path);
    }

    fn unknown(&mut self, name: &str, place: Place, schema: &Value, path: &str) {
        let known = schema["properties"].as_object().map(|known| known.keys().map(String::as_str).collect::<Vec<_>>()).unwrap_or_default();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let place_words = if path.is_empty() { "at the top".to_owned() } else { format!("in `{path}`") };
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        self.error(place, &below, format!("unknown key `{name}` {place_words}"), Some(hint));
    }

    fn missing(&mut self, node: &Node, schema: &Value, path: &str) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if node.member(name).is_none() {
                self.error(node.place, path, format!("`{path}` needs the key `{name}`"), None);
            }
        }
    }

    fn word(&mut self, node: &Node, words: &[String], path: &str) {
        let Some(text) = node.text() else {
            let hint = "quote it: YAML reads the bare word as something else".to_owned();
            return self.error(node.place, path, format!("`{path}` must be one of {}", list(words)), Some(hint));
        };
        if !words.iter().any(|word| word == text) {
            let hint = nearest(text, words.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            self.error(node.place, path, format!("`{path}` is `{text}`, but must be one of {}", list(words)), hint);
        }
    }

    fn number(&mut self, node: &Node, schema: &Value, path: &str, expected: &str) {
        let Kind::Scalar(Value::Number(number)) = &node.value else { return self.wrong(node, expected, path) };
        let value = number.as_f64().unwrap_or(f64::NAN);
        if schema["type"] == "integer" && number.as_i64().is_none() && number.as_u64().is_none() {
            return self.wrong(node, expected, path);
        }
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let most = most.or((schema["format"] == "uint32").then_some(f64::from(u32::MAX)));
        if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, most) => format!("at most {}", most.unwrap_or(f64::MAX)),
            };
            self.error(node.place, path, format!("`{path}` is {number}, allowed is {range}"), None);
        }
    }

    fn wrong(&mut self, node: &Node, expected: &str, path: &str) {
        let found = match &node.value {
            Kind::Scalar(Value::Null) => "nothing".to_owned(),
            Kind::Scalar(Value::String(text)) => format!("the text `{}`", text.chars().take(40).collect::<String>()),
            Kind::Scalar(value) => format!("`{value}`"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Object(_) => "a mapping".to_owned(),
        };
        let subject = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
        self.error(node.place, path, format!("{subject} must be {expected}, found {found}"), None);
    }
}

/// Follows references, also through "this or nothing"; returns the schema and why it is not acted on, if so.
pub(crate) fn resolve<'a>(root: &'a Value, mut schema: &'a Value) -> (&'a Value, Option<&'a str>) {
    let mut not_acted_on = None;
    // Our schema nests no deeper than twice; the bound keeps a mistake in it from looping.
    for _ in 0..8 {
        not_acted_on = not_acted_on.or(schema["x-not-acted-on"].as_str());
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            schema = &root["$defs"][name];
        } else if let Some(some) = schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null")) {
            schema = some;
        } else {
            break;
        }
    }
    (schema, not_acted_on)
}

fn nullable(schema: &Value) -> bool {
    let one_of_types = schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"));
    one_of_types || schema["anyOf"].as_array().is_some_and(|any| any.iter().any(|one| one["type"] == "null"))
}

/// Returns the words of a vocabulary: an `enum`, or a `oneOf` of constants.
fn words(schema: &Value) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    words.extend(schema["enum"].as_array().into_iter().flatten().filter_map(text));
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        words.extend(text(&one["const"]));
        words.extend(one["enum"].as_array().into_iter().flatten().filter_map(text));
    }
    words.extend(text(&schema["const"]));
    (!words.is_empty()).then_some(words)
}

fn list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
