//! A transcript that is not there any more: it is gone at two looks, or another one begins under its name.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use sealtrail_capture::transcript::deleted;
use sealtrail_event::Event;

use super::{Looked, Stamp, Tracked, open};
use crate::transcripts::round::Env;

/// 4 KiB of two files tell whether they begin alike.
const BEGINNING_BYTES: usize = 4 * 1024;

impl Tracked {
    /// The file is not there any more. Gone at two looks it is gone: what an open file still gives is sealed first.
    pub(super) fn missing(&mut self, env: &Env<'_>) -> Looked {
        if self.cursor.lines == 0 && self.file.is_none() {
            return Looked::Gone;
        }
        self.missed = self.missed.saturating_add(1);
        if self.missed < 2 {
            return Looked::Fine;
        }
        let Some(event) = self.last_words(env) else { return Looked::Fine };
        if !env.seal(vec![event]).is_empty() {
            return Looked::Fine;
        }
        env.cursors.forget(&self.cursor.path);
        Looked::Gone
    }

    /// Seals what the open file of a deleted transcript still gives; returns the event of its deletion, and nothing while something waits.
    fn last_words(&mut self, env: &Env<'_>) -> Option<Event> {
        if self.read_on(env).is_err() {
            self.file = None;
        }
        if let Some((reading, ..)) = &mut self.reading {
            let events = reading.rest(crate::clock::unix_ns());
            if self.waiting.is_none() && !events.is_empty() {
                let next = self.cursor.clone();
                self.commit(env, events, next);
            }
        }
        if self.waiting.is_some() {
            return None;
        }
        // Without the file itself nobody knows what was added after the last look.
        let size = self.file.as_ref().and_then(|file| file.metadata().ok()).map(|about| about.len());
        Some(deleted(&self.facts(&env.origin(&self.cursor)), size.map(|size| size.saturating_sub(self.cursor.offset))))
    }

    /// The client begins a new transcript under the name of one that was deleted between two looks: tells the deletion, and begins anew.
    pub(super) fn begins_anew(&mut self, env: &Env<'_>, stamp: Stamp) {
        if let Some(event) = self.last_words(env) {
            self.begin_anew(env, stamp, event);
            (self.file, self.reading) = (None, None);
        }
    }

    /// Tells whether the file that was followed was deleted, and the one that stands under its name now begins otherwise.
    pub(super) fn is_another(&self) -> io::Result<bool> {
        let Some(old) = &self.file else { return Ok(false) };
        if old.metadata()?.nlink() > 0 {
            return Ok(false);
        }
        let now = open(&self.cursor.path, self.only)?;
        let (was, is) = (beginning(old)?, beginning(&now)?);
        let alike = was.len().min(is.len());
        Ok(is.is_empty() || was[..alike] != is[..alike])
    }
}

fn beginning(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BEGINNING_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
