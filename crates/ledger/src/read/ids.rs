//! What the side file of a segment knows about ids: the times that they tell, and a fingerprint of each.

use sealtrail_event::AuditId;

use crate::line::EnvelopeLine;

/// A fingerprint.
pub(super) const PRINT_BYTES: usize = 2;
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

/// 16 blocks with their fingerprints and 16 runs: 2 KiB for each segment.
const APART_MAX: usize = 16;
const RUNS_MAX: usize = 16;

/// Which ids a segment may hold, more closely than its span: one event of another time makes its block a candidate, not the segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    /// The blocks of the longest times, with their fingerprints.
    apart: Vec<(Span, Vec<u8>)>,
    /// The spans of the others, joined over the smallest gaps.
    runs: Vec<Span>,
}

impl Ids {
    /// Takes the span of each block; `prints` returns the fingerprints of one, or nothing when they are damaged.
    pub(super) fn of(blocks: impl Iterator<Item = Span>, prints: impl Fn(u64) -> Option<Vec<u8>>) -> Self {
        let mut blocks: Vec<(u64, Span)> = (0..).zip(blocks).collect();
        blocks.sort_unstable_by_key(|(_, span)| std::cmp::Reverse(span.newest_ms.saturating_sub(span.oldest_ms)));
        let mut joined = blocks.split_off(blocks.len().min(APART_MAX));
        let mut apart = Vec::with_capacity(blocks.len());
        for (at, span) in blocks {
            match prints(at) {
                Some(prints) => apart.push((span, prints)),
                None => joined.push((at, span)),
            }
        }
        Self { apart, runs: runs_of(joined.into_iter().map(|(_, span)| span).collect()) }
    }

    /// Tells whether an id can be here.
    pub(super) fn may_hold(&self, wanted: Wanted) -> bool {
        let print = wanted.print.to_le_bytes();
        let alike = |prints: &[u8]| prints.chunks_exact(PRINT_BYTES).any(|known| known == print);
        self.runs.iter().any(|run| run.may_hold(wanted)) || self.apart.iter().any(|(span, prints)| span.may_hold(wanted) && alike(prints))
    }
}

fn runs_of(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| span.oldest_ms);
    let gap_before = |newest: &mut Option<u64>, span: &Span| {
        let before = newest.replace(newest.map_or(span.newest_ms, |newest| newest.max(span.newest_ms)));
        Some(before.map_or(0, |newest| span.oldest_ms.saturating_sub(newest)))
    };
    let gaps: Vec<u64> = spans.iter().scan(None, gap_before).collect();
    let mut widest = gaps.clone();
    widest.sort_unstable_by(|a, b| b.cmp(a));
    let joined_up_to = widest.get(RUNS_MAX - 1).copied().unwrap_or(0);
    let mut runs: Vec<Span> = Vec::new();
    for (span, gap) in spans.into_iter().zip(gaps) {
        match runs.last_mut() {
            Some(run) if gap <= joined_up_to => run.join(span),
            _ => runs.push(span),
        }
    }
    runs
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(times: &[u64], foreign: bool) -> Span {
        let mut span = Span { foreign, ..Span::EMPTY };
        times.iter().for_each(|ms| span.add(Wanted { unix_ms: Some(*ms), print: 0 }));
        span
    }

    fn at(unix_ms: u64, print: u16) -> Wanted {
        Wanted { unix_ms: Some(unix_ms), print }
    }

    #[test]
    fn one_late_event_does_not_make_its_segment_a_candidate() {
        // Protects `find` in a trail of imported events: a segment is looked at for ids of its own times only.
        let mut blocks: Vec<Span> = (0..2_048).map(|n| span(&[1_000 * n, 1_000 * n + 900], false)).collect();
        blocks[7] = span(&[7_000, 9_000_000_000], false);
        let ids = Ids::of(blocks.into_iter(), |at| Some([at as u16, 4_000].map(u16::to_le_bytes).concat()));
        assert!(ids.may_hold(at(100_000, 1)) && ids.may_hold(at(2_047_900, 1)));
        assert!(!ids.may_hold(at(3_000_000, 1)) && ids.may_hold(at(3_000_000, 7)) && ids.may_hold(at(3_000_000, 4_000)));
        assert!(!ids.may_hold(Wanted { unix_ms: None, print: 7 }));
    }

    proptest! {
        #[test]
        fn no_block_is_left_out(
            blocks in prop::collection::vec((prop::collection::vec(0..1_000u64, 0..3), any::<bool>()), 0..60),
            readable in prop::collection::vec(any::<bool>(), 60),
        ) {
            // Protects every event: what a block may hold by its times and fingerprints, its segment may hold.
            let spans: Vec<Span> = blocks.iter().map(|(times, foreign)| span(times, *foreign)).collect();
            let prints = |at: u64| readable[at as usize].then(|| (at as u16).to_le_bytes().to_vec());
            let ids = Ids::of(spans.iter().copied(), prints);
            prop_assert!(ids.runs.len() <= RUNS_MAX && ids.apart.len() <= APART_MAX);
            for (print, span) in spans.iter().enumerate() {
                for unix_ms in (0..1_000).map(Some).chain([None]) {
                    let wanted = Wanted { unix_ms, print: print as u16 };
                    prop_assert!(!span.may_hold(wanted) || ids.may_hold(wanted));
                }
            }
        }
    }
}
