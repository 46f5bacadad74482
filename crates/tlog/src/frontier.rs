//! The growing edge of a tree: the few hashes from which the root and every further root follow.

use crate::hash::{LeafHash, NodeHash, NodeId, Root, TreeSize, node_hash};
use crate::range::Range;

/// The hashes of the full subtrees of a tree, largest first: what a writer keeps of everything it ever hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<NodeHash>,
}

/// Why a frontier cannot be made or extended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The number of hashes does not fit the size.
    #[error("cannot make a frontier of {size} leaves from {found} hashes: it has {wanted}, one for each bit set in the size")]
    Count {
        /// Tree size.
        size: u64,
        /// Hashes given.
        found: usize,
        /// Hashes that such a tree has.
        wanted: usize,
    },
    /// The tree is larger than the limit.
    #[error("cannot make a tree of {size} leaves: the limit is {}", TreeSize::MAX.0)]
    TooLarge {
        /// Tree size asked for.
        size: u64,
    },
    /// A range does not start where the frontier ends.
    #[error("cannot append leaves {begin} to {end} to a tree of {size} leaves: they must begin at {size}")]
    NotAdjacent {
        /// Size of the tree.
        size: u64,
        /// First leaf of the range.
        begin: u64,
        /// Leaf after the range.
        end: u64,
    },
}

impl Frontier {
    /// Returns the frontier of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a frontier that was stored: the hashes of the full subtrees of a tree of `size` leaves, largest first.
    pub fn from_hashes(size: TreeSize, hashes: Vec<NodeHash>) -> Result<Self, FrontierError> {
        if size > TreeSize::MAX {
            return Err(FrontierError::TooLarge { size: size.0 });
        }
        let wanted = size.0.count_ones() as usize;
        if hashes.len() != wanted {
            return Err(FrontierError::Count { size: size.0, found: hashes.len(), wanted });
        }
        Ok(Self { size: size.0, hashes })
    }

    /// Appends one leaf.
    pub fn push(&mut self, leaf: LeafHash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends one leaf and shows every subtree that it completes, from the leaf itself upwards.
    pub fn push_with(&mut self, leaf: LeafHash, completed: impl FnMut(NodeId, NodeHash)) {
        self.push_node(0, leaf.into(), completed);
    }

    /// Appends the leaves of `range`, which must begin where this tree ends.
    pub fn append(&mut self, range: &Range) -> Result<(), FrontierError> {
        self.append_with(range, |_, _| ())
    }

    /// Appends the leaves of `range` and shows every subtree that this completes outside the range's own ones.
    pub fn append_with(&mut self, range: &Range, mut completed: impl FnMut(NodeId, NodeHash)) -> Result<(), FrontierError> {
        if range.begin() != self.size {
            return Err(FrontierError::NotAdjacent { size: self.size, begin: range.begin(), end: range.end() });
        }
        if range.end() > TreeSize::MAX.0 {
            return Err(FrontierError::TooLarge { size: range.end() });
        }
        for (node, hash) in range.nodes() {
            let mut first = true;
            self.push_node(node.level, *hash, |id, hash| {
                // The node itself was complete before, inside the range.
                if !std::mem::replace(&mut first, false) {
                    completed(id, hash);
                }
            });
        }
        Ok(())
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// Returns the hashes of the full subtrees, largest first.
    pub fn hashes(&self) -> &[NodeHash] {
        &self.hashes
    }

    /// Returns the RFC 6962 root.
    pub fn root(&self) -> Root {
        let mut smallest_first = self.hashes.iter().rev();
        let Some(smallest) = smallest_first.next() else { return Root::EMPTY };
        smallest_first.fold(*smallest, |right, left| node_hash(left, &right)).into()
    }

    /// Appends a subtree of `2^level` leaves; the size is a multiple of that.
    fn push_node(&mut self, level: u8, hash: NodeHash, mut completed: impl FnMut(NodeId, NodeHash)) {
        let mut id = NodeId { level, index: self.size >> level };
        let mut hash = hash;
        completed(id, hash);
        while id.index & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            id = NodeId { level: id.level + 1, index: id.index >> 1 };
            completed(id, hash);
        }
        self.hashes.push(hash);
        self.size += 1 << level;
    }
}
