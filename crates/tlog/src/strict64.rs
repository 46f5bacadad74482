//! Base64 in its one spelling: standard alphabet, padded, no white space, unused bits zero.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Why a text is not strict base64 of the wanted length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Base64Error {
    /// A character, the padding or the unused bits are wrong.
    #[error("cannot decode base64 of {chars} characters: {source}")]
    Spelling {
        /// Length of the text.
        chars: usize,
        /// What the decoder found.
        source: base64::DecodeError,
    },
    /// The bytes are not as many as the format says.
    #[error("cannot take {found} bytes from base64: the format has {wanted}")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes wanted.
        wanted: usize,
    },
}

/// Returns the base64 text of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Appends the base64 text of `bytes` to `text`, without a temporary.
pub fn encode_into(bytes: &[u8], text: &mut String) {
    STANDARD.encode_string(bytes, text);
}

/// Decodes `text`, which must be spelled as [`encode`] spells it.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|source| Base64Error::Spelling { chars: text.len(), source })
}

/// Decodes exactly `N` bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], Base64Error> {
    let bytes = decode(text)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| Base64Error::Length { found, wanted: N })
}
