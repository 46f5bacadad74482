//! One transcript: looked at, read on, sealed; and what is found out when it is no longer what was sealed.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::OFlags;
use sealtrail_capture::transcript::{Changed, FileFacts, Origin, Reading, changed};
use sealtrail_event::Event;

mod gone;

use crate::clock::unix_ns;
use crate::transcripts::cursor::{Cursor, Inode};
use crate::transcripts::lines::{Tail, next_line};
use crate::transcripts::prefix::{Prefix, hex};
use crate::transcripts::round::Env;

/// 512 events or 4 MiB of slots go to the ledger at a time: one batch, one sync.
const BATCH_EVENTS: usize = 512;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// 32 MiB of one file in a round; then the next file has its turn.
const ROUND_BYTES: u64 = 32 * 1024 * 1024;

/// A file that has not grown for 2 seconds: the model's last answer is taken as complete.
const QUIET: Duration = Duration::from_secs(2);

/// After 30 quiet seconds everything that was sealed is compared once more.
const CHECK_AFTER: Duration = Duration::from_secs(30);

/// After 10 quiet minutes its state is let go; it is read anew if it grows.
pub(crate) const COLD_AFTER: Duration = Duration::from_secs(600);

/// The client writes an agent's description a moment after its transcript: 5 seconds are waited for it.
const META_PATIENCE: Duration = Duration::from_secs(5);

/// What a file was like at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: Inode,
    size: u64,
    ctime_ns: i128,
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        let ctime_ns = i128::from(about.ctime()) * 1_000_000_000 + i128::from(about.ctime_nsec());
        Self { inode: Inode { dev: about.dev(), ino: about.ino() }, size: about.len(), ctime_ns }
    }
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// Everything is as it should be, or will be looked at again.
    Fine,
    /// It is gone and that is sealed.
    Gone,
    /// It is somebody else's, or no file: it is not looked at again.
    Foreign,
}

/// Events that wait to be sealed, and the cursor that holds once they are.
struct Waiting {
    events: Vec<Event>,
    next: Option<Cursor>,
}

/// One transcript.
pub(crate) struct Tracked {
    pub(crate) cursor: Cursor,
    /// Only a file of this user is taken.
    only: Option<u32>,
    stamp: Option<Stamp>,
    file: Option<File>,
    reading: Option<(Reading, Prefix, Tail)>,
    waiting: Option<Waiting>,
    first_seen: Instant,
    grown: Option<Instant>,
    checked: bool,
    missed: u8,
}

impl Tracked {
    /// Begins to follow a file of which nothing is sealed.
    pub(crate) fn fresh(path: PathBuf, only: Option<u32>) -> Self {
        let sha256 = Prefix::new().sha256();
        Self::of(Cursor { path, sha256, tail: (0, String::new()), ..Cursor::default() }, only)
    }

    /// Goes on with a file.
    pub(crate) fn of(cursor: Cursor, only: Option<u32>) -> Self {
        let stamp = (cursor.lines > 0).then_some(Stamp { inode: cursor.inode, size: cursor.offset, ctime_ns: cursor.ctime_ns });
        let first_seen = Instant::now();
        Self { cursor, only, stamp, file: None, reading: None, waiting: None, first_seen, grown: None, checked: true, missed: 0 }
    }

    /// Tells whether it is worth a look in every round.
    pub(crate) fn is_hot(&self) -> bool {
        let recent = |at: Instant| at.elapsed() < COLD_AFTER;
        self.waiting.is_some() || self.missed > 0 || self.grown.map_or(recent(self.first_seen), recent)
    }

    /// Looks at the file once; `last` when no further round comes.
    pub(crate) fn look(&mut self, env: &Env<'_>, last: bool) -> Looked {
        if !self.settle(env) {
            return Looked::Fine;
        }
        let about = match std::fs::symlink_metadata(&self.cursor.path) {
            Ok(about) if about.is_file() => about,
            Ok(_) if self.cursor.lines == 0 => return Looked::Foreign,
            _ => return self.missing(env),
        };
        self.missed = 0;
        if self.only.is_some_and(|uid| uid != about.uid()) {
            return Looked::Foreign;
        }
        let stamp = Stamp::of(&about);
        if self.stamp != Some(stamp) && !self.waits_for_meta(env, last) {
            // A file that cannot be read now is tried again when it changes.
            self.stamp = Some(stamp);
            if self.take(env, stamp).is_err() {
                (self.file, self.reading) = (None, None);
            }
        }
        self.when_quiet(env, last);
        Looked::Fine
    }

    /// An agent's parent stands in a file beside its transcript, which the client writes a moment later.
    fn waits_for_meta(&self, env: &Env<'_>, last: bool) -> bool {
        self.cursor.lines == 0 && !last && self.first_seen.elapsed() < META_PATIENCE && env.lacks_meta(&self.cursor.path, self.only)
    }

    /// Takes in what is new, or finds out what changed.
    fn take(&mut self, env: &Env<'_>, stamp: Stamp) -> io::Result<()> {
        if stamp.inode != self.cursor.inode && self.is_another()? {
            self.begins_anew(env, stamp);
            if self.waiting.is_some() {
                self.stamp = None;
                return Ok(());
            }
        }
        let other = self.cursor.lines > 0 && stamp.inode != self.cursor.inode;
        if other || self.file.is_none() {
            (self.file, self.reading) = (Some(open(&self.cursor.path, self.only)?), None);
        }
        self.cursor.uid = self.file.as_ref().map_or(Ok(0), |file| file.metadata().map(|about| about.uid()))?;
        if let Some(how) = self.difference(stamp, other)? {
            self.tell_change(env, stamp, how);
            if self.waiting.is_some() {
                // Later: until then the file counts as not looked at.
                self.stamp = None;
                return Ok(());
            }
        }
        self.cursor.inode = stamp.inode;
        if stamp.size > self.cursor.offset { self.read_on(env) } else { Ok(()) }
    }

    /// Compares the file with what was sealed of it: quickly while it only grows, byte by byte when there is a reason to.
    fn difference(&self, stamp: Stamp, other: bool) -> io::Result<Option<Changed>> {
        let Some(file) = self.file.as_ref().filter(|_| self.cursor.lines > 0) else { return Ok(None) };
        let how = match (other, stamp.size < self.cursor.offset) {
            (_, true) => "truncated",
            (true, false) => "replaced",
            (false, false) => "edited",
        };
        let quick = self.reading.is_some() && stamp.size > self.cursor.offset && how == "edited";
        if quick && tail_of(file, &self.cursor)? {
            return Ok(None);
        }
        let now = prefix_of(file, self.cursor.offset)?;
        if now.bytes == self.cursor.offset && now.sha256() == self.cursor.sha256 {
            return Ok(None);
        }
        let from_byte = Some(now.differs_from(&self.cursor.blocks));
        Ok(Some(Changed { how, size_bytes: stamp.size, sha256: now.sha256(), from_byte, was: None }))
    }

    /// Seals that sealed bytes are no longer what they were, and begins the file anew: what is known is not sealed twice.
    fn tell_change(&mut self, env: &Env<'_>, stamp: Stamp, how: Changed) {
        let event = changed(&self.facts(&env.origin(&self.cursor)), &how);
        self.begin_anew(env, stamp, event);
    }

    /// Seals `event` and begins the file anew.
    fn begin_anew(&mut self, env: &Env<'_>, stamp: Stamp, event: Event) {
        let sha256 = Prefix::new().sha256();
        let next = Cursor { path: self.cursor.path.clone(), inode: stamp.inode, uid: self.cursor.uid, sha256, ..Cursor::default() };
        self.reading = None;
        self.commit(env, vec![event], next);
    }

    /// Reads from where reading stopped to the last whole line, and seals it.
    fn read_on(&mut self, env: &Env<'_>) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let result = self.read_lines(env, &file);
        self.file = Some(file);
        result
    }

    fn read_lines(&mut self, env: &Env<'_>, file: &File) -> io::Result<()> {
        let fresh = || (Reading::new(env.origin(&self.cursor)), Prefix::new(), Tail::default());
        let (mut reading, mut prefix, mut tail) = self.reading.take().unwrap_or_else(fresh);
        let (mut input, begun) = (BufReader::with_capacity(256 * 1024, file), prefix.bytes);
        input.seek(SeekFrom::Start(begun))?;
        let (mut events, mut bytes, mut read_any) = (Vec::new(), 0, false);
        let known = self.cursor.offset;
        while let Some(line) = next_line(&mut input, &mut prefix, &mut tail)? {
            let made = reading.read(&line, unix_ns());
            // Read before, for what later lines need to know of it.
            if prefix.bytes <= known {
                continue;
            }
            read_any = true;
            bytes += made.iter().flat_map(|event| &event.slots).map(|slot| slot.json.len()).sum::<usize>();
            events.extend(made);
            if events.len() >= BATCH_EVENTS || bytes >= BATCH_BYTES {
                let next = self.next(&prefix, &tail);
                self.commit(env, std::mem::take(&mut events), next);
                (bytes, read_any) = (0, false);
                if self.waiting.is_some() || prefix.bytes - known > ROUND_BYTES {
                    self.stamp = None;
                    break;
                }
            }
        }
        if read_any {
            let next = self.next(&prefix, &tail);
            self.commit(env, events, next);
        }
        if prefix.bytes > known {
            (self.grown, self.checked) = (Some(Instant::now()), false);
        }
        self.reading = Some((reading, prefix, tail));
        Ok(())
    }

    fn next(&self, prefix: &Prefix, tail: &Tail) -> Cursor {
        Cursor {
            path: self.cursor.path.clone(),
            inode: self.cursor.inode,
            uid: self.cursor.uid,
            offset: prefix.bytes,
            lines: prefix.lines,
            sha256: prefix.sha256(),
            blocks: prefix.blocks().to_vec(),
            tail: (tail.bytes.len() as u64, hex(digest(&SHA256, &tail.bytes).as_ref())),
            ctime_ns: self.stamp.map_or(0, |stamp| stamp.ctime_ns),
            read_unix_ns: unix_ns(),
        }
    }

    /// Does what waits until the file has been quiet for a while.
    fn when_quiet(&mut self, env: &Env<'_>, last: bool) {
        let quiet = self.grown.map_or(Duration::ZERO, |grown| grown.elapsed());
        if self.waiting.is_some() || !(quiet >= QUIET || last) {
            return;
        }
        if let Some((reading, ..)) = &mut self.reading {
            let events = reading.rest(unix_ns());
            if !events.is_empty() {
                let next = self.cursor.clone();
                self.commit(env, events, next);
            }
        }
        if !self.checked && quiet >= CHECK_AFTER {
            self.checked = true;
            // The next look compares everything.
            (self.stamp, self.reading) = (None, None);
        }
        if quiet >= COLD_AFTER {
            (self.file, self.reading) = (None, None);
        }
    }

    /// Tells whether the file at `path` is this one under another name, and takes the new name over.
    pub(crate) fn moves_to(&mut self, env: &Env<'_>, path: &Path) -> bool {
        let same = || -> io::Result<bool> {
            let file = open(path, self.only)?;
            let now = prefix_of(&file, self.cursor.offset)?;
            Ok(now.bytes == self.cursor.offset && now.sha256() == self.cursor.sha256)
        };
        if self.cursor.lines == 0 || self.waiting.is_some() || !same().unwrap_or(false) {
            return false;
        }
        let was = self.cursor.path.clone();
        let next = Cursor { path: path.to_owned(), ..self.cursor.clone() };
        let how = Changed {
            how: "moved",
            size_bytes: self.cursor.offset,
            sha256: self.cursor.sha256.clone(),
            from_byte: None,
            was: Some(was.to_string_lossy().into_owned()),
        };
        let event = changed(&self.facts(&env.origin(&next)), &how);
        if !env.seal(vec![event]).is_empty() || env.cursors.keep(&next).is_err() {
            return false;
        }
        env.cursors.forget(&was);
        (self.cursor, self.missed, self.file, self.reading) = (next, 0, None, None);
        true
    }

    /// Seals what waits; tells whether nothing does any more.
    fn settle(&mut self, env: &Env<'_>) -> bool {
        if let Some(Waiting { events, next }) = self.waiting.take() {
            self.commit(env, events, next.unwrap_or_else(|| self.cursor.clone()));
        }
        self.waiting.is_none()
    }

    /// Seals events, then moves the cursor; what cannot be sealed now waits.
    fn commit(&mut self, env: &Env<'_>, events: Vec<Event>, next: Cursor) {
        let refused = |event: &Event| sealtrail_capture::transcript::refused(&self.facts(&env.origin(&self.cursor)), event);
        let left = env.seal_or(events, refused);
        // A cursor that cannot be written now is written with the next lines; until then a crash makes them be read again.
        if left.is_empty() && env.cursors.keep(&next).is_ok() {
            self.cursor = next;
        } else {
            self.waiting = Some(Waiting { events: left, next: Some(next) });
        }
    }

    fn facts<'a>(&'a self, origin: &'a Origin) -> FileFacts<'a> {
        FileFacts {
            origin,
            sealed_bytes: self.cursor.offset,
            sealed_lines: self.cursor.lines,
            sealed_sha256: &self.cursor.sha256,
            read_unix_ns: self.cursor.read_unix_ns,
            noticed_unix_ns: unix_ns(),
        }
    }
}

/// Opens a regular file, never through a link and never waiting; `only` of this user.
fn open(path: &Path, only: Option<u32>) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || only.is_some_and(|uid| uid != about.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

/// Hashes the first `bytes` of a file.
fn prefix_of(file: &File, bytes: u64) -> io::Result<Prefix> {
    let mut prefix = Prefix::new();
    let mut input = file;
    input.seek(SeekFrom::Start(0))?;
    let mut input = input.take(bytes);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(prefix),
            read => prefix.feed(&buffer[..read]),
        }
    }
}

/// Tells whether the last sealed bytes are still where they were.
fn tail_of(file: &File, cursor: &Cursor) -> io::Result<bool> {
    let (length, sha256) = &cursor.tail;
    let mut bytes = vec![0; usize::try_from(*length).unwrap_or(0)];
    let mut input = file;
    input.seek(SeekFrom::Start(cursor.offset.saturating_sub(*length)))?;
    input.read_exact(&mut bytes)?;
    Ok(hex(digest(&SHA256, &bytes).as_ref()) == *sha256)
}
