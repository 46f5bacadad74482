//! Reads a ledger back, without a lock and while a writer works: only what is committed, in order.
//!
//! Reading trusts the files; whether they may be trusted is what [`crate::verify`] answers.

mod active;
pub(crate) mod blocks;
mod cache;
mod ids;
mod iter;
pub(crate) mod lines;
pub(crate) mod parts;
mod piece;
pub(crate) mod segment;
mod starts;
pub(crate) mod wal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError};
use sealtrail_event::{AuditId, SlotName};
use sealtrail_tlog::{LeafHash, Seq, TreeSize, leaf_hash};
use serde_json::{Map, Value};

pub use iter::{Events, EventsBack, Picked};
pub use lines::LinesError;

use crate::line::{EnvelopeLine, LineError, LogInfo, Manifest, SlotLine};
use active::Active;
use cache::Cache;
use ids::Wanted;
use parts::Parts;
use segment::{Decoded, Segment};

/// 10 minutes: an id is made before its commit, but the clock may have been set between the two.
const FIND_SLACK_NS: i128 = 600 * 1_000_000_000;

/// Why a ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused.
    #[error("cannot read the ledger")]
    Disk(#[from] DiskError),
    /// A line is damaged.
    #[error("cannot read {file}: run verify")]
    Line {
        /// The file, below the ledger's folder.
        file: String,
        /// What is wrong.
        source: LineError,
    },
    /// A file cannot be split into lines.
    #[error("cannot read {file}: run verify")]
    Lines {
        /// The file, below the ledger's folder.
        file: String,
        /// What is wrong.
        source: LinesError,
    },
    /// A slot's value is not the text that it must be.
    #[error("cannot read {file}: slot {slot} of event {seq} is not UTF-8")]
    Slot {
        /// The file, below the ledger's folder.
        file: String,
        /// The event.
        seq: u64,
        /// The slot.
        slot: &'static str,
    },
    /// Events are not where they must be.
    #[error("cannot read {file}: event {seq} is not in it")]
    Missing {
        /// The file, below the ledger's folder.
        file: String,
        /// The event.
        seq: u64,
    },
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Position in the log.
    pub seq: Seq,
    /// The envelope line without its newline: the bytes that the leaf hash covers.
    pub envelope: Vec<u8>,
    /// The slots that are there, in order; an erased one is not.
    pub slots: Vec<StoredSlot>,
}

/// One slot as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlot {
    /// Which slot.
    pub name: SlotName,
    /// The salt of its commitment.
    pub salt: [u8; 16],
    /// The committed text.
    pub json: String,
}

impl StoredSlot {
    fn new(slot: &SlotLine<'_>, file: &str) -> Result<Self, ReadError> {
        let json = String::from_utf8(slot.value.to_vec());
        let json = json.map_err(|_| ReadError::Slot { file: file.to_owned(), seq: slot.seq, slot: slot.name.as_str() })?;
        Ok(Self { name: slot.name, salt: slot.salt, json })
    }
}

impl Stored {
    /// Returns the hash that stands for the event in the tree.
    pub fn leaf_hash(&self) -> LeafHash {
        leaf_hash(&self.envelope)
    }

    /// Returns the slots that the envelope commits to and that are gone.
    pub fn erased(&self) -> Vec<SlotName> {
        EnvelopeLine::parse(&self.envelope).map_or_else(|_| Vec::new(), |envelope| self.erased_of(&envelope))
    }

    fn erased_of(&self, envelope: &EnvelopeLine<'_>) -> Vec<SlotName> {
        let gone = |name: &SlotName| !self.slots.iter().any(|slot| slot.name == *name);
        envelope.slots.iter().map(|slot| slot.name).filter(gone).collect()
    }

    /// Returns the event as one JSON object: the envelope's members with every slot merged in, and `erased` with the names of the
    /// slots that are gone.
    pub fn view(&self) -> Value {
        let Ok(line) = EnvelopeLine::parse(&self.envelope) else { return Value::Object(Map::new()) };
        let mut members = Vec::with_capacity(line.members.len() + 2);
        members.push(b'{');
        members.extend_from_slice(line.members);
        members.push(b'}');
        let envelope = serde_json::from_slice(&members).unwrap_or_else(|_| Value::Object(Map::new()));
        let mut view = sealtrail_event::view(envelope, self.slots.iter().map(|slot| slot.json.as_str()));
        let erased = self.erased_of(&line);
        if let (false, Some(members)) = (erased.is_empty(), view.as_object_mut()) {
            members.insert("erased".to_owned(), erased.iter().map(|name| name.as_str()).collect());
        }
        view
    }
}

/// Where a run of events lies.
#[derive(Clone)]
enum Place {
    Sealed(Arc<Manifest>),
    Active(Arc<Active>),
}

/// A reader of one ledger, as it was at the last [`Reader::refresh`].
#[derive(Clone)]
pub struct Reader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log: LogInfo,
    places: Vec<Place>,
    /// Open files and buffers, shared with the clones.
    cache: Arc<Cache>,
}

impl Reader {
    /// Opens the ledger in `dir` and finds what is committed.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, ReadError> {
        let log = LogInfo::parse(&disk.read(&dir.join("log.json"))?);
        let log = log.map_err(|source| ReadError::Line { file: "log.json".to_owned(), source })?;
        let mut reader = Self { disk, dir: dir.to_owned(), log, places: Vec::new(), cache: Arc::default() };
        reader.refresh()?;
        Ok(reader)
    }

    /// Looks for what was committed since; what is known of the active segment is not read again.
    pub fn refresh(&mut self) -> Result<(), ReadError> {
        let mut places: Vec<Place> = Vec::new();
        for (first, part) in Parts::list(&*self.disk, &self.dir)?.found {
            // A hole is reported by whoever reads into it; what lies behind it can still be read.
            if places.last().map_or(0, Place::size) > first {
                return Err(ReadError::Missing { file: format!("{first:012}"), seq: first });
            }
            match (part.manifest, part.wal) {
                (Some(manifest), _) => {
                    let file = || format!("seg/{first:012}.json");
                    let manifest = manifest.map_err(|source| ReadError::Line { file: file(), source })?;
                    if manifest.first != first || manifest.size <= first {
                        return Err(ReadError::Missing { file: file(), seq: first });
                    }
                    places.push(Place::Sealed(Arc::new(manifest)));
                }
                (None, Some(wal)) => {
                    let known = self.places.iter().find_map(|place| match place {
                        Place::Active(active) if active.first() == first => Some(Arc::clone(active)),
                        _ => None,
                    });
                    places.push(Place::Active(Arc::new(Active::scan(first, wal, known.as_deref())?)));
                }
                (None, None) => {}
            }
        }
        self.places = places;
        self.cache.keep(|key| self.is_current(key));
        Ok(())
    }

    fn is_current(&self, key: cache::Key) -> bool {
        let at = self.places.partition_point(|place| place.first() < key.0);
        matches!(self.places.get(at), Some(Place::Sealed(manifest)) if cache::key(manifest) == key)
    }

    /// Returns the number of committed events.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.places.last().map_or(0, Place::size))
    }

    /// Returns what `log.json` says.
    pub fn log(&self) -> &LogInfo {
        &self.log
    }

    /// Returns the ledger's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Finds the segment that holds `seq`; nothing after the last event.
    fn place_of(&self, seq: u64) -> Result<Option<&Place>, ReadError> {
        let place = self.places.get(self.places.partition_point(|place| place.size() <= seq));
        match place.filter(|place| place.first() <= seq) {
            None if place.is_some() => Err(ReadError::Missing { file: "seg".to_owned(), seq }),
            found => Ok(found),
        }
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Reads the events from `from` on, oldest first.
    pub fn iter(&self, from: Seq) -> Events<'_> {
        Events::new(self, from)
    }

    /// Reads every event, newest first.
    pub fn iter_back(&self) -> EventsBack<'_> {
        self.iter_before(Seq(self.size().0))
    }

    /// Reads the events before `to`, newest first.
    pub fn iter_before(&self, to: Seq) -> EventsBack<'_> {
        EventsBack::new(self, to)
    }

    /// Looks for new commits and reads from `from` on: what a follower calls again and again with the position after its last event.
    pub fn since(&mut self, from: Seq) -> Result<Events<'_>, ReadError> {
        self.refresh()?;
        Ok(self.iter(from))
    }

    /// Returns one event, or nothing if there is no such position.
    pub fn get(&self, seq: Seq) -> Result<Option<Stored>, ReadError> {
        match self.place_of(seq.0)? {
            Some(Place::Sealed(manifest)) => self.sealed(manifest, |segment, decoded| segment.event(decoded, seq.0)).map(Some),
            Some(Place::Active(active)) => active.event(seq.0).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the events at `wanted`, in that order. Neighbours cost little more than one of them; a position past the end is an error.
    pub fn get_many<'a>(&'a self, wanted: &'a [Seq]) -> Picked<'a, impl Iterator<Item = Seq> + 'a> {
        Picked::new(self, wanted.iter().copied())
    }

    /// Finds an event by its id: an id that tells its time tells where to look first; any other is looked for from the end.
    pub fn find(&self, id: &AuditId) -> Result<Option<Stored>, ReadError> {
        let wanted = Wanted::of(id);
        let mut order: Vec<&Place> = self.places.iter().rev().collect();
        if let Some(ms) = wanted.unix_ms {
            // The first segment that ends after the id was made, then later ones (it may have waited in a spool), then the rest.
            let since = i128::from(ms) * 1_000_000 - FIND_SLACK_NS;
            let from = self.places.partition_point(|place| place.last_unix_ns().is_some_and(|last| last < since));
            order = self.places[from..].iter().chain(self.places[..from].iter().rev()).collect();
        }
        for place in order {
            let found = match place {
                Place::Sealed(manifest) => self.find_sealed(manifest, id, wanted)?,
                Place::Active(active) => active.find(id, wanted)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn find_sealed(&self, manifest: &Manifest, id: &AuditId, wanted: Wanted) -> Result<Option<Stored>, ReadError> {
        if !self.cache.may_hold(&*self.disk, &self.dir, manifest, wanted) {
            return Ok(None);
        }
        self.sealed(manifest, |segment, decoded| segment.find(decoded, id, wanted))
    }

    /// Reads something of a sealed segment, with buffers that are kept for the next call.
    fn sealed<T>(&self, manifest: &Manifest, read: impl FnOnce(&Segment, &mut Decoded) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let segment = self.cache.segment(&*self.disk, &self.dir, manifest)?;
        let mut decoded = self.cache.buffers(cache::key(manifest));
        let read = read(&segment, &mut decoded);
        self.cache.give_back(decoded);
        read
    }
}

impl Place {
    fn first(&self) -> u64 {
        match self {
            Self::Sealed(manifest) => manifest.first,
            Self::Active(active) => active.first(),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Sealed(manifest) => manifest.size,
            Self::Active(active) => active.size(),
        }
    }

    /// Returns the time of the last commit; nothing for a segment without one.
    fn last_unix_ns(&self) -> Option<i128> {
        match self {
            Self::Sealed(manifest) => Some(manifest.last_t.unix_ns()),
            Self::Active(active) => active.last().map(crate::line::Time::unix_ns),
        }
    }
}
