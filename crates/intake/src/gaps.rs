//! The gap table: losses counted in place, in a file that was made large enough beforehand, so that counting needs no room on the disk.
//!
//! ```text
//! 64 slots of 64 bytes:
//!  0 24  class, ASCII, zero-padded; all zero: the slot is free
//! 24 16  cause, ASCII, zero-padded
//! 40  8  count, big-endian
//! 48  8  first, nanoseconds since 1970
//! 56  8  last
//! ```

/// 4 KiB: 64 slots. There are 4 classes and fewer than 16 causes.
pub const GAP_BYTES: usize = 4096;

/// Bytes of a class; a cause has what is left of 40.
const CLASS_BYTES: usize = 24;
const LABELS_BYTES: usize = 40;

const SLOT_BYTES: usize = 64;

/// Losses of one class for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Class of the lost events.
    pub class: String,
    /// Why they were lost.
    pub cause: String,
    /// How many.
    pub count: u64,
    /// When the first was lost, nanoseconds since 1970.
    pub first_unix_ns: u64,
    /// When the last was lost.
    pub last_unix_ns: u64,
}

/// The whole table.
pub struct GapTable([u8; GAP_BYTES]);

impl Default for GapTable {
    fn default() -> Self {
        Self([0; GAP_BYTES])
    }
}

impl GapTable {
    /// Takes the bytes of a table; missing bytes are zero, further ones are ignored.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut table = [0; GAP_BYTES];
        let length = bytes.len().min(GAP_BYTES);
        table[..length].copy_from_slice(&bytes[..length]);
        Self(table)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; GAP_BYTES] {
        &self.0
    }

    /// Counts `count` losses and returns the byte range that changed, or nothing when every slot is taken by others.
    pub fn count(&mut self, class: &str, cause: &str, count: u64, now_unix_ns: u64) -> Option<std::ops::Range<usize>> {
        let labels = labels(class, cause);
        let at = (0..GAP_BYTES).step_by(SLOT_BYTES).find(|at| self.0[*at] == 0 || self.0[*at..at + LABELS_BYTES] == labels)?;
        let slot = &mut self.0[at..at + SLOT_BYTES];
        if slot[0] == 0 {
            slot[..LABELS_BYTES].copy_from_slice(&labels);
            slot[48..56].copy_from_slice(&now_unix_ns.to_be_bytes());
        }
        let total = number(slot, 40).saturating_add(count);
        slot[40..48].copy_from_slice(&total.to_be_bytes());
        slot[56..64].copy_from_slice(&now_unix_ns.to_be_bytes());
        Some(at..at + SLOT_BYTES)
    }

    /// Sets the losses of one cause to zero.
    pub fn forget(&mut self, cause: &str) {
        for slot in self.0.chunks_exact_mut(SLOT_BYTES).filter(|slot| text(&slot[CLASS_BYTES..LABELS_BYTES]) == cause) {
            slot.fill(0);
        }
    }

    /// Returns every loss.
    pub fn gaps(&self) -> Vec<Gap> {
        let taken = self.0.chunks_exact(SLOT_BYTES).filter(|slot| slot[0] != 0 && number(slot, 40) != 0);
        taken
            .map(|slot| Gap {
                class: text(&slot[..CLASS_BYTES]),
                cause: text(&slot[CLASS_BYTES..LABELS_BYTES]),
                count: number(slot, 40),
                first_unix_ns: number(slot, 48),
                last_unix_ns: number(slot, 56),
            })
            .collect()
    }
}

fn labels(class: &str, cause: &str) -> [u8; LABELS_BYTES] {
    let mut labels = [0; LABELS_BYTES];
    for (place, word) in [(0..CLASS_BYTES, class), (CLASS_BYTES..LABELS_BYTES, cause)] {
        let kept = word.bytes().filter(u8::is_ascii_graphic);
        labels[place].iter_mut().zip(kept).for_each(|(into, byte)| *into = byte);
    }
    if labels[0] == 0 {
        labels[0] = b'?';
    }
    labels
}

fn text(label: &[u8]) -> String {
    label.iter().take_while(|byte| **byte != 0).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }).collect()
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0u8; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(number)
}
