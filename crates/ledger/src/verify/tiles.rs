//! Tiles against the recomputed tree: which must be there, and every byte of those that are.

use std::collections::BTreeMap;
use std::path::Path;

use sealtrail_disk::{Disk, DiskError};
use sealtrail_tlog::{LeafHash, NodeHash, NodeId, Tile, TreeSize};

use super::Context;
use crate::read::parts::names;
use crate::report::Finding;

/// 8 levels of 8: a tree of 2^63 leaves.
const LEVELS: usize = 8;

/// The tiles that are there.
#[derive(Default)]
pub(super) struct TileFiles {
    /// Size of the published checkpoint.
    pub(super) published: TreeSize,
    /// Partial tiles by level and index, with their widths.
    partial: BTreeMap<(u8, u64), Vec<u16>>,
    /// The tile with the most events behind it: those events, and its path.
    ahead: Option<(u64, String)>,
    unknown: Vec<String>,
}

impl TileFiles {
    /// Lists `tile/`. Full tiles inside the tree are not remembered; they are looked for when their hashes are known.
    pub(super) fn list(disk: &dyn Disk, dir: &Path, published: TreeSize) -> Result<Self, DiskError> {
        let mut files = Self { published, ..Self::default() };
        files.walk(disk, dir, "tile", 0)?;
        Ok(files)
    }

    fn walk(&mut self, disk: &dyn Disk, dir: &Path, below: &str, depth: usize) -> Result<(), DiskError> {
        for name in names(disk, &dir.join(below))? {
            let path = format!("{below}/{name}");
            // Only what is not named like a tile is looked at: there are 256 times as many tiles as folders.
            match Tile::parse(&path) {
                Ok(tile) => self.found(&tile, path),
                // Level, at most seven groups of an index, and a width.
                Err(_) if depth < 9 && disk.size(&dir.join(&path))?.is_none() => self.walk(disk, dir, &path, depth + 1)?,
                Err(_) => self.unknown.push(path),
            }
        }
        Ok(())
    }

    fn found(&mut self, tile: &Tile, path: String) {
        if tile.is_partial() {
            self.partial.entry((tile.level(), tile.index())).or_default().push(tile.width());
        }
        let events = (tile.index() * 256 + u64::from(tile.width())).checked_shl(u32::from(tile.level()) * 8).unwrap_or(u64::MAX);
        if self.ahead.as_ref().is_none_or(|(most, _)| events > *most) {
            self.ahead = Some((events, path));
        }
    }

    /// Reports names that are no tiles, and tiles of more events than there are.
    pub(super) fn judge(&self, size: u64, findings: &mut Vec<Finding>) {
        let unknown =
            |path: &String| Finding::new(crate::report::Severity::Warn, "unknown-file", path.clone(), "the file is none of the ledger's");
        findings.extend(self.unknown.iter().map(unknown));
        if let Some((events, path)) = self.ahead.as_ref().filter(|(events, _)| *events > size) {
            let detail = format!("the tile is of at least {events} events and only {size} are there: events are lost");
            findings.push(Finding::fail("events-lost", path.clone(), detail).at(size));
        }
    }

    /// Returns the leaf hash of an event as a tile has it.
    pub(super) fn leaf(&self, ctx: &Context<'_>, seq: u64) -> Option<LeafHash> {
        let full = Tile::at(0, seq / 256, TreeSize(seq / 256 * 256 + 256))?;
        let widths = self.partial.get(&(0, full.index())).map_or(&[] as &[u16], Vec::as_slice);
        let partial = widths.iter().filter_map(|width| Tile::at(0, full.index(), TreeSize(full.index() * 256 + u64::from(*width))));
        let at = (seq % 256) as usize * 32;
        std::iter::once(full).chain(partial).find_map(|tile| {
            let bytes = ctx.disk.read(&ctx.dir.join(tile.to_string())).ok()?;
            Some(LeafHash(bytes.get(at..at + 32)?.try_into().ok()?))
        })
    }

    /// Returns the tiles at a place: those that are listed, and the one that the published tree must have.
    fn at(&self, level: u8, index: u64) -> (Vec<Tile>, Option<Tile>) {
        let events = |width: u64| TreeSize((index * 256 + width).checked_shl(u32::from(level) * 8).unwrap_or(u64::MAX));
        let widths = self.partial.get(&(level, index)).map_or(&[] as &[u16], Vec::as_slice);
        let mut tiles: Vec<Tile> = widths.iter().filter_map(|width| Tile::at(level, index, events(u64::from(*width)))).collect();
        tiles.extend(Tile::at(level, index, events(256)));
        (tiles, Tile::at(level, index, self.published))
    }
}

/// Hashes of one tile, from one on, not yet compared.
struct Fragment {
    index: u64,
    from: usize,
    hashes: Vec<u8>,
}

/// The tiles that a part of the log fills, level by level.
#[derive(Default)]
pub(super) struct Fragments {
    levels: [Option<Fragment>; LEVELS],
}

impl Fragments {
    /// Takes leaf hashes, the first of which is event `first`.
    pub(super) fn leaves(&mut self, ctx: &Context<'_>, first: u64, leaves: &[LeafHash], findings: &mut Vec<Finding>) {
        let (mut at, mut rest) = (first, leaves);
        while !rest.is_empty() {
            let room = 256 - (at % 256) as usize;
            let (tile, later) = rest.split_at(room.min(rest.len()));
            self.extend(ctx, 0, at, tile.iter().map(|leaf| &leaf.0), findings);
            (at, rest) = (at + tile.len() as u64, later);
        }
    }

    /// Takes hashes of higher tile levels.
    pub(super) fn nodes(&mut self, ctx: &Context<'_>, nodes: &[(NodeId, NodeHash)], findings: &mut Vec<Finding>) {
        for (id, hash) in nodes {
            self.extend(ctx, id.level / 8, id.index, std::iter::once(&hash.0), findings);
        }
    }

    /// Takes consecutive hashes that lie in one tile; the one that fills it is the last.
    fn extend<'h>(
        &mut self,
        ctx: &Context<'_>,
        level: u8,
        at: u64,
        hashes: impl ExactSizeIterator<Item = &'h [u8; 32]>,
        findings: &mut Vec<Finding>,
    ) {
        let Some(slot) = self.levels.get_mut(usize::from(level)) else { return };
        let fragment =
            slot.get_or_insert_with(|| Fragment { index: at / 256, from: (at % 256) as usize, hashes: Vec::with_capacity(256 * 32) });
        let last = at % 256 + hashes.len() as u64;
        hashes.for_each(|hash| fragment.hashes.extend_from_slice(hash));
        if last == 256
            && let Some(fragment) = slot.take()
        {
            fragment.compare(ctx, level, findings);
        }
    }

    /// Compares what is left at the end of the part.
    pub(super) fn finish(&mut self, ctx: &Context<'_>, findings: &mut Vec<Finding>) {
        for (level, fragment) in (0u8..).zip(self.levels.iter_mut()) {
            if let Some(fragment) = fragment.take() {
                fragment.compare(ctx, level, findings);
            }
        }
    }
}

impl Fragment {
    fn compare(&self, ctx: &Context<'_>, level: u8, findings: &mut Vec<Finding>) {
        let (tiles, wanted) = ctx.tiles.at(level, self.index);
        let mut seen = false;
        for tile in tiles {
            let path = tile.to_string();
            match ctx.disk.read(&ctx.dir.join(&path)) {
                Ok(bytes) => {
                    seen |= wanted.is_some_and(|wanted| tile.width() >= wanted.width());
                    findings.extend(self.differs(&tile, &bytes, path));
                }
                Err(error) if error.is_missing() => {}
                Err(error) => findings.push(Finding::fail("unreadable", path, error.source.to_string())),
            }
        }
        if let (false, Some(wanted)) = (seen, wanted)
            && self.from < usize::from(wanted.width())
            && !ctx.published_again()
        {
            findings.push(Finding::fail(
                "tile-missing",
                wanted.to_string(),
                "the published checkpoint needs this tile and it is not there",
            ));
        }
    }

    fn differs(&self, tile: &Tile, bytes: &[u8], path: String) -> Option<Finding> {
        if bytes.len() != tile.bytes() {
            let detail = format!("the tile has {} bytes and must have {}", bytes.len(), tile.bytes());
            return Some(Finding::fail("tile-differs", path, detail));
        }
        let here = bytes.get(self.from * 32..).unwrap_or_default().chunks_exact(32);
        let at = here.zip(self.hashes.chunks_exact(32)).position(|(found, wanted)| found != wanted)?;
        let place = self.index * 256 + (self.from + at) as u64;
        let finding = Finding::fail("tile-differs", path, format!("hash {place} of level {} is not the one of the events", tile.level()));
        Some(if tile.level() == 0 { finding.at(place) } else { finding })
    }
}
