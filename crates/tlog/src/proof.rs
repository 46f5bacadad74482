//! Inclusion and consistency proofs (RFC 6962 section 2.1), built through a reader of subtree hashes and verified from bytes.

use crate::hash::{LeafHash, NodeHash, NodeId, Root, Seq, TreeSize, node_hash};

/// A path in a tree of fewer than 2^63 leaves has at most 63 hashes, a consistency proof one more.
pub const PROOF_HASHES_MAX: usize = 64;

/// Why a proof cannot be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError<E> {
    /// The tree has no such entry.
    #[error("cannot prove entry {seq}: the tree has {size} entries")]
    NoSuchEntry {
        /// Entry asked for.
        seq: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// Trees do not shrink.
    #[error("cannot prove that a tree of {old} entries grew to one of {new}")]
    Shrinks {
        /// Old size.
        old: u64,
        /// New size.
        new: u64,
    },
    /// A hash could not be read.
    #[error("cannot read a hash for a proof")]
    Read(#[source] E),
}

/// Why a proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The tree has no such entry.
    #[error("cannot verify entry {seq} in a tree of {size} entries")]
    NoSuchEntry {
        /// Entry claimed.
        seq: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// Trees do not shrink.
    #[error("cannot verify that a tree of {old} entries grew to one of {new}")]
    Shrinks {
        /// Old size.
        old: u64,
        /// New size.
        new: u64,
    },
    /// Too few or too many hashes.
    #[error("cannot verify a proof of {found} hashes: its length does not fit the tree")]
    Length {
        /// Hashes found.
        found: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to root {found}, the tree of {size} entries has {wanted}")]
    OtherRoot {
        /// Size of the tree.
        size: u64,
        /// Root computed from the proof.
        found: Root,
        /// Root of the tree.
        wanted: Root,
    },
}

/// Builds the proof that entry `seq` is in the tree of `size` entries: the siblings from the leaf up to the root.
pub fn build_inclusion<E>(
    seq: Seq,
    size: TreeSize,
    mut read: impl FnMut(NodeId) -> Result<NodeHash, E>,
) -> Result<Vec<NodeHash>, BuildError<E>> {
    if seq.0 >= size.0 {
        return Err(BuildError::NoSuchEntry { seq: seq.0, size: size.0 });
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size.0);
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if seq.0 < middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((begin, middle));
            begin = middle;
        }
    }
    path.iter().rev().map(|(begin, end)| subtree(*begin, *end, &mut read).map_err(BuildError::Read)).collect()
}

/// Builds the proof that the tree of `old` entries is the beginning of the tree of `new` entries.
pub fn build_consistency<E>(
    old: TreeSize,
    new: TreeSize,
    mut read: impl FnMut(NodeId) -> Result<NodeHash, E>,
) -> Result<Vec<NodeHash>, BuildError<E>> {
    if old > new {
        return Err(BuildError::Shrinks { old: old.0, new: new.0 });
    }
    if old == new || old == TreeSize::EMPTY {
        return Ok(Vec::new());
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, new.0);
    // Down to the subtree that ends exactly where the old tree ended.
    while end != old.0 {
        let middle = begin + split(end - begin);
        if old.0 <= middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((begin, middle));
            begin = middle;
        }
    }
    // The verifier knows the old root; it needs the hash of this subtree only if the old tree is more than this.
    if begin != 0 {
        path.push((begin, end));
    }
    path.iter().rev().map(|(begin, end)| subtree(*begin, *end, &mut read).map_err(BuildError::Read)).collect()
}

/// Returns the root of the tree of `size` entries, read from its full subtrees.
pub fn build_root<E>(size: TreeSize, mut read: impl FnMut(NodeId) -> Result<NodeHash, E>) -> Result<Root, E> {
    if size == TreeSize::EMPTY {
        return Ok(Root::EMPTY);
    }
    subtree(0, size.0, &mut read).map(Root::from)
}

/// Returns the frontier hashes of the tree of `size` entries, largest subtree first.
pub fn build_frontier<E>(size: TreeSize, mut read: impl FnMut(NodeId) -> Result<NodeHash, E>) -> Result<Vec<NodeHash>, E> {
    cover(0, size.0).map(&mut read).collect()
}

/// Checks that `leaf` is entry `seq` of the tree of `size` entries with this root.
pub fn verify_inclusion(leaf: &LeafHash, seq: Seq, size: TreeSize, root: &Root, proof: &[NodeHash]) -> Result<(), VerifyError> {
    let found = root_of_inclusion(leaf, seq, size, proof)?;
    same_root(size, found, *root)
}

/// Returns the root that an inclusion proof leads to.
pub fn root_of_inclusion(leaf: &LeafHash, seq: Seq, size: TreeSize, proof: &[NodeHash]) -> Result<Root, VerifyError> {
    if seq.0 >= size.0 {
        return Err(VerifyError::NoSuchEntry { seq: seq.0, size: size.0 });
    }
    let length = VerifyError::Length { found: proof.len() };
    let (mut at, mut last) = (seq.0, size.0 - 1);
    let mut hash = NodeHash::from(*leaf);
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        (hash, at, last) = climb(hash, sibling, at, last);
    }
    if last != 0 {
        return Err(length);
    }
    Ok(hash.into())
}

/// Checks that the tree of `old` entries is the beginning of the tree of `new` entries.
pub fn verify_consistency(old: TreeSize, old_root: &Root, new: TreeSize, new_root: &Root, proof: &[NodeHash]) -> Result<(), VerifyError> {
    if old > new {
        return Err(VerifyError::Shrinks { old: old.0, new: new.0 });
    }
    let length = VerifyError::Length { found: proof.len() };
    if old == new || old == TreeSize::EMPTY {
        if !proof.is_empty() {
            return Err(length);
        }
        let wanted = if old == new { *new_root } else { Root::EMPTY };
        return same_root(old, *old_root, wanted);
    }
    // The subtree that ends where the old tree ended; it is the whole old tree when the old size is a power of two.
    let rises = old.0.trailing_zeros();
    let (mut at, mut last) = ((old.0 - 1) >> rises, (new.0 - 1) >> rises);
    let (start, rest) = match proof.split_first() {
        _ if old.0.is_power_of_two() => (NodeHash(old_root.0), proof),
        Some((first, rest)) => (*first, rest),
        None => return Err(length),
    };
    let (mut old_hash, mut new_hash) = (start, start);
    for sibling in rest {
        if last == 0 {
            return Err(length);
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
        }
        (new_hash, at, last) = climb(new_hash, sibling, at, last);
    }
    if last != 0 {
        return Err(length);
    }
    same_root(old, old_hash.into(), *old_root)?;
    same_root(new, new_hash.into(), *new_root)
}

/// Joins `hash`, node `at` of a level whose last node is `last`, with its sibling, and returns its parent and the position of that.
fn climb(hash: NodeHash, sibling: &NodeHash, at: u64, last: u64) -> (NodeHash, u64, u64) {
    if at & 1 == 0 && at != last {
        return (node_hash(&hash, sibling), at >> 1, last >> 1);
    }
    // A node without right neighbour rises until it is a right child. At position 0 it would be the root, which has no sibling.
    let rises = 1 + if at & 1 == 0 { at.trailing_zeros() } else { 0 };
    (node_hash(sibling, &hash), at.checked_shr(rises).unwrap_or(0), last.checked_shr(rises).unwrap_or(0))
}

fn same_root(size: TreeSize, found: Root, wanted: Root) -> Result<(), VerifyError> {
    if found == wanted { Ok(()) } else { Err(VerifyError::OtherRoot { size: size.0, found, wanted }) }
}

/// Returns the largest power of two below `leaves`, which is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Returns the hash of the leaves `[begin, end)`, a subtree of an RFC 6962 tree.
fn subtree<E>(begin: u64, end: u64, read: &mut impl FnMut(NodeId) -> Result<NodeHash, E>) -> Result<NodeHash, E> {
    let mut hashes = cover(begin, end).map(read).collect::<Result<Vec<_>, E>>()?.into_iter().rev();
    let Some(smallest) = hashes.next() else { return Ok(NodeHash(Root::EMPTY.0)) };
    Ok(hashes.fold(smallest, |right, left| node_hash(&left, &right)))
}

/// Yields the full subtrees that cover `[begin, end)`, largest first; `begin` is a multiple of the largest.
fn cover(begin: u64, end: u64) -> impl Iterator<Item = NodeId> {
    let mut begin = begin;
    std::iter::from_fn(move || {
        let left = end.checked_sub(begin).filter(|left| *left > 0)?;
        let level = left.ilog2();
        let id = NodeId { level: level as u8, index: begin >> level };
        begin += 1 << level;
        Some(id)
    })
}
