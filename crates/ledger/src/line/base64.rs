//! Base64 of fixed lengths, in its one spelling: up to fourteen of these stand on the lines of one event, too short for a general decoder
//! to pay, and they come from whoever wrote the file.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

/// Above the 24 bits of four characters: what any byte outside the alphabet brings in.
const BAD: u32 = 1 << 31;

/// What each character means in each of the four places, already where its six bits belong: 4 KiB, always in the nearest cache.
static PLACES: [[u32; 256]; 4] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut table, mut at) = ([[BAD; 256]; 4], 0);
    while at < alphabet.len() {
        let mut place = 0;
        while place < 4 {
            table[place][alphabet[at] as usize] = (at as u32) << (18 - 6 * place);
            place += 1;
        }
        at += 1;
    }
    table
};

/// Returns the 24 bits of four characters, with [`BAD`] if one is outside the alphabet.
#[inline(always)]
fn bits(a: u8, b: u8, c: u8, d: u8) -> u32 {
    PLACES[0][usize::from(a)] | PLACES[1][usize::from(b)] | PLACES[2][usize::from(c)] | PLACES[3][usize::from(d)]
}

/// Decodes the canonical base64 of a hash; false if `text` is anything else, and then `out` holds anything.
///
/// Whole words are written: what is decoded is compared as words soon after, and the processor waits for bytes that it wrote singly.
#[inline]
pub(super) fn decode_hash(text: &[u8; 44], out: &mut [u8; 32]) -> bool {
    let quad = |at: usize| u64::from(bits(text[4 * at], text[4 * at + 1], text[4 * at + 2], text[4 * at + 3]));
    let (a, b, c, d, e) = (quad(0), quad(1), quad(2), quad(3), quad(4));
    let (f, g, h, i, j) = (quad(5), quad(6), quad(7), quad(8), quad(9));
    // The last two bytes have three characters; the two bits that they do not fill are zero, and padding follows.
    let k = u64::from(bits(text[40], text[41], text[42], b'A'));
    let good = (a | b | c | d | e | f | g | h | i | j | k) & u64::from(BAD) == 0 && k & 0xff == 0 && text[43] == b'=';
    let words = [a << 40 | b << 16 | c >> 8, c << 56 | d << 32 | e << 8 | f >> 16, f << 48 | g << 24 | h, i << 40 | j << 16 | k >> 8];
    for (bytes, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    good
}

/// Decodes the canonical base64 of a salt to one big-endian number.
#[inline]
pub(super) fn decode_salt(text: &[u8; 24]) -> Option<u128> {
    let quad = |at: usize| u64::from(bits(text[4 * at], text[4 * at + 1], text[4 * at + 2], text[4 * at + 3]));
    let (a, b, c, d, e) = (quad(0), quad(1), quad(2), quad(3), quad(4));
    // The last byte has two characters to itself; the four bits that it does not fill are zero, and padding follows.
    let f = u64::from(bits(text[20], text[21], b'A', b'A'));
    let good = (a | b | c | d | e | f) & u64::from(BAD) == 0 && f & 0xffff == 0 && text[22..] == *b"==";
    let (high, low) = (a << 40 | b << 16 | c >> 8, c << 56 | d << 32 | e << 8 | f >> 16);
    good.then_some(u128::from(high) << 64 | u128::from(low))
}

/// Decodes the canonical base64 of exactly `N` bytes.
pub(super) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Appends the base64 of `bytes`.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly the encoded length, the only way this call can fail.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with another strict decoder.
    fn agrees(text: &[u8]) {
        let theirs = STANDARD.decode(text).ok();
        if let Ok(text) = text.try_into() {
            let mut out = [0; 32];
            let ours = decode_hash(text, &mut out).then_some(out.to_vec());
            assert_eq!(ours, theirs.clone().filter(|bytes| bytes.len() == 32), "{:?}", String::from_utf8_lossy(text));
        }
        if let Ok(text) = text.try_into() {
            let ours = decode_salt(text).map(|salt| salt.to_be_bytes().to_vec());
            assert_eq!(ours, theirs.filter(|bytes| bytes.len() == 16), "{:?}", String::from_utf8_lossy(text));
        }
    }

    fn all<const N: usize>() {
        for seed in [0, 1, 85, 170, 255] {
            let bytes: Vec<u8> = (0..N).map(|at| (at * 151 + N + seed) as u8).collect();
            let mut text = Vec::new();
            push_base64(&mut text, &bytes);
            agrees(&text);
            for at in 0..text.len() {
                let kept = text[at];
                for byte in 0..=255 {
                    text[at] = byte;
                    agrees(&text);
                }
                text[at] = kept;
            }
        }
    }

    /// Protects the one spelling: every byte at every place of texts of the lengths in use, and beside them, against another decoder.
    #[test]
    fn decodes_what_the_strict_decoder_decodes_and_nothing_else() {
        all::<16>();
        all::<17>();
        all::<18>();
        all::<31>();
        all::<32>();
        all::<33>();
    }
}
