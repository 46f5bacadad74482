//! Which transcripts there are: in the folders of the configuration, in the usual place, and where hooks point.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sealtrail_capture::transcript::role_of;

use crate::transcripts::cursor::FILES_MAX;

/// 4 levels below a folder: project, session, `subagents`, file.
const LEVELS_MAX: usize = 4;

/// 20,000 folders of one walk: a project and a session have one each.
const FOLDERS_MAX: usize = 20_000;

/// Where to look, and for whose files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// Only files of this user are taken, where the place was named by a sender; any where the operator named it.
    pub(crate) uid: Option<u32>,
}

/// Returns the folder whose transcripts a hook's transcript belongs to: all projects of the client, or at least that one.
pub(crate) fn around(transcript: &Path) -> Option<&Path> {
    let project = transcript.parent()?;
    let projects = project.parent().filter(|folder| folder.file_name().is_some_and(|name| name == "projects"));
    projects.or(Some(project))
}

/// Returns the folder of a name in the configuration, with `~` as this process's home.
pub(crate) fn named(folder: &str) -> Option<PathBuf> {
    match folder.strip_prefix("~/") {
        Some(below) => Some(PathBuf::from(std::env::var_os("HOME")?).join(below)),
        None => Path::new(folder).is_absolute().then(|| folder.into()),
    }
}

/// Returns where the client of this user keeps its transcripts.
pub(crate) fn usual() -> Option<PathBuf> {
    let config = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".claude")));
    config.map(|config| config.join("projects"))
}

/// Adds every transcript of a place to `found`; links are not followed.
pub(crate) fn walk(place: &Place, found: &mut HashMap<PathBuf, Option<u32>>) {
    let mut folders = vec![(place.folder.clone(), 0)];
    let mut seen = 0;
    while let Some((folder, level)) = folders.pop() {
        seen += 1;
        // A folder that cannot be read has nothing that could be; one that is gone was seen by its files.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            if kind.is_dir() && level + 1 < LEVELS_MAX && seen + folders.len() < FOLDERS_MAX {
                folders.push((path, level + 1));
            } else if kind.is_file() && is_transcript(&path) && found.len() < FILES_MAX {
                found.entry(path).or_insert(place.uid);
            }
        }
    }
}

/// Adds the agents' transcripts of a session.
pub(crate) fn agents_of(session: &Path, uid: Option<u32>, found: &mut HashMap<PathBuf, Option<u32>>) {
    let Ok(entries) = std::fs::read_dir(session.with_extension("").join("subagents")) else { return };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_file()) && is_transcript(&path) && found.len() < FILES_MAX {
            found.entry(path).or_insert(uid);
        }
    }
}

fn is_transcript(path: &Path) -> bool {
    path.to_str().and_then(role_of).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Protects against reading what is no transcript: links, other names and deep folders are left alone; sessions and agents are found.
    #[test]
    fn only_transcripts_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let projects = folder.path().join("projects");
        let write = |path: &str| {
            let path = projects.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
        };
        for path in ["p/s.jsonl", "p/s/subagents/agent-a1.jsonl", "p/s/subagents/agent-a1.meta.json", "p/memory/x.md", "p/a/b/c/d/e.jsonl"]
        {
            write(path);
        }
        std::os::unix::fs::symlink(projects.join("p"), projects.join("linked")).unwrap();
        std::os::unix::fs::symlink(projects.join("p/s.jsonl"), projects.join("p/link.jsonl")).unwrap();
        let mut found = HashMap::new();
        walk(&Place { folder: projects.clone(), uid: None }, &mut found);
        let mut names: Vec<PathBuf> = found.into_keys().collect();
        names.sort();
        assert_eq!(names, [projects.join("p/s/subagents/agent-a1.jsonl"), projects.join("p/s.jsonl")]);
        assert_eq!(around(&projects.join("p/s.jsonl")), Some(projects.as_path()));
        assert_eq!(around(Path::new("/x/p/s.jsonl")), Some(Path::new("/x/p")));
        let mut agents = HashMap::new();
        agents_of(&projects.join("p/s.jsonl"), Some(1), &mut agents);
        assert_eq!(agents.into_iter().collect::<Vec<_>>(), [(projects.join("p/s/subagents/agent-a1.jsonl"), Some(1))]);
    }
}
