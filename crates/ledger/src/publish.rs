//! Publishing: tiles, then the record of checkpoints, then the checkpoint, then the mark; each durable before the next.
//!
//! A crash leaves tiles that no checkpoint claims, or a checkpoint that is ahead of the mark; opening compares both with what it
//! recovered and publishes again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, DiskError, Open, replace, write_all_at};
use sealtrail_tlog::tile::TILE_HEIGHT;
use sealtrail_tlog::{Checkpoint, CheckpointError, Tile, TreeSize, VerifierKey};

use crate::head::frontier_bytes;
use crate::job::Done;
use crate::layout::Layout;
use crate::line::HighWater;
use crate::write::{Committer, remove_if_there};

/// 64 KiB: the end of the record of checkpoints that opening looks at; a note has under 1 KiB.
const NOTES_TAIL: u64 = 64 * 1024;

pub(crate) struct PublishJob {
    disk: Arc<dyn Disk>,
    layout: Layout,
    tiles: Vec<(Tile, Vec<u8>)>,
    old: TreeSize,
    note: String,
    notes_end: u64,
    mark: HighWater,
    mark_copy: Option<PathBuf>,
    wal: u64,
}

impl PublishJob {
    /// Signs the checkpoint of what is durable now.
    pub(crate) fn of(committer: &Committer) -> Result<Self, CheckpointError> {
        let head = &committer.durable;
        let (old, size) = (committer.published.size, head.frontier.size());
        let checkpoint = Checkpoint { origin: committer.info.origin.clone(), size, root: head.root() };
        // A commit that announces an epoch lies in the epoch before.
        let announced = u64::from(head.epoch > 0 && head.epoch_first == head.size());
        let mark = HighWater {
            size: size.0,
            root: head.root().0,
            chain: head.chain,
            frontier: frontier_bytes(&head.frontier),
            wal: Layout::wal_name(committer.wal.first),
            offset: committer.wal.end,
            epoch: head.epoch - announced,
        };
        Ok(Self {
            disk: committer.disk.clone(),
            layout: committer.layout.clone(),
            tiles: committer.edge.tiles(old, size),
            old,
            note: checkpoint.sign(&[&committer.log_key])?,
            notes_end: committer.published.notes_end,
            mark,
            mark_copy: committer.options.highwater_copy.clone(),
            wal: committer.wal.first,
        })
    }

    /// Publishes beside a copy what the owner of the log signed.
    pub(crate) fn of_copy(
        disk: Arc<dyn Disk>,
        layout: Layout,
        tiles: Vec<(Tile, Vec<u8>)>,
        old: TreeSize,
        note: String,
        notes_end: u64,
        mark: HighWater,
    ) -> Self {
        Self { disk, layout, tiles, old, note, notes_end, mark, mark_copy: None, wal: 0 }
    }

    pub(crate) fn size(&self) -> TreeSize {
        TreeSize(self.mark.size)
    }

    pub(crate) fn run(self) -> Result<Done, DiskError> {
        let disk = &*self.disk;
        write_tiles(disk, &self.layout.dir, &self.tiles)?;
        let notes_end = append_note(disk, &self.layout, self.notes_end, &self.note)?;
        replace(disk, &self.layout.checkpoint(), self.note.as_bytes())?;
        let mark = self.mark.encode();
        replace(disk, &self.layout.highwater(), &mark)?;
        if let Some(path) = &self.mark_copy {
            replace(disk, path, &mark)?;
        }
        // What stays is as true as it was, and the next publication tries again.
        let _ = clear(disk, &self.layout.dir, self.old, self.size());
        Ok(Done::Published { size: TreeSize(self.mark.size), wal: self.wal, notes_end })
    }
}

/// Writes tiles and makes them durable, each whole or not at all. A tile that is there says the same.
pub(crate) fn write_tiles(disk: &dyn Disk, dir: &Path, tiles: &[(Tile, Vec<u8>)]) -> Result<(), DiskError> {
    let mut folders = BTreeSet::new();
    for (tile, bytes) in tiles {
        let path = dir.join(tile.to_string());
        let Some(folder) = path.parent() else { continue };
        if folders.insert(folder.to_owned()) {
            disk.create_dir(folder)?;
        }
        let new = path.with_extension("new");
        remove_if_there(disk, &new)?;
        let file = disk.open(&new, Open::New)?;
        write_all_at(&*file, bytes, 0)?;
        file.sync_data()?;
        disk.rename(&new, &path)?;
    }
    folders.iter().try_for_each(|folder| disk.sync_dir(folder))
}

/// Removes every partial tile that a tree of `new` entries does not have: those of the tree of `old` entries, and what crashes left
/// beside them.
fn clear(disk: &dyn Disk, dir: &Path, old: TreeSize, new: TreeSize) -> Result<(), DiskError> {
    let partial = |size: TreeSize| {
        let edge = (0..TILE_HEIGHT).filter_map(move |level| Tile::at(level, (size.0 >> (u32::from(level) * 8)) / 256, size));
        edge.filter(Tile::is_partial).map(|tile| dir.join(tile.to_string()))
    };
    let kept: BTreeSet<PathBuf> = partial(new).collect();
    let folders: BTreeSet<PathBuf> = partial(old).chain(partial(new)).filter_map(|path| path.parent().map(Path::to_owned)).collect();
    for folder in folders {
        let paths: Vec<PathBuf> = crate::read::parts::names(disk, &folder)?.into_iter().map(|name| folder.join(name)).collect();
        for path in paths.iter().filter(|path| !kept.contains(*path)) {
            disk.remove(path)?;
        }
        if !kept.iter().any(|path| path.starts_with(&folder)) && !paths.is_empty() {
            disk.remove_dir(&folder)?;
        }
    }
    Ok(())
}

/// Appends a note to the record of checkpoints, over anything that an earlier attempt left after its end.
fn append_note(disk: &dyn Disk, layout: &Layout, end: u64, note: &str) -> Result<u64, DiskError> {
    let path = layout.notes();
    let is_new = disk.size(&path)?.is_none();
    let file = disk.open(&path, if is_new { Open::New } else { Open::Write })?;
    let text = if end == 0 { note.to_owned() } else { format!("\n{note}") };
    write_all_at(&*file, text.as_bytes(), end)?;
    let end = end + text.len() as u64;
    if file.size()? > end {
        file.truncate(end)?;
    }
    file.sync_data()?;
    if is_new {
        disk.sync_dir(&layout.dir)?;
    }
    Ok(end)
}

/// Finds where the record of checkpoints ends: after the published checkpoint, or after one whole note more.
pub(crate) fn notes_end(disk: &dyn Disk, layout: &Layout, checkpoint: &[u8], log: &VerifierKey) -> Result<u64, DiskError> {
    let path = layout.notes();
    let Some(size) = disk.size(&path)? else { return Ok(0) };
    let from = size.saturating_sub(NOTES_TAIL);
    let file = disk.open(&path, Open::Read)?;
    let mut tail = vec![0; (size - from) as usize];
    sealtrail_disk::read_exact_at(&*file, &mut tail, from)?;
    let Some(at) = memchr::memmem::rfind(&tail, checkpoint).filter(|_| !checkpoint.is_empty()) else {
        // Not our doing: what is there stays, and the record goes on after it.
        return Ok(size);
    };
    let end = at + checkpoint.len();
    let more = tail[end..].strip_prefix(b"\n").filter(|note| Checkpoint::open(note, log, &[]).is_ok());
    Ok(from + end as u64 + more.map_or(0, |note| 1 + note.len() as u64))
}
