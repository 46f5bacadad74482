//! Rewriting one slot file without what is erased.
//!
//! The new file is written beside the old one and synced; the marker then names both hashes; then the slot file, the side file and the
//! manifest are replaced. A crash between those leaves a manifest that does not fit its slot file until the next opening puts it right.

use std::path::{Path, PathBuf};

use sealtrail_disk::{Disk, Open, replace};

use crate::erase::EraseError;
use crate::layout::Layout;
use crate::line::{FileSum, Manifest, SlotLine};
use crate::marker::{Marker, Rewritten};
use crate::quarantine::{hex, scrub};
use crate::read::ReadError;
use crate::read::blocks::{BLOCK_EVENTS, Blocks};
use crate::read::lines::{Lines, Source};
use crate::read::segment::Segment;
use crate::seal::{Output, SealError};

/// 8 MiB: values that are kept in memory until they are looked for in quarantine; one more value may come on top.
const VALUES_BYTES: usize = 8 * 1024 * 1024;

/// Rewrites the slots of one segment; returns how many slots went. Nothing happens when none is there any more.
pub(crate) fn rewrite(disk: &dyn Disk, layout: &Layout, marker: &mut Marker, mut manifest: Manifest) -> Result<u64, EraseError> {
    let path = layout.segment(manifest.first, "slots", manifest.compression.suffix());
    let new = PathBuf::from(format!("{}.new", path.display()));
    let made = copy_without(disk, layout, marker, &manifest, &path, &new)?;
    let started = marker.done.iter().any(|done| done.first == manifest.first);
    if made.removed == 0 && (!started || made.sum == manifest.files.slots) {
        return Ok(disk.remove(&new).map(|()| 0)?);
    }
    if !started {
        let (old, new) = (hex(&manifest.files.slots.sha256), hex(&made.sum.sha256));
        marker.done.push(Rewritten { first: manifest.first, old, new, bytes: made.bytes });
        replace(disk, &layout.erasing(), &marker.encode())?;
    }
    let side = side_file(disk, layout, &manifest, &made)?;
    disk.rename(&new, &path)?;
    disk.sync_dir(&layout.seg_dir())?;
    replace(disk, &layout.blocks(manifest.first), &side)?;
    manifest.files.slots = made.sum;
    manifest.plain.slots = made.plain;
    replace(disk, &layout.manifest(manifest.first), &manifest.encode())?;
    check_gone(disk, marker, &manifest, path)?;
    Ok(made.removed)
}

/// A slot file written again.
struct Made {
    sum: FileSum,
    plain: u64,
    removed: u64,
    bytes: u64,
    /// Where the slots of each block start.
    starts: Vec<u64>,
}

/// Writes the slot file again without what is erased, which is blanked in quarantine too.
fn copy_without(
    disk: &dyn Disk,
    layout: &Layout,
    marker: &Marker,
    manifest: &Manifest,
    path: &Path,
    new: &Path,
) -> Result<Made, EraseError> {
    let failed = |source| EraseError::Lines { path: path.to_owned(), source };
    let rewritten = |source| EraseError::Rewrite { path: path.to_owned(), source };
    let quarantine = layout.quarantine_dir();
    let has_quarantine = disk.list(&quarantine).is_ok_and(|names| !names.is_empty());
    let mut lines = Lines::new(Source::new(disk.open(path, Open::Read)?, 0, manifest.compression, false));
    let mut output = Output::create(disk, new, manifest.compression)?;
    let (mut removed, mut bytes) = (0, 0);
    let (mut values, mut values_bytes) = (Vec::new(), 0);
    let mut starts = vec![0];
    let last = manifest.size.saturating_sub(manifest.first + 1) / BLOCK_EVENTS;
    while let Some(line) = lines.peek().map_err(failed)? {
        let Ok(slot) = SlotLine::parse(line) else { return Err(EraseError::StillThere { path: path.to_owned() }) };
        if marker.covers(slot.seq, slot.name) {
            removed += 1;
            bytes += line.len() as u64 + 1;
            if has_quarantine {
                values_bytes += slot.value.len();
                values.push(slot.value.to_vec());
            }
            if values_bytes >= VALUES_BYTES {
                scrub(disk, &quarantine, &std::mem::take(&mut values))?;
                values_bytes = 0;
            }
        } else {
            start_blocks(&mut output, &mut starts, (slot.seq.saturating_sub(manifest.first) / BLOCK_EVENTS).min(last))
                .map_err(rewritten)?;
            output.line(line).and_then(|()| output.line(b"\n")).map_err(rewritten)?;
        }
        lines.advance();
    }
    scrub(disk, &quarantine, &values)?;
    start_blocks(&mut output, &mut starts, last).map_err(rewritten)?;
    let (sum, plain) = output.finish().map_err(rewritten)?;
    Ok(Made { sum, plain, removed, bytes, starts })
}

/// Starts the blocks up to and with block `at`.
fn start_blocks(output: &mut Output, starts: &mut Vec<u64>, at: u64) -> Result<(), SealError> {
    while starts.len() as u64 <= at {
        starts.push(output.end_member()?);
    }
    Ok(())
}

/// Returns the side file for the new slots: the old one with other places, or one made from the entries if it is not there.
fn side_file(disk: &dyn Disk, layout: &Layout, manifest: &Manifest, made: &Made) -> Result<Vec<u8>, ReadError> {
    let entries = &manifest.files.entries;
    let known = Blocks::open(disk, &layout.dir, manifest);
    if let Some(side) = known.and_then(|blocks| blocks.with_slots(entries, &made.sum, &made.starts)) {
        return Ok(side);
    }
    Segment::open(disk, &layout.dir, manifest)?.side_file(entries, &made.sum, &made.starts)
}

/// Reads the new file back from the disk: nothing that was to go is in it.
fn check_gone(disk: &dyn Disk, marker: &Marker, manifest: &Manifest, path: PathBuf) -> Result<(), EraseError> {
    let mut lines = Lines::new(Source::new(disk.open(&path, Open::Read)?, 0, manifest.compression, false));
    while let Some(line) = lines.peek().map_err(|source| EraseError::Lines { path: path.clone(), source })? {
        if SlotLine::parse(line).map_or(true, |slot| marker.covers(slot.seq, slot.name)) {
            return Err(EraseError::StillThere { path });
        }
        lines.advance();
    }
    Ok(())
}
