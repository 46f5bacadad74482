//! Tiles (C2SP `tlog-tiles`): the hashes of the tree in immutable files of 256.

use std::collections::BTreeMap;
use std::fmt;

use crate::checkpoint::parse_decimal;
use crate::hash::{HASH_BYTES, NodeHash, NodeId, TreeSize, node_hash};

/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// Levels of the tree in one tile.
pub const TILE_HEIGHT: u8 = 8;
/// 64 tiles of 8 KiB: a proof touches two for each of at most eight tile levels.
const CACHED_TILES_MAX: usize = 64;

/// One tile: hashes `256 * index` to `256 * index + width` of tree level `8 * level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// Why a tile is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The tree has no such subtree, or it is not full.
    #[error("cannot read subtree {index} of level {level}: a tree of {size} entries does not have it")]
    NoSuchNode {
        /// Level of the subtree.
        level: u8,
        /// Its index.
        index: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// The bytes are not as many as the tile's name says.
    #[error("cannot use {tile}: it has {found} bytes and must have {}", tile.bytes())]
    Length {
        /// The tile.
        tile: Tile,
        /// Bytes found.
        found: usize,
    },
    /// The tile could not be fetched.
    #[error("cannot fetch {tile}")]
    Fetch {
        /// The tile.
        tile: Tile,
        /// Why.
        source: E,
    },
}

/// A text is not the path of a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path:?} as the path of a tile: it must be tile/<level>/<index in groups of three>[.p/<width>]")]
pub struct TilePathError {
    /// The text found, cut to 64 characters.
    pub path: String,
}

/// Yields the tiles that the growth of a tree from `old` to `new` entries writes, level by level, left to right:
/// full ones, and the partial one at the right edge of each level that changed.
pub fn tiles_for(old: TreeSize, new: TreeSize) -> impl Iterator<Item = Tile> {
    (0..TILE_HEIGHT).flat_map(move |level| {
        let (before, after) = (hashes_at(level, old), hashes_at(level, new));
        let full = before / 256..after / 256;
        let partial = (after > before && after % 256 != 0).then_some(after / 256);
        full.chain(partial).filter_map(move |index| Tile::at(level, index, new))
    })
}

/// Number of hashes that a tree of `size` entries has at a tile level.
fn hashes_at(level: u8, size: TreeSize) -> u64 {
    size.0.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

impl Tile {
    /// Returns the tile at `index` of `level` as a tree of `size` entries has it, or nothing where it has none.
    pub fn at(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        if level >= TILE_HEIGHT {
            return None;
        }
        let width = hashes_at(level, size).checked_sub(index.checked_mul(256)?)?.min(256) as u16;
        (width > 0).then_some(Self { level, index, width })
    }

    /// Parses a path such as `tile/0/x001/234` or `tile/1/000.p/17`.
    pub fn parse(path: &str) -> Result<Self, TilePathError> {
        parse_path(path).ok_or_else(|| TilePathError { path: path.chars().take(64).collect() })
    }

    /// Returns the level among tiles: 0 holds leaf hashes.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Returns the index within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Returns the number of hashes, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Tells whether fewer than 256 hashes are in it.
    pub fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// Returns the full tile at the same place.
    pub fn full(&self) -> Self {
        Self { width: TILE_WIDTH, ..*self }
    }

    /// Returns the number of bytes.
    pub fn bytes(&self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// Yields the subtrees whose hashes are in the tile, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        let (level, first) = (self.level * TILE_HEIGHT, self.index * 256);
        (0..u64::from(self.width)).map(move |at| NodeId { level, index: first + at })
    }
}

/// The path below the log's folder, always with `/`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_partial() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

fn parse_path(path: &str) -> Option<Tile> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let level = u8::try_from(parse_decimal(level)?).ok().filter(|level| *level < TILE_HEIGHT)?;
    let (groups, width) = match rest.split_once(".p/") {
        Some((groups, width)) => (groups, parse_decimal(width).filter(|w| (1..256).contains(w))?),
        None => (rest, u64::from(TILE_WIDTH)),
    };
    let mut index = 0u64;
    let mut parts = groups.split('/').peekable();
    while let Some(part) = parts.next() {
        let digits = if parts.peek().is_some() { part.strip_prefix('x')? } else { part };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    let tile = Tile { level, index, width: width as u16 };
    // Tiles that no tree within the limit has, and spare leading groups, are other spellings of nothing.
    let fits = index.checked_mul(256)?.checked_add(width)? <= hashes_at(level, TreeSize::MAX);
    (fits && tile.to_string() == path).then_some(tile)
}

/// Reads subtree hashes of one tree from its tiles, through a closure that fetches a tile's bytes.
///
/// The closure may return the full tile in place of a partial one that has been deleted since. Hashes are **not** checked here:
/// a proof made of them verifies against the root or it does not.
pub struct TileReader<F> {
    size: TreeSize,
    fetch: F,
    tiles: BTreeMap<Tile, Vec<u8>>,
}

impl<E, F: FnMut(Tile) -> Result<Vec<u8>, E>> TileReader<F> {
    /// Reads the tiles of a tree of `size` entries.
    pub fn new(size: TreeSize, fetch: F) -> Self {
        Self { size, fetch, tiles: BTreeMap::new() }
    }

    /// Returns the hash of a full subtree.
    pub fn hash(&mut self, id: NodeId) -> Result<NodeHash, TileError<E>> {
        let missing = TileError::NoSuchNode { level: id.level, index: id.index, size: self.size.0 };
        let (level, height) = (id.level / TILE_HEIGHT, id.level % TILE_HEIGHT);
        // The subtree is `count` hashes of the tile, from `first`; a subtree never crosses a tile.
        let count = 1u64 << height;
        let Some(first) = id.index.checked_mul(count) else { return Err(missing) };
        let Some(tile) = Tile::at(level, first / 256, self.size) else { return Err(missing) };
        let first = first % 256;
        if first + count > u64::from(tile.width()) {
            return Err(missing);
        }
        let bytes = self.tile(tile)?;
        let begin = first as usize * HASH_BYTES;
        Ok(subtree_of(&bytes[begin..begin + count as usize * HASH_BYTES]))
    }

    fn tile(&mut self, tile: Tile) -> Result<&[u8], TileError<E>> {
        if !self.tiles.contains_key(&tile) {
            let bytes = (self.fetch)(tile).map_err(|source| TileError::Fetch { tile, source })?;
            if bytes.len() != tile.bytes() && bytes.len() != tile.full().bytes() {
                return Err(TileError::Length { tile, found: bytes.len() });
            }
            if self.tiles.len() >= CACHED_TILES_MAX {
                self.tiles.pop_first();
            }
            self.tiles.insert(tile, bytes);
        }
        Ok(self.tiles.get(&tile).map_or(&[], Vec::as_slice))
    }
}

/// Returns the root of a power-of-two number of concatenated hashes.
fn subtree_of(bytes: &[u8]) -> NodeHash {
    let mut row: Vec<NodeHash> = bytes.as_chunks::<HASH_BYTES>().0.iter().map(|hash| NodeHash(*hash)).collect();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or(NodeHash([0; HASH_BYTES]))
}
