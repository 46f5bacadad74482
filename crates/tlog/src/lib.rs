//! A tamper-evident tree of hashes: RFC 6962 trees, C2SP tiles, checkpoints, proofs and signed notes as bytes.
//!
//! It is **not** a store and knows no events: there is no I/O, no clock and no randomness; hashes are fetched
//! through closures and key seeds are arguments.
//!
//! Invariants:
//! - [`Frontier`], [`Range`], [`tile`] and [`proof`] describe one and the same tree, that of RFC 6962 section 2.1 over
//!   SHA-256, whatever order the parts were computed in.
//! - A text format is accepted only in the one spelling that this crate writes: parsing and writing again gives the
//!   same bytes.
//! - A [`note::Note`] that [`note::open`] returned carries a good signature of a key that the caller trusts, and no bad one of any such key.
//! - Nothing here panics on bytes from outside, and every parser has a size limit.

pub mod checkpoint;
pub mod cosignature;
mod frontier;
mod hash;
pub mod key;
pub mod note;
pub mod proof;
mod range;
pub mod strict64;
pub mod tile;
pub mod tlog_proof;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{CosignatureError, WitnessKey};
pub use frontier::{Frontier, FrontierError};
pub use hash::{HASH_BYTES, HashTextError, LeafHash, NodeHash, NodeId, Root, Seq, TreeSize, leaf_hash, node_hash};
pub use key::{KeyError, KeyId, KeyName, SignatureError, SigningKey, VerifierKey};
pub use range::{Range, RangeError};
pub use tile::{Tile, TileError, TileReader, tiles_for};
pub use tlog_proof::{TlogProof, TlogProofError};
