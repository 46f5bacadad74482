//! Exhaustive damage: every single bit of a signed note and of a proof file.

use std::convert::Infallible;

use sealtrail_tlog::proof::{build_inclusion, build_root};
use sealtrail_tlog::{Checkpoint, LeafHash, Seq, TlogProof, TreeSize, VerifierKey};

use crate::keys::key;
use crate::{oracle, proofs};

fn proof_file(extra: Option<Vec<u8>>) -> (String, LeafHash, VerifierKey) {
    let log = key("example.com/log", 1);
    let leaves = oracle::leaves(100);
    let nodes = proofs::all_nodes(&leaves);
    let read = |id| Ok::<_, Infallible>(nodes[&id]);
    let (seq, size) = (Seq(37), TreeSize(100));
    let checkpoint = Checkpoint { origin: "example.com/log".into(), size, root: build_root(size, read).unwrap() };
    let hashes = build_inclusion(seq, size, read).unwrap();
    let proof = TlogProof { extra, seq, hashes, checkpoint: checkpoint.sign(&[&log]).unwrap() };
    (proof.to_text(), leaves[37], log.verifier().clone())
}

/// Yields every copy of `bytes` with one bit changed.
fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        (bit, copy)
    })
}

/// Protects a checkpoint: none of its bits can change unnoticed.
#[test]
fn every_bit_of_a_note() {
    let (file, _, log) = proof_file(None);
    let note = TlogProof::parse(file.as_bytes()).unwrap().checkpoint;
    Checkpoint::open(note.as_bytes(), &log, &[]).unwrap();
    for (bit, damaged) in flips(note.as_bytes()) {
        assert!(Checkpoint::open(&damaged, &log, &[]).is_err(), "bit {bit}");
    }
}

/// Protects a proof file: none of its bits can change unnoticed, and it proves no other entry.
#[test]
fn every_bit_of_a_proof() {
    let (file, leaf, log) = proof_file(None);
    let verify = |bytes: &[u8], leaf: &LeafHash| TlogProof::parse(bytes).and_then(|proof| proof.verify(leaf, &log, &[]));
    verify(file.as_bytes(), &leaf).unwrap();
    for (bit, damaged) in flips(file.as_bytes()) {
        assert!(verify(&damaged, &leaf).is_err(), "bit {bit}");
    }
    for (_, damaged) in flips(&leaf.0) {
        assert!(verify(file.as_bytes(), &LeafHash(damaged.try_into().unwrap())).is_err());
    }
    for end in 0..file.len() {
        assert!(verify(&file.as_bytes()[..end], &leaf).is_err(), "cut at {end}");
    }
    let wrong = key("example.com/log", 2);
    TlogProof::parse(file.as_bytes()).unwrap().verify(&leaf, wrong.verifier(), &[]).unwrap_err();
}

/// Protects the reader's expectation of extra data: it is carried, bounded, and never part of the proof.
#[test]
fn extra_is_carried_and_not_believed() {
    let (file, leaf, log) = proof_file(Some(b"hello".to_vec()));
    let proof = TlogProof::parse(file.as_bytes()).unwrap();
    assert_eq!(proof.extra.as_deref(), Some(&b"hello"[..]));
    proof.verify(&leaf, &log, &[]).unwrap();
    let other = TlogProof { extra: Some(b"jello".to_vec()), ..proof.clone() };
    TlogProof::parse(other.to_text().as_bytes()).unwrap().verify(&leaf, &log, &[]).unwrap();
    let huge = TlogProof { extra: Some(vec![0; 65_537]), ..proof };
    TlogProof::parse(huge.to_text().as_bytes()).unwrap_err();
    TlogProof::parse(file.replace("extra aGVsbG8=", "extra ").as_bytes()).unwrap_err();
}

/// Protects the shape of a proof file: the lines in their order and nothing else.
#[test]
fn malformed_proofs_are_refused() {
    let (file, ..) = proof_file(None);
    let wrong = [
        String::new(),
        file.replace("tlog-proof@v1", "tlog-proof@v2"),
        file.replace("index 37", "index 037"),
        file.replace("index 37", "index"),
        file.replace("index 37", "index 9223372036854775807"),
        file.replace("index 37\n", ""),
        file.replace("index 37\n", "index 37\nindex 37\n"),
        file.replace("\n\nexample", "\nexample"),
        file.replace('\n', "\r\n"),
        file.split_inclusive("\n\n").next().unwrap().to_owned(),
        format!("c2sp.org/tlog-proof@v1\nindex 1\n{}\nx\n", format!("{}\n", LeafHash([0; 32])).repeat(65)),
    ];
    for text in wrong {
        TlogProof::parse(text.as_bytes()).unwrap_err();
    }
    TlogProof::parse(&vec![b'a'; 2_000_000]).unwrap_err();
}
