//! Searches that have a name: those that ship with the program, and those of a home, in `searches.json`.
//!
//! A saved search is the list of its flags as they would be typed, so its times count from the moment it runs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use sealtrail_disk::{RealDisk, replace};
use sealtrail_engine::Home;
use serde::{Deserialize, Serialize};

use crate::args::Search;
use crate::exit::Exit;
use crate::failure::Failure;

/// 1,000 searches of a home.
const SAVED_MAX: usize = 1_000;
const NAME_MAX: usize = 64;

/// What ships: name, what it is for, flags.
const SHIPPED: &[(&str, &str, &[&str])] = &[
    (
        "unauthorised-access",
        "attempts that were refused: logins that failed, calls that policy or a person denied, security events",
        &[
            "--since",
            "1 hour",
            "(event_type=auth.* and exists(outcome) and outcome!=success) or outcome=denied or policy_result=denied or event_type=security.*",
        ],
    ),
    (
        "customer-data",
        "who touched customer data: by label, by class, or by name",
        &[
            "--since",
            "48 hours",
            "domain=data and (resource.sensitivity_level in (pii, phi, pci) or resource.classification in (pii, phi, pci, regulated) or data_classification>=confidential or resource.path:customer or command:customer)",
        ],
    ),
    (
        "failed-then-successful-login",
        "a login that failed, and one that did not within five minutes",
        &["--since", "24 hours", "--sequence", "auth.user_login[status=fail] auth.user_login[status=success]", "--within-seconds", "300"],
    ),
    (
        "deletions",
        "what was deleted: files, rows, tables, resources",
        &[
            "--since",
            "7 days",
            "event_type=data.file_deleted or operation.action in (delete, drop, truncate, remove, destroy, shred, terminate)",
        ],
    ),
    (
        "external-calls",
        "what reached beyond the machine: calls, uploads, MCP servers",
        &["--since", "24 hours", "event_type=data.api_call or event_type=mcp.tool_call or resource.detail.external=true"],
    ),
    ("privileged-commands", "what ran as another user: sudo, doas, su", &["--since", "7 days", "resource.privileged=true"]),
    ("secrets-redacted", "where a secret was found and replaced before anything was written", &["--since", "7 days", "redactions>0"]),
    ("unknown-outcomes", "calls whose end nobody saw", &["--since", "7 days", "outcome=unknown"]),
];

/// A search with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    /// What it is for.
    #[serde(default)]
    pub(crate) about: String,
    /// The flags of `search`.
    pub(crate) search: Vec<String>,
    /// It ships with the program.
    #[serde(skip)]
    pub(crate) shipped: bool,
}

/// The saved searches of a home.
pub(crate) struct Shelf {
    path: PathBuf,
    own: BTreeMap<String, Saved>,
}

impl Shelf {
    /// Reads the searches of a home.
    pub(crate) fn open(home: &Home) -> Result<Self, Failure> {
        let path = home.path().join("searches.json");
        let own = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Failure::because("saved.wrong", Exit::Config, format!("cannot understand {}", path.display()), &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Failure::file("read", &path, &error)),
        };
        Ok(Self { path, own })
    }

    /// Returns every search by name; one of the home takes the place of a shipped one.
    pub(crate) fn all(&self) -> BTreeMap<String, Saved> {
        let shipped = SHIPPED.iter().map(|(name, about, flags)| {
            let search = flags.iter().map(|flag| (*flag).to_owned()).collect();
            ((*name).to_owned(), Saved { about: (*about).to_owned(), search, shipped: true })
        });
        shipped.chain(self.own.clone()).collect()
    }

    /// Finds a search.
    pub(crate) fn find(&self, name: &str) -> Result<Saved, Failure> {
        self.all().remove(name).ok_or_else(|| {
            Failure::new("saved.missing", Exit::Failed, format!("there is no saved search {}", crate::visible::visible(name)))
                .hint("list them: sealtrail saved list")
        })
    }

    /// Keeps a search under a name.
    pub(crate) fn save(&mut self, name: &str, search: Vec<String>) -> Result<(), Failure> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(good) || name.starts_with('-') {
            return Err(Failure::usage(format!("a name has up to {NAME_MAX} letters, digits, dots, - and _; found {name:?}")));
        }
        if self.own.len() >= SAVED_MAX && !self.own.contains_key(name) {
            return Err(Failure::new("saved.limit", Exit::Failed, format!("there are {SAVED_MAX} saved searches already")));
        }
        self.own.insert(name.to_owned(), Saved { about: String::new(), search, shipped: false });
        self.write()
    }

    /// Removes a search of the home.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        if self.own.remove(name).is_some() {
            return self.write();
        }
        let found = self.find(name)?;
        debug_assert!(found.shipped, "what is not the home's own ships");
        Err(Failure::new("saved.shipped", Exit::Refused, format!("{name} ships with the program and cannot be removed")))
    }

    fn write(&self) -> Result<(), Failure> {
        let mut bytes = serde_json::to_vec_pretty(&self.own).map_err(|error| Failure::of("saved.write", &error))?;
        bytes.push(b'\n');
        replace(&RealDisk, &self.path, &bytes).map_err(|error| Failure::of("saved.write", &error))
    }
}

/// Returns the flags that give this search again.
pub(crate) fn flags(search: &Search) -> Vec<String> {
    let filter = &search.filter;
    let named = [
        ("--user-id", &filter.user_id),
        ("--session-id", &filter.session_id),
        ("--event-type", &filter.event_type),
        ("--sensitivity-level", &filter.sensitivity_level),
        ("--source-ip", &filter.source_ip),
        ("--agent-id", &filter.agent_id),
        ("--tool", &filter.tool),
        ("--outcome", &filter.outcome),
        ("--status", &filter.status),
        ("--policy-result", &filter.policy_result),
        ("--severity", &filter.severity),
        ("--tag", &filter.tag),
        ("--mcp-server", &filter.mcp_server),
        ("--project-id", &filter.project_id),
        ("--application-id", &filter.application_id),
        ("--model", &filter.model),
        ("--department", &filter.department),
        ("--since", &filter.since),
        ("--until", &filter.until),
        ("--sequence", &search.sequence),
        ("--related-to", &search.related_to),
    ];
    let mut flags: Vec<String> = Vec::new();
    let mut add = |name: &str, value: String| flags.extend([name.to_owned(), value]);
    for (name, value) in named {
        value.iter().for_each(|value| add(name, value.clone()));
    }
    if search.sequence.is_some() {
        search.by.iter().for_each(|field| add("--by", field.clone()));
    }
    search.within_seconds.iter().for_each(|seconds| add("--within-seconds", seconds.to_string()));
    if search.related_to.is_some() {
        add("--context", search.context.clone());
    }
    search.limit.iter().for_each(|limit| add("--limit", limit.to_string()));
    if !search.fields.is_empty() {
        add("--fields", search.fields.join(","));
    }
    let switches = [
        ("--scan", search.scan),
        ("--all", search.all),
        ("--oldest-first", search.oldest_first),
        ("--bookkeeping", filter.bookkeeping),
        ("--require-match", search.require_match),
    ];
    flags.extend(switches.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()));
    // Last, where a reader of the command line looks for it.
    if let Some(query) = &search.query {
        flags.push(query.clone());
    }
    flags
}

/// Writes flags as a shell reads them.
pub(crate) fn shell(flags: &[String]) -> String {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:,=@%+".contains(&byte));
    let quoted = flags.iter().map(|flag| if plain(flag) { flag.clone() } else { format!("'{}'", flag.replace('\'', "'\\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}
