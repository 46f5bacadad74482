//! Opening a log for writing: recover, compare with what was ever said about it, start a new epoch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, DiskFile, Lock, Open, read_exact_at, write_all_at};
use sealtrail_event::Severity;
use sealtrail_tlog::{Checkpoint, KeyError, Root, SigningKey, TreeSize, VerifierKey};
use serde_json::json;

use crate::build::{Builder, EpochLimits, Extra};
use crate::erase::EraseError;
use crate::head::{Clocks, Head};
use crate::job::{JobError, Published};
use crate::keys::{KeyChange, KeyFiles, MacKey, epoch_of};
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::line::{HighWater, LineError, LogInfo};
use crate::options::OpenOptions;
use crate::publish::notes_end;
use crate::quarantine::{pending, set_aside};
use crate::recover::{Recover, RecoverError, Recovered, WalEnd};
use crate::stamp::{Entropy, Stamp};
use crate::track::{Mark, Tracker};
use crate::wal::Wal;
use crate::write::{AppendError, Committer};

/// What opening found and did.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Size of the log before this opening wrote anything.
    pub recovered: TreeSize,
    /// Bytes after the last whole batch that were set aside.
    pub quarantined_bytes: u64,
    /// The epoch whose key was lost, if one was.
    pub lost_epoch: Option<u64>,
    /// Whether everything was read from event 0, because the high-water mark or a tile did not hold.
    pub from_start: bool,
    /// Why the checkpoint could not be published; it is tried again at the next tick.
    pub unpublished: Option<JobError>,
    /// Why an erasure that was interrupted could not be finished; it is tried again at the next opening.
    pub unerased: Option<EraseError>,
}

/// Why a log cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("cannot open {} for writing: another process writes it", dir.display())]
    Locked {
        /// The log.
        dir: PathBuf,
    },
    /// There is no log.
    #[error("cannot open {}: there is no ledger in it (no log.json)", dir.display())]
    NoLog {
        /// The folder.
        dir: PathBuf,
    },
    /// The disk refused.
    #[error("cannot open the ledger")]
    Disk(#[from] DiskError),
    /// A file that must be right is not.
    #[error("cannot open the ledger: {} is damaged", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LineError,
    },
    /// The log key is not there, or is the key of another log.
    #[error("cannot open the ledger: {} is not the private key of {vkey}", path.display())]
    LogKey {
        /// The key file.
        path: PathBuf,
        /// The verifier key in `log.json`.
        vkey: String,
    },
    /// The verifier key in `log.json` is not one.
    #[error("cannot open the ledger: the vkey in log.json is damaged")]
    VerifierKey(#[from] KeyError),
    /// The mac key is lost or of a later epoch.
    #[error("cannot open the ledger: {} holds no mac key of epoch {epoch} or before; put the line kept at init there", path.display())]
    MacKey {
        /// The key file.
        path: PathBuf,
        /// Epoch of the log.
        epoch: u64,
    },
    /// The end of the log cannot be found.
    #[error("cannot open the ledger: what is stored is not a whole log")]
    Recover(#[from] RecoverError),
    /// The log ends before something that was signed or noted.
    #[error(
        "cannot open the ledger: it ends at {found} events, but {} says that it had {size}; it was rolled back or lost data, and signing on would fork it",
        path.display()
    )]
    BehindHighWater {
        /// Where the larger size is written.
        path: PathBuf,
        /// The larger size.
        size: u64,
        /// The size found.
        found: u64,
    },
    /// The keys are of a later epoch than the log.
    #[error("cannot open the ledger: it ends in epoch {found}, but {} is of epoch {epoch}; it was rolled back or lost data", path.display())]
    BehindKeys {
        /// The key file.
        path: PathBuf,
        /// Its epoch.
        epoch: u64,
        /// The epoch found.
        found: u64,
    },
    /// The record of this start could not be written.
    #[error("cannot open the ledger: the record of this start could not be written")]
    Start(#[from] AppendError),
}

impl Ledger {
    /// Opens the log in `dir`, whose keys are in `keys`, for writing.
    ///
    /// Keeps everything up to the last whole batch, sets aside what follows it, writes a `ledger.start` and starts a new epoch. Publishes at once
    /// when the last end was not an orderly one, and otherwise with the next tick.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        keys: &Path,
        options: OpenOptions,
        entropy: impl Entropy + 'static,
        stamp: &Stamp,
    ) -> Result<(Self, Recovery), OpenError> {
        let layout = Layout::new(dir, keys);
        let lock = take_lock(&*disk, &layout)?;
        let info = LogInfo::parse(&disk.read(&layout.log())?).map_err(|source| OpenError::File { path: layout.log(), source })?;
        let mut files = KeyFiles::load(&*disk, &layout)?;
        let vkey = VerifierKey::parse(&info.vkey)?;
        let log_key = match files.log.take() {
            Some(key) if *key.verifier() == vkey => Arc::new(key),
            _ => return Err(OpenError::LogKey { path: layout.log_key(), vkey: info.vkey }),
        };
        let (marks, highwater) = marks(&*disk, &layout, &options, &vkey)?;
        let mut tracker = Tracker::new(&info.origin, vkey.clone(), info.hmac);
        tracker.marks = marks;
        let recover = Recover { disk: &*disk, layout: &layout, keys: &files, mark: highwater.as_ref(), rebuild: options.rebuild };
        let recovered = recover.run(tracker)?;
        check_marks(&recovered.tracker)?;
        let (key, mac) = settle_keys(&*disk, &layout, &info, &recovered.tracker, files)?;

        for first in &recovered.gone {
            disk.remove(&layout.wal(*first))?;
        }
        let wal = take_wal(&*disk, &layout, &options, &recovered, stamp)?;
        let lost_epoch = key.is_none().then_some(recovered.tracker.epoch);
        let checkpoint = disk.read(&layout.checkpoint()).unwrap_or_default();
        let notes_end = notes_end(&*disk, &layout, &checkpoint, &vkey)?;
        let mut recovery =
            Recovery { recovered: recovered.tracker.frontier.size(), lost_epoch, from_start: recovered.from_start, ..Recovery::default() };
        let orderly = is_published(&recovered.tracker, &options) && disk.size(&layout.erasing())?.is_none();
        let head = head_of(&recovered.tracker, key.unwrap_or_else(|| Arc::clone(&log_key)), mac, stamp);
        let committer = Committer {
            published: Published { size: recovered.tiled, wal: 0, notes_end, tried: None },
            edge: recovered.tracker.edge,
            closed: recovered.closed,
            durable: head,
            reserve: disk.size(&layout.reserve())? == Some(crate::write::RESERVE_BYTES),
            disk,
            layout,
            options,
            info,
            log_key,
            wal,
            busy: false,
            rotate: false,
            poisoned: false,
            buffers: Arc::default(),
            _lock: lock,
        };
        let mut ledger = Self::assemble(committer, Box::new(entropy));
        ledger.start(&mut recovery, stamp)?;
        // An orderly end left everything published; the record of this start then waits for the next tick like every other event.
        if !orderly || recovery.from_start {
            recovery.unpublished = ledger.publish(stamp).err();
        }
        recovery.unerased = ledger.resume_erase(stamp).err();
        ledger.committer.restore_reserve();
        Ok((ledger, recovery))
    }

    pub(crate) fn assemble(committer: Committer, entropy: Box<dyn Entropy>) -> Self {
        let builder = Builder {
            head: committer.durable.clone(),
            origin: committer.info.origin.as_str().into(),
            log_key: Arc::clone(&committer.log_key),
            entropy,
            limits: EpochLimits { events: committer.options.epoch_events.clamp(2, 100_000) },
            buffers: Arc::clone(&committer.buffers),
            scratch: Vec::new(),
            salts: Vec::new(),
        };
        Self { builder, committer }
    }

    /// Writes the record of this start, in the old epoch, and starts the next one.
    fn start(&mut self, recovery: &mut Recovery, stamp: &Stamp) -> Result<(), OpenError> {
        let committer = &self.committer;
        let torn = pending(&*committer.disk, &committer.layout)?;
        recovery.quarantined_bytes = torn.bytes;
        let mut members = json!({ "recovered": recovery.recovered.0, "quarantined_bytes": torn.bytes });
        if let Some(members) = members.as_object_mut() {
            if let Some(sha256) = &torn.sha256 {
                members.insert("quarantined_sha256".into(), sha256.as_str().into());
            }
            members.insert("boot".into(), (&*stamp.boot_word()).into());
            members.insert("pid".into(), committer.options.pid.into());
        }
        let own = self.builder.own(stamp).event("ledger.start", Severity::Info, members).into_iter().collect();
        let lost = recovery.lost_epoch.is_some();
        let extra = Extra { own, epoch: Some(if lost { "break" } else { "start" }), lost };
        let batch = self.builder.assemble(&[], stamp, extra).map_err(AppendError::from)?;
        self.committer.commit(batch)?;
        Ok(torn.settle(&*self.committer.disk, &self.committer.layout)?)
    }
}

pub(crate) fn take_lock(disk: &dyn Disk, layout: &Layout) -> Result<Box<dyn Lock>, OpenError> {
    if disk.size(&layout.log())?.is_none() {
        return Err(OpenError::NoLog { dir: layout.dir.clone() });
    }
    disk.lock(&layout.lock()).map_err(|error| match error.is_locked() {
        true => OpenError::Locked { dir: layout.dir.clone() },
        false => OpenError::Disk(error),
    })
}

/// Collects everything that was ever said about the size of this log. A file that is missing or unreadable says nothing.
pub(crate) fn marks(
    disk: &dyn Disk,
    layout: &Layout,
    options: &OpenOptions,
    vkey: &VerifierKey,
) -> Result<(Vec<Mark>, Option<HighWater>), DiskError> {
    let read = |path: &Path| match disk.read(path) {
        Err(error) if error.is_missing() => Ok(Vec::new()),
        other => other,
    };
    let mut marks = Vec::new();
    let path = layout.checkpoint();
    if let Ok((checkpoint, _)) = Checkpoint::open(&read(&path)?, vkey, &[]) {
        marks.push(Mark { path, size: checkpoint.size.0, root: checkpoint.root });
    }
    let highwater = HighWater::parse(&read(&layout.highwater())?).ok();
    if let Some(mark) = &highwater {
        marks.push(Mark { path: layout.highwater(), size: mark.size, root: Root(mark.root) });
    }
    if let Some(path) = &options.highwater_copy
        && let Ok(mark) = HighWater::parse(&read(path)?)
    {
        marks.push(Mark { path: path.clone(), size: mark.size, root: Root(mark.root) });
    }
    Ok((marks, highwater))
}

fn check_marks(tracker: &Tracker) -> Result<(), OpenError> {
    match tracker.marks.iter().max_by_key(|mark| mark.size) {
        Some(mark) if mark.size > tracker.size() => {
            Err(OpenError::BehindHighWater { path: mark.path.clone(), size: mark.size, found: tracker.size() })
        }
        _ => Ok(()),
    }
}

/// Tells whether checkpoint and marks are all there and say the size that was found.
fn is_published(tracker: &Tracker, options: &OpenOptions) -> bool {
    let wanted = 2 + usize::from(options.highwater_copy.is_some());
    tracker.marks.len() == wanted && tracker.marks.iter().all(|mark| mark.size == tracker.size())
}

/// Finds the key of the current epoch and brings the key files up to it; no key when it is lost.
fn settle_keys(
    disk: &dyn Disk,
    layout: &Layout,
    info: &LogInfo,
    tracker: &Tracker,
    files: KeyFiles,
) -> Result<(Option<Arc<SigningKey>>, Option<MacKey>), OpenError> {
    let announced = |key: &SigningKey| tracker.key.as_ref() == Some(key.verifier());
    let current = files.epoch.as_ref().is_some_and(announced);
    let later = files.epoch.as_ref().and_then(|key| epoch_of(&info.origin, key.verifier())).filter(|epoch| *epoch > tracker.epoch);
    if let Some(epoch) = later {
        return Err(OpenError::BehindKeys { path: layout.epoch_key(), epoch, found: tracker.epoch });
    }
    let wrong = || OpenError::MacKey { path: layout.mac_key(), epoch: tracker.epoch };
    let mac = match files.mac {
        _ if !info.hmac => None,
        Some(key) if key.epoch() > tracker.epoch => {
            return Err(OpenError::BehindKeys { path: layout.mac_key(), epoch: key.epoch(), found: tracker.epoch });
        }
        Some(key) => Some(key),
        None => return Err(wrong()),
    };
    let stale = mac.as_ref().is_some_and(|key| key.epoch() < tracker.epoch);
    let mac = mac.map(|key| (key.epoch()..tracker.epoch).fold(key, |key, _| key.evolve()));
    let mac_key = mac.as_ref().filter(|_| stale).map(MacKey::to_text);
    let key = match (current, files.next) {
        (true, _) => files.epoch,
        (false, Some(next)) if announced(&next) => {
            KeyChange { epoch_key: next.to_text(), mac_key: None }.finish(disk, layout)?;
            Some(next)
        }
        _ => None,
    };
    if let Some(text) = mac_key {
        sealtrail_disk::replace(disk, &layout.mac_key(), text.as_bytes())?;
    }
    Ok((key.map(Arc::new), mac))
}

/// Takes up the newest WAL: sets aside what is torn, and writes the last batch once more.
///
/// The last batch may be one whose sync failed: then the page cache shows it and the disk may not have it. Writing the same bytes
/// again makes the next sync carry them.
fn take_wal(disk: &dyn Disk, layout: &Layout, options: &OpenOptions, found: &Recovered, stamp: &Stamp) -> Result<Wal, OpenError> {
    let Some(end) = &found.wal else {
        return Ok(Wal::create(disk, layout, found.tracker.size(), options.preallocate)?);
    };
    set_aside(disk, layout, end, stamp)?;
    let file = disk.open(&layout.wal(end.first), Open::Write)?;
    write_again(&*file, end)?;
    file.sync_data()?;
    Ok(Wal::resume(disk, layout, end.first, end.end, end.since)?)
}

pub(crate) fn write_again(file: &dyn DiskFile, end: &WalEnd) -> Result<(), DiskError> {
    let mut bytes = vec![0; usize::try_from(end.end - end.last_batch).unwrap_or(0)];
    read_exact_at(file, &mut bytes, end.last_batch)?;
    write_all_at(file, &bytes, end.last_batch)
}

fn head_of(tracker: &Tracker, key: Arc<SigningKey>, mac: Option<MacKey>, stamp: &Stamp) -> Head {
    let clocks = tracker.clocks.clone().unwrap_or_else(|| Clocks::of(stamp));
    Head {
        frontier: tracker.frontier.clone(),
        chain: tracker.chain,
        epoch: tracker.epoch,
        epoch_first: tracker.size(),
        epoch_began: Clocks::of(stamp),
        clocks,
        key,
        mac,
    }
}
