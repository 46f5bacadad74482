//! Legal holds: events that forbid erasure, and what they forbid now.

use sealtrail_disk::{Disk, DiskError, Open};
use sealtrail_event::{Severity, SlotName, Token};
use sealtrail_tlog::Seq;
use serde_json::{Map, Value, json};

use crate::build::Extra;
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::line::LEDGER_EVENT;
use crate::own::with_content;
use crate::read::lines::{Lines, LinesError, Source};
use crate::read::parts::Parts;
use crate::read::wal::Batches;
use crate::stamp::Stamp;
use crate::write::AppendError;

/// 300 ranges: what fits an envelope with positions of eight digits.
pub const RANGES_MAX: usize = 300;

/// Events that must not be erased.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// Name of the hold, unique in the log.
    pub hold: Token,
    /// Which events: first and last position of each range.
    pub ranges: Vec<(Seq, Seq)>,
    /// Which slots of them; every one when absent.
    pub slots: Option<Vec<SlotName>>,
    /// Reason in words, persons: goes to an erasable slot.
    pub content: Map<String, Value>,
}

/// A hold that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub hold: String,
    /// First and last position of each range.
    pub ranges: Vec<(u64, u64)>,
    /// Which slots.
    pub slots: Vec<SlotName>,
}

/// Why the holds in force cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum HoldsError {
    /// The disk refused.
    #[error("cannot read the holds")]
    Disk(#[from] DiskError),
    /// A file of lines is damaged.
    #[error("cannot read the holds: {file} is damaged; run verify")]
    Lines {
        /// The file.
        file: String,
        /// What is wrong.
        source: LinesError,
    },
    /// A manifest is damaged.
    #[error("cannot read the holds: the manifest of segment {first} is damaged; run verify")]
    Manifest {
        /// First position of the segment.
        first: u64,
    },
}

impl Ledger {
    /// Puts a hold: from now on nothing it covers can be erased.
    pub fn hold(&mut self, request: &HoldRequest, stamp: &Stamp) -> Result<Seq, AppendError> {
        let ranges: Vec<_> = request.ranges.iter().map(|(first, last)| [first.0, last.0]).collect();
        let mut members = json!({ "hold": request.hold, "ranges": ranges });
        if let (Some(slots), Some(members)) = (&request.slots, members.as_object_mut()) {
            members.insert("slots".into(), names(slots));
        }
        self.own_event("ledger.hold", members, request.content.clone(), stamp)
    }

    /// Lifts a hold.
    pub fn release(&mut self, hold: &Token, content: Map<String, Value>, stamp: &Stamp) -> Result<Seq, AppendError> {
        self.own_event("ledger.release", json!({ "hold": hold }), content, stamp)
    }

    /// Returns the holds in force. Reads every envelope of the log, one at a time: in memory are a read buffer, the manifests and the holds.
    pub fn holds(&self) -> Result<Vec<Hold>, HoldsError> {
        holds(&*self.committer.disk, &self.committer.layout)
    }

    /// Writes one event of the ledger itself; returns its position.
    pub(crate) fn own_event(&mut self, kind: &str, members: Value, content: Map<String, Value>, stamp: &Stamp) -> Result<Seq, AppendError> {
        let event = self.builder.own(stamp).event(kind, Severity::Info, members);
        let own = event.map(|event| with_content(event, content)).into_iter().collect();
        let batch = self.builder.assemble(&[], stamp, Extra { own, ..Extra::default() })?;
        let seq = batch.last_own();
        self.commit(batch)?;
        Ok(seq)
    }
}

/// Returns the JSON list of slot names.
pub(crate) fn names(slots: &[SlotName]) -> Value {
    slots.iter().map(|slot| slot.as_str()).collect()
}

pub(crate) fn holds(disk: &dyn Disk, layout: &Layout) -> Result<Vec<Hold>, HoldsError> {
    let mut holds: Vec<Hold> = Vec::new();
    each_own(disk, layout, |line| {
        let Some(event) = serde_json::from_slice::<Value>(line).ok() else { return };
        let says = &event["ledger"];
        let name = says["hold"].as_str().unwrap_or_default();
        match event["event_type"].as_str() {
            Some("ledger.hold") => {
                let slots = says["slots"].as_array().map(|slots| slots.iter().filter_map(|slot| SlotName::parse(slot.as_str()?)).collect());
                let ranges = says["ranges"].as_array().into_iter().flatten();
                let ranges = ranges.filter_map(|range| Some((range.get(0)?.as_u64()?, range.get(1)?.as_u64()?))).collect();
                holds.push(Hold { hold: name.to_owned(), ranges, slots: slots.unwrap_or_else(|| SlotName::ALL.to_vec()) });
            }
            Some("ledger.release") => holds.retain(|hold| hold.hold != name),
            _ => {}
        }
    })?;
    Ok(holds)
}

/// Shows every envelope line of the ledger's own events, in order.
fn each_own(disk: &dyn Disk, layout: &Layout, mut show: impl FnMut(&[u8])) -> Result<(), HoldsError> {
    let finder = memchr::memmem::Finder::new(LEDGER_EVENT);
    for (first, part) in Parts::list(disk, &layout.dir)?.found {
        if let Some(manifest) = part.manifest {
            let manifest = manifest.map_err(|_| HoldsError::Manifest { first })?;
            let path = layout.segment(first, "entries", manifest.compression.suffix());
            let mut lines = Lines::new(Source::new(disk.open(&path, Open::Read)?, 0, manifest.compression, false));
            let failed = |source| HoldsError::Lines { file: path.display().to_string(), source };
            while let Some(line) = lines.peek().map_err(failed)? {
                if finder.find(line).is_some() {
                    show(line);
                }
                lines.advance();
            }
        } else if let Some(wal) = part.wal {
            let mut batches = Batches::new(wal, 0);
            while let Some(batch) = batches.next()? {
                let envelopes = batch.lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"v\":"));
                envelopes.filter(|line| finder.find(line).is_some()).for_each(&mut show);
            }
        }
    }
    Ok(())
}
