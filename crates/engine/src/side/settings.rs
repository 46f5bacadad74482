//! The client's settings files: looked at when a session begins, when the client says so, and when one of them is no longer what it was.
//!
//! Looking happens before a delivery takes its place among the others, so that a file system which does not answer holds up one hook and not all.

use sealtrail_event::SettingsScope;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;
use sealtrail_capture::settings::{
    Found, Look, Mark, Places, SETTINGS_BYTES_MAX, SettingsFile, TRUST_BYTES_MAX, Unreadable, Why, mark, places,
};

use super::instructions::Entries;
use super::launch::{self, Client};
use crate::clock::unix_ns;

/// Where an organisation puts the client's settings on Linux; drop-ins stand beside it.
const MANAGED: &str = "/etc/claude-code";

/// 32 drop-in files are read, in the client's order.
const DROP_INS_MAX: usize = 32;

/// 1,024 sessions, as many as the pairing state knows: about 1 KiB each.
const SESSIONS_MAX: usize = 1024;

/// 64 folders a session; further ones are not looked into.
const FOLDERS_MAX: usize = 64;

/// 64 levels up to the root of a repository.
pub(super) const LEVELS_MAX: usize = 64;

/// What a file was like when it was read; nothing when it was not there.
pub(super) type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// What is known of one session's files between two hooks.
pub(super) struct Watched {
    touched: u64,
    /// The project folder whose settings hold.
    pub(super) folder: Option<String>,
    /// Hashes of the folders that were looked into.
    folders: Vec<u64>,
    pub(super) config: Option<String>,
    stamps: Arc<Vec<(String, Stamp)>>,
    pub(super) instructions: Arc<Entries>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) sessions: HashMap<u64, Watched>,
    clock: u64,
}

/// Watches over the files of the sessions: settings and instructions.
pub(crate) struct Watch {
    pub(super) own_uid: u32,
    pub(super) managed: String,
    pub(super) state: Mutex<State>,
}

/// What to look at.
enum Todo {
    /// Everything, for this folder if it is known.
    All(Why, Option<String>),
    /// The settings of a folder that the session went to.
    Folder,
    /// Everything, if one of these files changed.
    Changed { folder: Option<String>, config: Option<String>, stamps: Arc<Vec<(String, Stamp)>> },
}

impl Watch {
    pub(crate) fn new(own_uid: u32) -> Self {
        Self { own_uid, managed: MANAGED.to_owned(), state: Mutex::default() }
    }

    /// Looks at the settings and the instructions of the session that the hook `body` belongs to, if there is a reason to.
    ///
    /// `known` tells the project folder of a session that was known before this process began.
    pub(crate) fn look(&self, body: &[u8], uid: u32, known: impl FnOnce(&str) -> Option<String>) -> Option<Look> {
        self.look_with(body, uid, None, known)
    }

    /// Looks like [`Watch::look`], and when a session begins at what its client was started with.
    pub(crate) fn look_with(
        &self,
        body: &[u8],
        uid: u32,
        client: Option<Client>,
        known: impl FnOnce(&str) -> Option<String>,
    ) -> Option<Look> {
        let mark = mark(body)?;
        let session = hash_of(&(uid, mark.session));
        let mut look = self.settings(&mark, body, uid, session, known);
        if let (Some(look), Some(client)) = (&mut look, client)
            && matches!(look.why, Why::SessionStart | Why::FirstSeen)
        {
            let read = |path| self.file(SettingsScope::Launch, path, uid);
            look.files.extend(launch::files(client, uid, look.folder.as_deref(), read));
        }
        self.with_instructions(&mark, body, uid, session, look)
    }

    fn settings(&self, mark: &Mark<'_>, body: &[u8], uid: u32, session: u64, known: impl FnOnce(&str) -> Option<String>) -> Option<Look> {
        match self.todo(mark, session, hash_of(mark.cwd)) {
            Todo::All(why, folder) => {
                let places = places(body)?;
                let folder = folder.or_else(|| (why == Why::FirstSeen).then(|| known(&places.session)).flatten());
                let folder = folder.or_else(|| places.cwd.clone());
                Some(self.look_at(why, folder, places.config, session, uid))
            }
            Todo::Folder => {
                let Places { cwd: Some(folder), config, .. } = places(body)? else { return None };
                let wanted = project_places(&folder, config.as_deref());
                let mut files: Vec<SettingsFile> = wanted.into_iter().map(|(scope, path)| self.file(scope, path, uid)).collect();
                files.retain(|file| file.found != Found::Missing);
                (!files.is_empty()).then(|| Look {
                    why: Why::NewFolder,
                    read_unix_ns: unix_ns(),
                    folder: Some(folder),
                    files,
                    ..Look::default()
                })
            }
            Todo::Changed { folder, config, stamps } => {
                let changed = stamps.iter().any(|(path, stamp)| stamp_of(path) != *stamp);
                changed.then(|| self.look_at(Why::Changed, folder, config, session, uid))
            }
        }
    }

    /// Decides what to look at, and notes that the session's folder was seen.
    fn todo(&self, mark: &Mark<'_>, session: u64, cwd: u64) -> Todo {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock += 1;
        let clock = state.clock;
        let Some(watched) = state.sessions.get_mut(&session) else {
            return Todo::All(if mark.hook == b"SessionStart" { Why::SessionStart } else { Why::FirstSeen }, None);
        };
        watched.touched = clock;
        match mark.hook {
            b"SessionStart" => return Todo::All(Why::SessionStart, None),
            b"ConfigChange" => return Todo::All(Why::ConfigChange, watched.folder.clone()),
            _ => {}
        }
        if !watched.folders.contains(&cwd) && watched.folders.len() < FOLDERS_MAX {
            watched.folders.push(cwd);
            return Todo::Folder;
        }
        Todo::Changed { folder: watched.folder.clone(), config: watched.config.clone(), stamps: Arc::clone(&watched.stamps) }
    }

    fn look_at(&self, why: Why, folder: Option<String>, config: Option<String>, session: u64, uid: u32) -> Look {
        let read_unix_ns = unix_ns();
        let mut wanted = self.managed_places();
        wanted.extend(config.as_ref().map(|config| (SettingsScope::User, format!("{config}/settings.json"))));
        wanted.extend(folder.iter().flat_map(|folder| project_places(folder, config.as_deref())));
        // Stamped before they are read: a change in between is seen at the next hook.
        let mut stamps: Vec<(String, Stamp)> = wanted.iter().map(|(_, path)| (path.clone(), stamp_of(path))).collect();
        let drop_ins = format!("{}/managed-settings.d", self.managed);
        stamps.push((drop_ins.clone(), stamp_of(&drop_ins)));
        let mut files: Vec<SettingsFile> = wanted.into_iter().map(|(scope, path)| self.file(scope, path, uid)).collect();
        files.extend(config.as_deref().map(|config| self.trust(config, uid)));
        self.keep(session, folder.clone(), config, stamps);
        Look { why, read_unix_ns, folder, files, ..Look::default() }
    }

    fn keep(&self, session: u64, folder: Option<String>, config: Option<String>, stamps: Vec<(String, Stamp)>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = state.clock;
        if state.sessions.len() >= SESSIONS_MAX && !state.sessions.contains_key(&session) {
            let oldest = state.sessions.iter().min_by_key(|(_, watched)| watched.touched).map(|(id, _)| *id);
            oldest.and_then(|oldest| state.sessions.remove(&oldest));
        }
        let own = folder.as_deref().map(|folder| hash_of(folder.as_bytes()));
        let folders = state.sessions.get(&session).map(|before| before.folders.clone()).unwrap_or_else(|| own.into_iter().collect());
        let instructions = state.sessions.get(&session).map(|before| Arc::clone(&before.instructions)).unwrap_or_default();
        state.sessions.insert(session, Watched { touched, folder, folders, config, stamps: Arc::new(stamps), instructions });
    }

    fn managed_places(&self) -> Vec<(SettingsScope, String)> {
        let mut places = vec![(SettingsScope::Managed, format!("{}/managed-settings.json", self.managed))];
        let folder = format!("{}/managed-settings.d", self.managed);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_drop_in(name)).collect();
        names.sort();
        places.extend(names.iter().take(DROP_INS_MAX).map(|name| (SettingsScope::Managed, format!("{folder}/{name}"))));
        places
    }

    /// The client's file of states: inside its folder when that was moved, else beside it.
    fn trust(&self, config: &str, uid: u32) -> SettingsFile {
        let inside = self.file(SettingsScope::Trust, format!("{config}/.claude.json"), uid);
        match config.strip_suffix("/.claude") {
            Some(home) if inside.found == Found::Missing => self.file(SettingsScope::Trust, format!("{home}/.claude.json"), uid),
            _ => inside,
        }
    }

    fn file(&self, scope: SettingsScope, path: String, uid: u32) -> SettingsFile {
        // Whoever can read everything of the sender's anyway follows links as the client does; for the organisation's files nobody
        // but the administrator chose the path.
        let same = self.own_uid == uid || uid == 0 || scope == SettingsScope::Managed;
        let bytes_max = if scope == SettingsScope::Trust { TRUST_BYTES_MAX } else { SETTINGS_BYTES_MAX };
        let found = read(Path::new(&path), bytes_max, (!same).then_some(uid));
        SettingsFile { scope, path, found }
    }
}

/// The project's files, and the person's own for it: beside them, and at the root of the repository.
fn project_places(folder: &str, config: Option<&str>) -> Vec<(SettingsScope, String)> {
    let folder = folder.trim_end_matches('/');
    let mut places = vec![
        (SettingsScope::Project, format!("{folder}/.claude/settings.json")),
        (SettingsScope::Local, format!("{folder}/.claude/settings.local.json")),
    ];
    // A repository in the person's home folder is none of the project.
    let at_home = |root: &str| config.is_some_and(|config| config == format!("{root}/.claude"));
    if let Some(root) = repository(folder).filter(|root| root != folder && !at_home(root)) {
        places.push((SettingsScope::Local, format!("{root}/.claude/settings.local.json")));
    }
    // Started in the home folder, the user's file is not the project's as well.
    places.retain(|(_, path)| config.is_none_or(|config| *path != format!("{config}/settings.json")));
    places
}

/// Reads a whole file; of `only`, the one user whose own files are taken, and no link then.
pub(super) fn read(path: &Path, bytes_max: u64, only: Option<u32>) -> Found {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if only.is_some() {
        flags |= OFlags::NOFOLLOW;
    }
    let file = match std::fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Found::Missing,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return Found::Unreadable(Unreadable::Link),
        Err(_) => return Found::Unreadable(Unreadable::Refused),
    };
    let Ok(about) = file.metadata() else { return Found::Unreadable(Unreadable::Refused) };
    if !about.is_file() {
        return Found::Unreadable(Unreadable::NotAFile);
    }
    if only.is_some_and(|only| about.uid() != only) {
        return Found::Unreadable(Unreadable::Owner);
    }
    let mut bytes = Vec::new();
    match file.take(bytes_max + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > bytes_max => Found::Unreadable(Unreadable::TooLarge),
        Ok(_) => Found::Present(bytes),
        Err(_) => Found::Unreadable(Unreadable::Refused),
    }
}

pub(super) fn stamp_of(path: &str) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((
        about.dev(),
        about.ino(),
        about.len(),
        about.mtime().wrapping_mul(1_000_000_000).wrapping_add(about.mtime_nsec()),
        about.ctime_nsec(),
    ))
}

/// Returns the root of the repository that `folder` is in; for a worktree, that of the main checkout.
pub(super) fn repository(folder: &str) -> Option<String> {
    let root = Path::new(folder).ancestors().take(LEVELS_MAX).find(|at| at.join(".git").symlink_metadata().is_ok())?;
    let entry = root.join(".git");
    if entry.is_file()
        && let Found::Present(bytes) = read(&entry, 4096, None)
        && let Some(main) =
            std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_prefix("gitdir:")?.trim().split_once("/.git/worktrees/"))
    {
        return main.0.starts_with('/').then(|| main.0.to_owned());
    }
    root.to_str().map(str::to_owned)
}

fn is_drop_in(name: &str) -> bool {
    name.ends_with(".json") && !name.starts_with('.')
}

fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
