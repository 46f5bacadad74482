//! The lines that close a batch: the macs and the signed commit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    BATCH_EVENTS_MAX, COMMIT_LINE_BYTES_MAX, Cursor, Kind, LineError, MAC_LINE_BYTES_MAX, Time, push_base64, push_hex, push_number,
};

/// First line of the text that a commit's signature covers.
pub const COMMIT_LABEL: &str = "sealtrail/commit/v1\n";
/// First line of the text whose hash starts the chain.
pub const CHAIN_LABEL: &str = "sealtrail/chain/v1\n";

/// A mac line: one HMAC per event of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacLine {
    macs: Vec<u8>,
}

impl MacLine {
    /// Parses a mac line of 1 to 4,096 macs.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let mut cursor = Cursor::new(Kind::Mac, line, MAC_LINE_BYTES_MAX)?;
        cursor.text("{\"mac\":\"")?;
        let Some(text) = cursor.rest().strip_suffix(b"\"}") else { return Err(cursor.error("the closing brace")) };
        let macs = STANDARD.decode(text).map_err(|_| cursor.error("the base64 of the macs"))?;
        if macs.is_empty() || macs.len() % 32 != 0 || macs.len() / 32 > BATCH_EVENTS_MAX {
            return Err(cursor.error("32 bytes per event of the batch"));
        }
        Ok(Self { macs })
    }

    /// Makes the line of `macs`, in the order of the events.
    pub fn new(macs: &[[u8; 32]]) -> Self {
        Self { macs: macs.concat() }
    }

    /// Returns the macs in the order of the events.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.macs.chunks_exact(32)
    }

    /// Appends the line without its newline.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"mac\":\"");
        push_base64(out, &self.macs);
        out.extend_from_slice(b"\"}");
    }
}

/// Which key signed a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The key of the commit's epoch.
    Epoch,
    /// The log key: only where an epoch key was lost.
    Log,
}

/// What a commit states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Tree size after the batch.
    pub size: u64,
    /// Tree root after the batch.
    pub root: [u8; 32],
    /// Hash chain after the batch.
    pub chain: [u8; 32],
    /// Bytes of the batch before the commit line.
    pub len: u64,
    /// CRC-32C of those bytes.
    pub crc: u32,
    /// Wall clock when the batch was closed.
    pub time: Time,
    /// Monotonic clock when the batch was closed, in nanoseconds.
    pub mono: u64,
    /// Which boot the monotonic clock belongs to.
    pub boot: Box<str>,
    /// The epoch the batch lies in.
    pub epoch: u64,
    /// Which key signed.
    pub key: KeyKind,
}

impl Commit {
    /// Appends the text of the object after `"commit":`, which the signature covers.
    pub fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"size\":");
        push_number(out, self.size);
        out.extend_from_slice(b",\"root\":\"");
        push_base64(out, &self.root);
        out.extend_from_slice(b"\",\"chain\":\"");
        push_base64(out, &self.chain);
        out.extend_from_slice(b"\",\"len\":");
        push_number(out, self.len);
        out.extend_from_slice(b",\"crc\":\"");
        push_hex(out, &self.crc.to_be_bytes());
        out.extend_from_slice(b"\",\"t\":\"");
        out.extend_from_slice(self.time.to_string().as_bytes());
        out.extend_from_slice(b"\",\"mono\":");
        push_number(out, self.mono);
        out.extend_from_slice(b",\"boot\":\"");
        out.extend_from_slice(self.boot.as_bytes());
        out.extend_from_slice(b"\",\"epoch\":");
        push_number(out, self.epoch);
        out.extend_from_slice(match self.key {
            KeyKind::Epoch => b",\"key\":\"epoch\"}" as &[u8],
            KeyKind::Log => b",\"key\":\"log\"}",
        });
    }

    /// Returns the message that is signed: the label, the origin and the body.
    pub fn signed_text(origin: &str, body: &[u8]) -> Vec<u8> {
        [COMMIT_LABEL.as_bytes(), origin.as_bytes(), b"\n", body].concat()
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, LineError> {
        cursor.text("{\"size\":")?;
        let size = cursor.number()?;
        cursor.text(",\"root\":\"")?;
        let root = cursor.base64("the base64 of a root")?;
        cursor.text("\",\"chain\":\"")?;
        let chain = cursor.base64("the base64 of a chain value")?;
        cursor.text("\",\"len\":")?;
        let len = cursor.number()?;
        cursor.text(",\"crc\":\"")?;
        let crc = u32::from_be_bytes(cursor.hex("8 hex digits")?);
        cursor.text("\",\"t\":\"")?;
        let time = cursor.time()?;
        cursor.text(",\"mono\":")?;
        let mono = cursor.number()?;
        cursor.text(",\"boot\":\"")?;
        let boot = cursor.word(128, "a boot id")?.into();
        cursor.text(",\"epoch\":")?;
        let epoch = cursor.number()?;
        cursor.text(",\"key\":\"")?;
        let key = if cursor.take("epoch\"}") {
            KeyKind::Epoch
        } else if cursor.take("log\"}") {
            KeyKind::Log
        } else {
            return Err(cursor.error("epoch or log"));
        };
        Ok(Self { size, root, chain, len, crc, time, mono, boot, epoch, key })
    }
}

/// A commit line: the commit, the bytes that are signed, the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitLine<'a> {
    /// What it states.
    pub commit: Commit,
    /// The text of the object after `"commit":`.
    pub body: &'a [u8],
    /// Ed25519 over [`Commit::signed_text`].
    pub sig: [u8; 64],
}

impl<'a> CommitLine<'a> {
    /// Parses a commit line; the signature is not checked.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let mut cursor = Cursor::new(Kind::Commit, line, COMMIT_LINE_BYTES_MAX)?;
        cursor.text("{\"commit\":")?;
        let start = cursor.at();
        let commit = Commit::parse(&mut cursor)?;
        let body = line.get(start..cursor.at()).unwrap_or_default();
        cursor.text(",\"sig\":\"")?;
        let sig = cursor.base64("the base64 of a signature")?;
        cursor.text("\"}")?;
        cursor.end()?;
        Ok(Self { commit, body, sig })
    }

    /// Appends the line of a signed `body` without its newline.
    pub fn write(out: &mut Vec<u8>, body: &[u8], sig: &[u8; 64]) {
        out.extend_from_slice(b"{\"commit\":");
        out.extend_from_slice(body);
        out.extend_from_slice(b",\"sig\":\"");
        push_base64(out, sig);
        out.extend_from_slice(b"\"}");
    }
}
