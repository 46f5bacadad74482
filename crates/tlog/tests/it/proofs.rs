//! Proofs: built from stored hashes, verified, and equal to the oracle's.

use std::collections::BTreeMap;
use std::convert::Infallible;

use sealtrail_tlog::proof::{
    BuildError, VerifyError, build_consistency, build_frontier, build_inclusion, build_root, verify_consistency, verify_inclusion,
};
use sealtrail_tlog::{Frontier, LeafHash, NodeHash, NodeId, Root, Seq, TreeSize};

use crate::oracle;

const SIZE_MAX: usize = 300;

/// Every full subtree of the tree of `leaves`.
pub(crate) fn all_nodes(leaves: &[LeafHash]) -> BTreeMap<NodeId, NodeHash> {
    let mut tree = Frontier::new();
    let mut nodes = BTreeMap::new();
    for leaf in leaves {
        tree.push_with(*leaf, |id, hash| {
            nodes.insert(id, hash);
        });
    }
    nodes
}

/// Protects every inclusion proof of every tree up to 300 entries: built as the oracle builds it, accepted, and no other.
#[test]
fn inclusion_at_every_size() {
    let leaves = oracle::leaves(SIZE_MAX);
    let nodes = all_nodes(&leaves);
    let read = |id| Ok::<_, Infallible>(nodes[&id]);
    for n in 0..=SIZE_MAX {
        let (size, root) = (TreeSize(n as u64), oracle::mth(&leaves[..n]));
        assert_eq!(build_root(size, read).unwrap(), root);
        for (m, leaf) in leaves[..n].iter().enumerate() {
            let seq = Seq(m as u64);
            let proof = build_inclusion(seq, size, read).unwrap();
            if n < 70 || m % 37 == 0 || m + 3 > n {
                assert_eq!(proof, oracle::path(m, &leaves[..n]), "entry {m} of {n}");
            }
            verify_inclusion(leaf, seq, size, &root, &proof).unwrap();
            let other = Seq((seq.0 + 1) % size.0);
            if n > 1 {
                verify_inclusion(leaf, other, size, &root, &proof).unwrap_err();
                verify_inclusion(leaf, seq, size, &root, &proof[1..]).unwrap_err();
                let long = [&proof[..], &proof[..1]].concat();
                let refused = verify_inclusion(leaf, seq, size, &root, &long).unwrap_err();
                assert_eq!(refused, VerifyError::Length { found: long.len() });
            }
        }
        let refused = build_inclusion(Seq(n as u64), size, read).unwrap_err();
        assert_eq!(refused, BuildError::NoSuchEntry { seq: n as u64, size: n as u64 });
    }
}

/// Protects every consistency proof between trees up to 130 entries and many larger ones.
#[test]
fn consistency_between_all_sizes() {
    let leaves = oracle::leaves(SIZE_MAX);
    let nodes = all_nodes(&leaves);
    let roots: Vec<Root> = (0..=SIZE_MAX).map(|n| oracle::mth(&leaves[..n])).collect();
    let read = |id| Ok::<_, Infallible>(nodes[&id]);
    for new in 0..=SIZE_MAX {
        for old in (0..=new).filter(|old| new <= 130 || old % 13 == 0 || old.is_power_of_two() || old + 2 > new) {
            let (a, b) = (TreeSize(old as u64), TreeSize(new as u64));
            let proof = build_consistency(a, b, read).unwrap();
            if old > 0 {
                assert_eq!(proof, oracle::consistency(old, &leaves[..new]), "{old} to {new}");
            }
            verify_consistency(a, &roots[old], b, &roots[new], &proof).unwrap();
            let other = Root([7; 32]);
            verify_consistency(a, &other, b, &roots[new], &proof).unwrap_err();
            if old > 0 {
                verify_consistency(a, &roots[old], b, &other, &proof).unwrap_err();
            }
            if !proof.is_empty() {
                verify_consistency(a, &roots[old], b, &roots[new], &proof[1..]).unwrap_err();
            }
            let long = [&proof[..], &[NodeHash([0; 32])]].concat();
            verify_consistency(a, &roots[old], b, &roots[new], &long).unwrap_err();
        }
        let frontier = build_frontier(TreeSize(new as u64), read).unwrap();
        let tree = Frontier::from_hashes(TreeSize(new as u64), frontier).unwrap();
        assert_eq!(tree.root(), roots[new]);
    }
}

/// Protects against a tree that shrank being called grown, and against proofs for absurd sizes.
#[test]
fn impossible_requests_are_refused() {
    let read = |_| Err::<NodeHash, &str>("disk");
    let (a, b) = (TreeSize(5), TreeSize(4));
    assert_eq!(build_consistency(a, b, read).unwrap_err(), BuildError::Shrinks { old: 5, new: 4 });
    let refused = verify_consistency(a, &Root::EMPTY, b, &Root::EMPTY, &[]).unwrap_err();
    assert_eq!(refused, VerifyError::Shrinks { old: 5, new: 4 });
    assert_eq!(build_inclusion(Seq(1), b, read).unwrap_err(), BuildError::Read("disk"));
    let leaf = LeafHash([1; 32]);
    for size in [TreeSize::MAX, TreeSize(u64::MAX)] {
        for proof in [vec![], vec![NodeHash([2; 32]); 63], vec![NodeHash([2; 32]); 64]] {
            verify_inclusion(&leaf, Seq(size.0 - 1), size, &Root::EMPTY, &proof).unwrap_err();
            verify_consistency(TreeSize(size.0 - 1), &Root::EMPTY, size, &Root::EMPTY, &proof).unwrap_err();
        }
    }
}
