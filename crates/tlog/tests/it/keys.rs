//! Keys: published vectors, strict texts, and nothing secret in debug output.

use sealtrail_tlog::{KeyError, KeyName, SigningKey, VerifierKey};

pub(crate) fn key(name: &str, byte: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::parse(name).unwrap(), [byte; 32]).unwrap()
}

/// Protects Ed25519 itself: test 1 of RFC 8032 section 7.1.
#[test]
fn rfc8032_vector() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let signature =
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let unhex = |text: &str| -> Vec<u8> {
        text.as_bytes().chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
    };
    let key = SigningKey::from_seed(KeyName::parse("rfc8032").unwrap(), unhex(seed).try_into().unwrap()).unwrap();
    assert_eq!(key.verifier().public().to_vec(), unhex(public));
    assert_eq!(key.sign_raw(b"").to_vec(), unhex(signature));
    key.verifier().verify_raw(b"", &unhex(signature)).unwrap();
    key.verifier().verify_raw(b"x", &unhex(signature)).unwrap_err();
    key.verifier().verify_raw(b"", &unhex(signature)[..63]).unwrap_err();
}

/// Protects the key id rule: the key of the Go note package's example, whose id is published.
#[test]
fn published_vkey() {
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key = VerifierKey::parse(text).unwrap();
    assert_eq!(key.to_string(), text);
    assert_eq!(key.id().to_string(), "c74f20a3");
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    sealtrail_tlog::note::open(note.as_bytes(), &[key]).unwrap();
}

/// Protects the one spelling of key texts: anything else is refused with a reason.
#[test]
fn key_texts_are_strict() {
    let signer = key("example.com/log", 7);
    let text = signer.to_text();
    assert!(text.starts_with("SEALTRAIL+KEY+example.com/log+") && text.ends_with('\n'));
    let again = SigningKey::parse(&text).unwrap();
    assert_eq!(again.verifier(), signer.verifier());
    assert_eq!(*again.to_text(), *text);
    let line = text.trim_end();
    for wrong in [line.to_owned(), format!("{line}\n\n"), format!(" {line}\n"), line.replace("KEY", "key") + "\n", String::new()] {
        SigningKey::parse(&wrong).unwrap_err();
    }
    let vkey = signer.verifier().to_string();
    assert!(matches!(VerifierKey::parse("a"), Err(KeyError::Shape { .. })));
    assert!(matches!(VerifierKey::parse(&vkey.replace("log+", "dog+")), Err(KeyError::Id { .. })));
    assert!(matches!(VerifierKey::parse("a+00000000+BAAA"), Err(KeyError::Type { found: 4, .. })));
    assert!(matches!(VerifierKey::parse("a+00000000+AQ=="), Err(KeyError::Bytes { .. })));
    assert!(matches!(VerifierKey::parse("a b+00000000+AQ=="), Err(KeyError::Name { .. })));
    VerifierKey::parse(&format!("{vkey}\n")).unwrap_err();
    VerifierKey::parse(&vkey.to_uppercase()).unwrap_err();
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\tb", &"x".repeat(513)] {
        KeyName::parse(name).unwrap_err();
    }
}

/// Protects the private key from logs: its debug text is the public half.
#[test]
fn debug_shows_no_seed() {
    let signer = key("example.com/log", 7);
    let shown = format!("{signer:?}");
    let secret = signer.to_text();
    let secret = secret.trim_end().rsplit('+').next().unwrap();
    assert!(shown.contains(&signer.verifier().to_string()) && !shown.contains(secret));
}
