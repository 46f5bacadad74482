//! The rules every envelope keeps, checked where events are made.

use serde_json::Value;

use crate::envelope::Envelope;

/// 640 bytes: what the ledger adds to an envelope: `"v":1,"i":<20 digits>,` (32) and `,"s":{…}` with 7 slots of at most 85 bytes (602).
const LEDGER_BYTES: usize = 640;

/// 1 KiB: the longest text in `ledger` is a verifier key, an origin of 255 bytes and 60 of key, or two of them.
const LEDGER_TEXT_BYTES_MAX: usize = 1024;

/// Which rule an envelope broke.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Too large.
    #[error("an envelope has at most {} bytes before the ledger adds its own, this one has {bytes}", crate::ENVELOPE_BYTES_MAX - LEDGER_BYTES)]
    TooLarge {
        /// Bytes found.
        bytes: usize,
    },
    /// A text in `ledger` that is no token.
    #[error("`ledger` holds a text that is no token: {text:?}")]
    Text {
        /// The beginning of the text.
        text: String,
    },
    /// A number that JSON cannot say.
    #[error("cost_usd must be a finite number, this is {found}")]
    Cost {
        /// What it was.
        found: String,
    },
}

impl Envelope {
    /// Checks that the envelope fits its line and holds no free text.
    pub fn check(&self) -> Result<(), EnvelopeError> {
        if let Some(cost) = self.cost_usd.filter(|cost| !cost.is_finite()) {
            return Err(EnvelopeError::Cost { found: cost.to_string() });
        }
        if let Some(ledger) = &self.ledger {
            for (name, value) in ledger {
                token_like(name)?;
                tokens_only(value)?;
            }
        }
        let mut line = Vec::with_capacity(1024);
        self.write_to(&mut line);
        let bytes = line.len();
        if bytes > crate::ENVELOPE_BYTES_MAX - LEDGER_BYTES {
            return Err(EnvelopeError::TooLarge { bytes });
        }
        Ok(())
    }
}

fn tokens_only(value: &Value) -> Result<(), EnvelopeError> {
    match value {
        Value::String(text) => token_like(text),
        Value::Array(items) => items.iter().try_for_each(tokens_only),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| token_like(name).and_then(|()| tokens_only(value))),
        _ => Ok(()),
    }
}

fn token_like(text: &str) -> Result<(), EnvelopeError> {
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if plain && text.len() <= LEDGER_TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(EnvelopeError::Text { text: text.chars().take(40).collect() })
}
