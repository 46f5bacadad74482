//! Machines of the fleet: who is enrolled, with which key, and what is known of each.
//!
//! ```text
//! fleet/witness.key             the witness's private key, 0600
//! fleet/<name>/machine.json     who it is; written by enrolment
//! fleet/<name>/state.json       what is known of it; written by the collector, durable before it answers
//! fleet/<name>/mirror/          the copy of its ledger
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sealtrail_disk::{Disk, DiskError, RealDisk, create_whole, replace};
use sealtrail_engine::Home;
use sealtrail_tlog::cosignature::WitnessKey;
use sealtrail_tlog::{KeyError, KeyName, Root, SigningKey, TreeSize, VerifierKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// 1,024 machines: each look at the list reads two small files of each.
pub const MACHINES_MAX: usize = 1_024;
/// 64 bytes: a name is a folder and a line in a list.
const NAME_BYTES_MAX: usize = 64;

/// A machine whose log is mirrored and cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Its name, unique.
    pub name: String,
    /// Verifier key of its log, whose name is the origin.
    pub vkey: String,
    /// Name of the write key that it hands in with.
    pub key: String,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// After so many seconds without a word it counts as silent.
    pub silent_after_s: u32,
}

/// What is known of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineState {
    /// Events of the newest checkpoint that was cosigned.
    pub size: u64,
    /// Its root, base64; empty before the first.
    pub root: String,
    /// The note, with our cosignature.
    pub note: String,
    /// When it was cosigned.
    pub cosigned: Option<Timestamp>,
    /// Events in the copy.
    pub mirrored: u64,
    /// When the machine was heard last.
    pub contact: Option<Timestamp>,
    /// Whether its silence is recorded.
    pub silent: bool,
    /// What was caught, if anything was.
    pub trouble: Option<Trouble>,
}

/// A contradiction between what a machine signed before and what it says now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// `rollback` or `fork`.
    pub kind: String,
    /// When it was seen first.
    pub seen: Timestamp,
    /// The checkpoint that it presented.
    pub note: String,
    /// Whether the trail tells of it.
    pub told: bool,
}

/// Why the fleet's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The name cannot be one.
    #[error(
        "cannot call a machine {name:?}: a name has 1 to {NAME_BYTES_MAX} letters, digits, hyphens, underscores and dots, and begins with no dot"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The name is taken.
    #[error("cannot enrol {name}: there is a machine of this name")]
    Exists {
        /// The name.
        name: String,
    },
    /// The log is enrolled.
    #[error("cannot enrol {name}: the machine {other} has the same {what}")]
    Same {
        /// The name.
        name: String,
        /// Who has it.
        other: String,
        /// What is the same.
        what: &'static str,
    },
    /// The folder is in use.
    #[error("cannot enrol {name}: a copy of an earlier machine of this name is kept; choose another name")]
    Kept {
        /// The name.
        name: String,
    },
    /// There are too many.
    #[error("cannot enrol {name}: there are {MACHINES_MAX} machines already")]
    TooMany {
        /// The name.
        name: String,
    },
    /// There is no such machine.
    #[error("there is no machine {name}")]
    Missing {
        /// The name.
        name: String,
    },
    /// The key is none.
    #[error("cannot use the key of the log")]
    Key(#[from] KeyError),
    /// A file is damaged.
    #[error("cannot read {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The disk refused.
    #[error("cannot use the files of the fleet")]
    Disk(#[from] DiskError),
    /// No randomness.
    #[error("cannot make the witness's key: the system gave no random bytes")]
    Random,
}

/// The fleet of one collector.
#[derive(Clone)]
pub struct Machines {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Machine {
    /// Returns the verifier key of its log.
    pub fn verifier(&self) -> Result<VerifierKey, KeyError> {
        VerifierKey::parse(&self.vkey)
    }
}

impl MachineState {
    /// Tells from when on the machine is silent at `now`, if it is.
    pub fn silent_since(&self, machine: &Machine, now: Timestamp) -> Option<Timestamp> {
        let heard = self.contact.unwrap_or(machine.enrolled);
        (now.as_second() - heard.as_second() > i64::from(machine.silent_after_s)).then_some(heard)
    }

    /// Returns root and size of the newest checkpoint that was cosigned.
    pub(crate) fn cosigned_tree(&self) -> (TreeSize, Root) {
        if self.size == 0 {
            return (TreeSize::EMPTY, Root::EMPTY);
        }
        (TreeSize(self.size), Root::parse(&self.root).unwrap_or(Root::EMPTY))
    }
}

impl Machines {
    /// Names the fleet of a home; nothing has to be there.
    pub fn of(home: &Home) -> Self {
        Self { disk: Arc::new(RealDisk), dir: home.path().join("fleet") }
    }

    /// Enrols a machine.
    pub fn add(&self, machine: &Machine) -> Result<(), FleetError> {
        let name = machine.name.clone();
        check_name(&name)?;
        machine.verifier()?;
        let known = self.list()?;
        if known.iter().any(|other| other.name == name) {
            return Err(FleetError::Exists { name });
        }
        if known.len() >= MACHINES_MAX {
            return Err(FleetError::TooMany { name });
        }
        for other in known {
            let what = if other.vkey == machine.vkey { "log" } else { "write key" };
            if other.vkey == machine.vkey || other.key == machine.key {
                return Err(FleetError::Same { name, other: other.name, what });
            }
        }
        self.disk.create_dir(&self.dir.join(&name))?;
        if !self.disk.list(&self.dir.join(&name))?.is_empty() {
            return Err(FleetError::Kept { name });
        }
        Ok(create_whole(&*self.disk, &self.dir.join(&name).join("machine.json"), &encode(machine))?)
    }

    /// Takes a machine off the list. Its copy and what was known of it stay.
    pub fn remove(&self, name: &str) -> Result<(), FleetError> {
        let missing = || FleetError::Missing { name: name.to_owned() };
        check_name(name).map_err(|_| missing())?;
        match self.disk.remove(&self.dir.join(name).join("machine.json")) {
            Err(error) if error.is_missing() => Err(missing()),
            other => Ok(other.and_then(|()| self.disk.sync_dir(&self.dir.join(name)))?),
        }
    }

    /// Returns all machines, by name.
    pub fn list(&self) -> Result<Vec<Machine>, FleetError> {
        let names = match self.disk.list(&self.dir) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            names => names?,
        };
        let mut machines = Vec::new();
        for name in names.iter().filter(|name| check_name(name).is_ok() && *name != "witness.key") {
            machines.extend(read(&*self.disk, &self.dir.join(name).join("machine.json"))?);
        }
        Ok(machines)
    }

    /// Returns what is known of a machine.
    pub fn state(&self, name: &str) -> Result<MachineState, FleetError> {
        Ok(read(&*self.disk, &self.dir.join(name).join("state.json"))?.unwrap_or_default())
    }

    /// Returns the folder of the copy of a machine's ledger.
    pub fn mirror(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("mirror")
    }

    /// Keeps what is known of a machine; durable when this returns.
    pub(crate) fn keep(&self, name: &str, state: &MachineState) -> Result<(), FleetError> {
        Ok(replace(&*self.disk, &self.dir.join(name).join("state.json"), &encode(state))?)
    }

    /// Returns the witness's key, which is made when there is none. The name is for ever.
    pub fn witness(&self, name: &KeyName) -> Result<SigningKey, FleetError> {
        let path = self.dir.join("witness.key");
        match self.disk.read(&path) {
            Ok(bytes) => {
                let text =
                    Zeroizing::new(String::from_utf8(bytes).map_err(|_| FleetError::File { path, why: "it is not text".to_owned() })?);
                Ok(SigningKey::parse(&text)?)
            }
            Err(error) if error.is_missing() => {
                let mut seed = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *seed).map_err(|_| FleetError::Random)?;
                let key = SigningKey::from_seed(name.clone(), *seed)?;
                self.disk.create_dir(&self.dir)?;
                create_whole(&*self.disk, &path, key.to_text().as_bytes())?;
                Ok(key)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns what checks the witness's cosignatures, if it has a key.
    pub fn witness_key(&self) -> Result<Option<WitnessKey>, FleetError> {
        let path = self.dir.join("witness.key");
        if self.disk.size(&path)?.is_none() {
            return Ok(None);
        }
        Ok(Some(WitnessKey::of(&self.witness(&KeyName::parse("unused")?)?)))
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }
}

fn check_name(name: &str) -> Result<(), FleetError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(good) {
        return Err(FleetError::Name { name: name.chars().take(NAME_BYTES_MAX).collect() });
    }
    Ok(())
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}

fn read<T: for<'a> Deserialize<'a>>(disk: &dyn Disk, path: &Path) -> Result<Option<T>, FleetError> {
    match disk.read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| FleetError::File { path: path.to_owned(), why: error.to_string() })
        }
        Err(error) if error.is_missing() || error.source.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(error.into()),
    }
}
