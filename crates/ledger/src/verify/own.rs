//! What the ledger says of itself: the events that change how the others are judged.

use sealtrail_event::SlotName;
use sealtrail_tlog::VerifierKey;
use serde_json::{Map, Value};

/// A `ledger.*` event, as far as verification needs it.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) seq: u64,
    pub(super) says: Says,
}

#[derive(Clone, Debug)]
pub(super) enum Says {
    Created { log: [String; 3], timestamp: String, hmac: bool, key: Box<VerifierKey> },
    Epoch { epoch: u64, key: Box<VerifierKey>, broken: bool },
    Start,
    Stop,
    Clock,
    Erase { ranges: Vec<(u64, u64)>, slots: u8 },
    Erased { erase: u64, segments: Vec<(u64, String)> },
    Hold { hold: String, ranges: Vec<(u64, u64)>, slots: u8 },
    Release { hold: String },
    Gap { detail: String },
    Fork { detail: String },
    Other,
}

/// Returns the bit of a slot.
pub(super) fn bit(name: SlotName) -> u8 {
    1 << (name as u8)
}

/// Parses the envelope of a `ledger.*` event; the error says which member is wrong.
pub(super) fn parse(seq: u64, line: &[u8]) -> Result<Option<Own>, &'static str> {
    let envelope: Value = serde_json::from_slice(line).map_err(|_| "the envelope is not JSON")?;
    let Some(kind) = envelope.get("event_type").and_then(Value::as_str).and_then(|kind| kind.strip_prefix("ledger.")) else {
        return Ok(None);
    };
    if envelope.get("witness").and_then(Value::as_str) != Some("recorder") {
        return Err("its witness is not the recorder");
    }
    let nothing = Map::new();
    let ledger = envelope.get("ledger").and_then(Value::as_object).unwrap_or(&nothing);
    let says = match kind {
        "created" => Says::Created {
            log: [text(ledger, "origin")?, text(ledger, "log_id")?, text(ledger, "vkey")?],
            timestamp: envelope.get("timestamp").and_then(Value::as_str).unwrap_or_default().to_owned(),
            hmac: ledger.get("hmac").and_then(Value::as_bool).ok_or("member hmac is missing")?,
            key: key(ledger)?,
        },
        "epoch" => Says::Epoch {
            epoch: number(ledger, "epoch")?,
            key: key(ledger)?,
            broken: ledger.get("break").is_some_and(|broken| *broken == true),
        },
        "start" => Says::Start,
        "stop" => Says::Stop,
        "clock" => Says::Clock,
        "erase" => Says::Erase { ranges: ranges(ledger)?, slots: slots(ledger)?.ok_or("member slots is missing")? },
        "erased" => Says::Erased { erase: number(ledger, "erase")?, segments: segments(ledger) },
        "hold" => Says::Hold { hold: text(ledger, "hold")?, ranges: ranges(ledger)?, slots: slots(ledger)?.unwrap_or(u8::MAX) },
        "release" => Says::Release { hold: text(ledger, "hold")? },
        "gap" => Says::Gap { detail: Value::Object(ledger.clone()).to_string() },
        "fork" => Says::Fork { detail: Value::Object(ledger.clone()).to_string() },
        _ => Says::Other,
    };
    Ok(Some(Own { seq, says }))
}

fn text(ledger: &Map<String, Value>, member: &'static str) -> Result<String, &'static str> {
    ledger.get(member).and_then(Value::as_str).map(str::to_owned).ok_or(match member {
        "origin" => "member origin is missing",
        "log_id" => "member log_id is missing",
        "vkey" => "member vkey is missing",
        _ => "member hold is missing",
    })
}

fn number(ledger: &Map<String, Value>, member: &'static str) -> Result<u64, &'static str> {
    ledger.get(member).and_then(Value::as_u64).ok_or("a number is missing")
}

fn key(ledger: &Map<String, Value>) -> Result<Box<VerifierKey>, &'static str> {
    let text = ledger.get("key").and_then(Value::as_str).ok_or("member key is missing")?;
    VerifierKey::parse(text).map(Box::new).map_err(|_| "member key is no verifier key")
}

fn ranges(ledger: &Map<String, Value>) -> Result<Vec<(u64, u64)>, &'static str> {
    let ranges = ledger.get("ranges").and_then(Value::as_array).ok_or("member ranges is missing")?;
    let range = |range: &Value| match range.as_array()?.as_slice() {
        [first, last] => Some((first.as_u64()?, last.as_u64()?)),
        _ => None,
    };
    ranges.iter().map(|each| range(each).ok_or("a range is not two positions")).collect()
}

fn slots(ledger: &Map<String, Value>) -> Result<Option<u8>, &'static str> {
    let Some(names) = ledger.get("slots") else { return Ok(None) };
    let names = names.as_array().ok_or("member slots is no list")?;
    let parse = |name: &Value| name.as_str().and_then(SlotName::parse).map(bit).ok_or("a slot name is unknown");
    names.iter().try_fold(0, |bits, name| Ok(bits | parse(name)?)).map(Some)
}

fn segments(ledger: &Map<String, Value>) -> Vec<(u64, String)> {
    let all = ledger.get("segments").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
    all.iter().filter_map(|segment| Some((segment.get("first")?.as_u64()?, segment.get("new")?.as_str()?.to_owned()))).collect()
}
