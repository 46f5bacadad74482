//! Proofs about single events: made from the tiles of the published checkpoint, and carried with the event as one JSON object.

mod sealed;
mod strict_json;

use sealtrail_disk::DiskError;
use sealtrail_tlog::proof::{BuildError, VerifyError, build_consistency, build_inclusion, build_root, verify_consistency};
use sealtrail_tlog::{
    Checkpoint, CheckpointError, KeyError, NodeHash, Root, Seq, Tile, TileError, TileReader, TlogProof, TlogProofError, TreeSize,
    VerifierKey,
};
use serde_json::Value;

pub use sealed::{Export, ExportError, SEALED_SCHEMA, SealedError, Verified, verify_export, verify_sealed};

use crate::read::{ReadError, Reader, Stored};

/// The partial tiles of a checkpoint go away when the next one is published; then everything is read once more.
const TRIES: usize = 4;

type Fetch<'a> = Box<dyn FnMut(Tile) -> Result<Vec<u8>, DiskError> + 'a>;

/// Why an event cannot be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// No checkpoint covers the event yet.
    #[error("cannot prove event {seq}: the published checkpoint covers {size} events")]
    NotPublished {
        /// The event.
        seq: u64,
        /// Events covered.
        size: u64,
    },
    /// There is no such event.
    #[error("cannot prove event {seq}: the ledger has {size} events")]
    NoSuchEvent {
        /// The event.
        seq: u64,
        /// Events there.
        size: u64,
    },
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file cannot be read.
    #[error("cannot read the published checkpoint or its tiles")]
    Disk(#[from] DiskError),
    /// `log.json` has no usable key.
    #[error("cannot use the key in log.json")]
    Key(#[from] KeyError),
    /// The published checkpoint is refused.
    #[error("cannot use the published checkpoint: run verify")]
    Checkpoint(#[from] CheckpointError),
    /// The tiles are not those of the checkpoint.
    #[error("cannot build a proof from the tiles: run verify")]
    Tiles(#[from] BuildError<TileError<DiskError>>),
    /// What was built does not prove the event.
    #[error("the proof built from the tiles does not verify: run verify")]
    Proof(#[from] TlogProofError),
    /// What was built does not prove the growth.
    #[error("the proof built from the tiles does not verify: run verify")]
    Consistency(#[from] VerifyError),
}

impl ProveError {
    /// Tells whether a file was not there, as happens when a newer checkpoint is published at this moment.
    fn is_missing(&self) -> bool {
        match self {
            Self::Tiles(BuildError::Read(TileError::Fetch { source, .. })) | Self::Disk(source) => source.is_missing(),
            _ => false,
        }
    }
}

/// Proofs against one published checkpoint.
pub struct Prover<'a> {
    vkey: VerifierKey,
    vkey_text: &'a str,
    note: String,
    checkpoint: Checkpoint,
    tiles: TileReader<Fetch<'a>>,
}

impl<'a> Prover<'a> {
    /// Takes the published checkpoint of the ledger that `reader` reads.
    pub fn new(reader: &'a Reader) -> Result<Self, ProveError> {
        let vkey = VerifierKey::parse(&reader.log().vkey)?;
        let bytes = reader.disk().read(&reader.dir().join("checkpoint"))?;
        let (checkpoint, note) = Checkpoint::open(&bytes, &vkey, &[])?;
        let (disk, dir) = (reader.disk(), reader.dir());
        let fetch: Fetch<'a> = Box::new(move |tile| match disk.read(&dir.join(tile.to_string())) {
            Err(error) if error.is_missing() && tile.is_partial() => disk.read(&dir.join(tile.full().to_string())),
            other => other,
        });
        let tiles = TileReader::new(checkpoint.size, fetch);
        Ok(Self { vkey, vkey_text: &reader.log().vkey, note: note.to_text(), checkpoint, tiles })
    }

    /// Returns the checkpoint that the proofs lead to.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the signed checkpoint, as published.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Proves that `event` is in the log; the proof was verified before it is returned.
    pub fn prove(&mut self, event: &Stored) -> Result<TlogProof, ProveError> {
        if event.seq.0 >= self.checkpoint.size.0 {
            return Err(ProveError::NotPublished { seq: event.seq.0, size: self.checkpoint.size.0 });
        }
        let hashes = build_inclusion(event.seq, self.checkpoint.size, |id| self.tiles.hash(id))?;
        let proof = TlogProof { extra: None, seq: event.seq, hashes, checkpoint: self.note.clone() };
        proof.verify(&event.leaf_hash(), &self.vkey, &[])?;
        Ok(proof)
    }

    /// Proves that `event` is in the log of an earlier checkpoint, such as one that a witness cosigned; the proof carries that note.
    pub fn prove_under(&mut self, event: &Stored, note: &str) -> Result<TlogProof, ProveError> {
        let (checkpoint, _) = Checkpoint::open(note.as_bytes(), &self.vkey, &[])?;
        let size = checkpoint.size.min(self.checkpoint.size);
        if event.seq.0 >= size.0 {
            return Err(ProveError::NotPublished { seq: event.seq.0, size: size.0 });
        }
        let hashes = build_inclusion(event.seq, size, |id| self.tiles.hash(id))?;
        let proof = TlogProof { extra: None, seq: event.seq, hashes, checkpoint: note.to_owned() };
        proof.verify(&event.leaf_hash(), &self.vkey, &[])?;
        Ok(proof)
    }

    /// Proves that the log of `old` events is the beginning of the log of `new` events, neither more than the checkpoint covers.
    pub fn prove_consistency(&mut self, old: TreeSize, new: TreeSize) -> Result<Consistency, ProveError> {
        if new > self.checkpoint.size {
            return Err(ProveError::NotPublished { seq: new.0.saturating_sub(1), size: self.checkpoint.size.0 });
        }
        let hashes = build_consistency(old, new, |id| self.tiles.hash(id))?;
        let [old_root, new_root] = [old, new].map(|size| build_root(size, |id| self.tiles.hash(id)).map_err(BuildError::Read));
        let (old_root, new_root) = (old_root?, new_root?);
        verify_consistency(old, &old_root, new, &new_root, &hashes)?;
        Ok(Consistency { old, old_root, new, new_root, hashes })
    }

    /// Returns the event as a JSON object that proves itself: envelope, slots, salts, proof, checkpoint, key.
    pub fn seal(&mut self, event: &Stored) -> Result<Value, ProveError> {
        let proof = self.prove(event)?;
        Ok(sealed::to_json(event, &proof, self.vkey_text))
    }
}

/// A proof that a log only grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The smaller size.
    pub old: TreeSize,
    /// Its root.
    pub old_root: Root,
    /// The larger size.
    pub new: TreeSize,
    /// Its root.
    pub new_root: Root,
    /// RFC 6962 consistency proof between the two.
    pub hashes: Vec<NodeHash>,
}

impl Reader {
    /// Proves that event `seq` is covered by the published checkpoint.
    pub fn prove_inclusion(&self, seq: Seq) -> Result<TlogProof, ProveError> {
        let event = self.get(seq)?.ok_or(ProveError::NoSuchEvent { seq: seq.0, size: self.size().0 })?;
        self.with_prover(|prover| prover.prove(&event))
    }

    /// Proves that the log only grew between two sizes.
    pub fn prove_consistency(&self, old: TreeSize, new: TreeSize) -> Result<Consistency, ProveError> {
        self.with_prover(|prover| prover.prove_consistency(old, new))
    }

    /// Returns the self-proving JSON object of event `seq`.
    pub fn seal(&self, seq: Seq) -> Result<Value, ProveError> {
        let event = self.get(seq)?.ok_or(ProveError::NoSuchEvent { seq: seq.0, size: self.size().0 })?;
        self.with_prover(|prover| prover.seal(&event))
    }

    /// Runs `work`, again when a newer checkpoint took away the tiles under it.
    fn with_prover<T>(&self, mut work: impl FnMut(&mut Prover<'_>) -> Result<T, ProveError>) -> Result<T, ProveError> {
        let mut tries = 0;
        loop {
            match Prover::new(self).and_then(|mut prover| work(&mut prover)) {
                Err(error) if error.is_missing() && tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }
}
