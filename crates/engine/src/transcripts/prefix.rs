//! The bytes of a file that are sealed, as hashes: one over all of them, and one for each 64 KiB, which tells where a change lies.

use aws_lc_rs::digest::{Context, SHA256};

/// 64 KiB: a transcript of 50 MiB has 800 blocks, whose hashes take 13 KB in its cursor.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024;

/// 8 bytes of each block's hash are kept: they only tell where to look; the whole hash tells that there is something.
const PRINT_BYTES: usize = 8;

/// Hashes of the beginning of a file.
#[derive(Clone)]
pub(crate) struct Prefix {
    whole: Context,
    block: Context,
    filled: usize,
    blocks: Vec<String>,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

impl Prefix {
    pub(crate) fn new() -> Self {
        Self { whole: Context::new(&SHA256), block: Context::new(&SHA256), filled: 0, blocks: Vec::new(), bytes: 0, lines: 0 }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            self.block.update(now);
            self.filled += now.len();
            bytes = rest;
            if self.filled == BLOCK_BYTES {
                let full = std::mem::replace(&mut self.block, Context::new(&SHA256));
                self.blocks.push(hex(&full.finish().as_ref()[..PRINT_BYTES]));
                self.filled = 0;
            }
        }
    }

    /// Returns the hash of everything so far, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        hex(self.whole.clone().finish().as_ref())
    }

    /// Returns the prints of the full blocks.
    pub(crate) fn blocks(&self) -> &[String] {
        &self.blocks
    }

    /// Returns where the first block begins that differs from `known`.
    pub(crate) fn differs_from(&self, known: &[String]) -> u64 {
        let same = self.blocks.iter().zip(known).take_while(|(a, b)| a == b).count();
        (same * BLOCK_BYTES) as u64
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
