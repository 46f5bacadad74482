//! The settings files of a session, as snapshots told them, and those that held at one moment.

use sealtrail_event::SettingsScope;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ByRule, List};
use crate::field::text;

/// Stands for the command line where snapshots name the path of a file.
const COMMAND_LINE: &str = "command line";
/// Stands for settings that were typed into the command line.
const INLINE_SETTINGS: &str = "command line --settings";
/// Stands for the session where a rule is in no file.
const THIS_SESSION: &str = "session";

/// One settings file as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The snapshot.
    pub event: String,
    /// When it was taken.
    pub at: String,
    /// Whose settings.
    pub scope: SettingsScope,
    /// The file.
    pub path: String,
    /// Why its rules are not known, when they are not.
    pub unread: Option<String>,
    /// Only the organisation's rules count.
    pub managed_rules_only: bool,
    deny: Vec<String>,
    ask: Vec<String>,
    allow: Vec<String>,
    additional: Vec<String>,
    trusted: Option<bool>,
    /// Of a command line: whose settings the client reads, where it says so.
    sources: Option<Vec<String>>,
    /// Of a command line: the settings file that it names, or that they stand in it.
    settings: Option<String>,
    gone: bool,
    /// The first snapshot that shows a rule, where it is an earlier one.
    since: BTreeMap<(&'static str, String), (String, String)>,
}

impl File {
    /// Reads a snapshot; nothing for any other event.
    pub fn of(view: &Value) -> Option<Self> {
        // What somebody sent in as a record is no snapshot, whatever it calls itself.
        if text(view, "event_type") != "auth.permission_snapshot" || text(view, "witness") != "fs" {
            return None;
        }
        let told = view.get("permission_snapshot");
        let list = |name: &str| {
            let found = told.and_then(|told| told.get("permissions")?.get(name)?.as_array());
            found.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let status = text(view, "status");
        let cut = ["allow", "ask", "deny"]
            .iter()
            .any(|name| told.and_then(|told| told.get("permissions")?.get(format!("{name}_left_out"))).is_some());
        let unread = match (told, status.as_str()) {
            (None, "present") => Some("the content of the snapshot is erased".to_owned()),
            (_, "unreadable") => Some(told.and_then(|told| told.get("why")?.as_str()).unwrap_or("unreadable").to_owned()),
            (_, "invalid") => Some("it was no JSON".to_owned()),
            _ if cut => Some("not all of its rules were recorded".to_owned()),
            _ => None,
        };
        let switch = |name: &str| told.and_then(|told| told.get("switches")?.get(name)) == Some(&Value::Bool(true));
        Some(Self {
            event: text(view, "audit_id"),
            at: text(view, "timestamp"),
            scope: SettingsScope::parse(&text(view, "source"))?,
            path: text(view, "resource.path"),
            unread,
            managed_rules_only: switch("allowManagedPermissionRulesOnly"),
            deny: list("deny"),
            ask: list("ask"),
            allow: list("allow"),
            additional: list("additionalDirectories"),
            trusted: told.and_then(|told| told.get("trusted")?.as_bool()),
            sources: told
                .and_then(|told| told.get("launch")?.get("setting_sources")?.as_array())
                .map(|sources| sources.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            settings: told.and_then(|told| told.get("launch")?.get("settings")?.as_str()).map(|settings| match settings {
                "inline" => INLINE_SETTINGS.to_owned(),
                path => path.to_owned(),
            }),
            gone: status == "gone",
            since: BTreeMap::new(),
        })
    }

    /// Makes what a person may have permitted for the session, as the question `event` offered it.
    pub(crate) fn of_session(event: &str, at: &str, allow: Vec<String>, additional: Vec<String>) -> Self {
        Self {
            event: event.to_owned(),
            at: at.to_owned(),
            scope: SettingsScope::Session,
            path: THIS_SESSION.to_owned(),
            unread: None,
            managed_rules_only: false,
            deny: Vec::new(),
            ask: Vec::new(),
            allow,
            additional,
            trusted: None,
            sources: None,
            settings: None,
            gone: false,
            since: BTreeMap::new(),
        }
    }

    /// Tells whether these are flags of the command line itself, and no settings file that it names.
    pub(crate) fn is_command_line(&self) -> bool {
        self.scope == SettingsScope::Launch && self.path == COMMAND_LINE
    }

    /// Returns the rules of a list.
    pub fn rules(&self, list: List) -> &[String] {
        match list {
            List::Deny => &self.deny,
            List::Ask => &self.ask,
            List::Allow => &self.allow,
        }
    }

    pub(crate) fn by(&self, rule: &str, list: List) -> ByRule {
        let (event, at) = self.origin(rule, list);
        ByRule { rule: rule.to_owned(), list, scope: self.scope, path: self.path.clone(), event, at }
    }

    fn origin(&self, rule: &str, list: List) -> (String, String) {
        let earlier = self.since.get(&(list.as_str(), rule.to_owned())).cloned();
        earlier.unwrap_or_else(|| (self.event.clone(), self.at.clone()))
    }

    /// Takes over since when rules hold that the file had before.
    fn follow(&mut self, before: &Self) {
        for list in [List::Deny, List::Ask, List::Allow] {
            for rule in self.rules(list).to_vec() {
                if before.rules(list).contains(&rule) {
                    self.since.insert((list.as_str(), rule.clone()), before.origin(&rule, list));
                }
            }
        }
    }
}

/// The files that held at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The files that were there.
    pub files: Vec<File>,
    /// Paths that were looked at, and nothing was there.
    pub missing: BTreeSet<String>,
    /// The session's project folder.
    pub folder: Option<String>,
    /// The person's home folder.
    pub home: Option<String>,
    /// Whether the person trusts the folder; nothing when that is not known.
    pub trusted: Option<bool>,
}

impl InForce {
    /// Tells whether somebody looked at what the client was started with.
    pub(crate) fn knows_launch(&self) -> bool {
        self.missing.contains(COMMAND_LINE) || self.files.iter().any(File::is_command_line)
    }

    /// Tells whether the command line leaves out the settings of a scope.
    pub(crate) fn leaves_out(&self, scope: SettingsScope) -> bool {
        let sources = self.files.iter().filter(|file| file.is_command_line()).find_map(|file| file.sources.as_ref());
        let named = matches!(scope, SettingsScope::User | SettingsScope::Project | SettingsScope::Local);
        named && sources.is_some_and(|sources| !sources.iter().any(|source| source == scope.as_str()))
    }

    /// Folders beside the project's that the files open.
    pub(crate) fn additional_folders(&self) -> impl Iterator<Item = &str> {
        let trusted = |file: &&File| self.trusted == Some(true) || !matches!(file.scope, SettingsScope::Project | SettingsScope::Local);
        self.files
            .iter()
            .filter(trusted)
            .filter(|file| !self.leaves_out(file.scope))
            .flat_map(|file| file.additional.iter().map(String::as_str))
            .filter(|folder| folder.starts_with('/'))
    }
}

/// The snapshots of one session, taken in one after the other.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    session: String,
    files: BTreeMap<String, File>,
    missing: BTreeSet<String>,
    folder: Option<String>,
    /// Order of the paths, as they were first told.
    order: Vec<String>,
}

impl Snapshots {
    /// Begins with nothing known of a session.
    pub fn of_session(session: &str) -> Self {
        Self { session: session.to_owned(), ..Self::default() }
    }

    /// Takes in the next event; tells whether it changed what holds.
    ///
    /// Snapshots of other sessions count for the files that this session has, too: a file is one, whoever looked at it.
    pub fn add(&mut self, view: &Value) -> bool {
        let own = text(view, "session_id") == self.session;
        let resource = view.get("resource").filter(|_| own && text(view, "witness") == "hook");
        if let Some(missing) = resource.and_then(|resource| resource.get("settings_missing")?.as_array()) {
            self.missing.extend(missing.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        if let Some(folder) = resource.and_then(|resource| resource.get("settings_folder")?.as_str()) {
            self.folder = Some(folder.to_owned());
        }
        let Some(mut file) = File::of(view).filter(|file| !file.path.is_empty()) else { return false };
        let known = self.missing.contains(&file.path) || self.files.contains_key(&file.path);
        // Settings of a folder that the session only went to do not hold for it; those of another session's project neither.
        let elsewhere =
            text(view, "reason") == "new_folder" || (matches!(file.scope, SettingsScope::Trust | SettingsScope::Launch) && !own);
        if elsewhere || (!own && !known) {
            return false;
        }
        self.missing.remove(&file.path);
        if file.gone {
            self.missing.insert(file.path.clone());
            return self.files.remove(&file.path).is_some();
        }
        if !self.order.contains(&file.path) {
            self.order.push(file.path.clone());
        }
        let same = self.files.get(&file.path).is_some_and(|before| before.says_the_same(&file));
        if same {
            return false;
        }
        if let Some(before) = self.files.get(&file.path) {
            file.follow(before);
        }
        self.files.insert(file.path.clone(), file);
        true
    }

    /// Returns what holds now.
    pub fn in_force(&self) -> InForce {
        let mut files: Vec<File> = self.order.iter().filter_map(|path| self.files.get(path)).cloned().collect();
        // Of settings that a command line once named only those hold that the present one names.
        let named = self.files.get(COMMAND_LINE).and_then(|line| line.settings.clone());
        files.retain(|file| file.scope != SettingsScope::Launch || file.is_command_line() || named.as_ref() == Some(&file.path));
        let rank = |scope: SettingsScope| {
            use SettingsScope::{Launch, Local, Managed, Project, Session, Trust, User};
            [Managed, Launch, Session, Local, Project, User, Trust].iter().position(|other| *other == scope)
        };
        files.sort_by_key(|file| rank(file.scope));
        let config = files.iter().map(|file| file.path.as_str()).chain(self.missing.iter().map(String::as_str));
        let home = config.filter_map(|path| path.strip_suffix("/.claude/settings.json")).find(|home| self.folder.as_deref() != Some(*home));
        let home = home.map(str::to_owned);
        let trusted = files.iter().find_map(|file| file.trusted).or_else(|| {
            let looked = self.missing.iter().any(|path| path.ends_with("/.claude.json"));
            looked.then_some(false)
        });
        InForce { files, missing: self.missing.clone(), folder: self.folder.clone(), home, trusted }
    }
}

impl File {
    fn says_the_same(&self, other: &Self) -> bool {
        let plain = |file: &Self| Self { event: String::new(), at: String::new(), since: BTreeMap::new(), ..file.clone() };
        plain(self) == plain(other)
    }
}
