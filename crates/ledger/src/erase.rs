//! Erasure: recorded first, then carried out, then recorded as done.
//!
//! The marker `erasing` is durable before the `ledger.erase` is, and names it; a crash anywhere in between is finished by the next
//! opening. An event in the active WAL is erased by closing and sealing that WAL first.

use std::path::PathBuf;
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, replace};
use sealtrail_event::{Severity, SlotName, Token};
use sealtrail_tlog::Seq;
use serde_json::{Map, Value, json};

use crate::build::Extra;
use crate::hold::{HoldsError, RANGES_MAX, names};
use crate::job::JobError;
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::line::{LineError, Manifest};
use crate::marker::{Marker, Rewritten};
use crate::own::with_content;
use crate::read::ReadError;
use crate::read::lines::LinesError;
use crate::read::parts::names as list;
use crate::rewrite::rewrite;
use crate::seal::SealError;
use crate::stamp::Stamp;
use crate::write::{AppendError, remove_if_there};

/// 30 segments of about 180 bytes each fit the envelope of one `ledger.erased`.
const SEGMENTS_PER_EVENT: usize = 30;

/// What is to be erased, and why.
#[derive(Clone, Debug)]
pub struct EraseRequest {
    /// Which events: first and last position of each range, rising and apart.
    pub ranges: Vec<(Seq, Seq)>,
    /// Which slots of them.
    pub slots: Vec<SlotName>,
    /// Why: a code such as `retention` or `data_subject_request`.
    pub reason: Token,
    /// The policy that asked for it.
    pub policy: Option<Token>,
    /// Who approved it: an id, not a name.
    pub approver: Option<Token>,
    /// The legal basis, as a code.
    pub legal_basis: Option<Token>,
    /// Reason in words, persons: goes to an erasable slot.
    pub content: Map<String, Value>,
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Position of the `ledger.erase`.
    pub erase: Seq,
    /// How many segments were rewritten.
    pub segments: usize,
    /// How many slots are gone.
    pub slots: u64,
    /// How many bytes of slot lines are gone.
    pub bytes: u64,
}

/// Why an erasure was refused or is not finished.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The request makes no sense.
    #[error("cannot erase: {what} (the log has {size} events, a request at most {RANGES_MAX} ranges)")]
    Request {
        /// What is wrong.
        what: &'static str,
        /// Size of the log.
        size: u64,
    },
    /// A hold forbids it.
    #[error("cannot erase: hold {hold} covers {slot} of the events {first} to {last}")]
    Held {
        /// Name of the hold.
        hold: String,
        /// A slot that it covers.
        slot: &'static str,
        /// First of the events asked for that it covers.
        first: u64,
        /// Last of them.
        last: u64,
    },
    /// The holds cannot be told, so nothing is erased.
    #[error("cannot erase: the holds in force are not known")]
    Holds(#[from] HoldsError),
    /// The record of the erasure could not be written.
    #[error("cannot record the erasure")]
    Append(#[from] AppendError),
    /// The segment could not be sealed, so its slots are still in a WAL.
    #[error("cannot erase yet: the active segment could not be sealed")]
    Seal(#[from] JobError),
    /// The disk refused.
    #[error("cannot finish the erasure")]
    Disk(#[from] DiskError),
    /// A slot file could not be rewritten.
    #[error("cannot finish the erasure: {} could not be rewritten", path.display())]
    Rewrite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// A slot file is damaged.
    #[error("cannot finish the erasure: {} is damaged; run verify", path.display())]
    Lines {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LinesError,
    },
    /// A manifest is damaged.
    #[error("cannot finish the erasure: {} is damaged; run verify", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LineError,
    },
    /// The entries of a segment cannot be read.
    #[error("cannot finish the erasure: a segment cannot be read")]
    Read(#[from] ReadError),
    /// Something that should be gone is still there.
    #[error("cannot finish the erasure: {} still holds what was to be erased", path.display())]
    StillThere {
        /// The file.
        path: PathBuf,
    },
}

/// The long part of an erasure. It may run on any thread, beside appends.
pub struct EraseJob {
    disk: Arc<dyn Disk>,
    layout: Layout,
    marker: Marker,
}

/// What [`EraseJob::run`] did; to be given to [`Ledger::finish_erase`].
pub struct EraseDone {
    marker: Marker,
    slots: u64,
}

impl Ledger {
    /// Erases slots: records it, rewrites the files, records that it is done. Stalls appends meanwhile; to avoid that, call
    /// [`Ledger::begin_erase`], run the job elsewhere, and call [`Ledger::finish_erase`].
    pub fn erase(&mut self, request: &EraseRequest, stamp: &Stamp) -> Result<Erased, EraseError> {
        let done = self.begin_erase(request, stamp)?.run()?;
        self.finish_erase(done, stamp)
    }

    /// Checks the request against the holds, records it, and seals the active segment if it is concerned.
    pub fn begin_erase(&mut self, request: &EraseRequest, stamp: &Stamp) -> Result<EraseJob, EraseError> {
        self.check(request)?;
        let disk = Arc::clone(&self.committer.disk);
        let wrong = |what| EraseError::Request { what, size: self.size().0 };
        if self.committer.busy {
            return Err(wrong("a background job is out"));
        }
        if disk.size(&self.committer.layout.erasing())?.is_some() {
            return Err(wrong("another erasure is not finished"));
        }
        // The new record goes to the next WAL, so the one with the data can be sealed.
        self.committer.rotate = request.ranges.iter().any(|(_, last)| last.0 >= self.open_from());
        let mut members = json!({ "ranges": ranges_of(request), "slots": names(&request.slots), "reason": request.reason });
        if let Some(members) = members.as_object_mut() {
            for (name, value) in [("policy", &request.policy), ("approver", &request.approver), ("legal_basis", &request.legal_basis)] {
                members.extend(value.as_ref().map(|value| (name.to_owned(), value.as_str().into())));
            }
        }
        let event = self.builder.own(stamp).event("ledger.erase", Severity::Warning, members);
        let own = event.map(|event| with_content(event, request.content.clone())).into_iter().collect();
        let batch = self.builder.assemble(&[], stamp, Extra { own, ..Extra::default() }).map_err(AppendError::from)?;
        let marker = Marker {
            erase: batch.last_own().0,
            ranges: request.ranges.iter().map(|(first, last)| (first.0, last.0)).collect(),
            slots: request.slots.clone(),
            done: Vec::new(),
        };
        if let Err(error) = replace(&*disk, &self.committer.layout.erasing(), &marker.encode()) {
            self.committer.rewind(&mut self.builder);
            return Err(error.into());
        }
        self.commit(batch)?;
        self.publish(stamp)?;
        Ok(EraseJob { disk, layout: self.committer.layout.clone(), marker })
    }

    /// Records that an erasure is done.
    pub fn finish_erase(&mut self, done: EraseDone, stamp: &Stamp) -> Result<Erased, EraseError> {
        let EraseDone { marker, slots } = done;
        let bytes = marker.done.iter().map(|segment| segment.bytes).sum();
        let mut parts: Vec<&[Rewritten]> = marker.done.chunks(SEGMENTS_PER_EVENT).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        for part in parts {
            let segments: Vec<Value> = part.iter().map(Rewritten::to_json).collect();
            let removed: u64 = part.iter().map(|segment| segment.bytes).sum();
            let members = json!({ "erase": marker.erase, "segments": segments, "bytes_removed": removed });
            self.own_event("ledger.erased", members, Map::new(), stamp)?;
        }
        let (disk, layout) = (&self.committer.disk, &self.committer.layout);
        remove_if_there(&**disk, &layout.erasing())?;
        disk.sync_dir(&layout.dir)?;
        Ok(Erased { erase: Seq(marker.erase), segments: marker.done.len(), slots, bytes })
    }

    /// Finishes an erasure whose job failed or that a crash interrupted, or forgets one that was never recorded. Opening calls it.
    pub fn resume_erase(&mut self, stamp: &Stamp) -> Result<(), EraseError> {
        let path = self.committer.layout.erasing();
        let disk = Arc::clone(&self.committer.disk);
        if disk.size(&path)?.is_none() {
            return Ok(());
        }
        let marker = Marker::parse(&disk.read(&path)?);
        match marker.filter(|marker| marker.is_recorded(&disk, &self.committer.layout.dir)) {
            Some(marker) => {
                let job = EraseJob { disk, layout: self.committer.layout.clone(), marker };
                self.finish_erase(job.run()?, stamp).map(drop)
            }
            None => {
                disk.remove(&path)?;
                Ok(disk.sync_dir(&self.committer.layout.dir)?)
            }
        }
    }

    /// First position that is not sealed yet.
    fn open_from(&self) -> u64 {
        self.committer.closed.front().copied().unwrap_or(self.committer.wal.first)
    }

    fn check(&self, request: &EraseRequest) -> Result<(), EraseError> {
        let size = self.size().0;
        let wrong = |what| EraseError::Request { what, size };
        if request.ranges.is_empty() || request.ranges.len() > RANGES_MAX || request.slots.is_empty() {
            return Err(wrong("it names no slot, no range or too many ranges"));
        }
        let rising = request.ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
        if !rising || request.ranges.iter().any(|(first, last)| first > last || last.0 >= size) {
            return Err(wrong("its ranges must rise, lie apart and end before the end of the log"));
        }
        for hold in self.holds()? {
            let slot = request.slots.iter().find(|slot| hold.slots.contains(slot));
            let meets = request.ranges.iter().find_map(|(first, last)| {
                hold.ranges.iter().map(|held| (held.0.max(first.0), held.1.min(last.0))).find(|(first, last)| first <= last)
            });
            if let (Some(slot), Some((first, last))) = (slot, meets) {
                return Err(EraseError::Held { hold: hold.hold, slot: slot.as_str(), first, last });
            }
        }
        Ok(())
    }
}

fn ranges_of(request: &EraseRequest) -> Vec<[u64; 2]> {
    request.ranges.iter().map(|(first, last)| [first.0, last.0]).collect()
}

impl EraseJob {
    /// Carries out in a copy what its log records.
    pub(crate) fn of_copy(disk: Arc<dyn Disk>, layout: Layout, marker: Marker) -> Self {
        Self { disk, layout, marker }
    }

    /// Rewrites every slot file that holds something to be erased, and looks that it is gone.
    pub fn run(self) -> Result<EraseDone, EraseError> {
        let Self { disk, layout, mut marker } = self;
        let mut slots = 0;
        for name in list(&*disk, &layout.wal_dir())? {
            let open = Layout::first_of(&name, ".wal").is_some_and(|first| marker.ranges.iter().any(|(_, last)| *last >= first));
            if open {
                return Err(EraseError::StillThere { path: layout.wal_dir().join(name) });
            }
        }
        for name in list(&*disk, &layout.seg_dir())? {
            let Some(first) = Layout::first_of(&name, ".json") else { continue };
            let path = layout.manifest(first);
            let manifest = Manifest::parse(&disk.read(&path)?).map_err(|source| EraseError::Manifest { path, source })?;
            if marker.ranges.iter().any(|(from, to)| *from < manifest.size && *to >= first) {
                slots += rewrite(&*disk, &layout, &mut marker, manifest)?;
            }
        }
        Ok(EraseDone { marker, slots })
    }
}
