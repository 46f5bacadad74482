//! Proofs: made from the tiles of the golden ledger, carried as JSON, and refused when anything in them is changed.

use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::RealDisk;
use sealtrail_ledger::prove::{ExportError, ProveError, Prover, SealedError, verify_export, verify_sealed};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::{Seq, TreeSize, VerifierKey};
use serde_json::{Value, json};

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ledger/v1")
}

fn reader() -> Reader {
    Reader::open(Arc::new(RealDisk), &fixture().join("ledger")).unwrap()
}

fn vkey(reader: &Reader) -> VerifierKey {
    VerifierKey::parse(&reader.log().vkey).unwrap()
}

/// Protects agreement with the independent script: our proof files are its proof files, byte for byte.
#[test]
fn proofs_equal_the_golden_ones() {
    let reader = reader();
    for seq in [0, 22, 300, 599] {
        let golden = std::fs::read_to_string(fixture().join(format!("proofs/{seq}.tlog-proof"))).unwrap();
        assert_eq!(reader.prove_inclusion(Seq(seq)).unwrap().to_text(), golden);
    }
    assert!(matches!(reader.prove_inclusion(Seq(600)), Err(ProveError::NotPublished { seq: 600, size: 600 })));
    assert!(matches!(reader.prove_inclusion(Seq(608)), Err(ProveError::NoSuchEvent { seq: 608, size: 608 })));
}

/// Protects the claim that the log only grew, for every pair of published sizes.
#[test]
fn growth_is_proved() {
    let reader = reader();
    for (old, new) in [(0, 1), (1, 105), (105, 206), (310, 512), (512, 600), (600, 600), (257, 599)] {
        let proof = reader.prove_consistency(TreeSize(old), TreeSize(new)).unwrap();
        assert_eq!((proof.old.0, proof.new.0), (old, new));
    }
    assert!(reader.prove_consistency(TreeSize(5), TreeSize(4)).is_err());
    assert!(reader.prove_consistency(TreeSize(5), TreeSize(601)).is_err());
}

/// Protects offline proofs: a sealed event verifies alone, for every published event, erased slots or not.
#[test]
fn sealed_events_verify_alone() {
    let reader = reader();
    let mut prover = Prover::new(&reader).unwrap();
    for event in reader.iter(Seq(0)).take(600).map(Result::unwrap) {
        let sealed: Value = serde_json::from_str(&prover.seal(&event).unwrap().to_string()).unwrap();
        let verified = verify_sealed(&sealed, Some(&vkey(&reader))).unwrap();
        assert_eq!((verified.seq, &verified.view, &verified.missing), (event.seq, &event.view(), &event.erased()));
        assert!(verified.pinned && !verify_sealed(&sealed, None).unwrap().pinned);
    }
}

/// Protects a sealed event against every change: each bit of its text, flipped, is refused or changes nothing that it says.
#[test]
fn no_flipped_bit_is_believed() {
    let reader = reader();
    let sealed = reader.seal(Seq(400)).unwrap();
    let (text, truth) = (sealed.to_string(), verify_sealed(&sealed, None).unwrap());
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = serde_json::from_slice::<Value>(&bytes) else { continue };
            match verify_sealed(&changed, None) {
                Ok(verified) => assert_eq!(verified, truth, "byte {at} bit {bit}"),
                Err(_) => assert_ne!(changed, sealed),
            }
        }
    }
}

/// Protects the negative control: a good proof of another key than the expected one is refused.
#[test]
fn another_key_is_refused() {
    let reader = reader();
    let sealed = reader.seal(Seq(3)).unwrap();
    let other = VerifierKey::new(vkey(&reader).name().clone(), [7; 32]);
    assert!(matches!(verify_sealed(&sealed, Some(&other)), Err(SealedError::OtherKey { .. })));
}

/// Protects withholding: a slot left out is named as missing and everything else still verifies; one swapped in is refused.
#[test]
fn slots_may_be_withheld_but_not_changed() {
    let reader = reader();
    let mut sealed = reader.seal(Seq(328)).unwrap();
    let all = sealed["slots"].as_array().unwrap().clone();
    sealed["slots"] = json!(all[1..]);
    let verified = verify_sealed(&sealed, None).unwrap();
    assert_eq!(verified.missing.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["identity"]);
    let foreign = reader.seal(Seq(329)).unwrap()["slots"].as_array().unwrap().clone();
    for slots in [json!(foreign), json!([all[0], all[0]]), json!([all[1], all[0]])] {
        sealed["slots"] = slots;
        assert!(matches!(verify_sealed(&sealed, None), Err(SealedError::Slot { .. })));
    }
}

fn export(reader: &Reader) -> Vec<Value> {
    let mut prover = Prover::new(reader).unwrap();
    let events = [0, 20, 328, 599].map(|seq| reader.get(Seq(seq)).unwrap().unwrap());
    let item = |event: &sealtrail_ledger::read::Stored| {
        let mut item = event.view();
        item["seal"] = prover.seal(event).unwrap();
        item
    };
    events.iter().map(item).collect()
}

/// Protects exports: array, lines and single objects verify; what is shown must be what was sealed.
#[test]
fn exports_verify_and_lies_do_not() {
    let reader = reader();
    let pin = vkey(&reader);
    let items = export(&reader);
    let array = serde_json::to_vec(&items).unwrap();
    let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
    for bytes in [array.as_slice(), lines.as_bytes()] {
        let found = verify_export(bytes, Some(&pin)).unwrap();
        assert_eq!((found.verified.len(), found.refused.len()), (4, 0));
    }
    let refuse = |item: Value| {
        let found = verify_export(item.to_string().as_bytes(), Some(&pin)).unwrap();
        assert!(found.verified.is_empty());
        found.refused.into_iter().next().unwrap().1
    };
    let mut lie = items[2].clone();
    lie["outcome"] = json!("denied");
    assert!(matches!(refuse(lie), SealedError::Shown { seq: 328, member } if member == "outcome"));
    let mut hidden = items[2].clone();
    hidden.as_object_mut().unwrap().remove("outcome");
    assert!(matches!(refuse(hidden), SealedError::Shown { member, .. } if member == "outcome"));
    let mut added = items[2].clone();
    added["approved_by"] = json!("alice");
    assert!(matches!(refuse(added), SealedError::Shown { member, .. } if member == "approved_by"));
    let mut erased = items[2].clone();
    erased["erased"] = json!(["input"]);
    assert!(matches!(refuse(erased), SealedError::Shown { member, .. } if member == "erased"));
    let mut bare = items[2].clone();
    bare.as_object_mut().unwrap().remove("seal");
    assert!(matches!(refuse(bare), SealedError::NotSealed));
    let mut other = items[2].clone();
    other["seal"] = items[3]["seal"].clone();
    assert!(matches!(refuse(other), SealedError::Shown { .. }));
}

/// Protects readers that show the first of two members: an export with a member twice is not read at all.
#[test]
fn repeated_members_are_refused() {
    let reader = reader();
    let text = export(&reader)[2].to_string().replacen('{', "{\"outcome\":\"denied\",", 1);
    assert!(matches!(verify_export(text.as_bytes(), None), Err(ExportError::Json { item: 1 })));
    assert!(matches!(verify_export(b"", None), Err(ExportError::Empty)));
    assert!(matches!(verify_export(b"[]", None), Err(ExportError::Empty)));
    assert!(matches!(verify_export(b"[1]", None), Err(ExportError::Json { item: 1 })));
}
