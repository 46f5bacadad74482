//! Signed notes: who is believed, who is ignored, what rejects a note.

use sealtrail_tlog::note::{Note, NoteError, SIGNATURES_MAX, open, sign};
use sealtrail_tlog::{SigningKey, VerifierKey, strict64};

use crate::keys::key;

const TEXT: &str = "example.com/log\n3\nsome text\n";

fn trusted(keys: &[&SigningKey]) -> Vec<VerifierKey> {
    keys.iter().map(|key| key.verifier().clone()).collect()
}

/// A signature line of `name` with the id and bytes given.
fn line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", strict64::encode(&[&id[..], signature].concat()))
}

/// Protects the table of who may sign what: stripped, wrong, unknown, colliding, repeated and many signatures.
#[test]
fn signature_table() {
    let (log, witness, stranger) = (key("example.com/log", 1), key("witness.example", 2), key("stranger.example", 3));
    let namesake = key("example.com/log", 4);
    let (id, good) = (log.verifier().id().0, log.sign_raw(TEXT.as_bytes()));
    let bad = namesake.sign_raw(TEXT.as_bytes());
    let own = line("example.com/log", id, &good);
    let forged = line("example.com/log", id, &bad);
    let strange = line("stranger.example", stranger.verifier().id().0, &stranger.sign_raw(TEXT.as_bytes()));
    let grease = line("grease.example", [1, 2, 3, 4], b"anything");
    let same_name = line("example.com/log", namesake.verifier().id().0, &bad);
    let same_id = line("stranger.example", id, &good);
    let short = line("example.com/log", id, &good[..63]);
    let keys = trusted(&[&log, &witness]);
    let cases: &[(&str, String, bool)] = &[
        ("signed", own.clone(), true),
        ("signature stripped, stranger left", strange.clone(), false),
        ("signature of another key under our id", forged.clone(), false),
        ("unknown signatures are ignored", format!("{grease}{own}{strange}"), true),
        ("same name, other id: unknown", format!("{same_name}{own}"), true),
        ("same name, other id, alone", same_name, false),
        ("same id, other name: unknown", format!("{same_id}{own}"), true),
        ("same id, other name, alone", same_id, false),
        ("one good, one bad of the same key", format!("{own}{forged}"), false),
        ("one bad, one good of the same key", format!("{forged}{own}"), false),
        ("the same signature twice", format!("{own}{own}"), true),
        ("cut signature of a known key", short, false),
        ("sixteen unknown before ours", format!("{}{own}", grease.repeat(16)), true),
        ("the most signatures", format!("{}{own}", grease.repeat(SIGNATURES_MAX - 1)), true),
        ("too many signatures", format!("{}{own}", grease.repeat(SIGNATURES_MAX)), false),
        ("no signatures", String::new(), false),
    ];
    for (name, lines, accepted) in cases {
        let note = format!("{TEXT}\n{lines}");
        assert_eq!(open(note.as_bytes(), &keys).is_ok(), *accepted, "{name}");
    }
}

/// Protects against the oldest false alarm in reverse (a verifier that says yes with a wrong key): every wrong key is refused.
#[test]
fn wrong_keys_never_verify() {
    let log = key("example.com/log", 1);
    let note = sign(TEXT, &[&log]).unwrap();
    for byte in 2..=40 {
        let wrong = key("example.com/log", byte);
        assert_eq!(open(note.as_bytes(), &trusted(&[&wrong])).unwrap_err(), NoteError::Unsigned { found: 1 });
    }
    // A key that claims the id of the real one.
    assert!(matches!(open(note.as_bytes(), &[]), Err(NoteError::Unsigned { found: 1 })));
    let other_text = sign("example.com/log\n4\nsome text\n", &[&log]).unwrap();
    let (text, _) = note.split_once("\n\n").unwrap();
    let (_, lines) = other_text.split_once("\n\n").unwrap();
    let grafted = format!("{text}\n\n{lines}");
    assert!(matches!(open(grafted.as_bytes(), &trusted(&[&log])), Err(NoteError::BadSignature { .. })));
}

/// Protects a caller that lists a key twice from a silent choice.
#[test]
fn ambiguous_keys_are_refused() {
    let log = key("example.com/log", 1);
    let note = sign(TEXT, &[&log]).unwrap();
    let refused = open(note.as_bytes(), &trusted(&[&log, &log])).unwrap_err();
    assert!(matches!(refused, NoteError::Ambiguous { .. }));
}

/// Protects the text of a note: it may hold empty lines, and the last one ends it.
#[test]
fn text_and_cosignatures() {
    let (log, witness) = (key("example.com/log", 1), key("witness.example", 2));
    for text in ["\n", "a\n", "a\n\nb\n", "\n\n\n", "é \u{2014} x\n"] {
        let mut note = Note::parse(sign(text, &[&log]).unwrap().as_bytes()).unwrap();
        note.add(&witness);
        let note = open(note.to_text().as_bytes(), &trusted(&[&log, &witness])).unwrap();
        assert_eq!(note.text(), text);
        assert_eq!(note.signatures().len(), 2);
        let keys = trusted(&[&witness, &log]);
        assert_eq!(note.verify(&keys).unwrap(), [&keys[1], &keys[0]]);
    }
    for text in ["", "a", "a\nb", "a\r\n", "a\tb\n", "\u{0}\n"] {
        assert_eq!(sign(text, &[&log]).unwrap_err(), NoteError::Text);
    }
    assert_eq!(sign(TEXT, &[]).unwrap_err(), NoteError::Unsigned { found: 0 });
}

/// Protects the shape of a note: anything but text, empty line and signature lines is refused.
#[test]
fn malformed_notes_are_refused() {
    let log = key("example.com/log", 1);
    let good = sign(TEXT, &[&log]).unwrap();
    let wrong = [
        String::new(),
        "\n".into(),
        TEXT.into(),
        good.trim_end().into(),
        format!("{good}\n"),
        good.replace('\u{2014}', "-"),
        good.replace("\u{2014} ", "\u{2014}"),
        good.replace("\u{2014} example.com/log ", "\u{2014} "),
        good.replace("\u{2014} example.com/log", "\u{2014} example.com/log "),
        good.replace("some text", "some\ttext"),
        good.replace('\n', "\r\n"),
        format!("{TEXT}\n\u{2014} example.com/log AAAA\n"),
        format!("{TEXT}\n\u{2014} example.com/log \n"),
    ];
    for note in wrong {
        Note::parse(note.as_bytes()).unwrap_err();
    }
    let huge = "x".repeat(1_000_001);
    assert_eq!(Note::parse(huge.as_bytes()).unwrap_err(), NoteError::TooLong { found: 1_000_001 });
    assert_eq!(Note::parse(b"a\xff").unwrap_err(), NoteError::Utf8 { at: 1 });
}
