//! The keys of a log: made, stored, loaded, evolved.

use aws_lc_rs::hmac;
use sealtrail_disk::{Disk, DiskError, replace};
use sealtrail_tlog::{KeyError, KeyName, SigningKey, VerifierKey, strict64};
use zeroize::Zeroizing;

use crate::layout::Layout;
use crate::stamp::Entropy;

const MAC_PREFIX: &str = "SEALTRAIL+MAC+";
const EVOLVE_LABEL: &[u8] = b"sealtrail/evolve/v1\n";
const MAC_LABEL: &[u8] = b"sealtrail/mac/v1\n";

/// What is shown once, when a log is made, to be kept off the machine.
pub struct KeyBackup {
    /// Verifier key of the log: what outsiders configure. Not secret.
    pub vkey: String,
    /// K_0 as one line (`SEALTRAIL+MAC+0+…`) when the log has macs: whoever holds it can check, and forge, macs.
    pub mac_key: Option<Zeroizing<String>>,
}

/// The evolving HMAC key, as of one epoch.
#[derive(Clone)]
pub struct MacKey {
    epoch: u64,
    key: Zeroizing<[u8; 32]>,
}

impl MacKey {
    /// Makes K_0.
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        Self { epoch: 0, key }
    }

    /// Parses the line `SEALTRAIL+MAC+<epoch>+<base64>` with its newline.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, key) = text.strip_suffix('\n')?.strip_prefix(MAC_PREFIX)?.split_once('+')?;
        let key = Self { epoch: epoch.parse().ok()?, key: Zeroizing::new(strict64::decode_array(key).ok()?) };
        (*key.to_text() == text).then_some(key)
    }

    /// Returns the line, with its newline.
    pub fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(strict64::encode(&*self.key));
        // The exact capacity: a string that grows would leave a copy of the key behind.
        let epoch = self.epoch.to_string();
        let mut text = Zeroizing::new(String::with_capacity(MAC_PREFIX.len() + epoch.len() + key.len() + 2));
        for part in [MAC_PREFIX, &epoch, "+", &key, "\n"] {
            text.push_str(part);
        }
        text
    }

    /// Returns the epoch it belongs to.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the key of the next epoch; the way back does not exist.
    pub fn evolve(&self) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*self.key), EVOLVE_LABEL);
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(tag.as_ref());
        Self { epoch: self.epoch + 1, key }
    }

    /// Returns the key as the HMAC function wants it.
    pub(crate) fn prepare(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.key)
    }
}

/// Returns the mac of event `seq`, after which the chain is `chain`.
pub(crate) fn mac(key: &hmac::Key, seq: u64, chain: &[u8; 32]) -> [u8; 32] {
    let mut text = [0; MAC_LABEL.len() + 8 + 32];
    text[..MAC_LABEL.len()].copy_from_slice(MAC_LABEL);
    text[MAC_LABEL.len()..MAC_LABEL.len() + 8].copy_from_slice(&seq.to_be_bytes());
    text[MAC_LABEL.len() + 8..].copy_from_slice(chain);
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(key, &text).as_ref());
    out
}

/// Makes a signing key.
pub(crate) fn new_key(name: &str, entropy: &mut dyn Entropy) -> Result<SigningKey, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    entropy.fill(&mut *seed);
    SigningKey::from_seed(KeyName::parse(name)?, *seed)
}

/// Returns the name of the key of an epoch.
pub(crate) fn epoch_name(origin: &str, epoch: u64) -> String {
    format!("{origin}/epoch/{epoch}")
}

/// Returns the epoch that the name of a key says it is of.
pub(crate) fn epoch_of(origin: &str, key: &VerifierKey) -> Option<u64> {
    let epoch = key.name().as_str().strip_prefix(origin)?.strip_prefix("/epoch/")?.parse().ok()?;
    (key.name().as_str() == epoch_name(origin, epoch)).then_some(epoch)
}

/// The key files, as far as they are there and readable; a file that is damaged counts as not there.
pub(crate) struct KeyFiles {
    pub(crate) log: Option<SigningKey>,
    pub(crate) epoch: Option<SigningKey>,
    pub(crate) next: Option<SigningKey>,
    pub(crate) mac: Option<MacKey>,
}

impl KeyFiles {
    pub(crate) fn load(disk: &dyn Disk, layout: &Layout) -> Result<Self, DiskError> {
        let text = |path| -> Result<Option<Zeroizing<String>>, DiskError> {
            match disk.read(path) {
                Ok(bytes) => Ok(String::from_utf8(bytes).ok().map(Zeroizing::new)),
                Err(error) if error.is_missing() => Ok(None),
                Err(error) => Err(error),
            }
        };
        let key = |text: Option<Zeroizing<String>>| text.and_then(|text| SigningKey::parse(&text).ok());
        Ok(Self {
            log: key(text(&layout.log_key())?),
            epoch: key(text(&layout.epoch_key())?),
            next: key(text(&layout.next_epoch_key())?),
            mac: text(&layout.mac_key())?.and_then(|text| MacKey::parse(&text)),
        })
    }
}

/// A change of epoch, as far as files are concerned.
#[derive(Clone)]
pub(crate) struct KeyChange {
    pub(crate) epoch_key: Zeroizing<String>,
    pub(crate) mac_key: Option<Zeroizing<String>>,
}

impl KeyChange {
    /// Stores the next key beside the current one. A crash after this leaves a key that nobody announced, which is overwritten.
    pub(crate) fn prepare(&self, disk: &dyn Disk, layout: &Layout) -> Result<(), DiskError> {
        replace(disk, &layout.next_epoch_key(), self.epoch_key.as_bytes())
    }

    /// Destroys the current key, once the announcement of the next one is durable. After a crash before this, opening finds the
    /// announced key in `epoch.next` and calls this again.
    pub(crate) fn finish(&self, disk: &dyn Disk, layout: &Layout) -> Result<(), DiskError> {
        disk.rename(&layout.next_epoch_key(), &layout.epoch_key())?;
        disk.sync_dir(&layout.keys)?;
        match &self.mac_key {
            Some(key) => replace(disk, &layout.mac_key(), key.as_bytes()),
            None => Ok(()),
        }
    }
}
