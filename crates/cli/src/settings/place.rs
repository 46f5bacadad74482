//! Where the client reads its settings from.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use crate::args::{self, Scope};
use crate::failure::Failure;

/// Folder of machine-wide settings; a file of our own in it is merged with all others.
const MANAGED: &str = if cfg!(target_os = "macos") { "/Library/Application Support/ClaudeCode" } else { "/etc/claude-code" };

/// Days after which the client deletes its transcripts when no setting says otherwise.
const CLEANUP_DAYS: u64 = 30;

/// One settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `user`, `project`, `local`, `managed` or `file`.
    pub(crate) name: &'static str,
    /// The file; it need not exist.
    pub(crate) path: PathBuf,
}

impl Place {
    /// Finds the file that the arguments mean; the user's settings when they say nothing.
    pub(crate) fn of(args: &args::Place) -> Result<Self, Failure> {
        if let Some(path) = &args.settings {
            return Ok(Self { name: "file", path: path.clone() });
        }
        match args.scope.unwrap_or(Scope::User) {
            Scope::User => user_folder().map(|folder| Self { name: "user", path: folder.join("settings.json") }).ok_or_else(|| {
                Failure::usage("cannot find the user's settings: neither CLAUDE_CONFIG_DIR nor HOME is set")
                    .hint("name the file: --settings FILE")
            }),
            Scope::Project => Ok(Self { name: "project", path: project_folder()?.join(".claude/settings.json") }),
            Scope::Managed => Ok(Self { name: "managed", path: PathBuf::from(MANAGED).join("managed-settings.d/50-sealtrail.json") }),
        }
    }

    /// Reads the file; one that does not exist is empty.
    pub(crate) fn read(&self) -> Result<String, Failure> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Failure::file("read", &self.path, &error)),
        }
    }
}

/// Returns every settings file that may hold our hooks, the strongest last.
pub(crate) fn every() -> Vec<Place> {
    let mut places = Vec::new();
    if let Some(folder) = user_folder() {
        places.push(Place { name: "user", path: folder.join("settings.json") });
    }
    if let Ok(folder) = project_folder() {
        places.push(Place { name: "project", path: folder.join(".claude/settings.json") });
        places.push(Place { name: "local", path: folder.join(".claude/settings.local.json") });
    }
    let managed = PathBuf::from(MANAGED);
    places.push(Place { name: "managed", path: managed.join("managed-settings.json") });
    let mut more: Vec<PathBuf> =
        fs::read_dir(managed.join("managed-settings.d")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    more.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    more.sort();
    places.extend(more.into_iter().map(|path| Place { name: "managed", path }));
    places.dedup_by(|a, b| a.path == b.path);
    places
}

/// Returns after how many days the client deletes its transcripts, and the file that says so.
pub(crate) fn cleanup_period_days() -> (u64, Option<PathBuf>) {
    let mut found = (CLEANUP_DAYS, None);
    for place in every() {
        let Ok(text) = place.read() else { continue };
        let Ok(settings) = serde_json::from_str::<Value>(&text) else { continue };
        if let Some(days) = settings.get("cleanupPeriodDays").and_then(Value::as_u64) {
            found = (days, Some(place.path));
        }
    }
    found
}

fn user_folder() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CLAUDE_CONFIG_DIR").or_else(|| set("HOME").map(|home| home.join(".claude")))
}

fn project_folder() -> Result<PathBuf, Failure> {
    env::current_dir().map_err(|error| Failure::of("file", &error))
}
