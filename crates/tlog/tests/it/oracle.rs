//! A naive recursive RFC 6962 tree, written from the definition only: the judge of everything else.

use sealtrail_tlog::{LeafHash, NodeHash, Root, leaf_hash, node_hash};

/// MTH(D[n]) of RFC 6962 section 2.1.
pub(crate) fn mth(d: &[LeafHash]) -> Root {
    match d {
        [] => Root::EMPTY,
        [leaf] => Root(leaf.0),
        _ => {
            let (left, right) = d.split_at(split(d.len()));
            node_hash(&NodeHash(mth(left).0), &NodeHash(mth(right).0)).into()
        }
    }
}

/// PATH(m, D[n]) of section 2.1.1.
pub(crate) fn path(m: usize, d: &[LeafHash]) -> Vec<NodeHash> {
    if d.len() == 1 {
        return vec![];
    }
    let k = split(d.len());
    let (left, right) = d.split_at(k);
    let (mut found, other) = if m < k { (path(m, left), right) } else { (path(m - k, right), left) };
    found.push(NodeHash(mth(other).0));
    found
}

/// PROOF(m, D[n]) of section 2.1.2.
pub(crate) fn consistency(m: usize, d: &[LeafHash]) -> Vec<NodeHash> {
    subproof(m, d, true)
}

fn subproof(m: usize, d: &[LeafHash], whole: bool) -> Vec<NodeHash> {
    if m == d.len() {
        return if whole { vec![] } else { vec![NodeHash(mth(d).0)] };
    }
    let k = split(d.len());
    let (left, right) = d.split_at(k);
    let (mut found, other) = if m <= k { (subproof(m, left, whole), right) } else { (subproof(m - k, right, false), left) };
    found.push(NodeHash(mth(other).0));
    found
}

/// The largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

pub(crate) fn leaves(n: usize) -> Vec<LeafHash> {
    (0..n).map(|i| leaf_hash(format!("entry {i}").as_bytes())).collect()
}
