//! What is remembered of instructions: contents by hash, the newest content of each path, and what each session was told.
//!
//! All of it is bounded, and replaying the trail gives it back. What had to be forgotten is told again: an event repeats a text, and says no difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hash::{Hash, sha256};

/// 16,384 contents of 32 bytes: with the trees, some 2 MB.
const CONTENTS_MAX: usize = 16_384;

/// 4 MiB of texts, to tell the difference of the next version.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// 8,192 paths, of which the newest content is known.
const PATHS_MAX: usize = 8192;

/// The first half of a path's SHA-256.
pub(crate) type PathKey = [u8; 16];

/// Returns the key of a path.
pub(crate) fn path_key(path: &str) -> PathKey {
    let mut key = [0; 16];
    key.copy_from_slice(&sha256(path.as_bytes())[..16]);
    key
}

/// A file as a session was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its content; nothing when it was not there, or not readable.
    pub(crate) content: Option<Hash>,
    /// Whether the client said that it loaded that content.
    pub(crate) loaded: bool,
}

/// What is known of all sessions together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Provenance {
    contents: Aged<Hash, ()>,
    texts: Aged<Hash, Arc<str>>,
    text_bytes: usize,
    newest: Aged<PathKey, Option<Hash>>,
}

impl Provenance {
    /// Tells whether the trail has this content.
    pub(crate) fn knows(&self, content: &Hash) -> bool {
        self.contents.get(content).is_some()
    }

    /// Returns the text of a content, as far as it is remembered.
    pub(crate) fn text(&self, content: &Hash) -> Option<&str> {
        self.texts.get(content).map(AsRef::as_ref)
    }

    /// Returns the newest content of a path: nothing for a path that was never told, `None` inside for one that is gone.
    pub(crate) fn newest(&self, path: &PathKey) -> Option<Option<Hash>> {
        self.newest.get(path).copied()
    }

    /// Takes an event into account.
    pub(crate) fn note(&mut self, path: PathKey, content: Option<Hash>, text: Option<Arc<str>>) {
        self.newest.put(path, content);
        self.newest.shrink_to(PATHS_MAX);
        let Some(content) = content else { return };
        self.contents.put(content, ());
        self.contents.shrink_to(CONTENTS_MAX);
        if let Some(text) = text.or_else(|| self.texts.get(&content).cloned()) {
            self.text_bytes += text.len();
            self.text_bytes -= self.texts.put(content, text).map_or(0, |old| old.len());
        }
        while self.text_bytes > TEXT_BYTES_MAX {
            let Some(oldest) = self.texts.pop_oldest() else { break };
            self.text_bytes -= oldest.len();
        }
    }
}

/// A map that knows which entry was put in longest ago.
#[derive(Clone, Debug, PartialEq)]
struct Aged<K, V> {
    clock: u64,
    values: BTreeMap<K, (u64, V)>,
    ages: BTreeMap<u64, K>,
}

impl<K, V> Default for Aged<K, V> {
    fn default() -> Self {
        Self { clock: 0, values: BTreeMap::new(), ages: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, V> Aged<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// Puts a value in as the newest; returns the one that it replaces.
    fn put(&mut self, key: K, value: V) -> Option<V> {
        self.clock += 1;
        self.ages.insert(self.clock, key);
        let (age, old) = self.values.insert(key, (self.clock, value))?;
        self.ages.remove(&age);
        Some(old)
    }

    fn pop_oldest(&mut self) -> Option<V> {
        let (_, key) = self.ages.pop_first()?;
        self.values.remove(&key).map(|(_, value)| value)
    }

    fn shrink_to(&mut self, entries: usize) {
        while self.values.len() > entries && self.pop_oldest().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{CONTENTS_MAX, PATHS_MAX, Provenance, TEXT_BYTES_MAX, path_key};
    use crate::hash::sha256;

    /// Protects memory: contents, paths and texts stay within their bounds, what was seen last stays, and a forgotten text leaves its hash.
    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Provenance::default();
        let text: Arc<str> = "x".repeat(64 * 1024).into();
        for n in 0..CONTENTS_MAX + 100 {
            known.note(path_key(&n.to_string()), Some(sha256(&n.to_le_bytes())), Some(Arc::clone(&text)));
        }
        assert_eq!(
            (known.contents.values.len(), known.contents.ages.len(), known.newest.values.len()),
            (CONTENTS_MAX, CONTENTS_MAX, PATHS_MAX)
        );
        assert_eq!(known.text_bytes, TEXT_BYTES_MAX);
        let (first, last) = (sha256(&100usize.to_le_bytes()), sha256(&(CONTENTS_MAX + 99).to_le_bytes()));
        assert_eq!((known.knows(&first), known.text(&first), known.text(&last).map(str::len)), (true, None, Some(64 * 1024)));
    }
}
