//! Checkpoints: three lines in their one spelling, signed by the log that they name.

use sealtrail_tlog::{Checkpoint, CheckpointError, Root, TreeSize};

use crate::keys::key;

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: "example.com/log".into(), size: TreeSize(size), root: Root([9; 32]) }
}

/// Protects the body: whatever is not exactly origin, size and root is refused.
#[test]
fn body_is_strict() {
    let root = Root([9; 32]).to_string();
    let empty = Root::EMPTY;
    assert_eq!(Checkpoint::parse(&checkpoint(20).to_string()).unwrap(), checkpoint(20));
    Checkpoint::parse(&format!("o\n0\n{empty}\n")).unwrap();
    Checkpoint::parse(&format!("o\n9223372036854775807\n{root}\n")).unwrap();
    let wrong = [
        String::new(),
        "o\n".into(),
        format!("o\n1\n{root}"),
        format!("o\n1\n{root}\n\n"),
        format!("o\n1\n{root}\nextension\n"),
        format!("o\n01\n{root}\n"),
        format!("o\n+1\n{root}\n"),
        format!("o\n 1\n{root}\n"),
        format!("o\n-1\n{root}\n"),
        format!("o\n\n{root}\n"),
        format!("o\n1e3\n{root}\n"),
        format!("o\n9223372036854775808\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        format!("o\n0\n{root}\n"),
        format!("\n1\n{root}\n"),
        format!("a b\n1\n{root}\n"),
        format!("a+b\n1\n{root}\n"),
        format!("{}\n1\n{root}\n", "x".repeat(256)),
        "o\n1\n\n".into(),
        format!("o\n1\n{}\n", &root[..43]),
        format!("o\n1\n{root} \n"),
        format!("o\r\n1\n{root}\n"),
    ];
    for text in wrong {
        Checkpoint::parse(&text).unwrap_err();
    }
}

/// Protects against trailing bits: of the characters that decode to the same root only one is accepted.
#[test]
fn base64_has_one_spelling() {
    let root = Root([0; 32]).to_string();
    assert!(root.ends_with("A="));
    for last in "BCD".chars() {
        let other = format!("{}{last}=", &root[..42]);
        assert!(matches!(Checkpoint::parse(&format!("o\n1\n{other}\n")), Err(CheckpointError::Root { .. })));
    }
}

/// Protects a log from being taken for another one: the key's name must be the origin, and a trusted witness must not lie.
#[test]
fn open_checks_log_and_witnesses() {
    let (log, witness) = (key("example.com/log", 1), key("witness.example", 2));
    let note = checkpoint(5).sign(&[&log, &witness]).unwrap();
    let witnesses = [witness.verifier().clone()];
    assert_eq!(Checkpoint::open(note.as_bytes(), log.verifier(), &witnesses).unwrap().0, checkpoint(5));
    // Signed by the witness alone is not signed by the log.
    let alone = checkpoint(5).sign(&[&witness]).unwrap();
    assert!(matches!(Checkpoint::open(alone.as_bytes(), log.verifier(), &witnesses), Err(CheckpointError::Note { .. })));
    // The witness's own statement is not one of a log called example.com/log.
    let refused = Checkpoint::open(alone.as_bytes(), witness.verifier(), &[]).unwrap_err();
    assert!(matches!(refused, CheckpointError::OtherLog { .. }));
    // A wrong signature of a trusted witness rejects; of an unknown one it is ignored.
    let mut spoiled = note.clone().into_bytes();
    let at = spoiled.len() - 20;
    spoiled[at] = if spoiled[at] == b'A' { b'B' } else { b'A' };
    let spoiled = String::from_utf8(spoiled).unwrap();
    Checkpoint::open(spoiled.as_bytes(), log.verifier(), &[]).unwrap();
    Checkpoint::open(spoiled.as_bytes(), log.verifier(), &witnesses).unwrap_err();
    let nameless = Checkpoint { origin: "a b".into(), ..checkpoint(1) };
    assert!(matches!(nameless.sign(&[&log]), Err(CheckpointError::Origin { .. })));
}
