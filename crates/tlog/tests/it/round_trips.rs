//! Parsers: what is written is read back, what is read is written back, and no bytes make them panic.

use proptest::prelude::*;
use sealtrail_tlog::note::{Note, sign};
use sealtrail_tlog::{Checkpoint, KeyName, NodeHash, Root, Seq, SigningKey, Tile, TlogProof, TreeSize, VerifierKey};

use crate::keys::key;

fn name() -> impl Strategy<Value = String> {
    "[a-zé0-9./_—-]{1,60}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Protects notes and checkpoints: parse(write(x)) = x for any text, name and number of signatures.
    #[test]
    fn notes(text in "([ -~é—]{0,20}\n){1,6}", names in prop::collection::vec(name(), 1..20)) {
        let keys: Vec<SigningKey> = names.iter().enumerate().map(|(n, name)| key(name, n as u8)).collect();
        let note = sign(&text, &keys.iter().collect::<Vec<_>>()).unwrap();
        let parsed = Note::parse(note.as_bytes()).unwrap();
        prop_assert_eq!(parsed.text(), &text);
        prop_assert_eq!(parsed.signatures().len(), keys.len());
        prop_assert_eq!(parsed.to_text(), note);
        let verifier = keys[0].verifier().clone();
        parsed.verify(&[verifier]).unwrap();
    }

    /// Protects checkpoints, key texts and proof files in the same way.
    #[test]
    fn texts(name in name(), seed: [u8; 32], size in 1..=TreeSize::MAX.0, root: [u8; 32], hashes: Vec<[u8; 32]>, extra: Vec<u8>) {
        let checkpoint = Checkpoint { origin: name.clone(), size: TreeSize(size), root: Root(root) };
        prop_assert_eq!(&Checkpoint::parse(&checkpoint.to_string()).unwrap(), &checkpoint);
        let key = SigningKey::from_seed(KeyName::parse(&name).unwrap(), seed).unwrap();
        prop_assert_eq!(&*SigningKey::parse(&key.to_text()).unwrap().to_text(), &*key.to_text());
        prop_assert_eq!(&VerifierKey::parse(&key.verifier().to_string()).unwrap(), key.verifier());
        let proof = TlogProof {
            extra: Some(extra).filter(|extra| !extra.is_empty()),
            seq: Seq(size - 1),
            hashes: hashes.into_iter().take(64).map(NodeHash).collect(),
            checkpoint: checkpoint.sign(&[&key]).unwrap(),
        };
        prop_assert_eq!(TlogProof::parse(proof.to_text().as_bytes()).unwrap(), proof);
    }

    /// Protects tile paths: every tile of every tree has a path that is read back.
    #[test]
    fn tile_paths(level in 0u8..8, index in 0u64..=u64::MAX / 256, size in 0..=TreeSize::MAX.0) {
        if let Some(tile) = Tile::at(level, index % (1 + (size >> (8 * level)) / 256), TreeSize(size)) {
            prop_assert_eq!(Tile::parse(&tile.to_string()).unwrap(), tile);
        }
    }

    /// Protects every parser from panicking, and from accepting a second spelling.
    #[test]
    fn arbitrary_bytes(bytes: Vec<u8>, text in "(tile/|[0-9x/.p]|\n|— |[A-Za-z+=]|c2sp.org/tlog-proof@v1\n|index |extra ){0,40}") {
        for input in [&bytes[..], text.as_bytes()] {
            if let Ok(note) = Note::parse(input) {
                prop_assert!(note.to_text().as_bytes() == input);
            }
            if let Ok(proof) = TlogProof::parse(input) {
                prop_assert!(proof.to_text().as_bytes() == input);
            }
            let text = String::from_utf8_lossy(input);
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert!(checkpoint.to_string() == *text);
            }
            if let Ok(tile) = Tile::parse(&text) {
                prop_assert!(tile.to_string() == *text);
            }
            if let Ok(key) = VerifierKey::parse(&text) {
                prop_assert!(key.to_string() == *text);
            }
            let _ = SigningKey::parse(&text);
        }
    }
}
