//! The files of instructions of a session: memory files that the client names, and what lies where it offers rules, agents, skills and commands from.
//!
//! Looked at together with the settings; between those looks once a turn, because a change counts for the next prompt.

use sealtrail_event::SettingsScope;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use sealtrail_capture::provenance::{INSTRUCTION_FILES_MAX, INSTRUCTIONS_BYTES_MAX, InstructionFile, InstructionKind, Named, named};
use sealtrail_capture::settings::{Look, Mark, Why};

use super::settings::{LEVELS_MAX, Stamp, Watch, read, repository, stamp_of};
use crate::clock::unix_ns;

/// Hooks at which files that may have changed are looked for: the turns of a session and of its agents, where the client reads its files again.
const TURNS: &[&[u8]] = &[b"UserPromptSubmit", b"SubagentStart", b"PreCompact", b"Stop", b"SessionEnd"];

/// Folders beside the settings, and what lies in them.
const FOLDERS: &[(&str, InstructionKind)] = &[
    ("rules", InstructionKind::Rule),
    ("agents", InstructionKind::Agent),
    ("skills", InstructionKind::Skill),
    ("commands", InstructionKind::Command),
    ("output-styles", InstructionKind::OutputStyle),
];

/// Memory files that the client loads by itself: in the project's folder and above it. It names them in a hook as well, but a plug-in may be ready too late to hear it.
const MEMORY: &[(&str, SettingsScope)] =
    &[("CLAUDE.md", SettingsScope::Project), (".claude/CLAUDE.md", SettingsScope::Project), ("CLAUDE.local.md", SettingsScope::Local)];

/// 4 folders deep: the client's own go one or two deep.
const DEPTH_MAX: usize = 4;

/// 2,048 entries of folders are looked at for one session; in a larger tree not all files are found.
const ENTRIES_MAX: usize = 2048;

/// 32,768 files of all sessions are remembered, of paths up to 1 KiB; a session for which there is no room is read anew at each turn.
const ENTRIES_KEPT_MAX: usize = 32_768;

/// 4 MiB are read at once; further files are looked at by the next hook.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file of instructions, and what it was like when it was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    kind: InstructionKind,
    scope: SettingsScope,
    stamp: Stamp,
    /// The client named it: it stays in sight when it is gone.
    named: bool,
}

/// The files of one session, by path.
pub(super) type Entries = BTreeMap<String, Entry>;

impl Watch {
    /// Adds the files of instructions to a look at the settings, or looks at them alone.
    pub(super) fn with_instructions(&self, mark: &Mark<'_>, body: &[u8], uid: u32, session: u64, look: Option<Look>) -> Option<Look> {
        let named = (mark.hook == b"InstructionsLoaded").then(|| named(body)).flatten();
        let all = look.as_ref().is_some_and(|look| matches!(look.why, Why::SessionStart | Why::FirstSeen | Why::ConfigChange));
        if named.is_none() && !all && !TURNS.contains(&mark.hook) {
            return look;
        }
        let Some((folder, config, before)) = self.session_of(session) else { return look };
        let mut now = (*before).clone();
        let mut left_out = 0;
        if all || named.is_none() {
            // What was offered and is offered no more stays for one look, to be told as gone.
            now.retain(|_, entry| entry.named);
            left_out = self.gather(&mut now, folder.as_deref(), config.as_deref(), uid);
            for (path, entry) in &*before {
                now.entry(path.clone()).or_insert(Entry { stamp: None, ..entry.clone() });
            }
        }
        let loaded = named.map(|named| note(&mut now, named));
        let wanted = |path: &String, entry: &Entry| {
            let fresh = before.get(path).is_none_or(|old| old.stamp != entry.stamp);
            all || loaded.as_ref() == Some(path) || (loaded.is_none() && fresh)
        };
        let paths: Vec<String> = now.iter().filter(|(path, entry)| wanted(path, entry)).map(|(path, _)| path.clone()).collect();
        let files = self.read_all(paths, &mut now, loaded.as_deref(), uid);
        now.retain(|path, entry| loaded.as_ref() != Some(path) || entry.named);
        now.retain(|_, entry| entry.named || entry.stamp.is_some());
        self.keep_instructions(session, now);
        if files.is_empty() && left_out == 0 {
            return look;
        }
        let why = if loaded.is_some() { Why::InstructionsLoaded } else { Why::Changed };
        let mut look = look.unwrap_or_else(|| Look { why, read_unix_ns: unix_ns(), folder, ..Look::default() });
        (look.instructions, look.instructions_left_out) = (files, left_out);
        Some(look)
    }

    /// Finds what the client may offer; returns how many files there were no room for.
    fn gather(&self, into: &mut Entries, folder: Option<&str>, config: Option<&str>, uid: u32) -> u64 {
        let mut places: Vec<(SettingsScope, String)> = config.map(|config| (SettingsScope::User, config.to_owned())).into_iter().collect();
        let root = folder.and_then(repository).filter(|root| Some(root.as_str()) != folder);
        for folder in folder.into_iter().chain(root.as_deref()) {
            places.push((SettingsScope::Project, format!("{}/.claude", folder.trim_end_matches('/'))));
        }
        let mut entries = ENTRIES_MAX;
        let mut left_out = 0;
        for (scope, path) in self.memory(folder, root.as_deref(), config) {
            let stamp = stamp_of(&path);
            if stamp.is_some() && into.len() < INSTRUCTION_FILES_MAX {
                into.entry(path).or_insert(Entry { kind: InstructionKind::Memory, scope, stamp, named: false });
            }
        }
        for entry in into.iter_mut().filter(|(_, entry)| entry.named) {
            entry.1.stamp = stamp_of(entry.0);
        }
        for (scope, place) in places {
            for (name, kind) in FOLDERS {
                let mut found = Vec::new();
                walk(Path::new(&place).join(name).as_path(), DEPTH_MAX, self.follows(uid), &mut entries, &mut found);
                for path in found.into_iter().filter(|path| *kind != InstructionKind::Skill || path.ends_with("/SKILL.md")) {
                    if into.len() >= INSTRUCTION_FILES_MAX && !into.contains_key(&path) {
                        left_out += 1;
                        continue;
                    }
                    let stamp = stamp_of(&path);
                    into.entry(path).or_insert(Entry { kind: *kind, scope, stamp, named: false });
                }
            }
        }
        left_out
    }

    /// Returns where the client looks for memory files: the organisation's, the person's, and up from the project's folder to the root of its repository.
    fn memory(&self, folder: Option<&str>, root: Option<&str>, config: Option<&str>) -> Vec<(SettingsScope, String)> {
        let mut places = vec![(SettingsScope::Managed, format!("{}/CLAUDE.md", self.managed))];
        places.extend(config.map(|config| (SettingsScope::User, format!("{config}/CLAUDE.md"))));
        let up = folder.into_iter().flat_map(|folder| Path::new(folder).ancestors().take(LEVELS_MAX));
        let inside = up.filter_map(Path::to_str).take_while(|at| Some(*at) == folder || root.is_some_and(|root| at.starts_with(root)));
        for at in inside {
            places.extend(MEMORY.iter().map(|(name, scope)| (*scope, format!("{}/{name}", at.trim_end_matches('/')))));
        }
        places
    }

    /// Reads the files, as many as fit; what does not is taken for not seen, so that the next look finds it.
    fn read_all(&self, paths: Vec<String>, now: &mut Entries, loaded: Option<&str>, uid: u32) -> Vec<InstructionFile> {
        let mut files = Vec::new();
        let mut room = BYTES_MAX;
        for path in paths {
            let Some(entry) = now.get_mut(&path) else { continue };
            let size = entry.stamp.map_or(0, |stamp| stamp.2).min(INSTRUCTIONS_BYTES_MAX);
            if size > room {
                now.remove(&path);
                continue;
            }
            room -= size;
            // Nobody but the administrator chose what lies in the organisation's folder; what a sender calls managed says nothing.
            let follows = self.follows(uid) || path.strip_prefix(&self.managed).is_some_and(|rest| rest.starts_with('/'));
            let found = read(Path::new(&path), INSTRUCTIONS_BYTES_MAX, (!follows).then_some(uid));
            let loaded = loaded == Some(path.as_str());
            files.push(InstructionFile { kind: entry.kind, scope: entry.scope, path, loaded, found });
        }
        files
    }

    /// Whoever can read everything of the sender's anyway follows links as the client does.
    fn follows(&self, uid: u32) -> bool {
        self.own_uid == uid || uid == 0
    }

    fn session_of(&self, session: u64) -> Option<(Option<String>, Option<String>, Arc<Entries>)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = state.sessions.get(&session)?;
        Some((watched.folder.clone(), watched.config.clone(), Arc::clone(&watched.instructions)))
    }

    fn keep_instructions(&self, session: u64, now: Entries) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known: usize = state.sessions.iter().filter(|(id, _)| **id != session).map(|(_, watched)| watched.instructions.len()).sum();
        let now = if known + now.len() > ENTRIES_KEPT_MAX { Entries::new() } else { now };
        // Sessions of one project mostly have the same files: one copy serves them all.
        let same = state.sessions.values().find(|watched| *watched.instructions == now).map(|watched| Arc::clone(&watched.instructions));
        if let Some(watched) = state.sessions.get_mut(&session) {
            watched.instructions = same.unwrap_or_else(|| Arc::new(now));
        }
    }
}

/// Takes a file that the client named into sight; returns its path.
fn note(now: &mut Entries, named: Named) -> String {
    let Named { kind, scope, path } = named;
    let known = now.len() < INSTRUCTION_FILES_MAX || now.contains_key(&path);
    // Beyond the limit it is read, and forgotten.
    let entry = Entry { kind, scope, stamp: stamp_of(&path), named: known };
    now.insert(path.clone(), entry);
    path
}

/// Finds the texts in a folder, in the order of their names.
fn walk(folder: &Path, depth: usize, follows: bool, entries: &mut usize, found: &mut Vec<String>) {
    let Ok(listing) = std::fs::read_dir(folder) else { return };
    let mut listed: Vec<_> = listing.filter_map(Result::ok).take(*entries).collect();
    *entries -= listed.len();
    listed.sort_by_key(std::fs::DirEntry::file_name);
    for entry in listed {
        let path = entry.path();
        let about = if follows { path.metadata() } else { path.symlink_metadata() };
        let Ok(about) = about else { continue };
        if about.is_dir() && depth > 1 {
            walk(&path, depth - 1, follows, entries, found);
        } else if about.is_file() && path.extension().is_some_and(|extension| extension == "md") {
            found.extend(path.to_str().map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::symlink;

    use sealtrail_event::SettingsScope;

    use super::{DEPTH_MAX, ENTRIES_MAX, walk};
    use crate::side::Watch;

    /// Protects what a sender may not have read for it: links are followed only where the recorder reads as the sender itself, and a folder that leads into itself ends.
    #[test]
    fn links_and_bounds_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules");
        std::fs::create_dir_all(rules.join("a/b/c/d")).unwrap();
        for name in ["one.md", "a/two.md", "a/b/c/d/too-deep.md", "a/none.txt"] {
            std::fs::write(rules.join(name), "x").unwrap();
        }
        std::fs::write(folder.path().join("elsewhere.md"), "x").unwrap();
        symlink(folder.path().join("elsewhere.md"), rules.join("link.md")).unwrap();
        let found = |follows: bool, entries: usize| {
            let (mut left, mut found) = (entries, Vec::new());
            walk(&rules, DEPTH_MAX, follows, &mut left, &mut found);
            let names = found.iter().map(|path| path.rsplit_once("/rules/").unwrap().1.to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(found(false, ENTRIES_MAX), ["a/two.md", "one.md"]);
        assert_eq!(found(true, ENTRIES_MAX), ["a/two.md", "link.md", "one.md"]);
        assert!(found(true, 0).is_empty());
        symlink(&rules, rules.join("a/again")).unwrap();
        assert!(found(true, ENTRIES_MAX).len() < 20);
    }

    /// Protects the list of memory files: from the project's folder up to the root of its repository and no further, and the project's folder alone where there is none.
    #[test]
    fn where_memory_files_are() {
        let watch = Watch::new(1000);
        let project = |folder: &str, root: Option<&str>| {
            let found = watch.memory(Some(folder), root, Some("/home/dev/.claude"));
            assert_eq!(found[1], (SettingsScope::User, "/home/dev/.claude/CLAUDE.md".to_owned()));
            found[2..].iter().filter(|(_, path)| !path.contains(".claude/")).map(|(_, path)| path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(project("/w/p", None), ["/w/p/CLAUDE.md", "/w/p/CLAUDE.local.md"]);
        let inside = project("/w/p/a/b", Some("/w/p"));
        assert_eq!((inside.len(), inside[0].as_str(), inside[4].as_str()), (6, "/w/p/a/b/CLAUDE.md", "/w/p/CLAUDE.md"));
    }
}
