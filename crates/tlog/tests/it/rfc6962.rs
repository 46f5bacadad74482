//! The tree against the published vectors and the oracle.

use sealtrail_tlog::{Frontier, NodeHash, NodeId, Root, leaf_hash, node_hash};

use crate::oracle;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

/// Protects compatibility with every other RFC 6962 log: the vectors of the Certificate Transparency reference tests.
#[test]
fn published_vectors() {
    let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Frontier::new();
    assert_eq!(tree.root(), Root::EMPTY);
    for (entry, root) in entries.iter().zip(roots) {
        tree.push(leaf_hash(&hex(entry)));
        assert_eq!(tree.root().0.to_vec(), hex(root));
    }
}

/// Protects the root and every stored subtree at every size from 0 to 300.
#[test]
fn every_root_is_the_oracles() {
    let leaves = oracle::leaves(300);
    let mut tree = Frontier::new();
    let mut nodes = std::collections::BTreeMap::<NodeId, NodeHash>::new();
    for size in 0..=leaves.len() {
        assert_eq!(tree.root(), oracle::mth(&leaves[..size]), "size {size}");
        let again = Frontier::from_hashes(tree.size(), tree.hashes().to_vec()).unwrap();
        assert_eq!(again, tree);
        if let Some(leaf) = leaves.get(size) {
            tree.push_with(*leaf, |id, hash| assert!(nodes.insert(id, hash).is_none()));
        }
    }
    for (id, hash) in &nodes {
        if id.level > 0 {
            let child = |index| nodes[&NodeId { level: id.level - 1, index }];
            assert_eq!(*hash, node_hash(&child(id.index * 2), &child(id.index * 2 + 1)));
        }
    }
}
