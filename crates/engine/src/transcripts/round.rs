//! One round over all transcripts: which there are, which to look at, and how their events are sealed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sealtrail_capture::transcript::{Origin, meta_path, rewritten, role_of};
use sealtrail_capture::{SideFile, SideKind};
use sealtrail_config::Transcripts as Settings;
use sealtrail_event::Event;

use crate::clock::unix_ns;
use crate::ingest::Ingested;
use crate::shared::Shared;
use crate::side;
use crate::transcripts::cursor::{Cursor, Cursors, FILES_MAX, Inode};
use crate::transcripts::file::{Looked, Tracked};
use crate::transcripts::find::{Place, agents_of, around, named, usual, walk};

/// Every 10 seconds all folders are walked; between that only files that grew lately are looked at, and those that hooks name.
const WALK_EVERY: Duration = Duration::from_secs(10);

/// 5 seconds: what is not read in the last round is read after the next start.
const LAST_ROUND: Duration = Duration::from_secs(5);

/// 256 folders that hooks pointed to.
const PLACES_MAX: usize = 256;

/// 1 MiB: an agent's description has about 500 bytes.
const META_BYTES_MAX: u64 = 1024 * 1024;

/// What looking at a file needs.
pub(crate) struct Env<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) cursors: Cursors,
}

impl Env<'_> {
    /// Returns what is known about a file beside its lines.
    pub(crate) fn origin(&self, cursor: &Cursor) -> Origin {
        let path = cursor.path.to_string_lossy().into_owned();
        let role = role_of(&path);
        let meta = meta_path(&path).and_then(|meta| self.meta(meta, cursor.uid));
        let mut receiver = self.shared.receiver();
        let (user, host) = (receiver.people.user(cursor.uid), receiver.people.host());
        drop(receiver);
        let (session_id, agent_id) = role.map_or((None, None), |role| (Some(role.session_id).filter(|id| !id.is_empty()), role.agent_id));
        Origin { path, session_id, agent_id, meta, uid: Some(cursor.uid), user, host }
    }

    fn meta(&self, path: String, uid: u32) -> Option<Vec<u8>> {
        let wanted = SideFile { kind: SideKind::SubagentMeta, path, bytes_max: META_BYTES_MAX };
        side::read(vec![wanted], uid).pop().map(|side| side.bytes)
    }

    /// Tells whether a file is an agent's, and the description of the agent is not there (yet).
    pub(crate) fn lacks_meta(&self, path: &Path, only: Option<u32>) -> bool {
        let Some(meta) = path.to_str().and_then(meta_path) else { return false };
        match only {
            Some(uid) => self.meta(meta, uid).is_none(),
            None => !Path::new(&meta).exists(),
        }
    }

    /// Seals events; returns those that could not be sealed now.
    pub(crate) fn seal(&self, events: Vec<Event>) -> Vec<Event> {
        self.seal_or(events, Event::clone)
    }

    /// As [`Env::seal`]; in the place of an event that the ledger never takes comes what `instead` makes of it. An event that is sealed already
    /// and says something else now is told.
    pub(crate) fn seal_or(&self, events: Vec<Event>, instead: impl Fn(&Event) -> Event) -> Vec<Event> {
        let (mut left, mut more, mut waiting) = (Vec::new(), Vec::new(), events);
        while !waiting.is_empty() {
            let mut ids = HashSet::new();
            // The same line twice: the second comes when the first is sealed, and is compared with it.
            let (once, again): (Vec<Event>, Vec<Event>) =
                waiting.into_iter().partition(|event| ids.insert(event.envelope.audit_id.clone()));
            let fates = self.shared.ingest_and_wait(once.clone());
            for (event, fate) in once.into_iter().zip(fates) {
                match fate {
                    Ingested::Sealed(_) => {}
                    Ingested::Known { seq } => {
                        more.extend(self.shared.sealed(seq).and_then(|sealed| rewritten(&sealed, &event, unix_ns())));
                    }
                    Ingested::Later => left.push(event),
                    Ingested::Rejected => more.push(instead(&event)),
                }
            }
            waiting = again;
        }
        if !more.is_empty() {
            let fates = self.shared.ingest_and_wait(more.clone());
            // What says that an event was refused is small, and what says that one was rewritten no larger than what it tells: refused, it is let go.
            left.extend(more.into_iter().zip(fates).filter(|(_, fate)| *fate == Ingested::Later).map(|(event, _)| event));
        }
        left
    }
}

/// Follows all transcripts.
pub(crate) struct Follower<'a> {
    env: Env<'a>,
    tracked: HashMap<PathBuf, Tracked>,
    loaded: bool,
    places: HashSet<Place>,
    foreign: HashSet<PathBuf>,
    walked: Option<Instant>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        let env = Env { shared, cursors: Cursors::new(shared.home.path()) };
        Self { env, tracked: HashMap::new(), loaded: false, places: HashSet::new(), foreign: HashSet::new(), walked: None }
    }

    /// Lets everything go: following is switched off.
    pub(crate) fn forget(&mut self) {
        if self.loaded {
            self.tracked.clear();
            (self.loaded, self.walked) = (false, None);
        }
    }

    /// Looks once; `last` when no further round comes.
    pub(crate) fn round(&mut self, settings: &Settings, seen: HashMap<PathBuf, u32>, last: bool) {
        if !self.loaded {
            self.loaded = true;
            let cursors = self.env.cursors.load();
            self.tracked.extend(cursors.into_iter().map(|cursor| (cursor.path.clone(), Tracked::of(cursor.clone(), Some(cursor.uid)))));
        }
        let whole = last || self.walked.is_none_or(|walked| walked.elapsed() >= WALK_EVERY);
        let named: HashSet<PathBuf> = seen.keys().cloned().collect();
        let found = self.candidates(settings, seen, whole);
        self.adopt(found);
        let mut look: Vec<(bool, PathBuf)> =
            self.tracked.iter().map(|(path, file)| (!file.is_hot() && !named.contains(path), path.clone())).collect();
        look.retain(|(cold, _)| whole || !cold);
        // What grows comes first: a session that runs does not wait for old ones to be caught up with.
        look.sort();
        let begun = Instant::now();
        for (_, path) in look {
            let Some(file) = self.tracked.get_mut(&path) else { continue };
            match file.look(&self.env, last) {
                Looked::Fine => {}
                Looked::Gone => drop(self.tracked.remove(&path)),
                Looked::Foreign => {
                    self.tracked.remove(&path);
                    if self.foreign.len() < FILES_MAX {
                        self.foreign.insert(path);
                    }
                }
            }
            // A ledger that stopped takes nothing any more; and the last round does not wait for this one.
            let shared = self.env.shared;
            if shared.is_stopped() || (last && begun.elapsed() > LAST_ROUND) || (!last && shared.transcripts.is_finishing()) {
                return;
            }
        }
        if whole {
            self.walked = Some(Instant::now());
        }
    }

    /// Returns the transcripts that may be new.
    fn candidates(&mut self, settings: &Settings, seen: HashMap<PathBuf, u32>, whole: bool) -> HashMap<PathBuf, Option<u32>> {
        let mut found = HashMap::new();
        for (path, uid) in seen {
            if let Some(folder) = around(&path)
                && self.places.len() < PLACES_MAX
            {
                self.places.insert(Place { folder: folder.to_owned(), uid: Some(uid) });
            }
            agents_of(&path, Some(uid), &mut found);
            found.insert(path, Some(uid));
        }
        if whole {
            let mut own: Vec<PathBuf> = settings.folders.iter().filter_map(|folder| named(folder)).collect();
            if settings.folders.is_empty() {
                own.extend(usual());
            }
            let own = own.into_iter().map(|folder| Place { folder, uid: None });
            own.chain(self.places.iter().cloned()).for_each(|place| walk(&place, &mut found));
        } else {
            let hot = self.tracked.values().filter(|file| file.is_hot());
            hot.for_each(|file| agents_of(&file.cursor.path, Some(file.cursor.uid), &mut found));
        }
        found
    }

    /// Begins to follow what is new; a file that only has another name goes on where it was.
    fn adopt(&mut self, found: HashMap<PathBuf, Option<u32>>) {
        let fresh: Vec<(PathBuf, Option<u32>)> =
            found.into_iter().filter(|(path, _)| !self.tracked.contains_key(path) && !self.foreign.contains(path)).collect();
        if fresh.is_empty() {
            return;
        }
        let by_inode: HashMap<Inode, PathBuf> = self.tracked.iter().map(|(path, file)| (file.cursor.inode, path.clone())).collect();
        for (path, only) in fresh {
            if self.tracked.len() >= FILES_MAX {
                return;
            }
            let before = inode_of(&path).and_then(|inode| by_inode.get(&inode)).filter(|before| !before.exists());
            if let Some(mut file) = before.and_then(|before| self.tracked.remove(before)) {
                if file.moves_to(&self.env, &path) {
                    self.tracked.insert(path, file);
                    continue;
                }
                self.tracked.insert(file.cursor.path.clone(), file);
            }
            self.tracked.insert(path.clone(), Tracked::fresh(path, only));
        }
    }
}

fn inode_of(path: &Path) -> Option<Inode> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::symlink_metadata(path).ok()?;
    Some(Inode { dev: about.dev(), ino: about.ino() })
}
