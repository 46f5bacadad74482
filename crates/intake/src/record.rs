//! Spool records: sealed frames, one after the other, in a file that may end or be interrupted in the middle of one.
//!
//! ```text
//!  0  8  "STSPOOL1"
//!  8  4  bytes of the sealed box, big-endian
//! 12  n  the box: a frame (header and body) sealed to the trail's public key
//! ```

use crate::BODY_BYTES_MAX;

/// The first bytes of each record.
pub const RECORD_MAGIC: &[u8; 8] = b"STSPOOL1";

/// Bytes before the sealed box.
pub const RECORD_HEAD_BYTES: usize = 12;

/// Body, header and 48 bytes of a sealed box.
const BOX_BYTES_MAX: usize = BODY_BYTES_MAX + crate::HEADER_BYTES_MAX + 48;

/// 64 MiB, beside four times the spool itself: the most that is tried in vain. Without a limit, a spool made of nothing but magic words would cost
/// its square.
const VAIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What stands at a place of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A sealed box that looks complete.
    Box(&'a [u8]),
    /// Bytes that are no record, and how many: a record whose writer was stopped in the middle.
    Torn(usize),
    /// Zero bytes, and how many: room that was never written.
    Zeros(usize),
}

/// Returns the head of a record whose sealed box has `bytes` bytes.
pub fn record_head(bytes: usize) -> [u8; RECORD_HEAD_BYTES] {
    let mut head = [0u8; RECORD_HEAD_BYTES];
    head[..8].copy_from_slice(RECORD_MAGIC);
    head[8..].copy_from_slice(&(bytes as u32).to_be_bytes());
    head
}

/// Splits a spool into its pieces with their offsets; every byte belongs to exactly one piece.
///
/// `good` opens a box: only a box that opens is skipped as a whole. After one that does not, reading goes on at the next magic, so a torn record
/// never hides the one behind it.
pub fn pieces<'a>(spool: &'a [u8], mut good: impl FnMut(&'a [u8]) -> bool) -> Vec<(usize, Piece<'a>)> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut vain = 0;
    while at < spool.len() {
        let rest = &spool[at..];
        if let Some(sealed) = record_at(rest)
            && vain < VAIN_BYTES_MAX + 4 * spool.len()
        {
            if good(sealed) {
                out.push((at, Piece::Box(sealed)));
                at += RECORD_HEAD_BYTES + sealed.len();
                continue;
            }
            vain += sealed.len();
        }
        let bytes = next_magic(rest);
        let zeros = rest[..bytes].iter().all(|byte| *byte == 0);
        out.push((at, if zeros { Piece::Zeros(bytes) } else { Piece::Torn(bytes) }));
        at += bytes;
    }
    out
}

fn record_at(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes.get(..RECORD_HEAD_BYTES)?;
    let length = head.strip_prefix(RECORD_MAGIC).and_then(|length| length.try_into().ok()).map(u32::from_be_bytes)? as usize;
    if length > BOX_BYTES_MAX {
        return None;
    }
    bytes.get(RECORD_HEAD_BYTES..RECORD_HEAD_BYTES + length)
}

/// Returns the distance to the next magic that is not at the very start, or to the end.
fn next_magic(bytes: &[u8]) -> usize {
    bytes[1..].windows(RECORD_MAGIC.len()).position(|window| window == RECORD_MAGIC).map_or(bytes.len(), |at| at + 1)
}
