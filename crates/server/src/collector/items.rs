//! A body becomes items: one record, a list of records, or a record a line. Nothing is understood yet.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use sealtrail_engine::INGEST_EVENTS_MAX;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::problem::plain;
use crate::routes::Fault;

/// As many as the ledger seals in one batch.
pub(crate) const ITEMS_MAX: usize = INGEST_EVENTS_MAX;

/// How a body holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON value: a record, or a list of records.
    Json,
    /// A record a line.
    Lines,
}

impl Form {
    /// Reads the form off the headers.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => Ok(Self::Lines),
            _ => Err(plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "send events as application/json (one, or a list) or application/x-ndjson (one a line)",
            )
            .into()),
        }
    }
}

/// Splits a body. Bytes that cannot be split are one item, which is then no record.
pub(crate) fn split(body: &[u8], form: Form) -> Result<Vec<&[u8]>, Fault> {
    let too_many = || {
        let detail = format!("a delivery has at most {ITEMS_MAX} events");
        Fault::from(plain(StatusCode::PAYLOAD_TOO_LARGE, "too-many", detail))
    };
    match form {
        Form::Lines => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
            let items: Vec<&[u8]> = lines.take(ITEMS_MAX + 1).collect();
            if items.len() > ITEMS_MAX { Err(too_many()) } else { Ok(items) }
        }
        Form::Json if body.trim_ascii().is_empty() => Err(plain(StatusCode::BAD_REQUEST, "body", "the body is empty").into()),
        Form::Json if body.trim_ascii_start().first() != Some(&b'[') => Ok(vec![body]),
        Form::Json => {
            let mut reader = serde_json::Deserializer::from_slice(body);
            match (&mut reader).deserialize_seq(List).and_then(|list| reader.end().map(|()| list)) {
                Ok(Some(list)) => Ok(list.into_iter().map(|item| item.get().as_bytes()).collect()),
                Ok(None) => Err(too_many()),
                Err(_) => Ok(vec![body]),
            }
        }
    }
}

/// Reads a list up to its largest length.
struct List;

impl<'de> Visitor<'de> for List {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<&RawValue>()? {
            if items.len() == ITEMS_MAX {
                while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            items.push(item);
        }
        Ok(Some(items))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::response::IntoResponse;

    use super::*;

    fn texts(body: &str, form: Form) -> Vec<String> {
        split(body.as_bytes(), form).ok().unwrap().iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect()
    }

    fn refused(body: &str, form: Form) -> u16 {
        split(body.as_bytes(), form).unwrap_err().into_response().status().as_u16()
    }

    /// Protects every event of a delivery: each form gives each item as it was written, and what cannot be split is kept whole.
    #[test]
    fn bodies_are_split_as_written() {
        assert_eq!(texts(r#" {"a":1} "#, Form::Json), [r#" {"a":1} "#]);
        assert_eq!(texts(r#"[{"a": 1}, 2 ,[3],{"a":1,"a":2}]"#, Form::Json), [r#"{"a": 1}"#, "2", "[3]", r#"{"a":1,"a":2}"#]);
        assert_eq!(texts("{\"a\":1}\r\n\n  {\n", Form::Lines), [r#"{"a":1}"#, "{"]);
        assert_eq!(texts("[]", Form::Json), Vec::<String>::new());
        assert_eq!(texts(r#"[{"a":1},"#, Form::Json), [r#"[{"a":1},"#]);
        assert_eq!(texts(r"[1] 2", Form::Json), [r"[1] 2"]);
        assert_eq!(refused(" ", Form::Json), 400);
    }

    /// Protects the memory: a list that is too long is refused as a whole before its items are kept.
    #[test]
    fn long_lists_are_refused() {
        let list = format!("[{}1]", "1,".repeat(ITEMS_MAX));
        assert_eq!(refused(&list, Form::Json), 413);
        assert_eq!(refused(&"1\n".repeat(ITEMS_MAX + 1), Form::Lines), 413);
        assert_eq!(texts(&"1\n".repeat(ITEMS_MAX), Form::Lines).len(), ITEMS_MAX);
    }
}
