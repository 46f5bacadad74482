//! Positions, sizes and hashes of the tree, each with its own type, and the two hash functions of RFC 6962.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};

use crate::strict64::{self, Base64Error};

/// Bytes of one hash (SHA-256).
pub const HASH_BYTES: usize = 32;

/// SHA-256 of nothing: the root of the empty tree.
const EMPTY_ROOT: [u8; HASH_BYTES] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
    0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Position of an entry in the log, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Number of entries in a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(pub u64);

impl TreeSize {
    /// The empty tree.
    pub const EMPTY: Self = Self(0);

    /// 2^63 - 1, the largest size that signed 64-bit implementations of C2SP logs can hold.
    pub const MAX: Self = Self(i64::MAX as u64);
}

/// A perfect subtree: the `index`-th of the subtrees of `2^level` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Height above the leaves.
    pub level: u8,
    /// Position among the subtrees of that height, from 0.
    pub index: u64,
}

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; HASH_BYTES]);

        impl $name {
            /// Returns the bytes.
            pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
                &self.0
            }

            /// Decodes the strict base64 text of a hash.
            pub fn parse(text: &str) -> Result<Self, HashTextError> {
                strict64::decode_array(text).map(Self).map_err(|source| HashTextError { source })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&strict64::encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = HashTextError;
            fn from_str(text: &str) -> Result<Self, HashTextError> {
                Self::parse(text)
            }
        }
    };
}

hash_type! {
    /// Hash of one entry: `SHA-256(0x00 ‖ entry)`.
    LeafHash
}
hash_type! {
    /// Hash of a perfect subtree: a leaf hash, or `SHA-256(0x01 ‖ left ‖ right)`.
    NodeHash
}
hash_type! {
    /// Hash of a whole tree, of any size.
    Root
}

impl Root {
    /// The root of the empty tree: SHA-256 of nothing.
    pub const EMPTY: Self = Self(EMPTY_ROOT);
}

impl From<LeafHash> for NodeHash {
    fn from(leaf: LeafHash) -> Self {
        Self(leaf.0)
    }
}

impl From<NodeHash> for Root {
    fn from(node: NodeHash) -> Self {
        Self(node.0)
    }
}

/// A text is not the base64 of one hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read a hash")]
pub struct HashTextError {
    source: Base64Error,
}

/// Returns the RFC 6962 hash of an entry.
///
/// One call over one copy: measured, a digest context costs more than an exact allocation, and clearing a buffer on the stack too.
pub fn leaf_hash(entry: &[u8]) -> LeafHash {
    let mut buffer = Vec::with_capacity(entry.len() + 1);
    buffer.push(0);
    buffer.extend_from_slice(entry);
    LeafHash(sha256(&buffer))
}

/// Returns the RFC 6962 hash of the subtree made of `left` and `right`.
pub fn node_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    let mut buffer = [0u8; 1 + 2 * HASH_BYTES];
    buffer[0] = 1;
    buffer[1..=HASH_BYTES].copy_from_slice(&left.0);
    buffer[1 + HASH_BYTES..].copy_from_slice(&right.0);
    NodeHash(sha256(&buffer))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut out = [0; HASH_BYTES];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
