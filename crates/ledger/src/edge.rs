//! The growing edge of the tiles: the hashes of every tile that is not full, and of those that are not written yet.

use sealtrail_tlog::proof::build_frontier;
use sealtrail_tlog::tile::{TILE_HEIGHT, TILE_WIDTH};
use sealtrail_tlog::{Frontier, NodeHash, NodeId, Tile, TileReader, TreeSize, tiles_for};

/// One row of hashes per tile level, each from the start of its first unwritten tile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    /// Index of the first hash kept; a multiple of 256.
    base: u64,
    hashes: Vec<NodeHash>,
}

impl Edge {
    /// Takes the edge of a tree of `size` entries from its partial tiles; nothing when they are missing or are not those of `frontier`.
    pub(crate) fn load<E>(frontier: &Frontier, mut fetch: impl FnMut(Tile) -> Result<Vec<u8>, E>) -> Option<Self> {
        let size = frontier.size();
        let mut edge = Self::default();
        for level in 0..TILE_HEIGHT {
            let count = count_at(level, size);
            if count == 0 {
                break;
            }
            let base = count / u64::from(TILE_WIDTH) * u64::from(TILE_WIDTH);
            let hashes = match Tile::at(level, count / u64::from(TILE_WIDTH), size) {
                Some(tile) => split(&fetch(tile).ok()?, tile)?,
                None => Vec::new(),
            };
            edge.rows.push(Row { base, hashes });
        }
        edge.belongs_to(frontier).then_some(edge)
    }

    /// Takes in a subtree that was completed; those between tile levels are no concern of tiles.
    pub(crate) fn push(&mut self, id: NodeId, hash: NodeHash) {
        if !id.level.is_multiple_of(TILE_HEIGHT) {
            return;
        }
        let level = usize::from(id.level / TILE_HEIGHT);
        if self.rows.len() <= level {
            self.rows.resize_with(level + 1, Row::default);
        }
        self.rows[level].hashes.push(hash);
    }

    /// Returns the bytes of every tile that the growth from `old` to `new` entries writes.
    pub(crate) fn tiles(&self, old: TreeSize, new: TreeSize) -> Vec<(Tile, Vec<u8>)> {
        tiles_for(old, new).filter_map(|tile| self.bytes(tile)).collect()
    }

    /// Returns the bytes of every tile of a tree of `size` entries that this still has: the unwritten ones and all partial ones.
    pub(crate) fn all(&self, size: TreeSize) -> Vec<(Tile, Vec<u8>)> {
        let rows = (0..TILE_HEIGHT).zip(&self.rows);
        let tiles = rows.flat_map(|(level, row)| {
            let (first, end) = (row.base / u64::from(TILE_WIDTH), count_at(level, size).div_ceil(u64::from(TILE_WIDTH)));
            (first..end).filter_map(move |index| Tile::at(level, index, size))
        });
        tiles.filter_map(|tile| self.bytes(tile)).collect()
    }

    fn bytes(&self, tile: Tile) -> Option<(Tile, Vec<u8>)> {
        let row = self.rows.get(usize::from(tile.level()))?;
        let from = usize::try_from((tile.index() * u64::from(TILE_WIDTH)).checked_sub(row.base)?).ok()?;
        let hashes = row.hashes.get(from..from + usize::from(tile.width()))?;
        Some((tile, hashes.iter().flat_map(|hash| hash.0).collect()))
    }

    /// Forgets the full tiles of a tree of `size` entries, which are written.
    pub(crate) fn trim(&mut self, size: TreeSize) {
        for (level, row) in self.rows.iter_mut().enumerate() {
            let base = count_at(level as u8, size) / u64::from(TILE_WIDTH) * u64::from(TILE_WIDTH);
            let gone = base.saturating_sub(row.base).min(row.hashes.len() as u64);
            row.hashes.drain(..gone as usize);
            row.base += gone;
        }
    }

    /// Tells whether the partial tiles are those of the tree with this frontier: each of its subtrees is made of them.
    fn belongs_to(&self, frontier: &Frontier) -> bool {
        let fetch = |tile: Tile| {
            let row = self.rows.get(usize::from(tile.level())).ok_or(())?;
            if row.base != tile.index() * u64::from(TILE_WIDTH) {
                return Err(());
            }
            Ok(row.hashes.iter().flat_map(|hash| hash.0).collect())
        };
        let mut tiles = TileReader::new(frontier.size(), fetch);
        build_frontier(frontier.size(), |id| tiles.hash(id)).is_ok_and(|found| found == frontier.hashes())
    }
}

fn count_at(level: u8, size: TreeSize) -> u64 {
    size.0.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

fn split(bytes: &[u8], tile: Tile) -> Option<Vec<NodeHash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() >= usize::from(tile.width()))
        .then(|| hashes[..usize::from(tile.width())].iter().map(|hash| NodeHash(*hash)).collect())
}
