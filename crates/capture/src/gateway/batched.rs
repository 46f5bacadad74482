//! The results of a batch: a file of lines, one for each request, read while it passes. Each line becomes the end of one call of the model.

use std::collections::{HashMap, VecDeque};

use sealtrail_event::{AuditId, Event, Outcome, Phase, Severity, SlotName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::draft::token;
use crate::gateway::answer::Answer;
use crate::gateway::exchange::{Exchange, State};
use crate::gateway::results;
use crate::gateway::scribe::Scribe;
use crate::hash::{self, Hash};

/// 8 MiB: as much as is read of an answer that comes alone.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// 100,000 requests: the API's own limit of a batch.
const RESULTS_MAX: u64 = 100_000;

/// 64 characters are the API's limit of a request's name.
const CUSTOM_ID_BYTES_MAX: usize = 256;

/// 4,096 batches whose making was seen: some weeks of a busy program; results are there for 29 days.
const BATCHES_MAX: usize = 4_096;

/// The end of one request of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchResult {
    /// The sender's name for the request.
    pub custom_id: String,
    /// `succeeded`, `errored`, `canceled`, `expired`.
    pub kind: String,
    /// SHA-256 of its line, without the line's end.
    pub sha256: Hash,
    /// What the model answered, or the error.
    pub answer: Answer,
}

/// Reads the lines of a file of results, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct ResultLines {
    line: Vec<u8>,
    over: bool,
    found: Vec<BatchResult>,
    keeps_text: bool,
    /// Lines that were read, and lines that hold no result or were too long or too many.
    pub(crate) read: u64,
    pub(crate) unread: u64,
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    result: Value,
}

impl ResultLines {
    pub(crate) fn new(keeps_text: bool) -> Self {
        Self { keeps_text, ..Self::default() }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.keep(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// Takes what was found since the last time.
    pub(crate) fn take(&mut self) -> Vec<BatchResult> {
        std::mem::take(&mut self.found)
    }

    /// Ends: the last line may have no end. One that was cut is no result.
    pub(crate) fn finish(&mut self) {
        self.end_line();
    }

    fn keep(&mut self, part: &[u8]) {
        if self.over || self.line.len() + part.len() > LINE_BYTES_MAX {
            self.over = true;
            self.line = Vec::new();
            return;
        }
        self.line.extend_from_slice(part);
    }

    fn end_line(&mut self) {
        let (line, over) = (std::mem::take(&mut self.line), std::mem::take(&mut self.over));
        let line = line.trim_ascii();
        if line.is_empty() && !over {
            return;
        }
        match read(line, self.keeps_text).filter(|_| self.read < RESULTS_MAX) {
            Some(result) => {
                self.read += 1;
                self.found.push(result);
            }
            None => self.unread += 1,
        }
    }
}

fn read(line: &[u8], keeps_text: bool) -> Option<BatchResult> {
    let Line { custom_id, result } = serde_json::from_slice(line).ok()?;
    let kind = result.get("type")?.as_str()?;
    if custom_id.len() > CUSTOM_ID_BYTES_MAX || token(kind).is_none() {
        return None;
    }
    let mut answer = Answer::new(keeps_text);
    if let Some(told) = result.get("message").or_else(|| result.get("error")) {
        answer.read(told);
    }
    Some(BatchResult { custom_id, kind: kind.to_owned(), sha256: hash::sha256(line), answer })
}

/// The batches whose making was seen: the event that tells of each.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    made: HashMap<String, AuditId>,
    order: VecDeque<String>,
}

impl Batches {
    /// Notes that a batch was made by a request; the oldest one is forgotten when there are too many.
    pub fn made(&mut self, batch: &str, request: AuditId) {
        if self.made.insert(batch.to_owned(), request).is_none() {
            self.order.push_back(batch.to_owned());
        }
        if self.order.len() > BATCHES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
    }

    fn maker(&self, batch: &str) -> Option<&AuditId> {
        self.made.get(batch)
    }
}

impl Scribe {
    /// Returns the events of one result of a batch: the end of the call, and each tool call in it.
    ///
    /// Their ids follow from the batch and the request's name, so a file that is fetched twice is sealed once. They tell no time, because no line does.
    pub fn batched(
        &self,
        exchange: &Exchange,
        batch: &str,
        result: &BatchResult,
        cost_usd: Option<f64>,
        unix_ns: u64,
        state: &mut State,
    ) -> Vec<Event> {
        let (answer, id) = (&result.answer, natural_id(batch, &result.custom_id, 0));
        let mut draft = self.draft(exchange, unix_ns, id.clone(), "model.response");
        let envelope = &mut draft.envelope;
        envelope.phase = Some(Phase::Outcome);
        envelope.parent_audit_id = Some(state.batches.maker(batch).unwrap_or(&exchange.id).clone());
        envelope.request_id = token(&id.as_str().replacen(AuditId::PREFIX, "gw_", 1));
        envelope.response_hash = token(&hash::hex(&result.sha256));
        envelope.model = answer.model.as_deref().and_then(token);
        envelope.input_tokens = answer.tokens("input_tokens");
        envelope.output_tokens = answer.tokens("output_tokens");
        envelope.cost_usd = cost_usd;
        let (outcome, reason) = match (&answer.error, result.kind.as_str()) {
            (None, "succeeded") => (Outcome::Success, None),
            (Some((kind, _)), _) if !kind.is_empty() => (Outcome::Error, token(kind)),
            (_, kind) => (Outcome::Error, token(kind)),
        };
        (envelope.outcome, envelope.reason) = (Some(outcome), reason);
        envelope.severity = if outcome == Outcome::Success { Severity::Info } else { Severity::Warning };
        let (custom_id, _) = self.redacted("custom_id", result.custom_id.as_str().into());
        draft.put(SlotName::Content, "batch", json!({"id": batch, "custom_id": custom_id, "result": result.kind}));
        draft.put(SlotName::Content, "passed", json!({"request_id_minted": true}));
        self.tell_answer(&mut draft, answer);
        let mut events = vec![draft.finish()];
        let mut n = 0;
        let mut ids = || {
            n += 1;
            natural_id(batch, &result.custom_id, n)
        };
        let mut calls = results::asked(self, exchange, &mut answer.blocks.values(), &id, unix_ns, state, &mut ids);
        for call in &mut calls {
            call.envelope.model = answer.model.as_deref().and_then(token);
            call.envelope.request_id.clone_from(&events[0].envelope.request_id);
        }
        events.append(&mut calls);
        events
    }
}

/// Returns the id that the event of a result, or of its `n`th tool call, always has (UUIDv8, RFC 9562 section 5.8).
fn natural_id(batch: &str, custom_id: &str, n: u32) -> AuditId {
    let key = format!("sealtrail/gateway-batch\0{batch}\0{custom_id}\0{n}");
    let mut digits = hash::hex(&hash::sha256(key.as_bytes()));
    digits.truncate(32);
    digits.replace_range(12..13, "8");
    AuditId::parse(&format!("{}{digits}", AuditId::PREFIX)).unwrap_or_else(|_| AuditId::new(0, [0; 10]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = br#"{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}}}
{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"no"},"request_id":null}}}

no line of a result
{"custom_id":"c","result":{"type":"expired"}}"#;

    fn lines(pieces: &[&[u8]]) -> (Vec<BatchResult>, u64, u64) {
        let mut lines = ResultLines::new(false);
        pieces.iter().for_each(|piece| lines.feed(piece));
        lines.finish();
        (lines.take(), lines.read, lines.unread)
    }

    /// Protects the count of a batch: wherever the network cuts the file, each result is read once, and what is none is counted.
    #[test]
    fn results_are_read_wherever_the_file_is_cut() {
        let (found, read, unread) = lines(&[FILE]);
        assert_eq!((read, unread), (3, 1));
        let kinds: Vec<&str> = found.iter().map(|result| result.kind.as_str()).collect();
        assert_eq!(kinds, ["succeeded", "errored", "expired"]);
        assert_eq!((found[0].answer.tokens("output_tokens"), found[0].answer.stop_reason.as_deref()), (Some(4), Some("end_turn")));
        assert_eq!(found[1].answer.error, Some(("invalid_request_error".to_owned(), "no".to_owned())));
        for at in 0..FILE.len() {
            assert_eq!(lines(&[&FILE[..at], &FILE[at..]]).0, found, "cut at {at}");
        }
    }

    /// Protects the memory: a line over the limit is counted and left out, and the next one is read.
    #[test]
    fn a_line_over_the_limit_is_counted() {
        let long = vec![b'x'; LINE_BYTES_MAX];
        let (found, read, unread) = lines(&[&long, &long, b"\n", FILE]);
        assert_eq!((found.len(), read, unread), (3, 3, 2));
    }

    /// Protects "once": the id of a result follows from the batch and the name alone, differs for others, and tells no time.
    #[test]
    fn ids_follow_from_batch_and_name() {
        let id = natural_id("msgbatch_1", "a", 0);
        assert_eq!((&id, id.unix_ms()), (&natural_id("msgbatch_1", "a", 0), None));
        for other in [natural_id("msgbatch_2", "a", 0), natural_id("msgbatch_1", "b", 0), natural_id("msgbatch_1", "a", 1)] {
            assert_ne!(id, other);
        }
    }
}
