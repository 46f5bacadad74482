//! The client's records of its requests to the model: hashes of what was sent, never the content once more.

use sealtrail_event::{Phase, Severity, SlotName};
use serde_json::{Value, json};

use crate::draft::{Draft, token, word};
use crate::transcript::line::Line;
use crate::transcript::reading::{Reading, place_rest};

/// Stands where a hash would let a secret be guessed.
const WITHHELD: &str = "withheld";

/// 4,096 tools of one request are named; the client offers a few dozen.
const TOOLS_MAX: usize = 4_096;

/// `api-request`: one request, as a list of hashes.
pub(crate) fn request(reading: &mut Reading, line: &Line) -> Vec<Draft> {
    let mut draft = match line.word("id") {
        Some(id) => reading.start_as(line, "model.request", &format!("request/{id}")),
        None => reading.start(line, "model.request", 0),
    };
    draft.envelope.phase = Some(Phase::Intent);
    draft.envelope.model = line.members.get("params").and_then(|params| params.get("model")).and_then(Value::as_str).and_then(token);
    draft.envelope.source = line.word("querySource").and_then(token);
    place_rest(&mut draft, line, &["querySource", "tail"]);
    if let Some(id) = line.word("id") {
        draft.put(SlotName::Content, "request_ref", id.into());
    }
    if let Some(Value::Array(tail)) = line.members.get("tail") {
        let shown = |hash: &Value| match hash.as_str() {
            Some(hash) if reading.hidden.contains(hash) => WITHHELD.into(),
            _ => hash.clone(),
        };
        draft.put_in(SlotName::Content, "transcript", "tail", tail.iter().map(shown).collect());
    }
    vec![draft]
}

/// `api-request-blob`: one message by its hash. The hash is computed anew, and the event says whether it fits.
pub(crate) fn blob(reading: &mut Reading, line: &Line) -> Vec<Draft> {
    let size = line.members.get("message").map_or(0, |message| message.to_string().len());
    let role = line.message("role").cloned().unwrap_or_default();
    vec![addressed(reading, line, "transcript.api_request_blob", json!({"role": role, "size_bytes": size}))]
}

/// `api-request-shape`: system prompt and tools by their hash.
pub(crate) fn shape(reading: &mut Reading, line: &Line) -> Vec<Draft> {
    let shape = line.members.get("shape");
    let tools = shape.and_then(|shape| shape.get("tools")).and_then(Value::as_array);
    let names: Vec<&Value> = tools.into_iter().flatten().filter_map(|tool| tool.get("name")).take(TOOLS_MAX).collect();
    let about = json!({"size_bytes": shape.map_or(0, |shape| shape.to_string().len()), "tools": names});
    vec![addressed(reading, line, "transcript.api_request_shape", about)]
}

fn addressed(reading: &mut Reading, line: &Line, event_type: &str, mut about: Value) -> Draft {
    let mut draft = reading.start(line, event_type, 0);
    draft.envelope.severity = Severity::Debug;
    let fits = line.hash.as_ref().is_some_and(|hash| line.computed.contains(hash));
    about["matches"] = fits.into();
    if line.rules.is_empty() {
        about["hash"] = json!(line.hash);
        if !fits {
            about["computed"] = json!(line.computed.first());
        }
    } else {
        line.hash.iter().chain(&line.computed).for_each(|hash| reading.hide(hash));
        about["hash"] = WITHHELD.into();
    }
    if !fits {
        draft.envelope.severity = Severity::Warning;
        draft.envelope.reason = Some(word("hash_mismatch"));
    }
    place_rest(&mut draft, line, &["message", "shape", "hash", "shapeHash"]);
    draft.put(SlotName::Content, "content_address", about);
    draft
}
