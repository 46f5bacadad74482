//! Cosignatures (C2SP `tlog-cosignature`, `cosignature/v1`): a witness states when it saw a checkpoint that continues all it had seen before.

use std::fmt;

use crate::hash::sha256;
use crate::key::{KEY_BYTES, KeyError, KeyId, KeyName, SIGNATURE_BYTES, SigningKey, VerifierKey};
use crate::note::{Note, NoteSignature};
use crate::strict64;

/// C2SP signature type of cosignatures with a time.
const COSIGNATURE_TYPE: u8 = 0x04;
/// Bytes of the time before the signature.
const TIME_BYTES: usize = 8;

/// Checks cosignatures of one witness; its text is the C2SP `vkey` line `<name>+<key id>+<base64 of 0x04 and the public key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: KeyName,
    id: KeyId,
    public: [u8; KEY_BYTES],
}

/// A cosignature of a known witness is there and is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cosignature of {name} (key id {id}) does not verify")]
pub struct CosignatureError {
    /// Name of the witness.
    pub name: KeyName,
    /// Id of its key.
    pub id: KeyId,
}

impl WitnessKey {
    /// Returns what checks the cosignatures that `key` makes.
    pub fn of(key: &SigningKey) -> Self {
        let verifier = key.verifier();
        Self::new(verifier.name().clone(), *verifier.public())
    }

    fn new(name: KeyName, public: [u8; KEY_BYTES]) -> Self {
        let mut text = Vec::with_capacity(name.as_str().len() + 2 + KEY_BYTES);
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(&[b'\n', COSIGNATURE_TYPE]);
        text.extend_from_slice(&public);
        let hash = sha256(&text);
        Self { name, id: KeyId([hash[0], hash[1], hash[2], hash[3]]), public }
    }

    /// Parses a `vkey` text of a witness, without the newline that ends it in a file.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Shape { wanted: "<name>+<8 hex digits>+<base64>" });
        };
        let name = KeyName::parse(name)?;
        let bytes = strict64::decode_array::<{ 1 + KEY_BYTES }>(key);
        let [found, public @ ..] = bytes.map_err(|source| KeyError::Bytes { name: name.to_string(), source })?;
        if found != COSIGNATURE_TYPE {
            return Err(KeyError::Type { name: name.to_string(), found });
        }
        let key = Self::new(name, public);
        if key.id.to_string() != id {
            let found = id.chars().take(16).collect();
            return Err(KeyError::Id { name: key.name.to_string(), found, wanted: key.id });
        }
        Ok(key)
    }

    /// Returns the name of the witness.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns when this witness says to have seen the note, in seconds since 1970; nothing when it did not cosign it.
    pub fn seen(&self, note: &Note) -> Result<Option<u64>, CosignatureError> {
        let wrong = || CosignatureError { name: self.name.clone(), id: self.id };
        let mut newest = None;
        for signature in note.signatures().iter().filter(|signature| signature.id == self.id && signature.name == self.name) {
            let (time, signed) = signature.bytes.split_first_chunk::<TIME_BYTES>().ok_or_else(wrong)?;
            let time = u64::from_be_bytes(*time);
            let verifier = VerifierKey::new(self.name.clone(), self.public);
            verifier.verify_raw(&signed_text(note.text(), time), signed).map_err(|_| wrong())?;
            newest = newest.max(Some(time));
        }
        Ok(newest)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [COSIGNATURE_TYPE; 1 + KEY_BYTES];
        typed[1..].copy_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, self.id, strict64::encode(&typed))
    }
}

/// Cosigns the text of a checkpoint note, as seen at `unix_s`. Whether it may be cosigned is the caller's judgement.
pub fn cosign(key: &SigningKey, text: &str, unix_s: u64) -> NoteSignature {
    let witness = WitnessKey::of(key);
    let mut bytes = Vec::with_capacity(TIME_BYTES + SIGNATURE_BYTES);
    bytes.extend_from_slice(&unix_s.to_be_bytes());
    bytes.extend_from_slice(&key.sign_raw(&signed_text(text, unix_s)));
    NoteSignature { name: witness.name, id: witness.id, bytes }
}

fn signed_text(text: &str, unix_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {unix_s}\n{text}").into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::hash::{Root, TreeSize};

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse(name).unwrap(), [seed; 32]).unwrap()
    }

    /// Protects what a cosignature says: the witness, the time and the checkpoint; a change of any byte of it is an error, and another witness none.
    #[test]
    fn a_cosignature_is_of_one_witness_one_time_and_one_text() {
        let (log, witness, other) = (key("log.example/a", 1), key("witness.example", 2), key("witness.example", 3));
        let checkpoint = Checkpoint { origin: "log.example/a".to_owned(), size: TreeSize(0), root: Root::EMPTY };
        let note = checkpoint.sign(&[&log]).unwrap();
        let mut note = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(WitnessKey::of(&witness).seen(&note).unwrap(), None);
        let line = cosign(&witness, note.text(), 1_700_000_000);
        note.push(NoteSignature::parse(&line.to_line()).unwrap());
        let key = WitnessKey::parse(&WitnessKey::of(&witness).to_string()).unwrap();
        assert_eq!(key, WitnessKey::of(&witness));
        assert_eq!(key.seen(&note).unwrap(), Some(1_700_000_000));
        assert_eq!(WitnessKey::of(&other).seen(&note).unwrap(), None);
        // Who does not know the witness reads the note as before.
        assert_eq!(Checkpoint::open(note.to_text().as_bytes(), log.verifier(), &[]).unwrap().0, checkpoint);
        for at in 0..line.bytes.len() {
            let mut wrong = Note::parse(checkpoint.sign(&[&log]).unwrap().as_bytes()).unwrap();
            let mut bytes = line.bytes.clone();
            bytes[at] ^= 1;
            wrong.push(NoteSignature { bytes, ..line.clone() });
            assert!(key.seen(&wrong).is_err(), "byte {at}");
        }
    }
}
