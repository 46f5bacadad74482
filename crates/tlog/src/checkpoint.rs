//! Checkpoints (C2SP `tlog-checkpoint`): what a log says of itself, in three lines that are signed as a note.

use std::fmt;

use crate::hash::{HashTextError, Root, TreeSize};
use crate::key::{SigningKey, VerifierKey};
use crate::note::{self, Note, NoteError};

/// 255 bytes: the limit of the ledger format; a file name can hold an origin.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// The state of one log: its name, how many entries it has and the root of their tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log for ever.
    pub origin: String,
    /// Number of entries.
    pub size: TreeSize,
    /// Root of the tree of that size.
    pub root: Root,
}

/// Why a text is no checkpoint of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not three lines.
    #[error("cannot read a checkpoint: it has {found} lines and must have three (origin, size, root), each ended by a newline")]
    Lines {
        /// Lines found.
        found: usize,
    },
    /// The origin breaks a rule.
    #[error("cannot use {origin:?} as an origin: it needs 1 to {ORIGIN_BYTES_MAX} bytes without white space, plus or control characters")]
    Origin {
        /// The origin found, cut to 64 characters.
        origin: String,
    },
    /// The size is not a number in its one spelling.
    #[error("cannot read {found:?} as a tree size: decimal without leading zeroes, at most {}", TreeSize::MAX.0)]
    Size {
        /// The text found, cut to 32 characters.
        found: String,
    },
    /// The root is not a hash.
    #[error("cannot read the root of a checkpoint")]
    Root {
        /// What is wrong.
        #[from]
        source: HashTextError,
    },
    /// An empty tree with a root that is not that of the empty tree.
    #[error("cannot accept a checkpoint of size 0 with root {found}: an empty tree has the hash of nothing")]
    EmptyRoot {
        /// Root found.
        found: Root,
    },
    /// Of another log.
    #[error("cannot accept a checkpoint of {found:?}: it must be of {wanted:?}")]
    OtherLog {
        /// Origin found.
        found: String,
        /// Origin wanted.
        wanted: String,
    },
    /// The note around it is refused.
    #[error("cannot open a checkpoint")]
    Note {
        /// Why.
        #[from]
        source: NoteError,
    },
}

impl Checkpoint {
    /// Parses the text of a checkpoint note. Extension lines are refused: our logs write none, and witnesses do not vouch for what they say.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.split('\n').take(5).collect();
        let [origin, size, root, ""] = lines[..] else {
            return Err(CheckpointError::Lines { found: text.matches('\n').count() });
        };
        check_origin(origin)?;
        let checkpoint = Self { origin: origin.to_owned(), size: parse_size(size)?, root: Root::parse(root)? };
        if checkpoint.size == TreeSize::EMPTY && checkpoint.root != Root::EMPTY {
            return Err(CheckpointError::EmptyRoot { found: checkpoint.root });
        }
        Ok(checkpoint)
    }

    /// Opens a signed checkpoint: signed by `log`, of the log that this key is named after.
    ///
    /// `others` are further keys to trust (witnesses); their signatures, if there, must be good.
    pub fn open(note: &[u8], log: &VerifierKey, others: &[VerifierKey]) -> Result<(Self, Note), CheckpointError> {
        let note = note::open(note, std::slice::from_ref(log))?;
        if !others.is_empty() {
            let mut all = vec![log.clone()];
            all.extend_from_slice(others);
            note.verify(&all)?;
        }
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != log.name().as_str() {
            return Err(CheckpointError::OtherLog { found: checkpoint.origin, wanted: log.name().to_string() });
        }
        Ok((checkpoint, note))
    }

    /// Returns the signed note of this checkpoint.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, CheckpointError> {
        check_origin(&self.origin)?;
        Ok(note::sign(&self.to_string(), keys)?)
    }
}

/// The three lines that are signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size.0, self.root)
    }
}

/// Checks the rules of an origin: 1 to 255 bytes, no white space, no `+`, no control character.
pub fn check_origin(origin: &str) -> Result<(), CheckpointError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX || origin.contains(bad) {
        return Err(CheckpointError::Origin { origin: origin.chars().take(64).collect() });
    }
    Ok(())
}

fn parse_size(text: &str) -> Result<TreeSize, CheckpointError> {
    parse_decimal(text)
        .filter(|size| *size <= TreeSize::MAX.0)
        .map(TreeSize)
        .ok_or_else(|| CheckpointError::Size { found: text.chars().take(32).collect() })
}

/// Parses ASCII decimal without leading zeroes, signs or spaces.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}
