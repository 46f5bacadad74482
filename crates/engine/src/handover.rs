//! Events that another process of this machine made: handed over on the socket, sealed each for itself.

use std::collections::BTreeMap;
use std::time::Duration;

use sealtrail_config::Loaded;
use sealtrail_event::{Envelope, Event, Slot, SlotName, Witness};
use sealtrail_intake::{Answer, Frame, Kind};
use sealtrail_ledger::Receipt;
use sealtrail_tlog::{LeafHash, Seq, TreeSize};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::client::{ClientError, PATIENCE, ask_within, record_frame};
use crate::home::Home;
use crate::ingest::Ingested;
use crate::shared::Shared;
use crate::trail::{Trail, TrailError};

/// 256 events in one frame: their fates fit into one answer.
pub const HANDOVER_EVENTS_MAX: usize = 256;

/// 24 MiB: a frame has at most 32, and one event may have several slots of up to 8.
const BYTES_MAX: usize = 24 * 1024 * 1024;

/// Why events could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The daemon did not take them.
    #[error("the daemon did not take the events")]
    Daemon(#[from] ClientError),
    /// There is no daemon, and the trail cannot be opened for the moment.
    #[error("no daemon runs, and the trail did not take the events")]
    Trail(#[from] TrailError),
}

impl HandOverError {
    /// Tells whether trying again is in vain: the events themselves were refused, or there is no trail at all.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Daemon(ClientError::Refused { .. }) | Self::Trail(TrailError::Missing { .. }))
    }
}

/// Seals events through the daemon, or, when none runs, by opening the trail for the moment; returns the fate of each, in order.
pub fn seal_events(home: &Home, loaded: &Loaded, events: &[Event]) -> Result<Vec<Ingested>, HandOverError> {
    match hand_over(home, events) {
        Err(ClientError::NoDaemon { .. }) => {}
        done => return Ok(done?),
    }
    let (mut trail, _) = Trail::open(home, loaded)?;
    let done = trail.ingest(events.to_vec())?;
    trail.close()?;
    Ok(done)
}

/// Has the daemon seal events, each for itself and once by its id; returns the fate of each, in order.
pub fn hand_over(home: &Home, events: &[Event]) -> Result<Vec<Ingested>, ClientError> {
    hand_over_within(home, events, PATIENCE)
}

/// As [`hand_over`]; every step of an exchange has `patience`.
pub(crate) fn hand_over_within(home: &Home, events: &[Event], patience: Duration) -> Result<Vec<Ingested>, ClientError> {
    let mut done = Vec::with_capacity(events.len());
    while done.len() < events.len() {
        let (body, count) = encode(&events[done.len()..]);
        let frame = Frame { kind: Kind::Events, ..record_frame(&body) };
        let fates = match ask_within(home, &frame, &body, patience)? {
            Answer::Status(json) => fates_of(&json).filter(|fates| fates.len() == count),
            Answer::Block(reason) => return Err(ClientError::Refused { reason }),
            Answer::Discarded => {
                return Err(ClientError::Refused { reason: "this daemon takes no events; it may be of an older version".into() });
            }
            Answer::Retry | Answer::Sealed(_) => return Err(ClientError::Later),
        };
        done.extend(fates.ok_or(ClientError::Later)?);
    }
    Ok(done)
}

/// Takes the events of one frame, from a process of the user `uid`.
pub(crate) fn take(shared: &Shared, body: &[u8], uid: u32) -> Answer {
    let mut events = match decode(body) {
        Ok(events) => events,
        Err(why) => return Answer::Block(why),
    };
    if uid != shared.own_uid && uid != 0 {
        name_sender(&mut events, uid, shared.receiver().people.user(uid));
    }
    let fates: Vec<Value> = shared.ingest_and_wait(events).iter().map(fate_of).collect();
    Answer::Status(Value::Array(fates).to_string())
}

/// Says who handed events over, as the kernel knows it, whatever they say themselves.
pub(crate) fn name_sender(events: &mut [Event], uid: u32, user: Option<String>) {
    let user = user.unwrap_or_else(|| format!("uid:{uid}"));
    for event in events {
        event.put(SlotName::Identity, Map::from_iter([("uid".to_owned(), uid.into()), ("user_id".to_owned(), user.as_str().into())]));
    }
}

/// Writes as many events as one frame takes; returns how many.
pub(crate) fn encode(events: &[Event]) -> (Vec<u8>, usize) {
    let mut body = b"[".to_vec();
    let mut count = 0;
    for event in events.iter().take(HANDOVER_EVENTS_MAX) {
        let slots: usize = event.slots.iter().map(|slot| slot.json.len() + 16).sum();
        if count > 0 {
            if body.len() + slots > BYTES_MAX {
                break;
            }
            body.push(b',');
        }
        body.extend_from_slice(b"{\"e\":");
        event.envelope.write_to(&mut body);
        body.extend_from_slice(b",\"s\":{");
        for (n, slot) in event.slots.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            body.extend_from_slice(format!("{comma}\"{}\":", slot.name.as_str()).as_bytes());
            body.extend_from_slice(slot.json.as_bytes());
        }
        body.extend_from_slice(b"}}");
        count += 1;
    }
    body.push(b']');
    (body, count)
}

#[derive(Deserialize)]
struct Wire {
    e: Envelope,
    #[serde(default)]
    s: BTreeMap<SlotName, Box<RawValue>>,
}

/// Reads the events of a frame; what only the recorder may say is refused.
pub(crate) fn decode(body: &[u8]) -> Result<Vec<Event>, String> {
    let wires: Vec<Wire> = serde_json::from_slice(body).map_err(|error| format!("cannot read the events: {error}"))?;
    if wires.len() > HANDOVER_EVENTS_MAX {
        return Err(format!("cannot take {} events at once, the limit is {HANDOVER_EVENTS_MAX}", wires.len()));
    }
    wires.into_iter().enumerate().map(|(n, wire)| event_of(wire).map_err(|why| format!("cannot take event {n}: {why}"))).collect()
}

fn event_of(Wire { e: envelope, s: slots }: Wire) -> Result<Event, String> {
    if matches!(envelope.witness, Witness::Hook | Witness::Recorder) {
        return Err(format!("its witness is {}, which only the recorder may say", envelope.witness));
    }
    if envelope.event_type.as_str().starts_with("ledger.") || envelope.ledger.is_some() {
        return Err("only the ledger tells of itself".to_owned());
    }
    envelope.check().map_err(|error| error.to_string())?;
    let slot = |(name, raw): (SlotName, Box<RawValue>)| {
        let text = raw.get();
        if !text.starts_with('{') {
            return Err(format!("its slot {} is no object", name.as_str()));
        }
        // A line of the ledger is one line.
        let json =
            if text.contains(['\n', '\r']) { serde_json::from_str::<Value>(text).unwrap_or_default().to_string() } else { text.to_owned() };
        Ok(Slot { name, json })
    };
    Ok(Event { envelope, slots: slots.into_iter().map(slot).collect::<Result<_, _>>()? })
}

fn fate_of(fate: &Ingested) -> Value {
    match fate {
        Ingested::Sealed(receipt) => json!(["sealed", receipt.seq.0, receipt.leaf_hash.to_string(), receipt.tree_size.0]),
        Ingested::Known { seq } => json!(["known", seq]),
        Ingested::Rejected => json!(["rejected"]),
        Ingested::Later => json!(["later"]),
    }
}

fn fates_of(json: &str) -> Option<Vec<Ingested>> {
    let fates: Vec<Value> = serde_json::from_str(json).ok()?;
    fates.iter().map(ingested).collect()
}

fn ingested(fate: &Value) -> Option<Ingested> {
    let number = |n: usize| fate.get(n).and_then(Value::as_u64);
    Some(match fate.get(0)?.as_str()? {
        "sealed" => Ingested::Sealed(Receipt {
            seq: Seq(number(1)?),
            leaf_hash: LeafHash::parse(fate.get(2)?.as_str()?).ok()?,
            tree_size: TreeSize(number(3)?),
        }),
        "known" => Ingested::Known { seq: number(1)? },
        "rejected" => Ingested::Rejected,
        _ => Ingested::Later,
    })
}
