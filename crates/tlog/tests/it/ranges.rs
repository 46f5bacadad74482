//! Ranges: hashed apart, merged in any grouping, always the same tree.

use proptest::prelude::*;
use sealtrail_tlog::{Frontier, FrontierError, NodeHash, Range, TreeSize};

use crate::oracle;

proptest! {
    /// Protects parallel hashing: any cut of the leaves, merged left to right or right to left, gives the root of the whole.
    #[test]
    fn any_cut_gives_the_same_root(size in 0usize..400, cuts in prop::collection::vec(0usize..400, 0..6)) {
        let leaves = oracle::leaves(size);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(size)).chain([0, size]).collect();
        cuts.sort_unstable();
        let parts: Vec<Range> = cuts.windows(2).map(|w| Range::from_leaves(w[0] as u64, &leaves[w[0]..w[1]])).collect();
        let mut tree = Frontier::new();
        for part in &parts {
            tree.append(part).unwrap();
        }
        prop_assert_eq!(tree.root(), oracle::mth(&leaves));
        // From the right: each part takes up what follows it.
        let mut whole = Range::new(size as u64);
        for part in parts.iter().rev() {
            let mut left = part.clone();
            left.append(&whole).unwrap();
            whole = left;
        }
        prop_assert_eq!((whole.begin(), whole.end()), (0, size as u64));
        prop_assert_eq!(&whole, &Range::from_leaves(0, &leaves));
        let mut again = Frontier::new();
        again.append(&whole).unwrap();
        prop_assert_eq!(again, tree);
    }
}

/// Protects tiles that are written while ranges are merged: every full subtree is shown exactly once.
#[test]
fn every_subtree_is_shown_once() {
    let leaves = oracle::leaves(200);
    let expected = crate::proofs::all_nodes(&leaves);
    for cut in [1, 64, 99, 128, 199] {
        let mut seen = std::collections::BTreeMap::new();
        let mut tree = Frontier::new();
        for (begin, part) in [(0, &leaves[..cut]), (cut, &leaves[cut..])] {
            let mut range = Range::new(begin as u64);
            for leaf in part {
                range.push_with(*leaf, |id, hash| assert!(seen.insert(id, hash).is_none()));
            }
            tree.append_with(&range, |id, hash| assert!(seen.insert(id, hash).is_none())).unwrap();
        }
        assert_eq!(seen, expected, "cut at {cut}");
    }
}

/// Protects against gaps and wrong stored frontiers: both are refused, not guessed.
#[test]
fn gaps_are_refused() {
    let leaves = oracle::leaves(10);
    let mut tree = Frontier::new();
    let refused = tree.append(&Range::from_leaves(1, &leaves)).unwrap_err();
    assert_eq!(refused, FrontierError::NotAdjacent { size: 0, begin: 1, end: 11 });
    let mut range = Range::from_leaves(0, &leaves);
    assert_eq!(range.append(&Range::new(11)).unwrap_err().next, 11);
    let refused = Frontier::from_hashes(TreeSize(5), vec![NodeHash([0; 32])]).unwrap_err();
    assert_eq!(refused, FrontierError::Count { size: 5, found: 1, wanted: 2 });
    Frontier::from_hashes(TreeSize(u64::MAX), vec![NodeHash([0; 32]); 64]).unwrap_err();
}
