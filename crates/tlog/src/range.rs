//! Compact ranges: the leaves from `begin` to `end` of a larger tree, hashed on one thread, merged on another.

use crate::hash::{LeafHash, NodeHash, NodeId, node_hash};

/// The largest full subtrees that cover the leaves `[begin, end)`, left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    begin: u64,
    end: u64,
    nodes: Vec<(NodeId, NodeHash)>,
}

/// Two ranges do not touch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot join leaves {begin} to {end} with leaves from {next}: they must begin at {end}")]
pub struct RangeError {
    /// First leaf of the left range.
    pub begin: u64,
    /// Leaf after the left range.
    pub end: u64,
    /// First leaf of the right range.
    pub next: u64,
}

impl Range {
    /// Returns the empty range at leaf `begin`.
    pub fn new(begin: u64) -> Self {
        Self { begin, end: begin, nodes: Vec::new() }
    }

    /// Hashes `leaves`, the first of which is leaf `begin` of the tree.
    pub fn from_leaves(begin: u64, leaves: &[LeafHash]) -> Self {
        let mut range = Self::new(begin);
        for leaf in leaves {
            range.push(*leaf);
        }
        range
    }

    /// Appends one leaf.
    pub fn push(&mut self, leaf: LeafHash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends one leaf and shows every subtree that it completes inside the range, from the leaf itself upwards.
    pub fn push_with(&mut self, leaf: LeafHash, completed: impl FnMut(NodeId, NodeHash)) {
        self.push_node(NodeId { level: 0, index: self.end }, leaf.into(), completed);
    }

    /// Appends the range that follows this one.
    pub fn append(&mut self, right: &Self) -> Result<(), RangeError> {
        if right.begin != self.end {
            return Err(RangeError { begin: self.begin, end: self.end, next: right.begin });
        }
        for (id, hash) in &right.nodes {
            self.push_node(*id, *hash, |_, _| ());
        }
        Ok(())
    }

    /// Returns the first leaf.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// Returns the leaf after the last.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the subtrees, left to right.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeHash)> {
        self.nodes.iter().map(|(id, hash)| (*id, hash))
    }

    fn push_node(&mut self, id: NodeId, hash: NodeHash, mut completed: impl FnMut(NodeId, NodeHash)) {
        self.end += 1 << id.level;
        let (mut id, mut hash) = (id, hash);
        completed(id, hash);
        // A left sibling, if it is in the range, is the last node.
        while id.index & 1 == 1
            && let Some((left_id, left)) = self.nodes.last()
            && *left_id == (NodeId { level: id.level, index: id.index - 1 })
        {
            hash = node_hash(left, &hash);
            id = NodeId { level: id.level + 1, index: id.index >> 1 };
            self.nodes.pop();
            completed(id, hash);
        }
        self.nodes.push((id, hash));
    }
}
