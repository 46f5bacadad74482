//! Making a new log: keys, event 0, the first checkpoint; `log.json` last, because a log exists when that does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, create_whole, replace};
use sealtrail_event::{Severity, Token};
use sealtrail_tlog::checkpoint::check_origin;
use sealtrail_tlog::{Checkpoint, CheckpointError, Frontier, KeyError, SigningKey, TreeSize};
use serde_json::json;

use crate::build::Extra;
use crate::edge::Edge;
use crate::head::{Clocks, Head, chain_start};
use crate::job::{JobError, Published};
use crate::keys::{KeyBackup, MacKey, epoch_name, new_key};
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::line::{LogInfo, Time};
use crate::options::CreateOptions;
use crate::own::Own;
use crate::quarantine::hex;
use crate::stamp::{Entropy, Stamp};
use crate::wal::Wal;
use crate::write::{AppendError, Committer, lay_reserve, remove_if_there};

/// 2: what a log may hold that was being made when the power went: `ledger.created` and, in a continued log, `ledger.fork`.
const UNFINISHED_EVENTS_MAX: u64 = 2;

/// Why a log cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is something already.
    #[error("cannot make a ledger in {}: {found} is there", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
        /// What is there.
        found: String,
    },
    /// Another process is at work there.
    #[error("cannot make a ledger in {}: another process writes there", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// The name breaks a rule.
    #[error("cannot name the ledger")]
    Origin(#[from] CheckpointError),
    /// The name holds a quote or a backslash or is not ASCII.
    #[error("cannot name the ledger {origin:?}: an origin is printable ASCII without space, plus, quote and backslash")]
    OriginText {
        /// The name.
        origin: String,
    },
    /// The disk refused.
    #[error("cannot make the ledger")]
    Disk(#[from] DiskError),
    /// A key could not be made.
    #[error("cannot make the keys of the ledger")]
    Key(#[from] KeyError),
    /// Event 0 could not be written.
    #[error("cannot write the first event of the ledger")]
    First(#[from] AppendError),
    /// The first checkpoint could not be published.
    #[error("cannot publish the first checkpoint of the ledger")]
    Publish(#[from] JobError),
}

impl Ledger {
    /// Makes a log in `dir` with its keys in `keys`, writes `ledger.created`, and returns it open, with what must be kept elsewhere.
    ///
    /// A crash leaves a folder without `log.json`; calling this again clears it.
    pub fn create(
        disk: Arc<dyn Disk>,
        dir: &Path,
        keys: &Path,
        options: CreateOptions,
        entropy: impl Entropy + 'static,
        stamp: &Stamp,
    ) -> Result<(Self, KeyBackup), CreateError> {
        let layout = Layout::new(dir, keys);
        for folder in [&layout.dir, &layout.wal_dir(), &layout.seg_dir(), &layout.keys] {
            disk.create_dir(folder)?;
        }
        let lock = disk.lock(&layout.lock()).map_err(|error| match error.is_locked() {
            true => CreateError::Locked { dir: layout.dir.clone() },
            false => CreateError::Disk(error),
        })?;
        clear_unfinished(&*disk, &layout)?;

        let mut entropy: Box<dyn Entropy> = Box::new(entropy);
        let (info, log_key, head) = new_log(&options, &mut *entropy, stamp)?;
        let backup = store_keys(&*disk, &layout, &log_key, &head)?;
        lay_reserve(&*disk, &layout)?;
        let wal = Wal::create(&*disk, &layout, 0, options.open.preallocate)?;
        let committer = Committer {
            disk,
            layout,
            options: options.open.clone(),
            info,
            log_key: Arc::new(log_key),
            durable: head,
            wal,
            closed: Default::default(),
            edge: Edge::default(),
            published: Published { size: TreeSize::EMPTY, wal: 0, notes_end: 0, tried: None },
            busy: false,
            rotate: false,
            reserve: true,
            poisoned: false,
            buffers: Arc::default(),
            _lock: lock,
        };
        let mut ledger = Self::assemble(committer, entropy);
        ledger.write_first(&options, stamp)?;
        ledger.publish(stamp)?;
        let committer = &ledger.committer;
        replace(&*committer.disk, &committer.layout.vkey(), format!("{}\n", backup.vkey).as_bytes())?;
        create_whole(&*committer.disk, &committer.layout.log(), &committer.info.encode())?;
        Ok((ledger, backup))
    }

    fn write_first(&mut self, options: &CreateOptions, stamp: &Stamp) -> Result<(), CreateError> {
        let info = &self.committer.info;
        let members = json!({
            "origin": info.origin, "log_id": info.log_id, "vkey": info.vkey,
            "epoch": 0, "key": self.builder.head.key.verifier().to_string(), "hmac": info.hmac,
        });
        let mut own = Own { stamp, entropy: &mut *self.builder.entropy };
        let created = own.event("ledger.created", Severity::Info, members);
        let fork = options.fork_of.as_ref().and_then(|fork| own.fork(fork));
        let extra = Extra { own: created.into_iter().chain(fork).collect(), ..Extra::default() };
        let batch = self.builder.assemble(&[], stamp, extra).map_err(AppendError::from)?;
        self.committer.commit(batch)?;
        Ok(())
    }
}

/// Names the log and makes its keys.
fn new_log(options: &CreateOptions, entropy: &mut dyn Entropy, stamp: &Stamp) -> Result<(LogInfo, SigningKey, Head), CreateError> {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    let log_id = hex(&id);
    let origin = options.origin.clone().unwrap_or_else(|| format!("localhost/sealtrail/{log_id}"));
    check_origin(&origin)?;
    if origin.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'"' | b'\\')) {
        return Err(CreateError::OriginText { origin });
    }
    let log_key = new_key(&origin, entropy)?;
    let clocks = Clocks::of(stamp);
    let head = Head {
        frontier: Frontier::new(),
        chain: chain_start(&origin),
        epoch: 0,
        epoch_first: 0,
        epoch_began: clocks.clone(),
        clocks,
        key: Arc::new(new_key(&epoch_name(&origin, 0), entropy)?),
        mac: options.hmac.then(|| MacKey::new(entropy)),
    };
    let created = Time::from_unix_ns(stamp.unix_ns);
    let info = LogInfo { origin, log_id, created, vkey: log_key.verifier().to_string(), hmac: options.hmac };
    Ok((info, log_key, head))
}

/// Stores the keys before anything is signed with them; returns what must be kept elsewhere.
fn store_keys(disk: &dyn Disk, layout: &Layout, log_key: &SigningKey, head: &Head) -> Result<KeyBackup, DiskError> {
    replace(disk, &layout.log_key(), log_key.to_text().as_bytes())?;
    replace(disk, &layout.epoch_key(), head.key.to_text().as_bytes())?;
    if let Some(mac) = &head.mac {
        replace(disk, &layout.mac_key(), mac.to_text().as_bytes())?;
    }
    Ok(KeyBackup { vkey: log_key.verifier().to_string(), mac_key: head.mac.as_ref().map(MacKey::to_text) })
}

/// Refuses a folder that holds a log, and clears one in which a log was being made.
fn clear_unfinished(disk: &dyn Disk, layout: &Layout) -> Result<(), CreateError> {
    let exists = |found: &str| CreateError::Exists { dir: layout.dir.clone(), found: found.to_owned() };
    if disk.size(&layout.log())?.is_some() {
        return Err(exists("log.json"));
    }
    if !disk.list(&layout.seg_dir())?.is_empty() {
        return Err(exists("a sealed segment"));
    }
    if let Ok(note) = disk.read(&layout.checkpoint()) {
        let size = std::str::from_utf8(&note).ok().and_then(|note| Some(Checkpoint::parse(&note[..note.find("\n\n")? + 1]).ok()?.size.0));
        if size.is_none_or(|size| size > UNFINISHED_EVENTS_MAX) {
            return Err(exists("a checkpoint"));
        }
    }
    let wals = disk.list(&layout.wal_dir())?;
    if wals.iter().any(|name| *name != Layout::wal_name(0)) {
        return Err(exists("a WAL"));
    }
    for path in [layout.wal(0), layout.checkpoint(), layout.notes(), layout.highwater()] {
        remove_if_there(disk, &path)?;
    }
    disk.sync_dir(&layout.wal_dir())?;
    Ok(disk.sync_dir(&layout.dir)?)
}

/// Returns what is known of the log in `dir` that lost data, for the log that continues it: the largest size that was ever
/// signed or noted.
pub fn last_known(
    disk: &dyn Disk,
    dir: &Path,
    keys: &Path,
    highwater_copy: Option<PathBuf>,
    reason: Token,
) -> Result<Option<crate::own::ForkOf>, crate::open::OpenError> {
    let layout = Layout::new(dir, keys);
    let info = LogInfo::parse(&disk.read(&layout.log())?).map_err(|source| crate::open::OpenError::File { path: layout.log(), source })?;
    let vkey = sealtrail_tlog::VerifierKey::parse(&info.vkey)?;
    let options = crate::options::OpenOptions { highwater_copy, ..Default::default() };
    let (marks, _) = crate::open::marks(disk, &layout, &options, &vkey)?;
    let last = marks.into_iter().max_by_key(|mark| mark.size);
    Ok(last.map(|mark| crate::own::ForkOf { origin: info.origin, size: mark.size, root: mark.root.to_string(), reason }))
}
