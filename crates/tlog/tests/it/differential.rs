//! Four implementations that we did not write, asked the same questions.

use std::collections::BTreeMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sealtrail_tlog::note::{open, sign};
use sealtrail_tlog::proof::{build_consistency, build_inclusion, build_root, verify_consistency, verify_inclusion};
use sealtrail_tlog::{Checkpoint, Frontier, LeafHash, NodeHash, NodeId, Root, Seq, Tile, TreeSize, leaf_hash, strict64, tiles_for};
use sha2::Sha256;
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{Error, HashReader, split_stored_hash_index};

use crate::keys::key;
use crate::{oracle, proofs};

struct Nodes(BTreeMap<NodeId, NodeHash>);

impl Nodes {
    fn read(&self, id: NodeId) -> Result<NodeHash, Infallible> {
        Ok(self.0[&id])
    }
}

impl HashReader for Nodes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, Error> {
        let hash = |index: &u64| {
            let (level, index) = split_stored_hash_index(*index);
            tlog_tiles::Hash(self.0[&NodeId { level, index }].0)
        };
        Ok(indexes.iter().map(hash).collect())
    }
}

fn theirs(hashes: &[NodeHash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

/// Protects agreement with the Rust port of Go's tlog: roots, proofs in both directions, for trees up to 1,025 entries.
#[test]
fn tlog_tiles_agrees() {
    let leaves = oracle::leaves(1_025);
    let nodes = Nodes(proofs::all_nodes(&leaves));
    let mut tree = Frontier::new();
    let mut roots = vec![Root::EMPTY];
    for (at, leaf) in leaves.iter().enumerate() {
        tree.push(*leaf);
        roots.push(tree.root());
        let n = at as u64 + 1;
        let root = tlog_tiles::tree_hash(n, &nodes).unwrap();
        assert_eq!(root.0, tree.root().0);
        let mut some: Vec<u64> = [0, n / 3, n / 2, n - 1, (n * 7919) % n].into();
        some.dedup();
        for seq in some {
            let proof = build_inclusion(Seq(seq), TreeSize(n), |id| nodes.read(id)).unwrap();
            assert_eq!(tlog_tiles::prove_record(n, seq, &nodes).unwrap(), theirs(&proof));
            tlog_tiles::check_record(&theirs(&proof), n, root, seq, tlog_tiles::Hash(leaves[seq as usize].0)).unwrap();
            let old = seq + 1;
            let proof = build_consistency(TreeSize(old), TreeSize(n), |id| nodes.read(id)).unwrap();
            assert_eq!(tlog_tiles::prove_tree(n, old, &nodes).unwrap(), theirs(&proof));
            let old_root = tlog_tiles::Hash(roots[old as usize].0);
            tlog_tiles::check_tree(&theirs(&proof), n, root, old, old_root).unwrap();
        }
    }
}

/// Protects agreement on which tiles a growth writes and what they are called.
#[test]
fn tlog_tiles_agrees_on_tiles() {
    for (old, new) in [(0, 1), (0, 255), (0, 256), (255, 257), (256, 256), (300, 70_000), (65_535, 65_536), (70_000, 1 << 20)] {
        let mut ours: Vec<String> = tiles_for(TreeSize(old), TreeSize(new)).map(|tile| tile.to_string()).collect();
        let mut other: Vec<String> =
            tlog_tiles::Tile::new_tiles(8, old, new).iter().map(|t| t.path().replacen("tile/8/", "tile/", 1)).collect();
        ours.sort();
        other.sort();
        assert_eq!(ours, other, "{old} to {new}");
    }
    for index in [0, 999, 1_000, 1_234_067, 1 << 40] {
        let ours = Tile::at(0, index, TreeSize(index * 256 + 17)).unwrap();
        let other = tlog_tiles::Tile::new(8, 0, index, 17, false).path();
        assert_eq!(ours.to_string(), other.replacen("tile/8/", "tile/", 1));
    }
}

/// Protects agreement with ct-merkle, for trees up to 1,025 entries.
#[test]
fn ct_merkle_agrees() {
    let entries: Vec<String> = (0..1_025).map(|n| format!("entry {n}")).collect();
    let leaves = oracle::leaves(entries.len());
    let nodes = Nodes(proofs::all_nodes(&leaves));
    let mut tree = MemoryBackedTree::<Sha256, String>::new();
    let mut roots: Vec<RootHash<Sha256>> = vec![tree.root()];
    for (at, entry) in entries.iter().enumerate() {
        tree.push(entry.clone());
        let n = at as u64 + 1;
        let root = tree.root();
        let ours = build_root(TreeSize(n), |id| nodes.read(id)).unwrap();
        assert_eq!(root.as_bytes()[..], ours.0);
        for seq in [at / 2, at] {
            let proof = build_inclusion(Seq(seq as u64), TreeSize(n), |id| nodes.read(id)).unwrap();
            let bytes: Vec<u8> = proof.iter().flat_map(|hash| hash.0).collect();
            assert_eq!(tree.prove_inclusion(seq).as_bytes(), bytes);
            root.verify_inclusion(&entries[seq], seq as u64, &InclusionProof::try_from_bytes(bytes).unwrap()).unwrap();
            if seq + 1 < n as usize {
                let old = TreeSize(seq as u64 + 1);
                let proof = build_consistency(old, TreeSize(n), |id| nodes.read(id)).unwrap();
                let bytes: Vec<u8> = proof.iter().flat_map(|hash| hash.0).collect();
                let theirs = tree.prove_consistency(n as usize - seq - 1);
                assert_eq!(theirs.as_bytes(), bytes);
                root.verify_consistency(&roots[seq + 1], &ConsistencyProof::try_from_bytes(bytes).unwrap()).unwrap();
            }
        }
        roots.push(root);
    }
}

/// A tree of 2^20 leaves without the bytes of its entries.
fn large_tree() -> (Vec<LeafHash>, Nodes) {
    let leaves: Vec<LeafHash> = (0..1u32 << 20).map(|n| leaf_hash(&n.to_le_bytes())).collect();
    let nodes = Nodes(proofs::all_nodes(&leaves));
    (leaves, nodes)
}

/// Protects large trees: random sizes up to 2^20, proofs equal to tlog_tiles' and verified by both.
#[test]
fn random_sizes_to_a_million() {
    let (leaves, nodes) = large_tree();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 300, ..ProptestConfig::default() });
    let sizes = (1u64..=1 << 20).prop_flat_map(|n| (Just(n), 0..n, 1..=n));
    let outcome = runner.run(&sizes, |(n, seq, old)| {
        let size = TreeSize(n);
        let root = build_root(size, |id| nodes.read(id)).unwrap();
        let proof = build_inclusion(Seq(seq), size, |id| nodes.read(id)).unwrap();
        verify_inclusion(&leaves[seq as usize], Seq(seq), size, &root, &proof).unwrap();
        prop_assert_eq!(tlog_tiles::prove_record(n, seq, &nodes).unwrap(), theirs(&proof));
        let old_root = build_root(TreeSize(old), |id| nodes.read(id)).unwrap();
        let proof = build_consistency(TreeSize(old), size, |id| nodes.read(id)).unwrap();
        verify_consistency(TreeSize(old), &old_root, size, &root, &proof).unwrap();
        prop_assert_eq!(tlog_tiles::prove_tree(n, old, &nodes).unwrap(), theirs(&proof));
        Ok(())
    });
    outcome.unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Protects agreement with sigsum's verifier, which only speaks of its own leaves: our tree holds one, our proof satisfies it.
#[test]
fn sigsum_agrees() {
    let (log, signer) = (key("log", 1), key("signer", 2));
    let message = sigsum::Hash::new(b"what was signed");
    let checksum = sigsum::Hash::new(&message);
    let hash = |bytes: &[u8]| sigsum::Hash::new(bytes).as_ref().to_vec();
    let (log_hash, signer_hash) = (hash(log.verifier().public()), hash(signer.verifier().public()));
    let signature = signer.sign_raw(&[b"sigsum.org/v1/tree-leaf\0", checksum.as_ref()].concat());
    let leaf = leaf_hash(&[checksum.as_ref(), &signature, &signer_hash].concat());
    let mut policy = sigsum::PolicyBuilder::new();
    policy.add_log((*log.verifier().public()).into(), None).unwrap();
    let policy = policy.build();
    for size in [1u64, 2, 3, 7, 8, 100, 255, 257] {
        for seq in [0, size / 2, size - 1] {
            let mut leaves = oracle::leaves(size as usize);
            leaves[seq as usize] = leaf;
            let nodes = Nodes(proofs::all_nodes(&leaves));
            let root = build_root(TreeSize(size), |id| nodes.read(id)).unwrap();
            let proof = build_inclusion(Seq(seq), TreeSize(size), |id| nodes.read(id)).unwrap();
            let head = log.sign_raw(format!("sigsum.org/v1/tree/{}\n{size}\n{}\n", hex(&log_hash), strict64::encode(&root.0)).as_bytes());
            let mut text = format!("version=2\nlog={}\nleaf={} {}\n\n", hex(&log_hash), hex(&signer_hash), hex(&signature));
            text += &format!("size={size}\nroot_hash={}\nsignature={}\n", hex(&root.0), hex(&head));
            text += &format!("\nleaf_index={seq}\n");
            for node in &proof {
                text += &format!("node_hash={}\n", hex(&node.0));
            }
            let parsed = sigsum::SigsumSignature::from_ascii(&text).unwrap();
            sigsum::verify(&message, &parsed, &[(*signer.verifier().public()).into()], &policy).unwrap();
        }
    }
}

/// Protects agreement with signed_note: both accept what both signed, and random damage is judged alike.
#[test]
fn signed_note_agrees() {
    let (log, other) = (key("example.com/log", 1), key("witness.example", 2));
    let note = sign("example.com/log\n3\nbody\n", &[&other, &log]).unwrap();
    let judge = |bytes: &[u8]| {
        let verifier = StandardVerifier::new(&log.verifier().to_string()).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        signed_note::Note::from_bytes(bytes).is_ok_and(|note| note.verify(&known).is_ok())
    };
    let ours = |bytes: &[u8]| open(bytes, &[log.verifier().clone()]).is_ok();
    assert!(judge(note.as_bytes()) && ours(note.as_bytes()));
    let mut accepted = 0;
    for at in 0..note.len() {
        for change in [0x01, 0x04, 0x20, 0x80, b'\n'] {
            let mut damaged = note.clone().into_bytes();
            damaged[at] ^= change;
            assert_eq!(ours(&damaged), judge(&damaged), "byte {at} changed by {change:#x}");
            accepted += usize::from(ours(&damaged));
        }
    }
    // Damage to the witness that nobody here trusts is not seen, by either.
    assert!(accepted > 0);
    let checkpoint = Checkpoint { origin: "example.com/log".into(), size: TreeSize(9), root: Root([3; 32]) };
    let theirs = tlog_tiles::Checkpoint::from_bytes(checkpoint.to_string().as_bytes()).unwrap();
    assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), ("example.com/log", 9, [3; 32]));
}
