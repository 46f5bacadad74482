//! The lines of one event: its envelope and its slots.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use sealtrail_event::{ENVELOPE_BYTES_MAX, SlotName};

use super::{Cursor, Kind, LineError, SLOT_LINE_BYTES_MAX, base64, push_base64, push_number};

/// What the envelope of every event that the ledger writes about itself holds, and no other: the reader's cheap test.
pub const LEDGER_EVENT: &[u8] = b"\"event_type\":\"ledger.";

/// First line of the text whose hash is a commitment.
pub const SLOT_LABEL: &str = "sealtrail/slot/v1\n";

static TAIL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b",\"s\":{"));

static OWN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(LEDGER_EVENT));

/// The commitment to one slot, as an envelope states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Which slot.
    pub name: SlotName,
    /// `SHA-256("sealtrail/slot/v1\n" ‖ salt ‖ value)`.
    pub hash: [u8; 32],
    /// Bytes of the value.
    pub bytes: u64,
}

/// The commitments of one envelope: at most one per slot name, in the order of the names.
#[derive(Clone, Copy, Debug)]
pub struct Commitments {
    /// Those before `count` are meant; the rest is left over from another envelope.
    found: [Commitment; SlotName::ALL.len()],
    count: usize,
}

impl Commitments {
    /// Returns the commitment to `name`.
    pub fn get(&self, name: SlotName) -> Option<&Commitment> {
        self.iter().find(|commitment| commitment.name == name)
    }

    /// Returns the commitments in order.
    pub fn iter(&self) -> impl Iterator<Item = &Commitment> {
        self.found.iter().take(self.count)
    }

    /// Forgets them all.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Returns one by its place in the order.
    pub(crate) fn nth(&self, at: usize) -> Option<&Commitment> {
        self.found.get(at).filter(|_| at < self.count)
    }
}

impl Default for Commitments {
    fn default() -> Self {
        let nothing = Commitment { name: SlotName::Identity, hash: [0; 32], bytes: 0 };
        Self { found: [nothing; SlotName::ALL.len()], count: 0 }
    }
}

impl PartialEq for Commitments {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Commitments {}

/// An envelope line: the position, the commitments, and the members between them as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeLine<'a> {
    /// Position in the log.
    pub seq: u64,
    /// The members of the event envelope, without braces or the commas around them.
    pub members: &'a [u8],
    /// The commitments to its slots.
    pub slots: Commitments,
}

/// An envelope line without its commitments, which went to where the caller wanted them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnvelopeHead<'a> {
    pub(crate) seq: u64,
    pub(crate) members: &'a [u8],
}

impl<'a> EnvelopeHead<'a> {
    /// Parses an envelope line, its commitments into `slots`.
    pub(crate) fn parse(line: &'a [u8], slots: &mut Commitments) -> Result<Self, LineError> {
        slots.clear();
        let mut cursor = Cursor::new(Kind::Envelope, line, ENVELOPE_BYTES_MAX)?;
        cursor.text("{\"v\":1,\"i\":")?;
        let seq = cursor.number()?;
        cursor.text(",")?;
        let length = TAIL.find(cursor.rest()).ok_or_else(|| cursor.error("the member \"s\""))?;
        let members = cursor.bytes(length, "the members of the event")?;
        if members.is_empty() {
            return Err(cursor.error("the members of the event"));
        }
        cursor.text(",\"s\":{")?;
        commitments(&mut cursor, slots)?;
        cursor.text("}")?;
        cursor.end()?;
        Ok(Self { seq, members })
    }

    /// Tells whether the ledger wrote this event about itself.
    pub(crate) fn is_ledger_event(&self) -> bool {
        OWN.find(self.members).is_some()
    }
}

impl<'a> EnvelopeLine<'a> {
    /// Parses the head and the tail of an envelope line; the members between are taken as they are.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let mut slots = Commitments::default();
        let EnvelopeHead { seq, members } = EnvelopeHead::parse(line, &mut slots)?;
        Ok(Self { seq, members, slots })
    }

    /// Tells whether the ledger wrote this event about itself.
    pub fn is_ledger_event(&self) -> bool {
        OWN.find(self.members).is_some()
    }

    /// Returns the text of one member of the envelope that is a string, found by its name at any depth.
    pub fn string_member(&self, name: &str) -> Option<&'a str> {
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(self.members.get(from..)?, name.as_bytes()) {
            let (before, after) = (from + at, from + at + name.len());
            from = after;
            let quoted = before > 0 && self.members[before - 1] == b'"';
            if let (true, Some(rest)) = (quoted, self.members.get(after..).and_then(|rest| rest.strip_prefix(b"\":\""))) {
                let end = memchr::memchr(b'"', rest)?;
                return std::str::from_utf8(&rest[..end]).ok();
            }
        }
        None
    }
}

#[inline(always)]
fn commitments(cursor: &mut Cursor<'_>, slots: &mut Commitments) -> Result<(), LineError> {
    if cursor.take("}") {
        return Ok(());
    }
    loop {
        cursor.text("\"")?;
        let name = slot_name(cursor)?;
        let last = slots.count.checked_sub(1).and_then(|last| slots.nth(last));
        if last.is_some_and(|last| last.name >= name) {
            return Err(cursor.error("slots in their order, each once"));
        }
        cursor.text(":{\"c\":\"")?;
        // In their order and each once, there is room for all of them.
        let Some(place) = slots.found.get_mut(slots.count) else { return Err(cursor.error("a slot name")) };
        cursor.hash(&mut place.hash, "the base64 of a commitment")?;
        cursor.text("\",\"n\":")?;
        (place.name, place.bytes) = (name, cursor.number()?);
        slots.count += 1;
        cursor.text("}")?;
        if cursor.take("}") {
            return Ok(());
        }
        cursor.text(",")?;
    }
}

/// Takes a slot name and its closing quote.
#[inline(always)]
fn slot_name(cursor: &mut Cursor<'_>) -> Result<SlotName, LineError> {
    // At most two letters decide which name it can be.
    let (name, stands) = match cursor.rest() {
        [b'i', b'd', ..] => (SlotName::Identity, cursor.take("identity\"")),
        [b'i', ..] => (SlotName::Input, cursor.take("input\"")),
        [b'o', ..] => (SlotName::Output, cursor.take("output\"")),
        [b'p', ..] => (SlotName::Prompt, cursor.take("prompt\"")),
        [b'c', ..] => (SlotName::Content, cursor.take("content\"")),
        [b'r', b'a', ..] => (SlotName::Raw, cursor.take("raw\"")),
        _ => (SlotName::Resource, cursor.take("resource\"")),
    };
    if stands { Ok(name) } else { Err(cursor.error("a slot name")) }
}

/// Appends an envelope line without its newline; `members` is the event envelope's JSON without its outer braces, not empty.
pub fn write_envelope(out: &mut Vec<u8>, seq: u64, members: &[u8], slots: &[Commitment]) {
    out.extend_from_slice(b"{\"v\":1,\"i\":");
    push_number(out, seq);
    out.push(b',');
    out.extend_from_slice(members);
    out.extend_from_slice(b",\"s\":{");
    for (at, slot) in slots.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(slot.name.as_str().as_bytes());
        out.extend_from_slice(b"\":{\"c\":\"");
        push_base64(out, &slot.hash);
        out.extend_from_slice(b"\",\"n\":");
        push_number(out, slot.bytes);
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
}

/// A slot line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLine<'a> {
    /// Position of the event it belongs to.
    pub seq: u64,
    /// Which slot.
    pub name: SlotName,
    /// What makes its commitment say nothing about the value.
    pub salt: [u8; 16],
    /// The committed bytes: compact JSON text of one object.
    pub value: &'a [u8],
}

impl<'a> SlotLine<'a> {
    /// Parses a slot line; of the value only the outer braces, the limit and the absence of a newline are looked at.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let mut cursor = Cursor::new(Kind::Slot, line, SLOT_LINE_BYTES_MAX)?;
        cursor.text("{\"i\":")?;
        let seq = cursor.number()?;
        cursor.text(",\"slot\":\"")?;
        let name = slot_name(&mut cursor)?;
        Self::parse_rest(cursor, seq, name)
    }

    fn parse_rest(mut cursor: Cursor<'a>, seq: u64, name: SlotName) -> Result<Self, LineError> {
        cursor.text(",\"salt\":\"")?;
        let salt = cursor.base64::<16>("the base64 of a salt")?;
        cursor.text("\",\"v\":")?;
        let value = match cursor.rest() {
            [value @ .., b'}'] if value.len() <= sealtrail_event::SLOT_BYTES_MAX => value,
            _ => return Err(cursor.error("a value within the limit and the closing brace")),
        };
        if !matches!(value, [b'{', .., b'}']) {
            return Err(cursor.error("one JSON object"));
        }
        Ok(Self { seq, name, salt, value })
    }
}

/// What verification needs of a slot line before it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotParts {
    pub(crate) name: SlotName,
    /// The salt, as one big-endian number: it stays in registers.
    pub(crate) salt: u128,
    /// Bytes of the value, which ends before the closing brace of the line.
    pub(crate) bytes: usize,
}

impl SlotParts {
    /// Takes the parts of a slot line that starts with `head` (see [`slot_head`]); nothing for any other line, and for any line that
    /// [`SlotLine::parse`] refuses.
    #[inline(always)]
    pub(crate) fn of(line: &[u8], head: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(head)?;
        let (name, rest) = match rest {
            [b'i', b'd', ..] => (SlotName::Identity, rest.strip_prefix(b"identity")?),
            [b'i', ..] => (SlotName::Input, rest.strip_prefix(b"input")?),
            [b'o', ..] => (SlotName::Output, rest.strip_prefix(b"output")?),
            [b'p', ..] => (SlotName::Prompt, rest.strip_prefix(b"prompt")?),
            [b'c', ..] => (SlotName::Content, rest.strip_prefix(b"content")?),
            [b'r', b'a', ..] => (SlotName::Raw, rest.strip_prefix(b"raw")?),
            _ => (SlotName::Resource, rest.strip_prefix(b"resource")?),
        };
        let (salt, value) = rest.strip_prefix(b"\",\"salt\":\"")?.split_first_chunk::<24>()?;
        let bytes = match value.strip_prefix(b"\",\"v\":")? {
            [value @ .., b'}'] if matches!(value, [b'{', .., b'}']) && value.len() <= sealtrail_event::SLOT_BYTES_MAX => value.len(),
            _ => return None,
        };
        Some(Self { name, salt: base64::decode_salt(salt)?, bytes })
    }
}

/// Writes the start of every slot line of event `seq` to `out`, up to the name of the slot.
pub(crate) fn slot_head(out: &mut Vec<u8>, seq: u64) {
    out.clear();
    out.extend_from_slice(b"{\"i\":");
    push_number(out, seq);
    out.extend_from_slice(b",\"slot\":\"");
}

/// Appends a slot line without its newline; `value` is compact JSON text of one object, exactly the committed bytes.
pub fn write_slot(out: &mut Vec<u8>, seq: u64, name: SlotName, salt: &[u8; 16], value: &[u8]) {
    out.extend_from_slice(b"{\"i\":");
    push_number(out, seq);
    out.extend_from_slice(b",\"slot\":\"");
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b"\",\"salt\":\"");
    push_base64(out, salt);
    out.extend_from_slice(b"\",\"v\":");
    out.extend_from_slice(value);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects verification's short cut: what it takes of a slot line is what the strict parser takes, for every line one byte away from one.
    #[test]
    fn the_parts_of_a_slot_line_are_those_of_the_parser() {
        let mut head = Vec::new();
        slot_head(&mut head, 407);
        for name in SlotName::ALL {
            let mut line = Vec::new();
            write_slot(&mut line, 407, *name, &[7; 16], br#"{"a":[{}]}"#);
            for at in 0..line.len() {
                let kept = line[at];
                for byte in 0..=255 {
                    line[at] = byte;
                    let parsed = SlotLine::parse(&line).ok().filter(|_| line.starts_with(&head));
                    let wanted = parsed.map(|slot| (slot.name, slot.salt, slot.value.len()));
                    let parts = SlotParts::of(&line, &head).map(|parts| (parts.name, parts.salt.to_be_bytes(), parts.bytes));
                    assert_eq!(parts, wanted, "{}", String::from_utf8_lossy(&line));
                }
                line[at] = kept;
                assert!(SlotParts::of(&line[..at], &head).is_none());
            }
        }
    }
}
