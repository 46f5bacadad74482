//! The terms of an event: a path and a value, as bytes that sort by path.
//!
//! ```text
//! path 0x00 tag value
//! 0x01 mark
//! ```

/// What follows the path in a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// A number that is in no column, as JSON writes it.
    Number = b'#',
    /// An id of which only a hash are in the index; its presence has [`Tag::Unknown`].
    Hash = b'h',
    /// A text or a time stands there that the dictionary does not show.
    Unknown = b'U',
    /// `1` or `0`.
    Bool = b'b',
    /// A list or an object.
    Container = b'c',
    /// A null.
    Null = b'n',
    /// A text.
    Text = b's',
}

/// The event could not be taken apart: it may match anything.
pub(crate) const WHOLE: &[u8] = b"\x01E";
/// The event has more text than is indexed: it may match any text.
pub(crate) const LONG: &[u8] = b"\x01T";

/// Writes the term of a path and a value to `out`.
pub(crate) fn write(out: &mut Vec<u8>, path: &str, tag: Tag, value: &[u8]) {
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    out.push(tag as u8);
    out.extend_from_slice(value);
}

/// Returns the term of a path and a value.
pub(crate) fn term(path: &str, tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 2 + value.len());
    write(&mut out, path, tag, value);
    out
}

/// Returns the first bytes that sort after everything that begins with `prefix`, which must not end in 0xff.
pub(crate) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    end
}

/// Returns four bytes that stand for a text: FNV-1a, folded. Two texts may have the same; whoever asks looks at the event itself.
pub(crate) fn hash(text: &str) -> [u8; 4] {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let [a, b, c, d, e, f, g, h] = (hash ^ hash >> 29).to_be_bytes();
    [a ^ e, b ^ f, c ^ g, d ^ h]
}
