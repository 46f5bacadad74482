//! Ed25519 keys with a name: C2SP verifier keys, our private key line, raw signatures.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::{Zeroize, Zeroizing};

use crate::hash::sha256;
use crate::strict64;

/// Bytes of an Ed25519 seed and of an Ed25519 public key.
pub const KEY_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// 512: an origin has at most 255 bytes and an epoch key adds `/epoch/` and 20 digits.
pub const KEY_NAME_BYTES_MAX: usize = 512;

/// C2SP signature type of plain Ed25519 notes.
const ED25519_TYPE: u8 = 0x01;
/// First words of the private key line.
const PRIVATE_PREFIX: &str = "SEALTRAIL+KEY+";

/// The name of a key: not empty, no white space, no `+`, no control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Box<str>);

/// The four bytes that, with the name, tell which key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

/// Checks signatures of one key; its text is the C2SP `vkey` line `<name>+<key id>+<base64 of type and public key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    public: [u8; KEY_BYTES],
}

/// Makes signatures of one key. The seed is overwritten when the key is dropped.
pub struct SigningKey {
    verifier: VerifierKey,
    seed: Zeroizing<[u8; KEY_BYTES]>,
    // The library clears its own copy of the key when it frees it.
    pair: Ed25519KeyPair,
}

/// Why a text or a seed is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name breaks a rule.
    #[error("cannot use {name:?} as a key name: it needs 1 to {KEY_NAME_BYTES_MAX} bytes without white space, plus or control characters")]
    Name {
        /// The name found, cut to 64 characters.
        name: String,
    },
    /// The line has another shape.
    #[error("cannot read a key: the line is not {wanted}")]
    Shape {
        /// The shape wanted.
        wanted: &'static str,
    },
    /// The key id is not the one of name, type and key.
    #[error("cannot read the key {name}: its id is {found} and must be {wanted}")]
    Id {
        /// Name of the key.
        name: String,
        /// Id found.
        found: String,
        /// Id computed.
        wanted: KeyId,
    },
    /// A signature type that is not Ed25519.
    #[error("cannot use the key {name}: its signature type is 0x{found:02x}, only Ed25519 (0x01) is supported")]
    Type {
        /// Name of the key.
        name: String,
        /// Type found.
        found: u8,
    },
    /// The key bytes are not base64 of the right length.
    #[error("cannot read the bytes of the key {name}")]
    Bytes {
        /// Name of the key.
        name: String,
        /// What is wrong.
        source: strict64::Base64Error,
    },
    /// The library refused the seed.
    #[error("cannot make the key {name}: the seed was refused")]
    Seed {
        /// Name of the key.
        name: String,
    },
}

/// A signature is not one of this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureError;

impl KeyName {
    /// Checks `name` against the rules of signed notes.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || name.contains(bad) {
            return Err(KeyError::Name { name: name.chars().take(64).collect() });
        }
        Ok(Self(name.into()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyId {
    /// Returns the id of an Ed25519 key: the first bytes of `SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key)`.
    pub fn of(name: &KeyName, public: &[u8; KEY_BYTES]) -> Self {
        let mut text = Vec::with_capacity(name.0.len() + 2 + KEY_BYTES);
        text.extend_from_slice(name.0.as_bytes());
        text.extend_from_slice(&[b'\n', ED25519_TYPE]);
        text.extend_from_slice(public);
        let hash = sha256(&text);
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl VerifierKey {
    /// Makes the verifier of a public key.
    pub fn new(name: KeyName, public: [u8; KEY_BYTES]) -> Self {
        Self { id: KeyId::of(&name, &public), name, public }
    }

    /// Parses a `vkey` text, without the newline that ends it in a file.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, id, key) = split_key(text, "<name>+<8 hex digits>+<base64>")?;
        let bytes = decode_key(&name, key)?;
        let verifier = Self::new(name, bytes);
        verifier.check_id(id)?;
        Ok(verifier)
    }

    /// Returns the name of the key.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns the id of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the public key.
    pub fn public(&self) -> &[u8; KEY_BYTES] {
        &self.public
    }

    /// Checks an Ed25519 signature (RFC 8032) over the bytes as they are.
    pub fn verify_raw(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).map_err(|_| SignatureError)
    }

    fn check_id(&self, found: &str) -> Result<(), KeyError> {
        if self.id.to_string() == found {
            return Ok(());
        }
        let found = found.chars().take(16).collect();
        Err(KeyError::Id { name: self.name.to_string(), found, wanted: self.id })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id, &*encode_key(&self.public))
    }
}

impl SigningKey {
    /// Makes a key from 32 bytes of entropy.
    pub fn from_seed(name: KeyName, seed: [u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let seed = Zeroizing::new(seed);
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Seed { name: name.to_string() })?;
        let mut public = [0; KEY_BYTES];
        let found = pair.public_key().as_ref();
        if found.len() != KEY_BYTES {
            return Err(KeyError::Seed { name: name.to_string() });
        }
        public.copy_from_slice(found);
        Ok(Self { verifier: VerifierKey::new(name, public), seed, pair })
    }

    /// Parses the line of a private key file, with the newline that ends it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        const SHAPE: &str = "SEALTRAIL+KEY+<name>+<8 hex digits>+<base64>, then a newline";
        let line = text.strip_suffix('\n').ok_or(KeyError::Shape { wanted: SHAPE })?;
        let line = line.strip_prefix(PRIVATE_PREFIX).ok_or(KeyError::Shape { wanted: SHAPE })?;
        let (name, id, key) = split_key(line, SHAPE)?;
        let seed = Zeroizing::new(decode_key(&name, key)?);
        let key = Self::from_seed(name, *seed)?;
        key.verifier.check_id(id)?;
        Ok(key)
    }

    /// Returns the line of a private key file: `SEALTRAIL+KEY+<name>+<key id>+<base64 of 0x01 and the seed>\n`.
    pub fn to_text(&self) -> Zeroizing<String> {
        let verifier = &self.verifier;
        let key = encode_key(&self.seed);
        // The exact capacity: a string that grows would leave a copy of the seed behind.
        let bytes = PRIVATE_PREFIX.len() + verifier.name.0.len() + 1 + 8 + 1 + key.len() + 1;
        let mut text = Zeroizing::new(String::with_capacity(bytes));
        for part in [PRIVATE_PREFIX, verifier.name.as_str(), "+", &verifier.id.to_string(), "+", &key, "\n"] {
            text.push_str(part);
        }
        text
    }

    /// Returns the public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs the bytes as they are (Ed25519, RFC 8032).
    pub fn sign_raw(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut out = [0; SIGNATURE_BYTES];
        out.copy_from_slice(self.pair.sign(message).as_ref());
        out
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifier.to_string()).finish()
    }
}

/// Cuts `<name>+<id>+<key>`; only the key may hold further plus signs.
fn split_key<'a>(text: &'a str, wanted: &'static str) -> Result<(KeyName, &'a str, &'a str), KeyError> {
    let mut parts = text.splitn(3, '+');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(id), Some(key)) => Ok((KeyName::parse(name)?, id, key)),
        _ => Err(KeyError::Shape { wanted }),
    }
}

fn decode_key(name: &KeyName, text: &str) -> Result<[u8; KEY_BYTES], KeyError> {
    let bytes = |source| KeyError::Bytes { name: name.to_string(), source };
    let decoded = Zeroizing::new(strict64::decode(text).map_err(bytes)?);
    let found = decoded.first().copied().unwrap_or(0);
    if found != ED25519_TYPE {
        return Err(KeyError::Type { name: name.to_string(), found });
    }
    let wrong = strict64::Base64Error::Length { found: decoded.len(), wanted: 1 + KEY_BYTES };
    decoded[1..].try_into().map_err(|_| bytes(wrong))
}

fn encode_key(key: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    let mut typed = [0; 1 + KEY_BYTES];
    typed[0] = ED25519_TYPE;
    typed[1..].copy_from_slice(key);
    let text = Zeroizing::new(strict64::encode(&typed));
    typed.zeroize();
    text
}
