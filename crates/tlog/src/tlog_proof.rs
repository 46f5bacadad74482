//! Proof files (C2SP `tlog-proof`): one entry's inclusion proof and the checkpoint it leads to, as text.

use crate::checkpoint::{Checkpoint, CheckpointError, parse_decimal};
use crate::hash::{LeafHash, NodeHash, Seq, TreeSize};
use crate::key::VerifierKey;
use crate::note::NOTE_BYTES_MAX;
use crate::proof::{PROOF_HASHES_MAX, VerifyError, verify_inclusion};
use crate::strict64;

/// 64 KiB of extra data; we write none.
pub const EXTRA_BYTES_MAX: usize = 64 * 1024;
/// A note, 64 lines of 45 characters, the base64 of the extra data (88 KiB) and the two first lines: under 1.1 MB.
pub const TLOG_PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 100_000;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof file in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data for the reader that **nothing authenticates**; absent or not empty.
    pub extra: Option<Vec<u8>>,
    /// Which entry.
    pub seq: Seq,
    /// Siblings from the leaf up to the root.
    pub hashes: Vec<NodeHash>,
    /// The signed checkpoint, exactly as published.
    pub checkpoint: String,
}

/// Why a proof file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Larger than the limit.
    #[error("cannot read a proof file of {found} bytes: the limit is {TLOG_PROOF_BYTES_MAX}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("cannot read a proof file: byte {at} is not UTF-8")]
    Utf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// A line is not what the format has at that place.
    #[error("cannot read line {line} of a proof file: it must be {wanted}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What the format has there.
        wanted: &'static str,
    },
    /// The checkpoint is refused.
    #[error("cannot accept the checkpoint of a proof file")]
    Checkpoint {
        /// Why.
        #[from]
        source: CheckpointError,
    },
    /// The hashes do not lead from the entry to the checkpoint.
    #[error("cannot prove entry {seq} by this file")]
    Inclusion {
        /// The entry.
        seq: u64,
        /// Why.
        source: VerifyError,
    },
}

impl TlogProof {
    /// Parses a proof file; nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > TLOG_PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLong { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| TlogProofError::Utf8 { at: e.valid_up_to() })?;
        let mut lines = Lines { rest: text, line: 0 };
        if lines.next()? != FIRST_LINE {
            return Err(lines.wrong(FIRST_LINE));
        }
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(coded) = line.strip_prefix("extra ") {
            extra = Some(decode_extra(coded).ok_or_else(|| lines.wrong("extra and base64 of at most 65536 bytes"))?);
            line = lines.next()?;
        }
        let seq = line.strip_prefix("index ").and_then(parse_decimal).filter(|seq| *seq < TreeSize::MAX.0);
        let seq = Seq(seq.ok_or_else(|| lines.wrong("index and a decimal number"))?);
        let mut hashes = Vec::new();
        loop {
            match lines.next()? {
                "" => break,
                _ if hashes.len() == PROOF_HASHES_MAX => return Err(lines.wrong("empty, after at most 64 hashes")),
                hash => hashes.push(NodeHash::parse(hash).map_err(|_| lines.wrong("the base64 of a hash, or empty"))?),
            }
        }
        if lines.rest.is_empty() || lines.rest.len() > NOTE_BYTES_MAX {
            return Err(lines.wrong("followed by a signed checkpoint of at most 1000000 bytes"));
        }
        Ok(Self { extra, seq, hashes, checkpoint: lines.rest.to_owned() })
    }

    /// Returns the text of the file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text.push_str("extra ");
            strict64::encode_into(extra, &mut text);
            text.push('\n');
        }
        text.push_str(&format!("index {}\n", self.seq.0));
        for hash in &self.hashes {
            strict64::encode_into(&hash.0, &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Checks that `leaf` is in the log of the key `log`, as this file says, and returns the checkpoint that proves it.
    ///
    /// `others` are further keys to trust (witnesses); their signatures, if there, must be good.
    pub fn verify(&self, leaf: &LeafHash, log: &VerifierKey, others: &[VerifierKey]) -> Result<Checkpoint, TlogProofError> {
        let (checkpoint, _) = Checkpoint::open(self.checkpoint.as_bytes(), log, others)?;
        verify_inclusion(leaf, self.seq, checkpoint.size, &checkpoint.root, &self.hashes)
            .map_err(|source| TlogProofError::Inclusion { seq: self.seq.0, source })?;
        Ok(checkpoint)
    }
}

struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, TlogProofError> {
        self.line += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.wrong("ended by a newline"))?;
        self.rest = rest;
        Ok(line)
    }

    fn wrong(&self, wanted: &'static str) -> TlogProofError {
        TlogProofError::Line { line: self.line, wanted }
    }
}

fn decode_extra(coded: &str) -> Option<Vec<u8>> {
    strict64::decode(coded).ok().filter(|extra| !extra.is_empty() && extra.len() <= EXTRA_BYTES_MAX)
}
