//! Proof files: what is accepted is written back byte for byte; verifying never panics, whatever index, size and hashes say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_tlog::note::Note;
use sealtrail_tlog::proof::{root_of_inclusion, verify_consistency, verify_inclusion};
use sealtrail_tlog::{Checkpoint, LeafHash, Root, TlogProof, TreeSize};

fuzz_target!(|data: &[u8]| {
    let Ok(proof) = TlogProof::parse(data) else { return };
    assert_eq!(proof.to_text().as_bytes(), data);
    let Ok(note) = Note::parse(proof.checkpoint.as_bytes()) else { return };
    let Ok(checkpoint) = Checkpoint::parse(note.text()) else { return };
    let leaf = LeafHash([3; 32]);
    // A proof leads to exactly one root.
    if let Ok(root) = root_of_inclusion(&leaf, proof.seq, checkpoint.size, &proof.hashes) {
        verify_inclusion(&leaf, proof.seq, checkpoint.size, &root, &proof.hashes).expect("the root it leads to");
        let other = Root(std::array::from_fn(|at| root.0[at] ^ 1));
        assert!(verify_inclusion(&leaf, proof.seq, checkpoint.size, &other, &proof.hashes).is_err());
    }
    let old = TreeSize(proof.seq.0);
    let _ = verify_consistency(old, &Root([1; 32]), checkpoint.size, &checkpoint.root, &proof.hashes);
});
