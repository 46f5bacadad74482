//! The promises of the placeholders, and the bounds of the work.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sealtrail_capture::redact::Redactor;
use serde_json::{Value, json};

use crate::redact_plant::{Dice, Plant, fill, plants};

/// Protects equality: the same text gives the same placeholders, so pairing and searching work on redacted texts.
#[test]
fn the_same_text_gives_the_same() {
    let (one, two) = (Redactor::with_key(b"k1"), Redactor::with_key(b"k1"));
    for Plant { text, .. } in plants(3).into_iter().step_by(7) {
        assert_eq!(one.text(&text), two.text(&text));
    }
}

/// Protects the placeholder: typed, without a part of the secret, with a tag under the trail's key that differs from key to key.
#[test]
fn a_placeholder_tells_the_kind_and_no_more() {
    let mut dice = Dice(11);
    let token = fill("ghp_<w:30><crc62:ghp_>", &mut dice);
    let other = fill("ghp_<w:30><crc62:ghp_>", &mut dice);
    assert_eq!(Redactor::new().text(&token).text, "[redacted:github-pat]");
    let tagged = |key: &[u8], secret: &str| Redactor::with_key(key).text(&format!("use {secret} now")).text;
    let one = tagged(b"k1", &token);
    assert!(
        one.starts_with("use [redacted:github-pat:")
            && one.ends_with("] now")
            && one.len() == "use [redacted:github-pat:01234567] now".len()
    );
    assert_eq!(one, tagged(b"k1", &token));
    assert_ne!(one, tagged(b"k1", &other));
    assert_ne!(one, tagged(b"k2", &token));
}

/// Protects events that pass twice: what is redacted stays as it is.
#[test]
fn redacting_twice_changes_nothing() {
    for redactor in [Redactor::new(), Redactor::with_key(b"k")] {
        for Plant { what, text, .. } in plants(4) {
            let once = redactor.text(&text).text;
            assert_eq!(redactor.text(&once).text, once, "{what}");
            let mut value = json!({"tool_response": {"stdout": text}});
            redactor.value(&mut value);
            let first = value.clone();
            assert!(redactor.value(&mut value).is_empty(), "{what}: {value}");
            assert_eq!(value, first, "{what}");
        }
    }
}

/// Protects a text that is cut: wherever the cut falls inside a secret, nothing of the secret is kept.
#[test]
fn a_secret_across_a_cut_is_not_kept() {
    let redactor = Redactor::new();
    for Plant { what, text, secret } in plants(5).into_iter().filter(|plant| plant.what.contains("export") || !plant.what.contains(" in "))
    {
        let start = text.find(&secret).unwrap();
        for cut in (start + 1..start + secret.len()).step_by(5) {
            let head = redactor.head(&text, cut).text;
            let shown = &secret[..(cut - start).min(secret.len())];
            assert!(shown.len() < 8 || !head.contains(shown), "{what} cut after {} bytes: {head:?}", cut - start);
        }
    }
}

/// Protects the values of lists: a flag and its value, and a key whose lines are items.
#[test]
fn lists_are_read_as_a_whole() {
    let mut dice = Dice(13);
    let value = fill("<w:24>", &mut dice);
    let mut command = json!({"args": ["run", "--api-key", value, "--verbose", "true"]});
    let found = Redactor::new().value(&mut command);
    assert_eq!((found.len(), found[0].path.as_str()), (1, "/args/2"), "{command}");
    assert_eq!(command["args"][4], "true");
    let lines: Vec<String> = (0..6).map(|_| fill("+<b:64>", &mut dice)).collect();
    let mut patch = vec!["+-----BEGIN RSA PRIVATE KEY-----".to_owned()];
    patch.extend(lines.iter().cloned());
    patch.push("+-----END RSA PRIVATE KEY-----".to_owned());
    let mut value = json!({"lines": patch});
    Redactor::new().value(&mut value);
    let text = value.to_string();
    assert!(lines.iter().all(|line| !text.contains(&line[1..20])), "{text}");
}

/// Protects public keys: they are no secrets, and who may log in where is worth knowing.
#[test]
fn public_keys_stay() {
    let mut dice = Dice(17);
    let key = fill("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI<b:43> dev@box", &mut dice);
    for text in
        [key.clone(), format!("public_key = \"{key}\""), fill("-----BEGIN PUBLIC KEY-----\n<b:64>\n-----END PUBLIC KEY-----", &mut dice)]
    {
        assert_eq!(Redactor::new().text(&text).text, text);
    }
}

/// Protects the recorder's time: a text that starts rules again and again costs a multiple of its length, not its square.
#[test]
fn a_hostile_text_is_read_in_bounded_time() {
    // Quadratic work on so many bytes would take hours.
    const BYTES: usize = 256 * 1024;
    let redactor = Redactor::new();
    let parts = [
        "password=",
        "eyJ",
        "-----BEGIN RSA PRIVATE KEY-----",
        "://a:",
        "authorization: bearer ",
        "token:\"",
        "\\\"secret\\\":\\\"",
        "curl -u ",
        "AKIA",
        "github=",
        "A=b\n",
        "environ({'a': ",
        "TG9yZW0gaXBzdW0gZG9sb3Ig",
        "a",
        "\\",
        "\"",
        "'",
        "{",
        "cookie: a=",
        "mysql ",
        "login a ",
        "sk-",
        "0|",
    ];
    for part in parts {
        let text = part.repeat(BYTES / part.len());
        let start = Instant::now();
        redactor.text(&text);
        // Under a second each in a debug build on an idle machine.
        assert!(start.elapsed() < Duration::from_secs(60), "{part:?} took {:?}", start.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Protects the recorder against any text: no panic, places inside the text and in order, and the rest unchanged.
    #[test]
    fn any_text_is_read(text in "(?s)(.{0,20}|password=|://|eyJ|AKIA|environ\\(\\{'|': '|\"|\\\\|\n|=|[a-zA-Z0-9+/]{16,40}){0,30}") {
        let redacted = Redactor::new().text(&text);
        let mut at = 0;
        for found in &redacted.found {
            prop_assert!(at <= found.start && found.start < found.end && text.is_char_boundary(found.start) && text.is_char_boundary(found.end));
            prop_assert!(redacted.text.contains(&text[at..found.start]));
            at = found.end;
        }
        let mut value = Value::String(text.clone());
        Redactor::new().value(&mut value);
        Redactor::new().head(&text, text.len() / 2);
    }
}

/// Protects large outputs: ten megabytes with one secret in the middle are read, and it is found.
#[test]
fn a_large_text_is_read_whole() {
    let mut dice = Dice(29);
    let token = fill("ghp_<w:30><crc62:ghp_>", &mut dice);
    let half = "an ordinary line of output, number 12345, of some program\n".repeat(90_000);
    let text = format!("{half}{token}\n{half}");
    let redacted = Redactor::new().text(&text);
    assert_eq!(redacted.found.len(), 1);
    assert_eq!(redacted.text.len(), text.len() - token.len() + "[redacted:github-pat]".len());
}
