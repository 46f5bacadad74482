//! The marker of an erasure under way: `erasing`, one line of JSON, gone when the erasure is recorded as done.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::Disk;
use sealtrail_event::SlotName;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::hold::names;
use crate::read::Reader;

/// What is being erased, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Position of the `ledger.erase`.
    pub(crate) erase: u64,
    pub(crate) ranges: Vec<(u64, u64)>,
    pub(crate) slots: Vec<SlotName>,
    /// The segments that are rewritten or about to be.
    pub(crate) done: Vec<Rewritten>,
}

/// One rewritten slot file: its SHA-256 (hex) before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewritten {
    pub(crate) first: u64,
    pub(crate) old: String,
    pub(crate) new: String,
    /// Bytes of slot lines that are gone.
    pub(crate) bytes: u64,
}

impl Rewritten {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "first": self.first, "old": self.old, "new": self.new })
    }
}

impl Marker {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let done: Vec<Value> = self.done.iter().map(|d| json!([d.first, d.old, d.new, d.bytes])).collect();
        let marker = json!({ "erase": self.erase, "ranges": self.ranges, "slots": names(&self.slots), "done": done });
        format!("{marker}\n").into_bytes()
    }

    /// Reads the marker; it is written whole or not at all, so anything else is not ours.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let marker: Value = serde_json::from_slice(bytes).ok()?;
        let done = |item: &Value| {
            let text = |at: usize| Some(item.get(at)?.as_str()?.to_owned());
            Some(Rewritten { first: item.get(0)?.as_u64()?, old: text(1)?, new: text(2)?, bytes: item.get(3)?.as_u64()? })
        };
        Some(Self {
            erase: marker.get("erase")?.as_u64()?,
            ranges: ranges(marker.get("ranges")?)?,
            slots: slots(marker.get("slots")?)?,
            done: marker.get("done")?.as_array()?.iter().map(done).collect::<Option<_>>()?,
        })
    }

    /// Reads the order out of the envelope of the event `erase`, if it is one.
    pub(crate) fn of(erase: u64, envelope: &[u8]) -> Option<Self> {
        let envelope: Value = serde_json::from_slice(envelope).ok()?;
        let says = envelope.get("ledger").filter(|_| envelope["event_type"] == "ledger.erase")?;
        Some(Self { erase, ranges: ranges(says.get("ranges")?)?, slots: slots(says.get("slots")?)?, done: Vec::new() })
    }

    /// Tells whether the log holds the `ledger.erase` that this marker was written for.
    pub(crate) fn is_recorded(&self, disk: &Arc<dyn Disk>, dir: &Path) -> bool {
        let event = Reader::open(Arc::clone(disk), dir).and_then(|reader| reader.get(Seq(self.erase)));
        let Ok(Some(event)) = event else { return false };
        let Ok(envelope) = serde_json::from_slice::<Value>(&event.envelope) else { return false };
        let says = &envelope["ledger"];
        envelope["event_type"] == "ledger.erase"
            && ranges(&says["ranges"]).as_ref() == Some(&self.ranges)
            && slots(&says["slots"]).as_ref() == Some(&self.slots)
    }

    /// Tells whether a slot is to be erased.
    pub(crate) fn covers(&self, seq: u64, slot: SlotName) -> bool {
        self.slots.contains(&slot) && self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&seq))
    }
}

fn ranges(value: &Value) -> Option<Vec<(u64, u64)>> {
    value.as_array()?.iter().map(|range| Some((range.get(0)?.as_u64()?, range.get(1)?.as_u64()?))).collect()
}

fn slots(value: &Value) -> Option<Vec<SlotName>> {
    value.as_array()?.iter().map(|slot| SlotName::parse(slot.as_str()?)).collect()
}
