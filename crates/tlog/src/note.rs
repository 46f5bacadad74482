//! Signed notes (C2SP `signed-note`): a text, an empty line, then one line for each signature.

use std::collections::BTreeSet;

use crate::key::{KeyId, KeyName, SIGNATURE_BYTES, SigningKey, VerifierKey};
use crate::strict64;

/// 1,000,000 bytes: a hundred signatures of post-quantum size (5 kB) leave half of it to the text.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// 100: the specification asks for at least 16; more than a hundred witnesses is an attack on the verifier.
pub const SIGNATURES_MAX: usize = 100;

/// Start of a signature line.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// A parsed note. From [`Note::parse`] nothing is known of its signatures; from [`open`] it is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who says to have signed.
    pub name: KeyName,
    /// With which key.
    pub id: KeyId,
    /// The signature, in the form of its algorithm.
    pub bytes: Vec<u8>,
}

/// Why a note is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than the limit.
    #[error("cannot read a note of {found} bytes: the limit is {NOTE_BYTES_MAX}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("cannot read a note: byte {at} is not UTF-8")]
    Utf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// A control character other than newline.
    #[error("cannot read a note: control character 0x{byte:02x} at byte {at}")]
    Control {
        /// The character.
        byte: u8,
        /// Its offset.
        at: usize,
    },
    /// No empty line between text and signatures, or no newline at the end.
    #[error("cannot read a note: it is not a text, an empty line and signature lines, each ended by a newline")]
    Shape,
    /// A signature line that is not a mark, a name and base64.
    #[error("cannot read signature line {line} of a note: it is not \"\u{2014} <name> <base64 of key id and signature>\"")]
    Line {
        /// Number of the line among the signature lines, from 1.
        line: usize,
    },
    /// More signatures than the limit.
    #[error("cannot read a note with more than {SIGNATURES_MAX} signatures")]
    TooMany,
    /// Two trusted keys with the same name and id.
    #[error("cannot open a note: two trusted keys are called {name} with key id {id}")]
    Ambiguous {
        /// Their name.
        name: KeyName,
        /// Their id.
        id: KeyId,
    },
    /// A trusted key's signature is wrong.
    #[error("cannot open a note: the signature of {name} (key id {id}) does not verify")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// No trusted key signed.
    #[error("cannot open a note: none of its {found} signatures is of a trusted key")]
    Unsigned {
        /// Signatures in the note.
        found: usize,
    },
    /// The text to sign is empty, has no newline at its end, or holds control characters.
    #[error("cannot sign a text that is empty, does not end in a newline or holds other control characters")]
    Text,
}

/// Signs `text` with each key in turn and returns the whole note.
pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<String, NoteError> {
    if !text.ends_with('\n') || text.bytes().any(is_bad_control) {
        return Err(NoteError::Text);
    }
    if keys.is_empty() {
        return Err(NoteError::Unsigned { found: 0 });
    }
    let signatures = keys.iter().map(|key| NoteSignature::make(key, text)).collect();
    let note = Note { text: text.to_owned(), signatures }.to_text();
    // What is written can be read back, or is not written.
    Note::parse(note.as_bytes()).map(|_| note)
}

/// Parses a note and checks it against the keys that the caller trusts.
///
/// Signatures of other keys are ignored. A wrong signature of a trusted key rejects the note, and so does the lack of any good one.
pub fn open(note: &[u8], trusted: &[VerifierKey]) -> Result<Note, NoteError> {
    let note = Note::parse(note)?;
    note.verify(trusted)?;
    Ok(note)
}

impl Note {
    /// Parses a note without checking any signature.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        let note = check_text(note)?;
        let split = note.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if at == SIGNATURES_MAX {
                return Err(NoteError::TooMany);
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::Line { line: at + 1 })?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Checks the signatures as [`open`] does and returns the trusted keys that signed, each once.
    pub fn verify<'k>(&self, trusted: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut known = BTreeSet::new();
        for key in trusted {
            if !known.insert((key.name(), key.id())) {
                return Err(NoteError::Ambiguous { name: key.name().clone(), id: key.id() });
            }
        }
        let mut signers: Vec<&VerifierKey> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = trusted.iter().find(|key| signature.is_of(key)) else { continue };
            key.verify_raw(self.text.as_bytes(), &signature.bytes)
                .map_err(|_| NoteError::BadSignature { name: key.name().clone(), id: key.id() })?;
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        if signers.is_empty() {
            return Err(NoteError::Unsigned { found: self.signatures.len() });
        }
        Ok(signers)
    }

    /// Returns the signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signature lines in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature of `key`.
    pub fn add(&mut self, key: &SigningKey) {
        self.signatures.push(NoteSignature::make(key, &self.text));
    }

    /// Adds a signature that was made elsewhere; nothing is checked.
    pub fn push(&mut self, signature: NoteSignature) {
        self.signatures.push(signature);
    }

    /// Returns the whole note.
    pub fn to_text(&self) -> String {
        let mut note = String::with_capacity(self.text.len() + 1 + self.signatures.len() * 160);
        note.push_str(&self.text);
        note.push('\n');
        for signature in &self.signatures {
            signature.write(&mut note);
        }
        note
    }
}

impl NoteSignature {
    fn make(key: &SigningKey, text: &str) -> Self {
        let verifier = key.verifier();
        let bytes = key.sign_raw(text.as_bytes()).to_vec();
        Self { name: verifier.name().clone(), id: verifier.id(), bytes }
    }

    /// Parses one signature line, without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, coded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let bytes = strict64::decode(coded).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self { name: KeyName::parse(name).ok()?, id: KeyId(*id), bytes: bytes.to_vec() })
    }

    /// Returns the line, without its newline.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        self.write(&mut line);
        line.truncate(line.trim_end_matches('\n').len());
        line
    }

    fn is_of(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == *key.name()
    }

    fn write(&self, note: &mut String) {
        let mut bytes = Vec::with_capacity(4 + SIGNATURE_BYTES);
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.bytes);
        note.push_str(SIGNATURE_MARK);
        note.push_str(self.name.as_str());
        note.push(' ');
        strict64::encode_into(&bytes, note);
        note.push('\n');
    }
}

fn check_text(note: &[u8]) -> Result<&str, NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong { found: note.len() });
    }
    let text = std::str::from_utf8(note).map_err(|e| NoteError::Utf8 { at: e.valid_up_to() })?;
    match text.bytes().position(is_bad_control) {
        Some(at) => Err(NoteError::Control { byte: note[at], at }),
        None => Ok(text),
    }
}

fn is_bad_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\n'
}
