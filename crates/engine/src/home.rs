//! The one folder of a trail: what is where, who may enter, and how it is made.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto_box::SecretKey;
use sealtrail_disk::{Disk, DiskError, RealDisk, replace};
use sealtrail_intake::{GAP_BYTES, HookConf};
use sealtrail_ledger::{CreateError, CreateOptions, KeyBackup, Ledger, TickError};

use crate::clock::{Clock, random};
use crate::sealer::Sealer;
use crate::trail::close;

/// The folder of a trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// How a trail is made.
#[derive(Clone, Debug, Default)]
pub struct CreateHome {
    /// Name of the log for ever; by default one is made of its random id.
    pub origin: Option<String>,
    /// Whether every event gets a message authentication code.
    pub hmac: bool,
    /// Whether other users' hooks deliver to it: they may reach the socket and the spool, and nothing else.
    pub shared: bool,
    /// What the hook must know of the configuration.
    pub hook: HookConf,
}

/// Why a trail cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is a ledger already.
    #[error("cannot create a trail in {}: there is one", path.display())]
    Exists {
        /// The home.
        path: PathBuf,
    },
    /// A folder or file could not be made, read or given its mode.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk refused.
    #[error("cannot create the trail")]
    Disk(#[from] DiskError),
    /// The ledger could not be made.
    #[error("cannot create the ledger")]
    Ledger(#[from] CreateError),
    /// The new ledger could not be closed properly; the next start repairs it.
    #[error("cannot close the new ledger")]
    Close(#[from] TickError),
    /// The spool's key is damaged.
    #[error("cannot use the spool's key {}: it is not 64 hex digits", path.display())]
    SpoolKey {
        /// The file.
        path: PathBuf,
    },
}

impl Home {
    /// Names a home; nothing has to be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the ledger's folder.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger")
    }

    /// Returns the folder of the search index.
    pub fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    /// Returns the folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// Returns the folder of the spool.
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// Returns the folder that hooks may look into.
    pub fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// Returns the daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.run().join("sealtrail.sock")
    }

    /// Returns the configuration of this trail.
    pub fn config(&self) -> PathBuf {
        self.path.join("audit.yaml")
    }

    /// Tells whether there is a ledger.
    pub fn exists(&self) -> bool {
        self.ledger().join("log.json").exists()
    }

    /// Tells whether events can be left for its trail; other users than its owner may not see the ledger, and may do that.
    pub fn takes_deliveries(&self) -> bool {
        self.run().join("spool.pub").exists()
    }

    /// Makes the folders, the spool's key, the gap table, `hook.conf` and the ledger. What a crash left half made is completed.
    pub fn create(path: impl Into<PathBuf>, how: &CreateHome) -> Result<(Self, KeyBackup), HomeError> {
        let home = Self::new(path);
        if home.exists() {
            return Err(HomeError::Exists { path: home.path });
        }
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (home_mode, spool_mode, gaps_mode) = if how.shared { (0o711, 0o1733, 0o666) } else { (0o700, 0o700, 0o600) };
        let folders =
            [(home.path.clone(), home_mode), (home.keys(), 0o700), (home.index(), 0o700), (home.run(), 0o755), (home.spool(), spool_mode)];
        for (folder, mode) in folders {
            disk.create_dir(&folder)?;
            set_mode(&folder, mode)?;
        }
        home.make_spool_key(&*disk)?;
        home.make_gap_table(gaps_mode)?;
        home.write_hook_conf(&how.hook)?;
        // The ledger is last: with it the trail is complete.
        let options = CreateOptions { origin: how.origin.clone(), hmac: how.hmac, ..CreateOptions::default() };
        let clock = Clock::new();
        let (ledger, backup) = Ledger::create(disk, &home.ledger(), &home.keys(), options, random, &clock.stamp())?;
        close(Sealer { ledger, clock })?;
        Ok((home, backup))
    }

    /// Writes what hooks must know, for every user to read.
    pub fn write_hook_conf(&self, conf: &HookConf) -> Result<(), HomeError> {
        self.publish("hook.conf", conf.text().as_bytes())
    }

    /// Returns a secret key, made from that of the spool, under which ids of events follow from what a witness says: what is told twice gets the same
    /// id, and nobody without the key can test a guess of what was erased.
    pub fn id_key(&self) -> Result<[u8; 32], HomeError> {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(b"sealtrail/ids\0");
        context.update(&self.spool_key()?.to_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Ok(key)
    }

    /// Returns the key that opens the spool's boxes.
    pub(crate) fn spool_key(&self) -> Result<SecretKey, HomeError> {
        let path = self.keys().join("spool.key");
        let text = std::fs::read_to_string(&path).map_err(|source| HomeError::File { what: "read", path: path.clone(), source })?;
        sealtrail_spool::unhex(text.trim()).map(SecretKey::from_bytes).ok_or(HomeError::SpoolKey { path })
    }

    fn make_spool_key(&self, disk: &dyn Disk) -> Result<(), HomeError> {
        let path = self.keys().join("spool.key");
        if disk.size(&path)?.is_none() {
            let mut seed = [0u8; 32];
            random(&mut seed);
            replace(disk, &path, hex(&SecretKey::from_bytes(seed).to_bytes()).as_bytes())?;
        }
        self.publish("spool.pub", hex(self.spool_key()?.public_key().as_bytes()).as_bytes())
    }

    fn make_gap_table(&self, mode: u32) -> Result<(), HomeError> {
        let path = self.spool().join("gaps");
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match made.and_then(|file| io::Write::write_all(&mut &file, &[0; GAP_BYTES]).and_then(|()| file.sync_all())) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(HomeError::File { what: "create", path, source }),
            _ => set_mode(&path, mode),
        }
    }

    /// Replaces a file in the run folder, readable by everyone who may enter.
    fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let path = self.run().join(name);
        replace(&RealDisk, &path, bytes)?;
        set_mode(&path, 0o644)
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), HomeError> {
    let set = std::fs::set_permissions(path, Permissions::from_mode(mode));
    set.map_err(|source| HomeError::File { what: "set the mode of", path: path.to_owned(), source })
}

fn hex(bytes: &[u8; 32]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).chain(['\n']).collect()
}
