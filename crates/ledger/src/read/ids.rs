//! What the side file of a segment knows about ids: the times that they tell, and a fingerprint of each.

use sealtrail_event::AuditId;

use crate::line::EnvelopeLine;

/// A UUIDv7 has 48 bits of milliseconds.
const MS_BYTES: usize = 6;
/// Flag: some ids tell no time.
const FOREIGN: u32 = 1;

/// Which ids may be somewhere, as far as times tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    oldest_ms: u64,
    newest_ms: u64,
    foreign: bool,
}

impl Span {
    pub(crate) const EMPTY: Self = Self { oldest_ms: (1 << (8 * MS_BYTES)) - 1, newest_ms: 0, foreign: false };

    pub(super) fn add(&mut self, wanted: Wanted) {
        match wanted.unix_ms {
            Some(ms) => (self.oldest_ms, self.newest_ms) = (self.oldest_ms.min(ms), self.newest_ms.max(ms)),
            None => self.foreign = true,
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.oldest_ms = self.oldest_ms.min(other.oldest_ms);
        self.newest_ms = self.newest_ms.max(other.newest_ms);
        self.foreign |= other.foreign;
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        for ms in [self.oldest_ms, self.newest_ms] {
            out.extend_from_slice(&ms.to_le_bytes()[..MS_BYTES]);
        }
        out.extend_from_slice(&if self.foreign { FOREIGN } else { 0 }.to_le_bytes());
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self { oldest_ms: fields.ms(), newest_ms: fields.ms(), foreign: fields.u32() & FOREIGN != 0 }
    }

    /// Tells whether an id can be here.
    pub(crate) fn may_hold(self, wanted: Wanted) -> bool {
        wanted.unix_ms.map_or(self.foreign, |ms| (self.oldest_ms..=self.newest_ms).contains(&ms))
    }
}

/// What the side file knows of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Milliseconds since 1970, if the id tells them.
    pub(crate) unix_ms: Option<u64>,
    /// Fingerprint of the id.
    pub(super) print: u16,
}

impl Wanted {
    pub(crate) fn of(id: &AuditId) -> Self {
        let id = id.as_str().as_bytes();
        Self { unix_ms: unix_ms_of(id), print: print_of(id) }
    }

    /// Describes the id in an envelope line; one without an id counts as foreign.
    pub(super) fn in_line(line: &[u8]) -> Self {
        let members = line.strip_prefix(b"{\"v\":1,\"i\":").and_then(|rest| rest.get(memchr::memchr(b',', rest)? + 1..));
        let id = members.and_then(id_in).unwrap_or_default();
        Self { unix_ms: unix_ms_of(id), print: print_of(id) }
    }
}

/// The value of each hexadecimal digit; 255 for any other byte. This runs for every event of a verification.
const HEX: [u8; 256] = {
    let (mut table, mut value) = ([255; 256], 0);
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// Returns the time in an id: in one that Sealtrail made, or in one that ends in a UUIDv7 with its hyphens (RFC 9562 section 5.7).
fn unix_ms_of(id: &[u8]) -> Option<u64> {
    let digits = match id.strip_prefix(AuditId::PREFIX.as_bytes()) {
        Some(ours) if ours.len() == 32 => [ours.get(..8)?, ours.get(8..12)?, ours.get(12..13)?],
        _ => {
            let uuid = id.get(id.len().checked_sub(36)?..)?;
            if [8, 13, 18, 23].iter().any(|at| uuid[*at] != b'-') {
                return None;
            }
            [uuid.get(..8)?, uuid.get(9..13)?, uuid.get(14..15)?]
        }
    };
    let [high, low, b"7"] = digits else { return None };
    let (mut ms, mut bad) = (0, 0);
    for digit in high.iter().chain(low) {
        let value = HEX[usize::from(*digit)];
        (ms, bad) = (ms << 4 | u64::from(value), bad | value);
    }
    (bad < 16).then_some(ms)
}

/// Returns the fingerprint of an id: both halves of its CRC-32C, folded.
fn print_of(id: &[u8]) -> u16 {
    let crc = crc32c::crc32c(id);
    (crc ^ crc >> 16) as u16
}

/// Returns the id in the members of an envelope: it is the first of them, wherever else the text may stand.
pub(crate) fn id_in(members: &[u8]) -> Option<&[u8]> {
    match members.strip_prefix(b"\"audit_id\":\"") {
        Some(rest) => rest.get(..memchr::memchr(b'"', rest)?),
        None => EnvelopeLine { seq: 0, members, slots: Default::default() }.string_member("audit_id").map(str::as_bytes),
    }
}

/// Takes little-endian fields off bytes; past the end they are zero.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        if let Some((head, rest)) = self.0.split_at_checked(N) {
            taken.copy_from_slice(head);
            self.0 = rest;
        }
        taken
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn ms(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..MS_BYTES].copy_from_slice(&self.bytes::<MS_BYTES>());
        u64::from_le_bytes(bytes)
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}
