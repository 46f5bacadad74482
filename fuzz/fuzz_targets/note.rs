//! Signed notes and key texts: what is accepted is written back byte for byte, and only the signed text verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_tlog::note::{Note, open};
use sealtrail_tlog::{KeyName, SigningKey, VerifierKey};

fuzz_target!(|data: &[u8]| {
    let name = KeyName::parse("example.com/fuzz").expect("a valid name");
    let key = SigningKey::from_seed(name, [7; 32]).expect("any 32 bytes are a seed");
    let trusted = [key.verifier().clone()];
    // The signatures of this key are deterministic, so a note that verifies carries exactly this one.
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_text().as_bytes(), data);
        let expected = key.sign_raw(note.text().as_bytes());
        let carried = note.signatures().iter().any(|s| s.name == *key.verifier().name() && s.id == key.verifier().id() && s.bytes == expected);
        assert!(open(data, &trusted).is_err() || carried);
        let mut signed = note;
        let others = signed.signatures().iter().any(|s| s.name == *key.verifier().name() && s.id == key.verifier().id());
        if !others && signed.signatures().len() < 100 && data.len() < 900_000 {
            signed.add(&key);
            open(signed.to_text().as_bytes(), &trusted).expect("a note signed just now");
        }
    } else {
        assert!(open(data, &trusted).is_err());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(vkey) = VerifierKey::parse(text) {
        assert_eq!(vkey.to_string(), text);
    }
    if let Ok(key) = SigningKey::parse(text) {
        assert_eq!(key.to_text().as_str(), text);
    }
});
