//! What a reader keeps open between calls: the segments used last, buffers, and which ids each segment may hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sealtrail_disk::Disk;

use super::ReadError;
use super::blocks::Blocks;
use super::ids::{Ids, Span, Wanted};
use super::segment::{Decoded, Segment};
use crate::line::Manifest;

/// 100 segments: 300 open files of the 1,024 that a process usually may have, and 6 million events when segments are full.
const SEGMENTS_MAX: usize = 100;
/// 4 sets of buffers, as many as threads that usually read at once; each grows to what one block needs.
const BUFFERS_MAX: usize = 4;

/// Which files a segment is read from: an erasure gives it another slots file.
pub(super) type Key = (u64, [u8; 32]);

pub(super) fn key(manifest: &Manifest) -> Key {
    (manifest.first, manifest.files.slots.sha256)
}

/// Shared by a reader and its clones. The lock is held to look things up, never to read or decode.
#[derive(Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The one used last is the last.
    segments: Vec<(Key, Arc<Segment>)>,
    buffers: Vec<Decoded>,
    /// By the first position of the segment; erasing changes no id.
    spans: BTreeMap<u64, Span>,
    /// The same more closely, of segments whose span was not enough.
    ids: BTreeMap<u64, Arc<Ids>>,
}

impl Cache {
    /// Returns a segment, opened now if it is not open.
    pub(super) fn segment(&self, disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<Arc<Segment>, ReadError> {
        let key = key(manifest);
        if let Some(segment) = self.kept().take(key) {
            return Ok(segment);
        }
        let segment = Arc::new(Segment::open(disk, dir, manifest)?);
        let mut kept = self.kept();
        if kept.segments.len() >= SEGMENTS_MAX {
            kept.segments.remove(0);
        }
        kept.segments.push((key, Arc::clone(&segment)));
        Ok(segment)
    }

    /// Tells whether a segment may hold an id, as far as its side file says so.
    pub(super) fn may_hold(&self, disk: &dyn Disk, dir: &Path, manifest: &Manifest, wanted: Wanted) -> bool {
        let first = manifest.first;
        let (span, ids) = {
            let kept = self.kept();
            (kept.spans.get(&first).copied(), kept.ids.get(&first).cloned())
        };
        if span.is_some_and(|span| !span.may_hold(wanted)) {
            return false;
        }
        if let Some(ids) = ids {
            return ids.may_hold(wanted);
        }
        let Some(blocks) = Blocks::open(disk, dir, manifest) else { return true };
        self.kept().spans.insert(first, blocks.span());
        if !blocks.span().may_hold(wanted) {
            return false;
        }
        let Some(ids) = blocks.ids() else { return true };
        let may_hold = ids.may_hold(wanted);
        self.kept().ids.insert(first, Arc::new(ids));
        may_hold
    }

    /// Lends buffers, those that hold something of these files if there are such.
    pub(super) fn buffers(&self, key: Key) -> Decoded {
        let mut kept = self.kept();
        let warm = kept.buffers.iter().position(|decoded| decoded.key() == Some(key));
        let decoded = warm.map(|at| kept.buffers.swap_remove(at)).or_else(|| kept.buffers.pop());
        drop(kept);
        decoded.unwrap_or_else(Decoded::new).of(key)
    }

    pub(super) fn give_back(&self, decoded: Decoded) {
        let mut kept = self.kept();
        if kept.buffers.len() < BUFFERS_MAX {
            // Lent again last: what was just used is the most likely to be wanted next.
            kept.buffers.insert(0, decoded);
        }
    }

    /// Forgets every file that is no longer one of the ledger's, so that nothing erased is kept.
    pub(super) fn keep(&self, is_current: impl Fn(Key) -> bool) {
        let mut kept = self.kept();
        kept.segments.retain(|(key, _)| is_current(*key));
        kept.buffers.retain(|decoded| decoded.key().is_some_and(&is_current));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing is ever half changed in there.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, key: Key) -> Option<Arc<Segment>> {
        let at = self.segments.iter().rposition(|(kept, _)| *kept == key)?;
        let found = self.segments.remove(at);
        let segment = Arc::clone(&found.1);
        self.segments.push(found);
        Some(segment)
    }
}
